package plan

import (
	"strings"
	"testing"

	"hardway/provision/resource"
	"hardway/provision/state"
)

// TestHold: what failed is not planned again, on any host, under the same
// configuration; everything else is.
func TestHold(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "kubelet", "kube-proxy")
	w.record(state.Entry{Held: &state.Held{Hold: state.Hold{Unit: "kubelet.service", ConfigDigest: "config", Host: m1, Reason: "it did not start", Since: clock}}})
	in := w.input()
	p := compute(t, in)
	for _, c := range p.Changes {
		switch {
		case c.Addr.Name == "kubelet" && c.Action != NoOp:
			t.Errorf("%s: %s (%s)", c.Addr, c.Action, c.Reason)
		case c.Addr.Name == "kube-proxy" && c.Addr.Kind == string(resource.KindUnit) && c.Disruption != Restart:
			t.Errorf("%s is held back too", c.Addr)
		}
	}
	if len(p.Held) != 5 || p.Complete || p.Held[0].Reason != "it did not start" {
		t.Errorf("complete %v, held %+v", p.Complete, p.Held)
	}
	in.Retry = true
	if p := compute(t, in); len(p.Held) > 0 || change(t, p, at(m1, resource.KindUnit, "kubelet")).Disruption != Restart || !p.Retry {
		t.Errorf("--retry does not try again: %+v", p.Held)
	}
	in.Retry, in.ConfigDigest = false, "another"
	if p := compute(t, in); len(p.Held) > 0 || change(t, p, at(m1, resource.KindUnit, "kubelet")).Disruption != Restart {
		t.Errorf("another configuration is held back too: %+v", p.Held)
	}
}

// TestHoldOfARollback: after it the configuration that was left is not applied
// again, and what drifts is still put right.
func TestHoldOfARollback(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "kubelet")
	w.record(state.Entry{Held: &state.Held{Hold: state.Hold{ConfigDigest: "config", Generation: 1, Reason: "rolled back", Since: clock}}})
	delete(w.hosts[n1].Files, "/etc/kubernetes/kube-proxy.yaml")
	p := compute(t, w.input())
	for _, c := range p.Changes {
		if c.Action != NoOp && c.Addr.Host != n1 {
			t.Errorf("%s: %s (%s)", c.Addr, c.Action, c.Reason)
		}
	}
	if c := change(t, p, at(n1, resource.KindFile, "/etc/kubernetes/kube-proxy.yaml")); c.Action != Create {
		t.Errorf("%s: %s", c.Addr, c.Action)
	}
	if len(p.Held) != 1 || !p.Held[0].Addr.Host.IsCluster() {
		t.Errorf("held: %+v", p.Held)
	}
}

// TestGeneration: going back is a plan to what was applied then.
func TestGeneration(t *testing.T) {
	w := applied(t, "three")
	then := w.snap.Clone()
	upgrade(w, "kubelet", "etcd")
	w.apply(compute(t, w.input()))
	set, err := Generation(w.snap.Public, then.Public)
	if err != nil {
		t.Fatal(err)
	}
	in := w.input()
	in.Mode, in.Generation, in.Desired = Rollback, then.Serial, set
	p := compute(t, in)
	if len(p.Waves) == 0 || change(t, p, at(n2, resource.KindUnit, "kubelet")).Disruption != Restart {
		t.Fatalf("nothing goes back: %v", active(p))
	}
	w.apply(p)
	in = w.input()
	in.Mode, in.Generation, in.Desired = Rollback, then.Serial, set
	if p := compute(t, in); p.Changed() {
		t.Errorf("there is something left to go back: %v", active(p))
	}
}

func TestGenerationRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*state.Snapshot)
		want   string
	}{
		"another minor": {func(s *state.Snapshot) {
			r := s.Resources[at(m1, resource.KindBinary, "kube-apiserver")]
			b := *r.Spec.Binary
			b.Version = "1.99.0"
			r.Spec.Binary = &b
			s.Resources[at(m1, resource.KindBinary, "kube-apiserver")] = r
		}, "minor"},
		"another authority": {func(s *state.Snapshot) {
			a := s.Authorities["kubernetes"]
			a.Generation++
			s.Authorities["kubernetes"] = a
		}, `authority "kubernetes"`},
		"other keys": {func(s *state.Snapshot) {
			for n, k := range s.KeyPairs {
				k.Generation++
				s.KeyPairs[n] = k
			}
		}, "the keys"},
		"other members": {func(s *state.Snapshot) { delete(s.Allocations.Etcd, "m3") }, "one at a time"},
		"another state": {func(s *state.Snapshot) { s.Lineage = "other" }, "lineage"},
	} {
		t.Run(name, func(t *testing.T) {
			w := applied(t, "three")
			then, now := w.snap.Clone(), w.snap.Clone()
			c.change(&now)
			if _, err := Generation(now.Public, then.Public); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
