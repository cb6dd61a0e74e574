package plan

import (
	"fmt"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// many is the input of a plan for a number of nodes with what an ordinary node
// has: the resources of n1 in the larger example, settled, on each of them.
func many(b *testing.B, hosts int) Input {
	b.Helper()
	w := newWorld(b, example(b, "three"))
	w.converge()
	in := w.input()
	var list []resource.Resource
	template := map[addr.Address]bool{}
	for _, r := range in.Desired.All() {
		list = append(list, r)
		template[r.Addr] = r.Addr.Host == n1
	}
	for i := range hosts {
		h := addr.Host{Role: addr.Node, Name: fmt.Sprintf("w%04d", i)}
		in.Observed[h] = in.Observed[n1]
		for _, r := range in.Desired.All() {
			if !template[r.Addr] {
				continue
			}
			from := r.Addr
			r.Addr.Host = h
			var deps []addr.Address
			for _, d := range r.DependsOn {
				if template[d] {
					d.Host = h
				}
				deps = append(deps, d)
			}
			r.DependsOn = deps
			list = append(list, r)
			record := in.State.Resources[from]
			record.DependsOn = deps
			in.State.Resources[r.Addr] = record
		}
	}
	in.Desired = setOf(b, list...)
	return in
}

// BenchmarkCompute plans 1000 hosts of some 55 resources each: nothing to do, a
// restart everywhere, a first creation, and a destruction.
func BenchmarkCompute(b *testing.B) {
	settled := many(b, 1000)
	restart := settled
	restart.Observed = map[addr.Host]facts.Observation{}
	for h, o := range settled.Observed {
		units := map[string]facts.Unit{}
		for name, u := range o.Units {
			u.Inputs = "older"
			units[name] = u
		}
		o.Units = units
		restart.Observed[h] = o
	}
	creation := settled
	creation.State = state.Public{}
	creation.Observed = map[addr.Host]facts.Observation{}
	for h := range settled.Observed {
		creation.Observed[h] = facts.Observation{}
	}
	destruction := settled
	destruction.Mode, destruction.DestroyData, destruction.Desired = Destroy, true, setOf(b)
	for _, c := range []struct {
		name string
		in   Input
	}{{"settled", settled}, {"restart", restart}, {"creation", creation}, {"destruction", destruction}} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				p, err := Compute(c.in)
				if err != nil {
					b.Fatal(err)
				}
				n = len(p.Changes)
			}
			b.ReportMetric(float64(n), "changes")
		})
	}
}
