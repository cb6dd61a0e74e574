package audit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rule decides a check. reads are the settings of the user's that can make it
// fail; test is nil for what only a person can decide.
type rule struct {
	reads []setting
	test  func(*machine) finding
}

// finding is what a rule says of a machine. by are the settings that it comes from.
type finding struct {
	status   Status
	evidence string
	by       []setting
}

func say(s Status, format string, args []any) finding {
	return finding{status: s, evidence: fmt.Sprintf(format, args...)}
}

func pass(format string, args ...any) finding    { return say(Pass, format, args) }
func fail(format string, args ...any) finding    { return say(Fail, format, args) }
func manual(format string, args ...any) finding  { return say(Manual, format, args) }
func unknown(format string, args ...any) finding { return say(Unknown, format, args) }

// because names the settings that a finding comes from.
func (f finding) because(by ...setting) finding {
	f.by = by
	return f
}

// worst keeps the finding that counts of two about the same check.
func worst(a, b finding) finding {
	rank := map[Status]int{Pass: 0, Manual: 1, Unknown: 2, Fail: 3}
	if rank[b.status] > rank[a.status] {
		return b
	}
	return a
}

// setting is a flag of a component, or a field of its config object.
type setting struct{ component, flag, field string }

// String is how the configuration has it.
func (s setting) String() string {
	if s.flag != "" {
		return blockOf(s.component) + ".flags[" + strconv.Quote(s.flag) + "]"
	}
	return blockOf(s.component) + ".config." + s.field
}

// blockOf is the block of a component in the configuration.
func blockOf(component string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.Replace(component, "kube-proxy", "kube_proxy", 1), "kube-"), "-", "_")
}

// choice finds the first of the finding's settings that the user wrote for the host.
func (f finding) choice(h Machine) *Choice {
	for _, s := range f.by {
		theirs := h.Settings[s.component]
		if at, ok := theirs.Flags[s.flag]; ok && s.flag != "" {
			return &Choice{s.String(), at.Filename, at.Start.Line}
		}
		for leaf, at := range theirs.Fields { // at most one leaf is the field, or an object around it
			if s.field != "" && (leaf == s.field || strings.HasPrefix(s.field, leaf+".")) {
				return &Choice{s.String(), at.Filename, at.Start.Line}
			}
		}
	}
	return nil
}

// each holds every command line of a component against a test.
func each(component string, test func(*machine, command) finding) func(*machine) finding {
	return func(m *machine) finding {
		list := m.commands[component]
		if len(list) == 0 {
			return unknown("%s is not there, or its command line could not be read", component)
		}
		out := test(m, list[0])
		for _, c := range list[1:] {
			out = worst(out, test(m, c))
		}
		return out
	}
}

// longest is how much of a value is quoted as evidence.
const longest = 300

func quoted(s string) string {
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}

// value is what a component was given: a flag, or the field of its config object.
type value struct {
	words []string
	set   bool
	shown string // how it stands there: --profiling=false
	// problem is why it could not be found out.
	problem string
}

// last is the value of something that has one: of a repeated flag the last counts.
func (v value) last() string {
	if len(v.words) == 0 {
		return ""
	}
	return v.words[len(v.words)-1]
}

// list is the value of something that has several.
func (v value) list() []string {
	var out []string
	for _, w := range v.words {
		for item := range strings.SplitSeq(w, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

func (v value) has(word string) bool {
	for _, w := range v.list() {
		if w == word {
			return true
		}
	}
	return false
}

// value looks a setting up: the flag first, since where a component takes both
// the flag counts, then the field of the config object that the command names.
func (c command) value(m *machine, flag, fieldPath string) value {
	if list, ok := c.flags[flag]; ok && flag != "" {
		return value{words: list, set: true, shown: quoted("--" + flag + "=" + strings.Join(list, ","))}
	}
	if fieldPath == "" {
		return value{shown: "no --" + flag}
	}
	at := value{words: c.flags["config"]}.last()
	object, ok := m.config(at)
	if !ok {
		return value{problem: fmt.Sprintf("the config file of %s could not be read", c.from)}
	}
	v, ok := field(object, fieldPath)
	if !ok {
		return value{shown: "no " + fieldPath}
	}
	w := words(v)
	return value{words: w, set: true, shown: quoted(fieldPath + ": " + strings.Join(w, ","))}
}

// decide makes a rule of a test of one value.
func decide(component, flag, fieldPath string, test func(value) bool) rule {
	var reads []setting
	if flag != "" {
		reads = append(reads, setting{component: component, flag: flag})
	}
	if fieldPath != "" {
		reads = append(reads, setting{component: component, field: fieldPath})
	}
	return rule{reads: reads, test: each(component, func(m *machine, c command) finding {
		v := c.value(m, flag, fieldPath)
		switch {
		case v.problem != "":
			return unknown("%s", v.problem)
		case test(v):
			return pass("%s has %s", c.from, v.shown)
		}
		return fail("%s has %s", c.from, v.shown).because(reads...)
	})}
}

// same compares as flags are read: "true" and "1" are the same bool.
func same(got, want string) bool {
	if a, err := strconv.ParseBool(got); err == nil {
		if b, err := strconv.ParseBool(want); err == nil {
			return a == b
		}
	}
	return got == want
}

// flagIs wants a flag to be given with this value.
func flagIs(component, flag, want string) rule {
	return decide(component, flag, "", func(v value) bool { return v.set && same(v.last(), want) })
}

// flagNot wants a flag not to have this value; absent is fine.
func flagNot(component, flag, bad string) rule {
	return decide(component, flag, "", func(v value) bool { return !v.set || !same(v.last(), bad) })
}

func flagUnset(component, flag string) rule {
	return decide(component, flag, "", func(v value) bool { return !v.set || v.last() == "" })
}

// flagsSet wants flags to be given with anything but nothing.
func flagsSet(component string, flags ...string) rule {
	var r rule
	for _, f := range flags {
		r = r.and(decide(component, f, "", func(v value) bool { return v.set && v.last() != "" }))
	}
	return r
}

func flagHas(component, flag, word string) rule {
	return decide(component, flag, "", func(v value) bool { return v.has(word) })
}

func flagLacks(component, flag, word string) rule {
	return decide(component, flag, "", func(v value) bool { return !v.has(word) })
}

func flagAtLeast(component, flag string, least int) rule {
	return decide(component, flag, "", func(v value) bool {
		n, err := strconv.Atoi(v.last())
		return err == nil && n >= least
	})
}

// and wants both; the settings of both decide.
func (r rule) and(o rule) rule {
	if r.test == nil {
		return o
	}
	return rule{reads: append(r.reads, o.reads...), test: func(m *machine) finding {
		a, b := r.test(m), o.test(m)
		if a.status == Pass && b.status == Pass {
			return pass("%s; %s", a.evidence, b.evidence)
		}
		return worst(a, b)
	}}
}

// unless leaves the decision to a person where a flag hands it to a file that
// hardway does not read.
func (r rule) unless(component, flag, why string) rule {
	inner := r.test
	r.test = each(component, func(m *machine, c command) finding {
		if v := c.value(m, flag, ""); v.set {
			return manual("%s has %s: %s", c.from, v.shown, why)
		}
		return inner(&machine{commands: map[string][]command{component: {c}}, files: m.files, configs: m.configs, places: m.places, holders: m.holders})
	})
	return r
}
