package view

import (
	"fmt"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// disruption says what is interrupted, in which order and at which risk: the
// question that everybody asks of a plan before saying yes.
func (t *planText) disruption() {
	if len(t.p.Waves) == 0 {
		t.restarts("What restarts:", t.p.Changes)
		return
	}
	t.waves()
	inWave := map[addr.Address]bool{}
	for _, w := range t.p.Waves {
		for _, u := range w.Units {
			inWave[u.Addr] = true
		}
	}
	var others []plan.Change
	for _, c := range t.p.Changes {
		if !inWave[c.Addr] {
			others = append(others, c)
		}
	}
	t.restarts("What is interrupted besides, in no order across hosts:", others)
}

// interrupted is one row of the list of restarts.
type interrupted struct{ unit, what, why string }

// restarts lists by host what the changes interrupt, with the reason.
func (t *planText) restarts(title string, changes []plan.Change) {
	any := false
	for _, h := range planHosts(changes) {
		var rows []interrupted
		for _, c := range changes {
			if c.Addr.Host.Compare(h) != 0 || c.Action == plan.NoOp {
				continue
			}
			if what := interruption(c); what != "" {
				rows = append(rows, interrupted{unit: interruptedName(c), what: what, why: Escape(c.Reason)})
			}
		}
		if len(rows) == 0 {
			continue
		}
		if !any {
			t.line("%s", t.bold(title))
			t.line("")
			any = true
		}
		t.line("  %s", Escape(h.String()))
		t.interruptions(rows, "    ")
	}
	if any {
		t.line("")
	}
}

// interruptions writes rows below a host, aligned.
func (t *planText) interruptions(rows []interrupted, indent string) {
	width := 0
	for _, r := range rows {
		width = max(width, columns(r.unit))
	}
	for _, r := range rows {
		head := fmt.Sprintf("%s%s  %s", indent, r.unit+strings.Repeat(" ", width-columns(r.unit)), r.what)
		if r.why != "" {
			head += ": " + r.why
		}
		t.line("%s", wrapHanging(head, t.o.Width, indent+strings.Repeat(" ", width+2)))
	}
}

// interruptedName names a unit by itself, and anything else with its kind.
func interruptedName(c plan.Change) string {
	if c.Addr.Kind != string(resource.KindUnit) {
		return Escape(c.Addr.Kind + " " + c.Addr.Name)
	}
	return Escape(unitName(c))
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
