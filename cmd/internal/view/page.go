package view

import (
	"fmt"
	"strings"

	"hardway/provision/plan"
)

// page collects the lines of a text about resources: of a plan, of a drift.
type page struct {
	palette
	b strings.Builder
	o PlanOptions
}

func (t *page) line(format string, args ...any) {
	t.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// note writes a comment line below the sentence about a resource.
func (t *page) note(text string) {
	t.line("  # %s", wrap(text, t.o.Width-4, "  # "))
}

// symbol returns the mark of an action, three columns wide and coloured.
func (t *page) symbol(a plan.Action) string {
	s := a.Symbol()
	pad := strings.Repeat(" ", max(3-len(s), 0))
	if a == plan.Replace {
		return pad + t.red("-") + "/" + t.green("+")
	}
	return pad + t.action(a)(s)
}

// action returns the paint of an action.
func (t *page) action(a plan.Action) func(string) string {
	switch a {
	case plan.Create:
		return t.green
	case plan.Update:
		return t.yellow
	case plan.Delete, plan.Replace:
		return t.red
	case plan.Read:
		return t.cyan
	}
	return t.faint
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
