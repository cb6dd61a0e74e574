package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// drawChanges draws changes with dependencies among them that have no cycle, and
// some on what is not there.
func drawChanges(t *rapid.T) []Change {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	hosts := []addr.Host{cluster, m1, m2, n1, n2}
	changes := make([]Change, n)
	for i := range changes {
		h := rapid.SampledFrom(hosts).Draw(t, "host")
		changes[i] = Change{Addr: at(h, resource.KindFile, fmt.Sprint(i)), Action: Update, Spec: resource.Spec{File: &resource.File{Path: fmt.Sprint("/", i)}}, Disruption: None}
		if rapid.Bool().Draw(t, "unit") && !h.IsCluster() {
			stage := rapid.SampledFrom([]string{stageEtcd, stageControlPlane, stageNode}).Draw(t, "stage")
			changes[i].Spec = resource.Spec{Unit: &resource.Unit{Stage: stage}}
			changes[i].Disruption = rapid.SampledFrom([]Disruption{None, Restart}).Draw(t, "disruption")
		}
		if i > 0 {
			for range rapid.IntRange(0, 4).Draw(t, "deps") {
				changes[i].DependsOn = append(changes[i].DependsOn, changes[rapid.IntRange(0, i-1).Draw(t, "dep")].Addr)
			}
		}
		if rapid.Bool().Draw(t, "elsewhere") {
			changes[i].DependsOn = append(changes[i].DependsOn, at(m1, resource.KindFile, "not in the plan"))
		}
	}
	return changes
}

func shuffled(changes []Change, seed uint64) []Change {
	out := slices.Clone(changes)
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func addresses(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Addr.String())
	}
	return out
}

// TestOrder: every change stands behind what it depends on, none is lost, and
// the order does not depend on the one they came in.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := drawChanges(t)
		got, err := order(slices.Clone(changes))
		if err != nil {
			t.Fatal(err)
		}
		position := map[addr.Address]int{}
		for i, c := range got {
			position[c.Addr] = i
		}
		if len(position) != len(changes) {
			t.Fatalf("%d of %d changes are left", len(position), len(changes))
		}
		for i, c := range got {
			if !slices.IsSortedFunc(c.DependsOn, addr.Address.Compare) || len(slices.Compact(slices.Clone(c.DependsOn))) != len(c.DependsOn) {
				t.Fatalf("%s: dependencies %v", c.Addr, c.DependsOn)
			}
			for _, d := range c.DependsOn {
				if p, ok := position[d]; !ok || p >= i {
					t.Fatalf("%s stands at %d and waits for %s at %d, %v", c.Addr, i, d, p, ok)
				}
			}
		}
		again, err := order(shuffled(changes, rapid.Uint64().Draw(t, "seed")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(addresses(got), addresses(again)); diff != "" {
			t.Fatalf("another order came out:\n%s", diff)
		}
	})
}

// TestRollingChains: where all members run, of restarts of one stage on different hosts, one always
// waits for the other, whatever else is in the plan.
func TestRollingChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := drawChanges(t)
		for i := range changes {
			changes[i].DependsOn = nil // edges of one's own could contradict the stages
			changes[i].Before = Attrs{"state": value("active")}
		}
		c := &comparison{in: &Input{}, plan: &Plan{Changes: changes}}
		c.waves()
		ordered, err := order(changes)
		if err != nil {
			t.Fatal(err)
		}
		p := &Plan{Changes: ordered}
		for _, a := range ordered {
			for _, b := range ordered {
				if a.Disruption != Restart || b.Disruption != Restart || a.Spec.Unit.Stage != b.Spec.Unit.Stage || a.Addr.Host.Compare(b.Addr.Host) >= 0 {
					continue
				}
				if !precedes(p, a.Addr, b.Addr) {
					t.Fatalf("%s does not wait for %s", b.Addr, a.Addr)
				}
			}
		}
	})
}

// TestCycle: a cycle is named, and never walked into.
func TestCycle(t *testing.T) {
	file := func(name string, deps ...string) resource.Resource {
		r := resource.Resource{Addr: at(n1, resource.KindFile, name), Spec: resource.Spec{File: &resource.File{Path: name}}}
		for _, d := range deps {
			r.DependsOn = append(r.DependsOn, at(n1, resource.KindFile, d))
		}
		return r
	}
	in := Input{Desired: setOf(t, file("/a", "/c"), file("/b", "/a"), file("/c", "/b"), file("/d", "/c"), file("/e"))}
	in.Observed = map[addr.Host]facts.Observation{n1: {}}
	_, err := Compute(in)
	const want = `dependency cycle among node["n1"].file["/a"], node["n1"].file["/b"], node["n1"].file["/c"], node["n1"].file["/d"]`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	in.Targets = parse(t, `node["n1"].file["/a"]`)
	if _, err := Compute(in); err == nil || !strings.Contains(err.Error(), "dependency cycle") {
		t.Errorf("with a target: %v", err)
	}
}
