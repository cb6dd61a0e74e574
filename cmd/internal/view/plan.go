package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

// PlanOptions say how to show a plan.
type PlanOptions struct {
	Style
	// Verbose shows every attribute and the whole text of what is created, long
	// diffs uncut, and the resources that stay as they are.
	Verbose bool
}

// Plan writes a plan as text: a legend of the symbols that occur, the changes
// host by host, what restarts and in which order, what is held back or left for
// later, and the summary.
func Plan(w io.Writer, p *plan.Plan, o PlanOptions) error {
	t := &planText{page: page{o: o, palette: o.palette()}, p: p}
	if p.Changed() || t.reads() {
		t.legend()
	}
	t.changes()
	t.disruption()
	t.held()
	t.deferred()
	t.unknown(p.Unknown)
	t.warnings()
	t.summary()
	_, err := io.WriteString(w, t.b.String())
	return err
}

// planText collects the text of one plan.
type planText struct {
	page
	p *plan.Plan
}

func (t *planText) reads() bool {
	return slices.ContainsFunc(t.p.Changes, func(c plan.Change) bool { return c.Action == plan.Read })
}

// legends are the symbols in the order in which the legend has them.
var legends = [...]struct {
	action plan.Action
	text   string
}{
	{plan.Create, "create"},
	{plan.Update, "update in place"},
	{plan.Replace, "destroy and then create replacement"},
	{plan.Delete, "destroy"},
	{plan.Read, "read during apply"},
	{plan.Forget, "forget (stays on the host, no longer managed)"},
}

func (t *planText) legend() {
	t.line("%s", wrap(t.opening()+" Resource actions are indicated with the following symbols:", t.o.Width, ""))
	for _, l := range legends {
		if slices.ContainsFunc(t.p.Changes, func(c plan.Change) bool { return c.Action == l.action }) {
			t.line("%s %s", t.symbol(l.action), l.text)
		}
	}
	t.line("")
	t.line("hardway will perform the following actions:")
	t.line("")
}

// opening says what was compared with what.
func (t *planText) opening() string {
	switch {
	case t.p.Mode == plan.Rollback:
		return fmt.Sprintf("hardway compared generation %d with the hosts and made the following plan to go back to it.", t.p.Generation)
	case t.p.Retry:
		return "hardway compared the configuration with the hosts and made the following plan, which tries again what was held back."
	}
	return "hardway compared the configuration with the hosts and made the following plan."
}

// changes writes the changes by host, the cluster first; within a host they
// keep the plan's order, which is the order of doing.
func (t *planText) changes() {
	for _, h := range planHosts(t.p.Changes) {
		var shown []plan.Change
		for _, c := range t.p.Changes {
			if c.Addr.Host.Compare(h) == 0 && (c.Action != plan.NoOp || t.o.Verbose) {
				shown = append(shown, c)
			}
		}
		if len(shown) == 0 {
			continue
		}
		counts := (&plan.Plan{Changes: shown}).Counts()
		t.line("%s%s", t.bold(Escape(h.String())), t.faint(hostCounts(counts)))
		t.line("")
		dense := false
		for i, c := range shown {
			was := dense
			dense = t.dense(c)
			if i > 0 && !(was && dense) {
				t.line("") // short creations stand close together, everything else apart
			}
			t.change(c)
		}
		t.line("")
	}
}

// planHosts lists the hosts of the changes, in order.
func planHosts(changes []plan.Change) []addr.Host {
	var hosts []addr.Host
	for _, c := range changes {
		hosts = append(hosts, c.Addr.Host)
	}
	slices.SortFunc(hosts, addr.Host.Compare)
	return slices.CompactFunc(hosts, func(a, b addr.Host) bool { return a.Compare(b) == 0 })
}

// hostCounts is the part of the summary that is about one host.
func hostCounts(c plan.Counts) string {
	var parts []string
	for _, n := range []struct {
		n    int
		what string
	}{{c.Add, "to add"}, {c.Change, "to change"}, {c.Destroy, "to destroy"}, {c.Forget, "to forget"}} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
