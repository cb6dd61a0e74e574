package view

import (
	"fmt"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

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

func (t *page) unknown(list []plan.Unknown) {
	if len(list) == 0 {
		return
	}
	t.line("%s", t.bold(t.red("Hosts of which nothing is known:")))
	t.line("")
	for _, u := range list {
		t.line("%s", wrapHanging("  "+Escape(NamedOnce(u.Host.String()+": "+u.Reason)), t.o.Width, "    "))
	}
	t.line("")
}

// longDetail is the number of lines after which a detail is cut without --verbose.
const longDetail = 40

func (t *page) warn(text string) {
	t.line("%s %s", t.bold(t.yellow("Warning:")), wrap(text, t.o.Width-9, "  "))
	t.line("")
}

// warningText is a warning in one sentence.
func warningText(w plan.Warning) string {
	if w.Addr == (addr.Address{}) {
		return Escape(w.Summary)
	}
	return Escape(w.Addr.String()) + ": " + Escape(w.Summary)
}

// warning writes a warning and, below it, what more there is to it.
func (t *page) warning(w plan.Warning) {
	t.warn(warningText(w))
	if w.Detail == "" {
		return
	}
	lines := strings.Split(strings.TrimSuffix(EscapeBlock(w.Detail), "\n"), "\n")
	for i, line := range lines {
		if i == longDetail && !t.o.Verbose {
			t.line("    %s", t.faint("# ("+number(len(lines)-i, "more line")+"; --verbose shows them)"))
			break
		}
		t.line("    %s", t.red(line))
	}
	t.line("")
}

func (t *planText) warnings() {
	for _, w := range t.p.Warnings {
		t.warning(w)
	}
	if n := len(t.p.Targets); n > 0 {
		var list []string
		for _, a := range t.p.Targets {
			list = append(list, Escape(a.String()))
		}
		t.warn("Resource targeting is in effect: this plan covers only " + strings.Join(list, ", ") +
			" and what that depends on. The result may not be the whole configuration; it is meant for" +
			" recovering from errors, not for routine use.")
	}
}

// summary writes the line that scripts and people look for.
func (t *planText) summary() {
	if t.p.Changed() {
		t.line("%s %s", t.bold("Plan:"), Counts(t.p.Counts()))
		if n := restartCounts(t.p); n != "" {
			t.line("%s %s", t.bold("Restarts:"), n)
		}
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
	case len(t.p.Held) > 0 && len(t.p.Unknown)+len(t.p.Deferred) == 0: // all was seen
		return "Nothing to change, because the rest is held back.", upperFirst(t.open()) + "."
	case !t.p.Complete:
		return "Nothing to change in what could be seen, but that is not everything.", upperFirst(t.open()) + "."
	case len(t.p.Targets) > 0:
		return "No changes. The targeted resources match the configuration.",
			"hardway compared the targeted resources with the hosts and found no differences."
	case t.p.Mode == plan.Rollback:
		return fmt.Sprintf("No changes. Your cluster is what it was in generation %d.", t.p.Generation),
			"hardway compared that generation with every host and found no differences, so nothing needs to be done."
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
	if n := len(t.p.Held); HoldsAll(t.p.Held) {
		parts = append(parts, "everything that the configuration changed is held back")
	} else if n == 1 {
		parts = append(parts, "1 change is held back")
	} else if n > 1 {
		parts = append(parts, number(n, "change")+" are held back")
	}
	if len(parts) == 0 {
		return "what follows is decided after it is applied"
	}
	return conjoined(parts)
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
