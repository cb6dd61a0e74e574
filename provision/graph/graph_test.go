package graph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

func at(t testing.TB, text string) addr.Address {
	t.Helper()
	a, err := addr.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// items are three hosts: text is "address action need need".
func items(t testing.TB, lines ...[]string) []Item {
	t.Helper()
	var out []Item
	for _, l := range lines {
		it := Item{Addr: at(t, l[0]), Action: plan.Action(l[1])}
		for _, need := range l[2:] {
			it.DependsOn = append(it.DependsOn, at(t, need))
		}
		out = append(out, it)
	}
	return out
}

func small(t testing.TB, create string) []Item {
	out := items(t,
		[]string{`cluster.authority["kubernetes"]`, create},
		[]string{`master["m1"].directory["/etc/kubernetes"]`, create},
		[]string{`master["m1"].directory["/etc/kubernetes/pki"]`, create, `master["m1"].directory["/etc/kubernetes"]`},
		[]string{`master["m1"].cert["apiserver"]`, create, `cluster.authority["kubernetes"]`, `master["m1"].directory["/etc/kubernetes/pki"]`},
		[]string{`master["m1"].cert["admin"]`, create, `cluster.authority["kubernetes"]`},
		[]string{`master["m1"].unit["kube-apiserver"]`, create, `master["m1"].cert["apiserver"]`, `cluster.authority["kubernetes"]`})
	for _, n := range []string{"n1", "n2"} {
		h := `node["` + n + `"]`
		out = append(out, items(t,
			[]string{h + `.file["/etc/kubelet.yaml"]`, create},
			[]string{h + `.unit["kubelet"]`, create, h + `.file["/etc/kubelet.yaml"]`, `master["m1"].unit["kube-apiserver"]`},
		)...)
	}
	return out
}

// written is a graph as text: boxes with labels and counts, then edges.
func written(g Graph) []string {
	var out []string
	for _, b := range g.Boxes {
		for _, n := range b.Nodes {
			out = append(out, fmt.Sprintf("%s: %s %d/%d %s", b.Label, n.Label, n.Count, n.Hosts, n.Action))
		}
	}
	for _, e := range g.Edges {
		out = append(out, e.From+" -> "+e.To)
	}
	return out
}

func TestNew(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Options
		want []string
	}{
		{"overview", Options{By: ByHost}, []string{
			`cluster: authorities 1/1 `,
			`master["m1"]: certificates 2/1 `, `master["m1"]: kube-apiserver 1/1 `,
			`node["n1"]: files 1/1 `, `node["n1"]: kubelet 1/1 `,
			`node["n2"]: files 1/1 `, `node["n2"]: kubelet 1/1 `,
			`master["m1"].certificates -> cluster.authorities`,
			`master["m1"].unit["kube-apiserver"] -> master["m1"].certificates`, // and the authority follows from it
			`node["n1"].unit["kubelet"] -> master["m1"].unit["kube-apiserver"]`,
			`node["n1"].unit["kubelet"] -> node["n1"].files`,
			`node["n2"].unit["kubelet"] -> master["m1"].unit["kube-apiserver"]`,
			`node["n2"].unit["kubelet"] -> node["n2"].files`,
		}},
		{"of one host", Options{By: ByHost, Hosts: []addr.Host{{Role: addr.Node, Name: "n2"}}}, []string{
			`cluster: authorities 1/1 `, `node["n2"]: files 1/1 `, `node["n2"]: kubelet 1/1 `,
			`node["n2"].unit["kubelet"] -> node["n2"].files`,
		}},
		{"by resource", Options{By: ByResource}, []string{
			`: authorities 1/1 `, `: certificates 2/1 `, `: files 2/2 `, `units: kube-apiserver 1/1 `, `units: kubelet 2/2 `,
			`certificates -> authorities`, `unit["kube-apiserver"] -> certificates`, `unit["kubelet"] -> files`, `unit["kubelet"] -> unit["kube-apiserver"]`,
		}},
		{"everything by resource", Options{By: ByResource, All: true}, []string{
			`authorities: authority kubernetes 1/1 `, `directories: directory /etc/kubernetes 1/1 `, `directories: directory /etc/kubernetes/pki 1/1 `,
			`certificates: cert admin 1/1 `, `certificates: cert apiserver 1/1 `, `files: file /etc/kubelet.yaml 2/2 `,
			`units: unit kube-apiserver 1/1 `, `units: unit kubelet 2/2 `,
			`cert["admin"] -> authority["kubernetes"]`, `cert["apiserver"] -> authority["kubernetes"]`, `cert["apiserver"] -> directory["/etc/kubernetes/pki"]`,
			`directory["/etc/kubernetes/pki"] -> directory["/etc/kubernetes"]`,
			`unit["kube-apiserver"] -> authority["kubernetes"]`, `unit["kube-apiserver"] -> cert["apiserver"]`,
			`unit["kubelet"] -> file["/etc/kubelet.yaml"]`, `unit["kubelet"] -> unit["kube-apiserver"]`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := small(t, "")
			g := New(list, tt.o)
			if d := cmp.Diff(tt.want, written(g)); d != "" {
				t.Errorf("graph (-want +got):\n%s", d)
			}
			if g.Planned {
				t.Error("actions without a plan")
			}
			slices.Reverse(list)
			if d := cmp.Diff(g, New(list, tt.o)); d != "" {
				t.Errorf("the order of the items shows:\n%s", d)
			}
		})
	}
}

