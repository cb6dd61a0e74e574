package runbook

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"hardway/provision/resource"
)

// binaries fetches programs on the workstation, brings them to the host and
// installs them there.
func (w *writer) binaries(g group) error {
	h := g.topic.host
	fetch := w.workstation()
	install := &script{}
	var files []string
	var sums strings.Builder
	fetch.line("mkdir -p bin")
	install.line("cd %s/hardway-bin", w.home(h))
	var puts script
	for _, r := range g.resources {
		b := r.Spec.Binary
		source, ok := w.in.Sources[b.SHA256]
		if !ok {
			return fmt.Errorf("%s: it is not known where the bytes with the digest %s come from", r.Addr, b.SHA256)
		}
		// By digest, so that hosts of two architectures do not get in each other's way.
		name := b.Component + "-" + b.SHA256[:12]
		fetch.obtain(source, "bin/"+name)
		files = append(files, name)
		fmt.Fprintf(&sums, "%s  %s\n", b.SHA256, name)
		puts.line("install %s %s %s", meta(b.Meta), quote(name), quote(b.Path))
	}
	slices.Sort(files)
	fetch.line("cd bin")
	fetch.here("sha256sum -c", sums.String())
	fetch.line("tar -cf - %s | %s 'mkdir -p hardway-bin && tar -C hardway-bin -xf -'", words(files), w.ssh(h))
	install.here("sha256sum -c", sums.String())
	install.WriteString(puts.String())
	install.line("cd / && rm -r %s/hardway-bin", w.home(h))
	w.step(g, "Programs on "+h.Name, whyBinaries, fetch.block(workstation), install.block(h))
	return nil
}

// obtain writes the command that gets the bytes of a source into a file, unless
// they are there.
func (s *script) obtain(source, into string) {
	place, member, archived := strings.Cut(source, "!")
	get := "cp " + quote(place) + " "
	if strings.Contains(place, "://") {
		get = "curl -fL --retry 3 " + quote(place) + " -o "
	}
	if !archived {
		s.line("[ -e %s ] || %s%s", quote(into), get, quote(into))
		return
	}
	archive := "bin/" + plainName(path.Base(place))
	s.line("[ -e %s ] || %s%s", quote(archive), get, quote(archive))
	// With or without "./" in front, as the archive has it.
	s.line("[ -e %s ] || { tar -xzOf %s %s 2>/dev/null || tar -xzOf %s %s; } >%s",
		quote(into), quote(archive), quote(member), quote(archive), quote("./"+member), quote(into))
}

// images imports images from archives.
func (w *writer) images(g group) error {
	h := g.topic.host
	bring, load := w.workstation(), &script{}
	load.line("cd %s/hardway-images", w.home(h))
	bring.line("mkdir -p images")
	var files []string
	var sums strings.Builder
	for _, r := range g.resources {
		i := r.Spec.Image
		source, ok := w.in.Sources[i.SHA256]
		if !ok {
			return fmt.Errorf("%s: it is not known where the archive with the digest %s is", r.Addr, i.SHA256)
		}
		name := i.SHA256[:12] + ".tar"
		bring.obtain(source, "images/"+name)
		fmt.Fprintf(&sums, "%s  %s\n", i.SHA256, name)
		files = append(files, name)
		load.line("%s -a %s -n k8s.io images import %s", quote(i.Ctr), quote(i.Socket), quote(name))
		load.line("%s -a %s -n k8s.io images label %s %s", quote(i.Ctr), quote(i.Socket), quote(i.Ref), quote("hardway.io/archive="+i.SHA256))
	}
	bring.line("cd images")
	bring.here("sha256sum -c", sums.String())
	bring.line("tar -cf - %s | %s 'mkdir -p hardway-images && tar -C hardway-images -xf -'", words(files), w.ssh(h))
	load.line("cd / && rm -r %s/hardway-images", w.home(h))
	w.step(g, "Images on "+h.Name, whyImages, bring.block(workstation), load.block(h))
	return nil
}

// unit writes what a component reads, and starts it.
func (w *writer) unit(g group) {
	c, h := lookup(g.topic.name), g.topic.host
	s := &script{}
	title := "Start " + c.what + " on " + h.Name
	started := false
	for _, r := range g.resources {
		if r.Spec.File != nil {
			s.file(r.Spec.File.Path, r.Spec.File.Meta, r.Spec.File.Content)
			continue
		}
		started = true
		s.start(r.Spec.Unit, w.members > 1)
	}
	why := c.why
	switch {
	case g.topic.name == "":
		title, why = "Other files on "+h.Name, whyOther
	case !started:
		title = "Files of " + c.what + " on " + h.Name
	}
	w.step(g, title, why, s.block(h))
	if u := g.resources[len(g.resources)-1].Spec.Unit; u != nil && u.Stage == stageEtcd && w.members > 1 {
		w.together(g)
	}
}

// together waits for the members of etcd behind the last one's start.
func (w *writer) together(g group) {
	var blocks []Block
	started := 0
	for _, r := range w.in.Want.All() {
		u := r.Spec.Unit
		if u == nil || u.Stage != stageEtcd {
			continue
		}
		done := r.Addr.Compare(g.resources[len(g.resources)-1].Addr) == 0
		for _, s := range w.steps {
			done = done || slices.Contains(s.Resources, r.Addr)
		}
		if done {
			started++
		}
		s := &script{}
		s.gate(u.Gate)
		blocks = append(blocks, s.block(r.Addr.Host))
	}
	if started == w.members {
		w.steps = append(w.steps, Step{Title: "Wait for etcd", Why: whyTogether.text, Links: whyTogether.links, Blocks: blocks})
	}
}

// start writes a unit, starts it and waits until it does its work.
func (s *script) start(u *resource.Unit, together bool) {
	s.file(u.Path, u.Meta, u.Content)
	if program, ok := strings.CutSuffix(u.Name, resource.ProgramSuffix); ok {
		s.line("supervisorctl reread")
		s.line("supervisorctl update %s", quote(program)) // starts it
		if u.Stage != stageEtcd || !together {
			s.gate(u.Gate)
		}
		return
	}
	s.line("systemctl daemon-reload")
	if u.Enabled {
		s.line("systemctl enable %s", quote(u.Name))
	}
	switch {
	case !u.Running:
	case u.Stage == stageEtcd && together:
		s.line("systemctl start --no-block %s", quote(u.Name))
	default:
		s.line("systemctl start %s", quote(u.Name))
		s.gate(u.Gate)
	}
}

// gate waits for a health condition. A path over plain http is asked by bash
// itself: a minimal host has nothing else that could.
func (s *script) gate(g *resource.Gate) {
	if g == nil {
		return
	}
	seconds := int(g.Timeout.Seconds())
	s.line("# %s, within %d s", g.Name, seconds)
	if g.HTTP == "" {
		s.line("timeout %d sh -c 'until \"$@\" >/dev/null 2>&1; do sleep 1; done' sh %s", seconds, words(g.Argv))
		return
	}
	rest := strings.TrimPrefix(g.HTTP, "http://")
	authority, target, _ := strings.Cut(rest, "/")
	colon := strings.LastIndexByte(authority, ':')
	host := strings.Trim(authority[:colon], "[]")
	s.line(`timeout %d bash -c 'until { exec 3<>"/dev/tcp/$1/$2" && printf "GET $3 HTTP/1.0\r\n\r\n" >&3 && head -n 1 <&3 | grep -q " 200 "; } 2>/dev/null; do sleep 1; done' bash %s %s %s`,
		seconds, quote(host), quote(authority[colon+1:]), quote("/"+target))
}
