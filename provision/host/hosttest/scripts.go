package hosttest

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// builtins gives every script of templates/scripts that runs by name its
// likeness in memory.
func (m *Machine) builtins() {
	each := func(f func(args []string, stdin []byte) (string, error)) ScriptFunc {
		return func(m *Machine, args []string, stdin []byte) (host.Result, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			out, err := f(args, stdin)
			if failed, ok := errors.AsType[*host.ScriptError](err); ok {
				return host.Result{Exit: failed.Exit, Stdout: []byte(out), Stderr: []byte(failed.Stderr)}, nil
			}
			return host.Result{Stdout: []byte(out)}, err
		}
	}
	// locked is for scripts with a fixed number of arguments: a missing one is empty.
	locked := func(f func(args []string, stdin []byte) (string, error)) ScriptFunc {
		return each(func(args []string, stdin []byte) (string, error) {
			return f(append(slices.Clip(args), make([]string, 8)...), stdin)
		})
	}
	nothing := locked(func([]string, []byte) (string, error) { return "", nil })
	m.scripts = map[string]ScriptFunc{
		"exec": execute,
		"directory": locked(func(a []string, _ []byte) (string, error) {
			mode, err := strconv.ParseUint(a[1], 8, 12)
			if err != nil {
				return "", failure("directory", 1, "invalid mode: "+a[1])
			}
			return m.directory(a[0], uint32(mode), a[2], a[3])
		}),
		"rmdir": locked(func(a []string, _ []byte) (string, error) { return m.rmdir(a[0]) }),
		"link": locked(func(a []string, _ []byte) (string, error) {
			if err := m.guard("link", a[1]); err != nil {
				return "", err
			}
			m.files[a[1]] = &File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: a[0]}
			return "", nil
		}),
		"directory-empty": locked(func(a []string, _ []byte) (string, error) { return m.emptyDirectory(a[0]) }),
		"block":           locked(func(a []string, in []byte) (string, error) { return m.block(a[0], string(in)) }),
		"sysctl":          locked(func(a []string, _ []byte) (string, error) { return m.sysctl(a[0], a[1]) }),
		"module":          locked(func(a []string, _ []byte) (string, error) { return m.module(a[0]) }),
		"swap-off":        locked(func([]string, []byte) (string, error) { return m.swapOff() }),
		"swap-on":         locked(func([]string, []byte) (string, error) { return m.swapOn() }),
		"packages":        each(func(a []string, _ []byte) (string, error) { return m.managePackages(a) }),
		"firewall":        locked(func(a []string, in []byte) (string, error) { return m.firewall(a[0], string(in)) }),
		"selinux":         locked(func(a []string, in []byte) (string, error) { return m.selinux(a[0]) }),
		"image-import":    locked(func(a []string, _ []byte) (string, error) { return m.importImage(a) }),
		"image-remove": locked(func(a []string, _ []byte) (string, error) {
			delete(m.images, a[2])
			return "", nil
		}),
		"http-get":      locked(func([]string, []byte) (string, error) { return "200\nok", nil }),
		"prior-save":    locked(func(a []string, _ []byte) (string, error) { return m.savePrior(a[0]) }),
		"prior-restore": locked(func(a []string, _ []byte) (string, error) { return m.restorePrior(a[0]) }),
		"state-clear": locked(func([]string, []byte) (string, error) {
			m.removeBelow(stateDir)
			delete(m.files, stateDir)
			m.prior, m.blocks = map[string]*File{}, map[string]string{}
			m.kept, m.mark = map[string]map[string]*File{}, facts.Mark{}
			return "", nil
		}),
		"mark":         writeMark,
		"keep":         each(func(a []string, _ []byte) (string, error) { return m.keep(a) }),
		"keep-restore": each(func(a []string, _ []byte) (string, error) { return m.restoreKept(a) }),
		"keep-prune":   locked(func(a []string, _ []byte) (string, error) { return m.pruneKept(a) }),
		"state-read":   locked(func(a []string, _ []byte) (string, error) { return m.readState(a) }),
		"clock": locked(func([]string, []byte) (string, error) {
			now := m.clock()
			return strconv.FormatInt(now.Unix(), 10) + "." + strconv.Itoa(now.Nanosecond()) + "\n", nil
		}),
		"unit-logs": nothing, "cleanup-cni": nothing, "cleanup-proxy": nothing, "kubelet-unmount": nothing, "pods-stop": nothing,
	}
}

// execute is script exec.
func execute(m *Machine, args []string, stdin []byte) (host.Result, error) {
	if len(args) == 0 {
		return host.Result{Exit: 64, Stderr: []byte("no command")}, nil
	}
	program := path.Base(args[0])
	m.mu.Lock()
	f, ok := m.execs[program]
	m.mu.Unlock()
	switch {
	case ok:
		return f(m, args[1:], stdin)
	case program == "kubectl":
		return m.Kubectl(args[1:], stdin), nil
	}
	return host.Result{}, nil
}

func (m *Machine) directory(p string, mode uint32, owner, group string) (string, error) {
	if err := m.guard("directory", p); err != nil {
		return "", err
	}
	want := File{Type: facts.Directory, Mode: mode, Owner: owner, Group: group}
	f, ok := m.files[p]
	switch {
	case !ok:
		m.files[p] = &want
		return "created\n", nil
	case f.Type != facts.Directory:
		return "", failure("directory", 1, p+" is in the way: it is not a directory")
	}
	want.Mount = f.Mount
	if *f == want {
		return "unchanged\n", nil
	}
	*f = want
	return "updated\n", nil
}

