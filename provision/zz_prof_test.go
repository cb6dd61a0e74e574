package provision_test

import (
	"testing"
	"time"

	"hardway/provision"
)

func BenchmarkConverge(b *testing.B) {
	for b.Loop() {
		t0 := time.Now()
		w := newWorld(b, "testdata/one")
		t1 := time.Now()
		p := w.plan(provision.PlanOptions{})
		t2 := time.Now()
		before := w.ops()
		_, err := w.apply(b.Context(), p, nil)
		if err != nil {
			b.Fatal(err)
		}
		n := w.ops() - before
		t3 := time.Now()
		w.settled(provision.PlanOptions{})
		t4 := time.Now()
		b.Log("new", t1.Sub(t0), "plan", t2.Sub(t1), "apply", t3.Sub(t2), "plan", t4.Sub(t3), "ops", n, len(p.Changes))
	}
}
