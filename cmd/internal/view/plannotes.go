package view

import (
	"fmt"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// restarts lists what is interrupted, by host, with the reason: the question
// that everybody asks of a plan before saying yes.
func (t *planText) restarts() {
	type row struct{ unit, what, why string }
	any := false
	for _, h := range planHosts(t.p) {
		var rows []row
		width := 0
		for _, c := range t.p.Changes {
			if c.Addr.Host.Compare(h) != 0 || c.Action == plan.NoOp {
				continue
			}
			what := interruption(c)
			if what == "" {
				continue
			}
			r := row{unit: Escape(unitName(c)), what: what, why: Escape(c.Reason)}
			if c.Addr.Kind != string(resource.KindUnit) {
				r.unit = Escape(c.Addr.Kind + " " + c.Addr.Name)
			}
			rows, width = append(rows, r), max(width, columns(r.unit))
		}
		if len(rows) == 0 {
			continue
		}
		if !any {
			t.line("%s", t.bold("What restarts:"))
			t.line("")
			any = true
		}
		t.line("  %s", Escape(h.String()))
		for _, r := range rows {
			head := fmt.Sprintf("    %s  %s", r.unit+strings.Repeat(" ", width-columns(r.unit)), r.what)
			if r.why != "" {
				head += ": " + r.why
			}
			t.line("%s", wrapHanging(head, t.o.Width, strings.Repeat(" ", width+6)))
		}
	}
	if any {
		t.line("")
	}
}

// interruption names what a change does to something that already runs.
func interruption(c plan.Change) string {
	switch {
	case c.Action == plan.Delete && c.Disruption == plan.Restart:
		return "stopped for good"
	case c.Disruption == plan.Drain:
		return "drained, then restarted"
	case c.Disruption == plan.Restart, c.Unit != nil && c.Unit.Start == "restart":
		return "restarted"
	case c.Disruption == plan.Reload:
		return "reloaded"
	}
	return ""
}

// wrapHanging wraps a line whose own leading spaces and inner runs of spaces
// must stay; only what lies beyond width moves.
func wrapHanging(line string, width int, indent string) string {
	if width <= 0 || columns(line) <= width {
		return line
	}
	r := []rune(line)
	at := width
	for at > len(indent) && r[at] != ' ' {
		at--
	}
	if at <= len(indent) { // one word wider than the line
		return line
	}
	return strings.TrimRight(string(r[:at]), " ") + "\n" +
		wrapHanging(indent+strings.TrimLeft(string(r[at:]), " "), width, indent)
}

func (t *planText) deferred() {
	if len(t.p.Deferred) == 0 {
		return
	}
	t.line("%s", t.bold("Decided after this plan is applied:"))
	t.line("")
	for _, d := range t.p.Deferred {
		t.line("%s", wrapHanging("  "+Escape(d.Addr.String())+": "+Escape(d.Reason), t.o.Width, "    "))
	}
	t.line("")
}

func (t *planText) unknown() {
	if len(t.p.Unknown) == 0 {
		return
	}
	t.line("%s", t.bold(t.red("Hosts of which nothing is known:")))
	t.line("")
	for _, u := range t.p.Unknown {
		t.line("%s", wrapHanging("  "+Escape(u.Host.String())+": "+Escape(u.Reason), t.o.Width, "    "))
	}
	t.line("")
}

func (t *planText) warnings() {
	warn := func(text string) {
		t.line("%s %s", t.bold(t.yellow("Warning:")), wrap(text, t.o.Width-9, "  "))
		t.line("")
	}
	for _, w := range t.p.Warnings {
		text := Escape(w.Summary)
		if w.Addr != (addr.Address{}) {
			text = Escape(w.Addr.String()) + ": " + text
		}
		warn(text)
	}
	if n := len(t.p.Targets); n > 0 {
		var list []string
		for _, a := range t.p.Targets {
			list = append(list, Escape(a.String()))
		}
		warn("Resource targeting is in effect: this plan covers only " + strings.Join(list, ", ") +
			" and what that depends on. The result may not be the whole configuration; it is meant for" +
			" recovering from errors, not for routine use.")
	}
}

// summary writes the line that scripts and people look for.
func (t *planText) summary() {
	if t.p.Changed() {
		t.line("%s %s", t.bold("Plan:"), Counts(t.p.Counts()))
		if !t.p.Complete {
			t.line("")
			t.line("%s", wrap("This plan is not the whole way: "+t.open()+".", t.o.Width, ""))
		}
		return
	}
	head, detail := t.unchanged()
	t.line("%s", t.bold(t.green(head)))
	t.line("")
	t.line("%s", wrap(detail, t.o.Width, ""))
}

// unchanged returns what to say of a plan without changes. That nothing was
// found where nothing could be seen is never "no changes".
func (t *planText) unchanged() (head, detail string) {
	switch {
	case !t.p.Complete:
		return "Nothing to change in what could be seen, but that is not everything.", upperFirst(t.open()) + "."
	case len(t.p.Targets) > 0:
		return "No changes. The targeted resources match the configuration.",
			"hardway compared the targeted resources with the hosts and found no differences."
	case t.p.Mode == plan.Destroy:
		return "No changes. No objects need to be destroyed.", "Nothing that hardway made is left on the hosts."
	}
	return "No changes. Your cluster matches the configuration.",
		"hardway compared the configuration with every host and found no differences, so nothing needs to be done."
}

// open says why a plan is not complete.
func (t *planText) open() string {
	var parts []string
	if n := len(t.p.Unknown); n > 0 {
		parts = append(parts, number(n, "host")+" could not be read")
	}
	if n := len(t.p.Deferred); n == 1 {
		parts = append(parts, "1 resource is decided in a later step")
	} else if n > 1 {
		parts = append(parts, number(n, "resource")+" are decided in a later step")
	}
	if len(parts) == 0 {
		return "what follows is decided after it is applied"
	}
	return strings.Join(parts, ", and ")
}

// Counts writes the numbers of a plan: "1 to add, 2 to change, 0 to destroy."
func Counts(c plan.Counts) string {
	s := fmt.Sprintf("%d to add, %d to change, %d to destroy", c.Add, c.Change, c.Destroy)
	if c.Forget > 0 {
		s += fmt.Sprintf(", %d to forget", c.Forget)
	}
	return s + "."
}

// upperFirst makes a sentence begin with a capital; what begins with a name, an
// address or a path is left alone.
func upperFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) >= 0 || s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