func (m *Machine) rmdir(p string) (string, error) {
	f, ok := m.files[p]
	switch {
	case !ok:
		return "", nil
	case f.Type != facts.Directory:
		return "", failure("rmdir", 1, p+" is not a directory")
	case m.below(p):
		return "", failure("rmdir", 3, p+" is not empty; kept")
	}
	if err := m.guard("rmdir", p); err != nil {
		return "", err
	}
	delete(m.files, p)
	return "", nil
}

func (m *Machine) emptyDirectory(p string) (string, error) {
	f, ok := m.files[p]
	if !ok {
		return "", nil
	}
	if err := m.guard("directory-empty", p); err != nil {
		return "", err
	}
	if f.Type != facts.Directory {
		return "", failure("directory-empty", 1, p+" is not a directory")
	}
	m.removeBelow(p)
	return "", nil
}

const blockBegin, blockEnd = "# BEGIN hardway\n", "# END hardway\n"

// block keeps what has to be put back (absent, newline) beside the machine.
func (m *Machine) block(p, text string) (string, error) {
	if err := m.guard("block", p); err != nil {
		return "", err
	}
	f, ok := m.files[p]
	if ok && f.Type != facts.Regular {
		return "", failure("block", 1, p+" is not a regular file")
	}
	old := ""
	if ok {
		old = f.Content
	}
	head, rest, begun := strings.Cut(old, blockBegin)
	_, after, ended := strings.Cut(rest, blockEnd)
	if begun != ended || strings.Count(old, blockBegin) > 1 || strings.Count(old, blockEnd) > 1 {
		return "", failure("block", 1, p+": the markers of hardway's block are damaged; put it right by hand")
	}
	if !begun {
		if text == "" {
			return "unchanged\n", nil
		}
		delete(m.blocks, p)
		switch {
		case !ok:
			m.blocks[p] = "absent"
		case head != "" && !strings.HasSuffix(head, "\n"):
			m.blocks[p] = "newline"
			head += "\n"
		}
	}
	was := m.blocks[p]
	if text == "" {
		if was == "newline" && after == "" {
			head = strings.TrimSuffix(head, "\n")
		}
		delete(m.blocks, p)
		if was == "absent" && head+after == "" {
			delete(m.files, p)
			return "written\n", nil
		}
		f.Content = head + after
		return "written\n", nil
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	now := head + blockBegin + text + blockEnd + after
	if !ok {
		f = &File{Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root"}
		m.files[p] = f
	}
	if f.Content == now {
		return "unchanged\n", nil
	}
	f.Content = now
	return "written\n", nil
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func (m *Machine) sysctl(key, value string) (string, error) {
	old, ok := m.sysctls[key]
	if !ok {
		return "", failure("sysctl", 1, key+": this kernel does not have it (is its module loaded?)")
	}
	if words(old) == words(value) {
		return "unchanged\n", nil
	}
	m.sysctls[key] = words(value)
	return "written\n", nil
}

func (m *Machine) module(name string) (string, error) {
	present, ok := m.modules[name]
	if !ok {
		return "", failure("module", 1, "kernel module "+name+" cannot be loaded: not found")
	}
	if present {
		return "unchanged\n", nil
	}
	m.modules[name] = true
	return "loaded\n", nil
}

// importImage takes any archive for one that holds the reference.
func (m *Machine) importImage(a []string) (string, error) {
	f, ok := m.files[a[4]]
	if !ok {
		return "", failure("image-import", 1, a[4]+": No such file or directory")
	}
	if got := digest(f.Content); got != a[3] {
		return "", failure("image-import", 65, a[4]+" has sha256 "+got+", expected "+a[3])
	}
	m.images[a[2]] = a[3]
	return "", nil
}

func (m *Machine) savePrior(p string) (string, error) {
	if err := clean("prior-save", p); err != nil {
		return "", err
	}
	kept, saved := m.prior[p]
	if !saved {
		if f, ok := m.files[p]; ok {
			c := *f
			kept = &c
		}
		m.prior[p] = kept
	}
	if kept == nil {
		return "absent\n", nil
	}
	return string(kept.Type) + "\n", nil
}

func (m *Machine) restorePrior(p string) (string, error) {
	kept, saved := m.prior[p]
	if !saved {
		return "", nil
	}
	if kept == nil {
		if f, ok := m.files[p]; ok && f.Type == facts.Directory && m.below(p) {
			return "", failure("prior-restore", 1, p+": Directory not empty")
		}
		delete(m.files, p)
		delete(m.prior, p)
		return "absent\n", nil
	}
	if err := m.guard("prior-restore", p); err != nil {
		return "", err
	}
	m.files[p] = kept
	delete(m.prior, p)
	return string(kept.Type) + "\n", nil
}

// AddImage puts an image into the runtime, with the digest of its archive or "".
func (m *Machine) AddImage(ref, archive string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images[ref] = archive
}

// Scripts returns the names of the scripts that the machine knows, sorted.
func (m *Machine) Scripts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.scripts))
	for n := range m.scripts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