// A group has the weightiest of its actions, and says how many there are of each.
func TestActions(t *testing.T) {
	list := small(t, "create")
	list[3].Action, list[4].Action = plan.NoOp, plan.Update
	g := New(list, Options{By: ByHost})
	for _, b := range g.Boxes {
		for _, n := range b.Nodes {
			if n.Label == "certificates" {
				if d := cmp.Diff(map[plan.Action]int{plan.NoOp: 1, plan.Update: 1}, n.Actions); d != "" || n.Action != plan.Update {
					t.Errorf("action %s:\n%s", n.Action, d)
				}
			}
		}
	}
	if !g.Planned {
		t.Error("no actions with a plan")
	}
}

// TestReduce: whatever the edges, cycles too, what can be reached stays the
// same, and without cycles no edge is left that says nothing.
func TestReduce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "nodes")
		acyclic := rapid.Bool().Draw(t, "acyclic")
		found := map[Edge]bool{}
		for range rapid.IntRange(0, 24).Draw(t, "edges") {
			a, b := rapid.IntRange(0, n-1).Draw(t, "from"), rapid.IntRange(0, n-1).Draw(t, "to")
			if a == b || acyclic && a > b {
				continue
			}
			found[Edge{fmt.Sprint(a), fmt.Sprint(b)}] = true
		}
		var edges []Edge
		for a := range n {
			for b := range n {
				if e := (Edge{fmt.Sprint(a), fmt.Sprint(b)}); found[e] {
					edges = append(edges, e)
				}
			}
		}
		kept := reduce(edges)
		if d := cmp.Diff(closure(edges, n), closure(kept, n)); d != "" {
			t.Fatalf("%v became %v:\n%s", edges, kept, d)
		}
		for i := range kept {
			if less := slices.Delete(slices.Clone(kept), i, i+1); acyclic && cmp.Equal(closure(less, n), closure(kept, n)) {
				t.Fatalf("%v still has %v, which follows from the others", kept, kept[i])
			}
		}
	})
}

func closure(edges []Edge, n int) map[Edge]bool {
	out := map[Edge]bool{}
	for _, e := range edges {
		out[e] = true
	}
	for k := range n {
		for i := range n {
			for j := range n {
				if out[Edge{fmt.Sprint(i), fmt.Sprint(k)}] && out[Edge{fmt.Sprint(k), fmt.Sprint(j)}] {
					out[Edge{fmt.Sprint(i), fmt.Sprint(j)}] = true
				}
			}
		}
	}
	return out
}
