package provision_test

import (
	"errors"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/plan"
)

var errNoRoute = errors.New("dial tcp 192.168.10.31:22: no route to host")

// A host that does not answer is unknown, never empty: the others are planned,
// and the plan says that it is not whole.
func TestUnreachableHost(t *testing.T) {
	for name, gone := range map[string]func(*world){
		"no connection":      func(w *world) { w.down = map[addr.Host]error{n1: errNoRoute} },
		"lost while reading": func(w *world) { w.machines[n1].SetDown(errNoRoute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			all := w.plan(provision.PlanOptions{})
			gone(w)
			p := w.plan(provision.PlanOptions{})
			if p.Complete || len(p.Unknown) != 1 || p.Unknown[0].Host != n1 || !strings.Contains(p.Unknown[0].Reason, "no route to host") {
				t.Errorf("complete %v, unknown %v", p.Complete, p.Unknown)
			}
			for _, c := range all.Changes { // a Node waits for its host
				if here := has(p, c.Addr); here == (c.Addr.Host == n1 || c.Addr.String() == `cluster.node["n1"]`) {
					t.Errorf("%s is planned: %v", c.Addr, here)
				}
			}
		})
	}
}

func has(p *plan.Plan, a addr.Address) bool {
	for _, c := range p.Changes {
		if c.Addr == a {
			return true
		}
	}
	return false
}

// A host that is down when its cluster is destroyed keeps what is recorded of
// it, and the keys that it may still use.
func TestUnreachableHostIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	fresh := w.snapshots()
	w.mustConverge(provision.PlanOptions{})
	w.down = map[addr.Host]error{n1: errNoRoute}
	p := w.plan(removal)
	if p.Complete || len(p.Unknown) != 1 {
		t.Errorf("complete %v, unknown %v", p.Complete, p.Unknown)
	}
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	st := w.state()
	for a := range st.Resources {
		if a.Host != n1 {
			t.Errorf("%s is still recorded", a)
		}
	}
	if len(st.Authorities) != 3 || len(st.Resources) == 0 || st.Allocations.Pods["n1"].CIDR.String() == "" {
		t.Errorf("%d authorities, %d resources, %+v", len(st.Authorities), len(st.Resources), st.Allocations)
	}
	w.down = nil
	w.cleared(w.mustConverge(removal), fresh)
}

// A target leaves out what it does not speak of, also a host that is down.
func TestTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	w.machines[m1].SetSysctl("vm.overcommit_memory", "0")
	w.down = map[addr.Host]error{n1: errNoRoute}
	p := w.plan(provision.PlanOptions{Targets: []addr.Address{{Host: m1}}})
	if !p.Complete || p.Counts() != (plan.Counts{Change: 1}) {
		t.Errorf("complete %v:\n%s", p.Complete, says(p))
	}
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	w.down = nil
	w.settled(provision.PlanOptions{})

	p = w.plan(provision.PlanOptions{Destroy: true, Targets: []addr.Address{{Host: n1}}})
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	for a := range w.state().Resources {
		if a.Host == n1 {
			t.Errorf("%s is still recorded", a)
		}
	}
	if _, ok := w.machines[n1].File("/var/lib/hardway"); ok {
		t.Error("hardway's own directory is left on n1")
	}
	w.sound(w.mustConverge(provision.PlanOptions{}))
}
