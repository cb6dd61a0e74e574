package plan

import (
	"path"
	"regexp"
	"strings"

	"hardway/certs"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// makeOn brings one resource on a machine of the world to what its change says,
// and returns what an apply would record of it.
func (w *world) makeOn(m *machine, c Change) (sha256 string, cert *state.Certificate) {
	w.t.Helper()
	for _, p := range paths(c.Spec) {
		if _, kept := m.saved[p]; !kept {
			m.saved[p] = m.Files[p]
		}
	}
	switch s := c.Spec; {
	case s.Directory != nil:
		m.Files[s.Directory.Path] = facts.File{Type: facts.Directory, Mode: s.Directory.Mode, Owner: s.Directory.Owner, Group: s.Directory.Group}
	case s.File != nil:
		return w.put(m, c, s.File.Path, s.File.Meta, w.content(s.File)), nil
	case s.Binary != nil:
		w.expected(m, c, s.Binary.Path)
		m.Files[s.Binary.Path] = facts.File{Type: facts.Regular, Mode: s.Binary.Mode, Owner: s.Binary.Owner, Group: s.Binary.Group, Size: s.Binary.Size, SHA256: s.Binary.SHA256}
		return s.Binary.SHA256, nil
	case s.Block != nil:
		old, _, _ := strings.Cut(string(m.Files[s.Block.Path].Content), resource.BlockBegin+"\n")
		m.Files[s.Block.Path] = text(old+resource.BlockBegin+"\n"+s.Block.Content+resource.BlockEnd+"\n", 0o644)
	case s.Image != nil:
		m.Images[s.Image.Ref] = s.Image.SHA256
	case s.Certificate != nil:
		return w.issue(m, s.Certificate)
	case s.Sysctl != nil:
		m.Sysctls[s.Sysctl.Key] = s.Sysctl.Value
	case s.Module != nil:
		m.Modules[s.Module.Name] = true
	case s.Swap != nil:
		m.Swaps = nil
	case s.Unit != nil:
		w.steps(m, c)
		return resource.SHA256([]byte(s.Unit.Content)), nil
	default:
		w.t.Fatalf("%s: the world knows no %s", c.Addr, s.Kind())
	}
	return "", nil
}

// paths are all files that a resource owns.
func paths(s resource.Spec) []string {
	if c := s.Certificate; c != nil && !c.Combined {
		return []string{c.KeyPath, c.CertPath}
	}
	if p := s.Path(); p != "" {
		return []string{p}
	}
	return nil
}

func (w *world) content(f *resource.File) string {
	w.t.Helper()
	if f.Material == "" {
		return f.Content
	}
	public, _, ok := w.snap.Material(f.Material)
	if !ok {
		w.t.Fatalf("%s is written before %s is made", f.Path, f.Material)
	}
	if public != nil {
		return string(public)
	}
	return string(w.keys[f.Material].Reveal())
}

// expected refuses a change that was planned for another content.
func (w *world) expected(m *machine, c Change, p string) {
	w.t.Helper()
	have := "absent"
	if f := m.Files[p]; f.Exists() {
		have = f.SHA256
	}
	if c.Expect != "" && c.Expect != have {
		w.t.Fatalf("%s: the plan expects %s at %s, there is %s", c.Addr, c.Expect, p, have)
	}
}

func (w *world) put(m *machine, c Change, p string, meta resource.Meta, content string) string {
	w.t.Helper()
	w.expected(m, c, p)
	if parent := path.Dir(p); m.Files[parent].Exists() && m.Files[parent].Type != facts.Directory {
		w.t.Fatalf("%s: %s is no directory", c.Addr, parent)
	}
	f := text(content, meta.Mode)
	f.Owner, f.Group = meta.Owner, meta.Group
	m.Files[p] = f
	return f.SHA256
}

// issue makes a leaf and its key.
func (w *world) issue(m *machine, c *resource.Certificate) (string, *state.Certificate) {
	w.t.Helper()
	a, ok := w.snap.Authorities[c.Authority]
	if !ok {
		w.t.Fatalf("%s is issued before its authority %s is made", c.Name, c.Authority)
	}
	authority, err := certs.LoadAuthority(c.Authority, a.Generation, []byte(a.CertPEM), w.keys[resource.MaterialKey(c.Authority)])
	if err != nil {
		w.t.Fatal(err)
	}
	leaf, err := certs.Issue(authority, Request(c), w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	certText, keyText := string(leaf.CertPEM), string(leaf.KeyPEM.Reveal())
	if c.Combined {
		certText = string(leaf.Combined().Reveal())
		keyText = certText
	}
	certMode, keyMode := CertificateModes(c)
	m.Files[c.KeyPath] = text(keyText, keyMode)
	m.Files[c.CertPath] = text(certText, certMode)
	if c.Combined { // the kubelet turns a link when it rotates
		target := path.Join(path.Dir(c.CertPath), "kubelet-client-"+leaf.Info.Serial+".pem")
		m.Files[target] = text(certText, certMode)
		m.Files[c.CertPath] = link(target, certText)
	}
	sum := resource.SHA256([]byte(certText))
	return sum, &state.Certificate{PEM: string(leaf.CertPEM), CertSHA256: sum, KeySHA256: resource.SHA256([]byte(keyText)), Serial: leaf.Info.Serial,
		Authority: authority.Name, Generation: authority.Generation, NotBefore: leaf.Info.NotBefore, NotAfter: leaf.Info.NotAfter}
}

// link is a symbolic link, with what is read through it.
func link(target, content string) facts.File {
	return facts.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: target, Content: []byte(content)}
}

var inputsOf = regexp.MustCompile(`HARDWAY_INPUTS=([0-9a-f]+)`)

// steps does with a unit what the plan says, and nothing else.
func (w *world) steps(m *machine, c Change) {
	w.t.Helper()
	u, steps := c.Spec.Unit, c.Unit
	if steps == nil {
		w.t.Fatalf("%s has no steps", c.Addr)
	}
	live := m.Units[u.Name]
	if steps.Unmask {
		delete(m.Files, u.Path)
		live.Load, live.Enabled = "not-found", ""
	}
	if steps.Write {
		w.put(m, c, u.Path, u.Meta, u.Content)
		live.Load, live.NeedsReload = "loaded", false
		if live.Enabled == "" {
			live.Enabled = "disabled"
		}
	}
	if steps.Enable {
		live.Enabled = "enabled"
	}
	if steps.Disable {
		live.Enabled = "disabled"
	}
	switch steps.Start {
	case "":
	case "start", "start-no-block", "restart", "restart-no-block":
		if live.Load != "loaded" {
			w.t.Fatalf("%s: %s of a unit that is %s", c.Addr, steps.Start, live.Load)
		}
		if live.Active != "active" || strings.HasPrefix(steps.Start, "restart") {
			live.Active, live.Inputs = "active", ""
			if found := inputsOf.FindSubmatch(m.Files[u.Path].Content); found != nil {
				live.Inputs = string(found[1])
			}
		}
	case "stop":
		live.Active = "inactive"
	default:
		w.t.Fatalf("%s: unknown start %q", c.Addr, steps.Start)
	}
	m.Units[u.Name] = live
	if u.Name == "etcd.service" && live.Active == "active" {
		m.Files[path.Join(w.cfg.Directories.Data, "etcd", "member")] = facts.File{Type: facts.Directory}
	}
}

// remove takes a resource away and puts back what stood there.
func (w *world) remove(c Change) {
	w.t.Helper()
	if inState(c.Spec) {
		delete(w.snap.Authorities, c.Addr.Name)
		delete(w.snap.KeyPairs, c.Addr.Name)
		return
	}
	w.record(state.Entry{Remove: &c.Addr})
	if s := c.Spec; c.Addr.Host.IsCluster() {
		if s.Node != nil {
			delete(w.nodes, s.Node.Name)
		} else {
			delete(w.objects, s.Object.Kind+"/"+s.Object.Name)
		}
	} else {
		w.removeOn(w.hosts[c.Addr.Host], c)
	}
	w.record(state.Entry{Forget: &c.Addr})
}

func (w *world) removeOn(m *machine, c Change) {
	w.t.Helper()
	prior := state.Prior{}
	if c.Prior != nil {
		prior = *c.Prior
	}
	switch s := c.Spec; {
	case s.Unit != nil:
		delete(m.Units, s.Unit.Name)
	case s.Sysctl != nil:
		if prior.Value == "" {
			delete(m.Sysctls, s.Sysctl.Key)
		} else {
			m.Sysctls[s.Sysctl.Key] = prior.Value
		}
	case s.Swap != nil:
		m.Swaps = prior.Swaps
	case s.Module != nil:
		m.Modules[s.Module.Name] = prior.Exists
	case s.Image != nil:
		delete(m.Images, s.Image.Ref)
	case s.Directory != nil && (s.Directory.Data || s.Directory.Purge):
		for p := range m.Files {
			if strings.HasPrefix(p, s.Directory.Path+"/") {
				delete(m.Files, p)
			}
		}
	}
	for _, p := range paths(c.Spec) {
		if m.Files[p] = m.saved[p]; !m.Files[p].Exists() {
			delete(m.Files, p)
		}
	}
}
