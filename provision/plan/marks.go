package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hardway/provision/addr"
)

// MarkedError says that hosts carry the mark of another cluster, or of a newer
// state than the one that the plan would be made from. Nothing may be planned
// then: what the state does not know of would be taken for foreign.
type MarkedError struct {
	Serial  uint64 // of the state at hand
	Lineage string // of the state at hand
	Newer   []Marked
	Foreign []Marked
}

// Marked is one host and what its mark says.
type Marked struct {
	Host    addr.Host
	Cluster string
	Lineage string
	Serial  uint64
}

func (e *MarkedError) Error() string {
	var b strings.Builder
	if n := len(e.Newer); n > 0 {
		m := e.Newer[0]
		fmt.Fprintf(&b, "the state is an older one: it is at serial %d, and %s was last changed at serial %d", e.Serial, m.Host, m.Serial)
		if n > 1 {
			fmt.Fprintf(&b, " (and %d other hosts)", n-1)
		}
		b.WriteString("; a copy or a backup was put in its place. Run `hardway state recover`: it finds the newest, also on the masters")
	}
	for _, m := range e.Foreign {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s belongs to the cluster %q with the lineage %s, and this state has the lineage %s. "+
			"If this state was made anew for that cluster, run `hardway state recover`; if the host is to change its cluster, destroy it there first, or delete /var/lib/hardway on it", m.Host, m.Cluster, m.Lineage, e.Lineage)
	}
	return b.String()
}

// marks holds what the hosts were marked with against the state.
func (c *comparison) marks() error {
	e := &MarkedError{Serial: c.in.State.Serial, Lineage: c.in.State.Lineage}
	for _, h := range slices.SortedFunc(maps.Keys(c.in.Observed), addr.Host.Compare) {
		o := c.in.Observed[h]
		m := Marked{Host: h, Cluster: o.Mark.Cluster, Lineage: o.Mark.Lineage, Serial: o.Mark.Serial}
		switch {
		case !o.Reachable() || m.Lineage == "":
		case m.Lineage != e.Lineage:
			e.Foreign = append(e.Foreign, m)
		case m.Serial > e.Serial:
			e.Newer = append(e.Newer, m)
		}
	}
	if len(e.Newer)+len(e.Foreign) > 0 {
		return e
	}
	c.copies()
	c.recipients()
	return nil
}

// recipients notes that the keys have to be sealed anew: somebody who was added
// must be able to open them when those who can today are gone.
func (c *comparison) recipients() {
	s := c.in.State
	if c.in.Mode == Destroy || c.in.Mode == ReadDrift || len(c.in.Recipients) == 0 || len(s.Authorities)+len(s.KeyPairs) == 0 {
		return
	}
	if !slices.Equal(slices.Sorted(slices.Values(c.in.Recipients)), slices.Sorted(slices.Values(s.Recipients))) {
		c.plan.Reseal = true
		c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: addr.Address{Host: addr.Host{Role: addr.Cluster}},
			Summary: "the private keys are sealed for other recipients than the state block names; `hardway apply` seals them anew"})
	}
}

// copies lists the masters whose sealed copy of the state is not the present one:
// a run was cut short, or the master was away.
func (c *comparison) copies() {
	if c.in.Mode == Destroy || c.in.Mode == ReadDrift {
		return
	}
	lives := map[addr.Host]bool{}
	for a := range c.in.State.Resources {
		lives[a.Host] = true
	}
	for _, h := range slices.SortedFunc(maps.Keys(c.in.Observed), addr.Host.Compare) {
		o := c.in.Observed[h]
		if h.Role != addr.Master || !o.Reachable() || !lives[h] || o.Mark.Lineage == "" {
			continue
		}
		if o.Mark.Copy == "" || o.Mark.Serial != c.in.State.Serial {
			c.plan.Copies = append(c.plan.Copies, h)
			c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: addr.Address{Host: h},
				Summary: "its sealed copy of the state is not the present one; `hardway apply` renews it"})
		}
	}
}
