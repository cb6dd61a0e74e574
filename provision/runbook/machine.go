package runbook

import (
	"strings"

	"hardway/provision/resource"
)

// preparations begin the run on the workstation.
func (w *writer) preparations() {
	s := &script{}
	s.line("mkdir -m 0700 %s", w.dir)
	s.line("openssl version && ssh -V && tar --version | head -n 1")
	w.steps = append(w.steps, Step{Title: "A directory on the workstation", Why: whyPrepare.text, Links: whyPrepare.links, Blocks: []Block{s.block(workstation)}})
}

// machine prepares a host: packages, names, swap, kernel, what guards it.
func (w *writer) machine(g group) {
	s := &script{}
	for _, r := range g.resources {
		switch spec := r.Spec; spec.Kind() {
		case resource.KindPackages:
			packages(s, spec.Packages)
		case resource.KindFirewall:
			firewalls(s, spec.Firewall)
		case resource.KindSELinux:
			selinux(s, spec.SELinux)
		case resource.KindBlock:
			b := spec.Block
			s.here("grep -qxF '"+resource.BlockBegin+"' "+quote(b.Path)+" || cat >>"+quote(b.Path), resource.BlockBegin+"\n"+b.Content+resource.BlockEnd+"\n")
		case resource.KindSwap:
			s.line("swapoff -a")
			s.line(`sed -i -E 's/^([^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap[[:space:]])/# \1/' /etc/fstab`)
		case resource.KindModule:
			s.line("%smodprobe %s", unless(spec.Module.Effects), quote(spec.Module.Name))
		case resource.KindSysctl:
			s.line("sysctl -w %s", quote(spec.Sysctl.Key+"="+spec.Sysctl.Value))
		case resource.KindFile:
			s.file(spec.File.Path, spec.File.Meta, spec.File.Content)
		}
	}
	w.step(g, "Prepare "+g.topic.host.Name, whyMachine, s.block(g.topic.host))
}

// unless begins a command that has nothing to do when one of the effects of a
// module is there: a built-in module is in no list of modules.
func unless(effects []string) string {
	var out strings.Builder
	for _, e := range effects {
		if file, word, ok := strings.Cut(e, ":"); ok {
			out.WriteString("grep -qw " + quote(word) + " " + quote(file) + " || ")
			continue
		}
		out.WriteString("[ -e " + quote(e) + " ] || ")
	}
	return out.String()
}

// directories makes the directories of a host, parents first.
func (w *writer) directories(g group) {
	s := &script{}
	for _, r := range g.resources {
		s.line("install -d %s %s", meta(r.Spec.Directory.Meta), quote(r.Spec.Directory.Path))
	}
	w.step(g, "Directories on "+g.topic.host.Name, whyDirectories, s.block(g.topic.host))
}
