package hosttest

import (
	"maps"
	"path"
	"slices"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/units/unitfile"
)

// unit is what systemd holds of a unit beside its file.
type unit struct {
	active  string
	result  string
	enabled bool
	masked  bool
	pid     int
	inputs  string // that the process was started with
	argv    []string
}

// unitDirs is where unit files lie; the first one wins.
var unitDirs = [...]string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// dropInDirs is where the directories with drop-ins lie; a file in the first one
// hides those of its name in the others.
var dropInDirs = [...]string{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"}

// programDir is where supervisord reads its programs.
const programDir = "/etc/supervisor/conf.d"

// BreakUnit makes a unit fail whenever it starts, or heals it.
func (m *Machine) BreakUnit(name string, broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken[name] = broken
}

// RunAs replaces the command line of a unit's process, as somebody does who starts
// it by hand.
func (m *Machine) RunAs(name string, argv ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(name).argv = argv
}

// MaskUnit masks a unit, as an operator might have.
func (m *Machine) MaskUnit(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(name).masked = true
}

// KillUnit ends a unit's process, as a crash does.
func (m *Machine) KillUnit(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.of(name)
	u.active, u.result, u.pid = "failed", "signal", 0
}

func (m *Machine) of(name string) *unit {
	u, ok := m.units[name]
	if !ok {
		u = &unit{active: "inactive", result: "success"}
		m.units[name] = u
	}
	return u
}

// fragment returns the unit's file on disk.
func (m *Machine) fragment(name string) (string, *File) {
	if program, ok := strings.CutSuffix(name, ".program"); ok { // of supervisord
		at := path.Join(programDir, program+".conf")
		if f, ok := m.files[at]; ok && f.Type == facts.Regular {
			return at, f
		}
		return "", nil
	}
	for _, dir := range unitDirs {
		if f, ok := m.files[path.Join(dir, name)]; ok && f.Type == facts.Regular {
			return path.Join(dir, name), f
		}
	}
	return "", nil
}

// loaded returns the text that systemd has of a unit. One that it has not heard
// of is read from disk at the first mention.
func (m *Machine) loaded(name string) (string, bool) {
	if text, ok := m.units0[name]; ok {
		return text, true
	}
	if _, f := m.fragment(name); f != nil {
		m.units0[name] = f.Content
		return f.Content, true
	}
	return "", false
}

// setting returns a value of a unit file, the last one if it is set repeatedly.
func setting(text, key string) string {
	value := ""
	for line := range strings.SplitSeq(text, "\n") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value = v
		}
	}
	return value
}

// inputsOf finds HARDWAY_INPUTS in the Environment= lines of a unit file, or in
// the environment= of a program.
func inputsOf(text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if v, ok := strings.CutPrefix(line, "environment="); ok {
			_, v, _ = strings.Cut(v, "HARDWAY_INPUTS=\"")
			v, _, _ = strings.Cut(v, "\"")
			return v
		}
		v, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment=")
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(v) {
			if in, ok := strings.CutPrefix(strings.Trim(word, `"'`), "HARDWAY_INPUTS="); ok {
				return strings.Trim(in, `"'`)
			}
		}
	}
	return ""
}

// show is systemctl show.
func (m *Machine) show(name string) facts.Unit {
	at, file := m.fragment(name)
	text, known := m.loaded(name)
	u, ok := m.units[name]
	if !ok {
		u = &unit{active: "inactive", result: "success"}
	}
	o := facts.Unit{Load: "not-found", Active: u.active, Sub: "dead", PID: u.pid, Inputs: u.inputs, Result: u.result}
	if known {
		m.dropIns(name, &o)
	}
	switch {
	case u.masked:
		o.Load, o.Enabled = "masked", "masked"
	case known:
		o.Load, o.Fragment, o.Enabled = "loaded", at, "disabled"
		if u.enabled {
			o.Enabled = "enabled"
		}
		o.NeedsReload = file == nil || file.Content != text
	}
	switch {
	case u.active == "active" && u.pid == 0:
		o.Sub = "exited"
	case u.active == "active":
		o.Sub = "running"
	case u.active == "failed":
		o.Sub = "failed"
	}
	return o
}

