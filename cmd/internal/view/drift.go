package view

import (
	"fmt"
	"io"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

// DriftJSON writes the document of `drift --json`.
func DriftJSON(w io.Writer, d *plan.Drift) error { return JSON(w, d) }

// Drift writes how the hosts differ from what was applied last, host by host:
// what was applied stands on the left and behind a minus, what stands there now
// on the right and behind a plus.
func Drift(w io.Writer, d *plan.Drift, o PlanOptions) error {
	t := &driftText{page: page{o: o, palette: o.palette()}, d: d}
	if len(d.Resources) > 0 {
		t.line("%s", wrap("hardway compared the hosts with what it applied last. On the left and behind a minus is what was applied,"+
			" on the right and behind a plus what stands there now.", o.Width, ""))
		t.line("")
	}
	t.resources()
	t.unknown(d.Unknown)
	for _, w := range d.Warnings {
		t.warning(w)
	}
	t.summary()
	_, err := io.WriteString(w, t.b.String())
	return err
}

// driftText collects the text of one drift.
type driftText struct {
	page
	d *plan.Drift
}

func (t *driftText) resources() {
	var host addr.Host
	for i, r := range t.d.Resources {
		if i == 0 || r.Addr.Host.Compare(host) != 0 {
			host = r.Addr.Host
			n := 0
			for _, other := range t.d.Resources[i:] {
				if other.Addr.Host.Compare(host) == 0 {
					n++
				}
			}
			t.line("%s%s", t.bold(Escape(host.String())), t.faint(": "+differ(n)))
			t.line("")
		}
		t.resource(r)
		t.line("")
	}
}

// resource writes one resource. A drift is shown as the update that somebody
// else made.
func (t *driftText) resource(r plan.Drifted) {
	c := plan.Change{Addr: r.Addr, Action: plan.Update, Before: r.Was, After: r.Is}
	what := "differs"
	switch {
	case len(r.Is) == 0:
		c.Action, what = plan.Delete, "is "+t.red("gone")
	case len(r.Was) == 0:
		c.Action, what = plan.Create, "was not there"
	}
	t.line("  %s", t.bold("# "+Escape(r.Addr.String())+" "+what))
	if r.Reason != "" {
		t.note("(" + Escape(r.Reason) + ")")
	}
	if c.Action == plan.Update || t.o.Verbose {
		t.attributes(c)
		return
	}
	t.packed(c)
}

// summary writes the line that scripts and people look for, and what to do.
func (t *driftText) summary() {
	ignored := ""
	if n := len(t.d.Ignored); n > 0 {
		ignored = fmt.Sprintf(" (%d ignored)", n)
	}
	hosts := 0
	for i, r := range t.d.Resources { // in the order of hosts
		if !r.Addr.Host.IsCluster() && (i == 0 || t.d.Resources[i-1].Addr.Host.Compare(r.Addr.Host) != 0) {
			hosts++
		}
	}
	switch n := len(t.d.Resources); {
	case n > 0:
		on := ""
		if hosts > 0 {
			on = " on " + number(hosts, "host")
		}
		verb := " differ"
		if n == 1 {
			verb = " differs"
		}
		t.line("%s %s%s%s from what was applied last.%s", t.bold(t.yellow("Drift:")), number(n, "resource"), on, verb, ignored)
		t.line("")
		t.line("%s", wrap("\"hardway apply\" puts back what the configuration still asks for. To keep what you see, change the configuration to it.", t.o.Width, ""))
		if !t.d.Complete {
			t.line("")
			t.line("%s", wrap("That is not everything: "+t.open()+".", t.o.Width, ""))
		}
	case !t.d.Complete:
		t.line("%s%s", t.bold("No drift in what could be seen, but that is not everything."), ignored)
		t.line("")
		t.line("%s", wrap(upperFirst(t.open())+".", t.o.Width, ""))
	default:
		t.line("%s%s", t.bold(t.green("No drift. The hosts are as they were left.")), ignored)
		t.line("")
		t.line("%s", wrap("hardway compared every host with what it applied last and found no differences.", t.o.Width, ""))
	}
}

// open says what was not seen.
func (t *driftText) open() string {
	if n := len(t.d.Unknown); n > 0 {
		return number(n, "host") + " could not be read"
	}
	return "something on the hosts could not be read"
}

// differ writes "1 resource differs" or "3 resources differ".
func differ(n int) string {
	if n == 1 {
		return "1 resource differs"
	}
	return number(n, "resource") + " differ"
}
