package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// down makes hosts silent.
func (w *world) down(hosts ...addr.Host) {
	for _, h := range hosts {
		w.hosts[h].Err = "connection timed out"
	}
}

// TestDeadNodeCostsTheOthersNothing: without it the plan of all others is what
// it would be with it, but for the host itself and what it alone is needed for.
func TestDeadNodeCostsTheOthersNothing(t *testing.T) {
	change := func(w *world) { upgrade(w, "kubelet", "kube-proxy") }
	all, without := applied(t, "three"), applied(t, "three")
	change(all)
	change(without)
	without.down(n1)
	a, b := compute(t, all.input()), compute(t, without.input())
	if b.Complete || len(b.Unknown) != 1 || b.Unknown[0].Host != n1 {
		t.Errorf("complete %v, unknown %v", b.Complete, b.Unknown)
	}
	var want, got []string
	for _, c := range a.Changes {
		if c.Action != NoOp && c.Addr.Host != n1 {
			want = append(want, c.Addr.String())
		}
	}
	for _, c := range b.Changes {
		if c.Action != NoOp {
			got = append(got, c.Addr.String())
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("with it:\n%s\nwithout it:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// TestFirstCreationWaitsForAMaster: nothing of etcd and the control plane is
// begun without it, and the machine below is prepared all the same.
func TestFirstCreationWaitsForAMaster(t *testing.T) {
	w := newWorld(t, example(t, "three"))
	w.down(m2)
	p := compute(t, w.input())
	later := map[addr.Address]bool{}
	for _, d := range p.Deferred {
		later[d.Addr] = true
	}
	for _, a := range []addr.Address{at(m1, resource.KindUnit, "kube-apiserver"), at(n1, resource.KindUnit, "kubelet")} {
		if !later[a] {
			t.Errorf("%s is not left for later", a)
		}
	}
	for _, a := range []addr.Address{at(n1, resource.KindUnit, "containerd"), at(m1, resource.KindBinary, "kube-apiserver")} {
		if c := change(t, p, a); c.Action != Create {
			t.Errorf("%s: %s", a, c.Action)
		}
	}
}

// TestDeadMasterKeepsTheOthersFromLosingTheQuorum: of three members one is
// silent, so no other is restarted, nor is what it reads written; the nodes go on.
func TestDeadMasterKeepsTheOthersFromLosingTheQuorum(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "etcd", "kubelet")
	w.down(m2)
	p := compute(t, w.input())
	for _, c := range p.Changes {
		if c.Action != NoOp && (c.Addr.Name == "etcd") {
			t.Errorf("%s: %s", c.Addr, c.Action)
		}
	}
	reasons := map[addr.Address]string{}
	for _, d := range p.Deferred {
		reasons[d.Addr] = d.Reason
	}
	if r := reasons[at(m1, resource.KindUnit, "etcd")]; !strings.Contains(r, "quorum") {
		t.Errorf("etcd on m1 is left for later because %q", r)
	}
	if change(t, p, at(n2, resource.KindUnit, "kubelet")).Disruption != Restart {
		t.Error("the nodes wait for it too")
	}
}

// TestMarks: a host that was changed by a newer state, or for another cluster,
// stops the plan before anything is compared.
func TestMarks(t *testing.T) {
	for name, c := range map[string]struct {
		mark facts.Mark
		want []string
	}{
		"as it was left":  {facts.Mark{Lineage: lineage, Serial: 1, Cluster: "three"}, nil},
		"an older mark":   {facts.Mark{Lineage: lineage, Serial: 0}, nil},
		"a newer state":   {facts.Mark{Lineage: lineage, Serial: 99}, []string{"serial", "99", `master["m1"]`, "hardway state recover"}},
		"another cluster": {facts.Mark{Lineage: "other", Serial: 1, Cluster: "prod"}, []string{`"prod"`, "lineage other", "hardway state recover"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := applied(t, "three")
			w.hosts[m1].Mark = c.mark
			_, err := Compute(w.input())
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if _, ok := errors.AsType[*MarkedError](err); !ok {
				t.Fatalf("got %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}