// dropIns are the files that add to a unit, those for all services first. What
// systemd has not read yet is not told apart.
func (m *Machine) dropIns(name string, o *facts.Unit) {
	found := map[string]string{} // by the directory's and the file's name
	for p, f := range m.files {
		if f.Type != facts.Regular || !strings.HasSuffix(p, ".conf") {
			continue
		}
		dir := path.Dir(p)
		rank := slices.Index(dropInDirs[:], path.Dir(dir))
		if of := path.Base(dir); rank < 0 || of != "service.d" && of != name+".d" {
			continue
		}
		key := path.Base(dir) + "/" + path.Base(p)
		if other, ok := found[key]; !ok || rank < slices.Index(dropInDirs[:], path.Dir(path.Dir(other))) {
			found[key] = p
		}
	}
	everywhere := func(key string) bool { return strings.HasPrefix(key, "service.d/") }
	for _, key := range slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		if everywhere(a) != everywhere(b) {
			return map[bool]int{true: -1, false: 1}[everywhere(a)]
		}
		return strings.Compare(a, b)
	}) {
		p := found[key]
		o.DropIns = append(o.DropIns, p)
		text := strings.ReplaceAll(m.files[p].Content, "\x00", "")
		if text == "" || len(text) > facts.MaxContent {
			continue
		}
		if o.DropInTexts == nil {
			o.DropInTexts = map[string]string{}
		}
		o.DropInTexts[p] = strings.TrimSuffix(text, "\n") + "\n"
	}
}

// unit performs an action as templates/scripts/unit.sh does.
func (m *Machine) unit(name string, action host.UnitAction) error {
	if action == host.DaemonReload {
		m.units0 = map[string]string{}
		for n := range m.units {
			if _, found := m.loaded(n); !found && m.units[n].active != "active" && !m.units[n].masked {
				delete(m.units, n)
			}
		}
		return nil
	}
	text, known := m.loaded(name)
	if !known && !(m.units[name] != nil && m.units[name].masked) {
		switch action {
		case host.Stop, host.Disable, host.ResetFailed:
			if u := m.units[name]; u != nil { // its file went first
				u.active, u.pid, u.inputs, u.enabled = "inactive", 0, "", false
			}
			return nil
		case host.Unmask:
			return nil
		}
		return failure("unit", 5, "Unit "+name+" not found.")
	}
	u := m.of(name)
	if u.masked && action != host.Unmask && action != host.Stop && action != host.ResetFailed && action != host.Disable {
		return failure("unit", 1, "Unit "+name+" is masked.")
	}
	switch action {
	case host.Start, host.StartNoBlock:
		if u.active == "active" {
			return nil
		}
		return m.start(name, u, text)
	case host.Restart, host.RestartNoBlock:
		return m.start(name, u, text)
	case host.Reload:
		if u.active != "active" {
			return failure("unit", 1, name+" is not active, cannot reload.")
		}
	case host.Stop:
		u.active, u.pid, u.inputs = "inactive", 0, ""
	case host.Enable:
		u.enabled = true
	case host.Disable:
		u.enabled = false
	case host.Unmask:
		u.masked = false
	case host.ResetFailed:
		if u.active == "failed" {
			u.active, u.result = "inactive", "success"
		}
	default:
		return failure("unit", 64, "unknown action "+string(action))
	}
	return nil
}

func (m *Machine) start(name string, u *unit, text string) error {
	if m.broken[name] {
		u.active, u.result, u.pid, u.inputs = "failed", "exit-code", 0, ""
		return failure("unit", 1, "Job for "+name+" failed because the control process exited with error code.")
	}
	u.result, u.inputs = "success", inputsOf(text)
	if setting(text, "Type") == "oneshot" {
		u.active, u.pid = "inactive", 0
		if setting(text, "RemainAfterExit") == "yes" {
			u.active = "active"
		} else {
			u.inputs = ""
		}
		return nil
	}
	m.nextPID++
	u.active, u.pid = "active", m.nextPID
	u.argv, _ = unitfile.ParseExec(text) // nil where it cannot be read
	m.etcdData(text)
	return nil
}

// etcdData makes what etcd makes at its first start: that it is there tells an
// observation that a cluster exists.
func (m *Machine) etcdData(text string) {
	_, after, found := strings.Cut(text, "--data-dir=")
	if !found || !strings.Contains(text, "etcd") {
		return
	}
	words := strings.Fields(after)
	if len(words) == 0 {
		return
	}
	for _, dir := range []string{strings.Trim(words[0], `"'\`), strings.Trim(words[0], `"'\`) + "/member"} {
		if _, ok := m.files[dir]; !ok {
			m.files[dir] = &File{Type: facts.Directory, Mode: 0o700, Owner: "root", Group: "root"}
		}
	}
}
