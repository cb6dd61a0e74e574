package hosttest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// Mark returns what the last apply left on the machine; its zero value says that
// none did.
func (m *Machine) Mark() facts.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark
}

// SetMark puts a mark on the machine behind everybody's back.
func (m *Machine) SetMark(mark facts.Mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mark = mark
}

// writeMark is script mark, as a ScriptFunc because it answers with an error of its own.
func writeMark(m *Machine, args []string, _ []byte) (host.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	args = append(slices.Clip(args), make([]string, 4)...)
	lineage, cluster, digest := args[0], args[2], args[3]
	refused := func(why string) (host.Result, error) { return host.Result{Exit: 64, Stderr: []byte(why)}, nil }
	serial, err := strconv.ParseUint(args[1], 10, 64)
	switch {
	case lineage == "" || strings.Contains(lineage+cluster, "\n"):
		return refused("a lineage and a cluster's name are one line each")
	case err != nil || len(args[1]) > 18 || args[1] != strconv.FormatUint(serial, 10):
		return refused("not a serial: " + args[1])
	case digest != "" && (len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != ""):
		return refused("not a SHA-256: " + digest)
	}
	if have := m.mark; have.Lineage != "" && (have.Lineage != lineage || have.Serial > serial) {
		out := []byte(have.Lineage + "\n" + strconv.FormatUint(have.Serial, 10) + "\n")
		return host.Result{Exit: 74, Stdout: out}, &host.MarkedError{Lineage: have.Lineage, Serial: have.Serial, Expected: lineage}
	}
	m.mark = facts.Mark{Lineage: lineage, Serial: serial, Cluster: cluster, Copy: digest}
	return host.Result{}, nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// generation checks the arguments of keep and keep-restore.
func generation(script string, args []string) (string, []string, error) {
	if len(args) == 0 || !digits(args[0]) {
		return "", nil, failure(script, 64, "not a generation: "+strings.Join(args[:min(1, len(args))], ""))
	}
	for _, p := range args[1:] {
		if err := clean(script, p); err != nil {
			return "", nil, err
		}
	}
	return args[0], args[1:], nil
}

func (m *Machine) keep(args []string) (string, error) {
	name, paths, err := generation("keep", args)
	if err != nil {
		return "", err
	}
	out, kept := "", maps.Clone(m.kept[name])
	if kept == nil {
		kept = map[string]*File{}
	}
	for _, p := range paths {
		if strings.Contains(p, "\n") {
			return "", failure("keep", 64, "a path with a line break cannot be kept")
		}
		if _, ok := kept[p]; !ok {
			kept[p] = nil
			if f, ok := m.files[p]; ok {
				c := *f
				kept[p] = &c
			}
		}
		out += string(typeOf(kept[p])) + "\n"
	}
	if len(kept) > 0 {
		m.kept[name] = kept
	}
	return out, nil
}

func typeOf(f *File) facts.FileType {
	if f == nil {
		return facts.Absent
	}
	return f.Type
}

func (m *Machine) restoreKept(args []string) (string, error) {
	name, paths, err := generation("keep-restore", args)
	if err != nil {
		return "", err
	}
	for _, p := range paths {
		if _, ok := m.kept[name][p]; !ok {
			return "", failure("keep-restore", 1, "nothing is kept of "+p+" in generation "+name)
		}
	}
	out := ""
	for _, p := range paths {
		sum, err := m.putBack(p, m.kept[name][p])
		if err != nil {
			return out, err
		}
		out += string(typeOf(m.kept[name][p])) + " " + sum + "\n"
	}
	return out, nil
}

// putBack makes a path what it was, and returns the digest of a file.
func (m *Machine) putBack(p string, kept *File) (string, error) {
	now, present := m.files[p]
	if kept == nil && !present {
		return "-", nil
	}
	if err := m.guard("keep-restore", p); err != nil {
		return "", err
	}
	directory := present && now.Type == facts.Directory
	switch {
	case kept == nil && present && now.Mount:
		return "", failure("keep-restore", 1, p+": Device or resource busy")
	case kept == nil && directory && m.below(p):
		return "", failure("keep-restore", 1, p+": Directory not empty")
	case kept == nil:
		delete(m.files, p)
		return "-", nil
	case kept.Type != facts.Directory && directory, kept.Type == facts.Directory && present && !directory:
		return "", failure("keep-restore", 1, p+" is in the way")
	}
	c := *kept
	c.Mount = present && now.Mount
	m.files[p] = &c
	if c.Type != facts.Regular {
		return "-", nil
	}
	return digest(c.Content), nil
}

func (m *Machine) pruneKept(a []string) (string, error) {
	if !digits(a[0]) || len(a[0]) > 1 && a[0][0] == '0' {
		return "", failure("keep-prune", 64, "not a number of generations: "+a[0])
	}
	names := slices.SortedFunc(maps.Keys(m.kept), func(a, b string) int { return number(b) - number(a) })
	out := ""
	for _, name := range names[min(number(a[0]), len(names)):] {
		delete(m.kept, name)
		out += name + "\n"
	}
	return out, nil
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // the largest number when there is none so large
	return n
}

// pieceOfState bounds what script state-read prints, in bytes.
const pieceOfState = 3 << 20

func (m *Machine) readState(a []string) (string, error) {
	if !digits(a[0]) || len(a[0]) > 1 && a[0][0] == '0' {
		return "", failure("state-read", 64, "not an offset: "+a[0])
	}
	f, ok := m.files[stateDir+"/state.age"]
	if !ok || f.Type != facts.Regular {
		return "", failure("state-read", 3, "there is no copy of the state at "+stateDir+"/state.age")
	}
	rest := f.Content[min(number(a[0]), len(f.Content)):]
	return rest[:min(len(rest), pieceOfState)], nil
}
