package state

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
)

// apply applies entries, each a second after the one before.
func apply(t *testing.T, s *Snapshot, entries ...Entry) {
	t.Helper()
	for i, e := range entries {
		e.Time = clock.Add(time.Duration(i) * time.Second)
		if err := s.Apply(e); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

func TestHolds(t *testing.T) {
	hold := func(unit, config string) Hold { return Hold{Unit: unit, ConfigDigest: config, Since: clock} }
	held := func(h Hold) Entry { return Entry{Held: &Held{Hold: h}} }
	s := New("lab", "0", clock)
	apply(t, &s, held(hold("kubelet", "c1")), held(hold("etcd", "c1")), held(hold("", "c2")), held(hold("kubelet", "c2")))
	if d := cmp.Diff([]Hold{hold("etcd", "c1"), hold("", "c2"), hold("kubelet", "c2")}, s.Holds); d != "" {
		t.Errorf("a hold takes the place of an older one for the same unit: %s", d)
	}
	before := s.Clone()
	apply(t, &s, Entry{Release: &Release{ConfigDigest: "c2"}})
	if d := cmp.Diff([]Hold{hold("", "c2"), hold("kubelet", "c2")}, s.Holds); d != "" {
		t.Errorf("those of another configuration are over: %s", d)
	}
	apply(t, &s, Entry{Release: &Release{}})
	if len(s.Holds) != 0 || len(before.Holds) != 3 {
		t.Errorf("%d holds are left; a clone made before has %d", len(s.Holds), len(before.Holds))
	}
	for _, c := range []struct {
		h            Hold
		unit, config string
		want         bool
	}{
		{hold("kubelet", "c1"), "kubelet", "c1", true}, {hold("kubelet", "c1"), "etcd", "c1", false},
		{hold("kubelet", "c1"), "kubelet", "c2", false}, {hold("", "c1"), "etcd", "c1", true}, {hold("", "c1"), "etcd", "c2", false},
	} {
		if got := c.h.Covers(c.unit, c.config); got != c.want {
			t.Errorf("the hold of %q for %q covers %q of %q: %v", c.h.Unit, c.h.ConfigDigest, c.unit, c.config, got)
		}
	}
}

// What is held goes back to what it was, as work that was begun; also into a
// state that has no records at all.
func TestHeldRecords(t *testing.T) {
	before := Record{Spec: fileSpec("1"), SpecDigest: fileSpec("1").Digest(), SHA256: "1", Applied: clock}
	want := before
	want.Pending = true
	empty, full := New("lab", "0", clock), New("lab", "0", clock)
	apply(t, &full, Entry{Begin: &Begin{Addr: confA, Spec: fileSpec("2")}}, Entry{Failed: &Failed{Addr: confA, Reason: "x"}}, Entry{Remove: &confA})
	for name, s := range map[string]*Snapshot{"no records": &empty, "a record": &full} {
		apply(t, s, Entry{Held: &Held{Hold: Hold{Unit: "kubelet"}, Records: map[addr.Address]Record{confA: before}}})
		if d := cmp.Diff(want, s.Resources[confA]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		apply(t, s, Entry{Done: &Done{Addr: confA, SHA256: "1"}})
		if s.Resources[confA].Pending {
			t.Errorf("%s: it is not done", name)
		}
	}
	object := addr.Address{Kind: "object", Name: "x"} // the cluster in its other spelling
	s := example(t)
	apply(t, &s, Entry{Held: &Held{Records: map[addr.Address]Record{object: {Spec: s.Resources[canonical(rbac)].Spec}}}})
	if _, ok := s.Resources[canonical(object)]; !ok {
		t.Error("the cluster's record is not found again")
	}
}

func TestRun(t *testing.T) {
	s := New("lab", "0", clock)
	run := Run{Operation: "apply", ConfigDigest: "c1", Started: clock}
	apply(t, &s, Entry{Run: &run})
	run.Complete = true // the entry's own is another
	if s.Run == nil || s.Run.Complete || !s.Run.Ended.IsZero() {
		t.Errorf("begun: %+v", s.Run)
	}
	clone := s.Clone()
	apply(t, &s, Entry{Run: &Run{Operation: "apply", ConfigDigest: "c1", Started: clock, Ended: clock.Add(time.Minute), Complete: true}})
	if !s.Run.Complete || clone.Run.Complete {
		t.Errorf("ended: %+v; a clone made before: %+v", s.Run, clone.Run)
	}
}
