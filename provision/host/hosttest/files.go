package hosttest

import (
	"path"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// WriteFile puts a root-owned regular file on the machine, without any check.
func (m *Machine) WriteFile(name string, mode uint32, content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = &File{Type: facts.Regular, Mode: mode, Owner: "root", Group: "root", Content: content}
}

// SetFile puts anything at a path, or nothing when f is nil.
func (m *Machine) SetFile(name string, f *File) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f == nil {
		delete(m.files, name)
		return
	}
	c := *f
	m.files[name] = &c
}

// File returns what stands at a path.
func (m *Machine) File(name string) (File, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	if !ok {
		return File{Type: facts.Absent}, false
	}
	return *f, true
}

// failure is a script's way to fail.
func failure(script string, exit int, text string) error {
	return &host.ScriptError{Script: script, Exit: exit, Stderr: text}
}

// clean is the prelude's: an absolute path in its shortest form.
func clean(script, p string) error {
	if !path.IsAbs(p) || p == "/" || path.Clean(p) != p {
		return failure(script, 64, "not a path in its shortest form: "+p)
	}
	return nil
}

// guard is the prelude's: only root can swap what lies above a path.
func (m *Machine) guard(script, p string) error {
	if err := clean(script, p); err != nil {
		return err
	}
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		f, ok := m.files[dir]
		switch {
		case !ok:
			return failure(script, 67, dir+": a parent directory is missing")
		case f.Type != facts.Directory:
			return failure(script, 67, dir+" is not a directory")
		case f.Owner != "root":
			return failure(script, 67, dir+" belongs to "+f.Owner)
		case f.Mode&0o1000 == 0 && (f.Mode&0o002 != 0 || f.Mode&0o020 != 0 && f.Group != "root"):
			return failure(script, 67, dir+": others can swap what is below it")
		}
		if dir == "/" {
			return nil
		}
	}
}

// expect is the prelude's: what stands at a path is what the plan read.
func (m *Machine) expect(p, want string) error {
	if want == "" {
		return nil
	}
	got := string(facts.Absent)
	if f, ok := m.files[p]; ok {
		got = string(f.Type)
		if f.Type == facts.Regular {
			got = digest(f.Content)
		}
	}
	if got != want {
		return &host.ChangedError{Path: p, Want: want, Got: got}
	}
	return nil
}

func (m *Machine) put(p host.Put, content string) error {
	if err := m.guard("put", p.Path); err != nil {
		return err
	}
	old := m.files[p.Path]
	if old != nil && old.Type == facts.Directory {
		return failure("put", 1, p.Path+" is a directory")
	}
	if got := digest(content); got != p.SHA256 {
		return failure("put", 65, p.Path+": the content that arrived has sha256 "+got)
	}
	if err := m.expect(p.Path, p.Expect); err != nil {
		return err
	}
	owner, group := p.Owner, p.Group
	if owner == "" {
		owner = "root"
	}
	if group == "" {
		group = "root"
	}
	m.files[p.Path] = &File{Type: facts.Regular, Mode: p.Mode, Owner: owner, Group: group, Content: content, Mount: old != nil && old.Mount}
	return nil
}

// below returns whether anything lies in a directory.
func (m *Machine) below(dir string) bool {
	for p := range m.files {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

func (m *Machine) remove(r host.Remove) error {
	if err := clean("remove", r.Path); err != nil {
		return err
	}
	f, ok := m.files[r.Path]
	if !ok {
		return nil
	}
	if err := m.guard("remove", r.Path); err != nil {
		return err
	}
	if err := m.expect(r.Path, r.Expect); err != nil {
		return err
	}
	switch {
	case f.Mount:
		return failure("remove", 1, r.Path+": Device or resource busy")
	case f.Type == facts.Directory && r.Recursive:
		if path.Dir(r.Path) == "/" {
			return failure("remove", 64, "refusing to delete the tree "+r.Path)
		}
		m.removeBelow(r.Path)
	case f.Type == facts.Directory && m.below(r.Path):
		return failure("remove", 1, "failed to remove '"+r.Path+"': Directory not empty")
	}
	delete(m.files, r.Path)
	return nil
}

func (m *Machine) removeBelow(dir string) {
	for p := range m.files {
		if strings.HasPrefix(p, dir+"/") {
			delete(m.files, p)
		}
	}
}
