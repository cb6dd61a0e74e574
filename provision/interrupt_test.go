package provision_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/plan"
)

// An interrupt finishes what is under way, starts nothing more, and leaves a
// cluster that the next apply goes on with.
func TestInterrupt(t *testing.T) {
	for _, after := range []int{1, 154, 155, 156, 160, 170, 190, 220, 260, 300, 350, 400, 440, 460} {
		t.Run(fmt.Sprintf("event %d", after), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			p := w.plan(provision.PlanOptions{})
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			phases := map[apply.Phase]map[addr.Address]bool{}
			running, late := 0, 0
			r, err := w.apply(ctx, p, func(e apply.Event) {
				if phases[e.Phase] == nil {
					phases[e.Phase] = map[addr.Address]bool{}
				}
				phases[e.Phase][e.Addr] = true
				switch {
				case e.Phase == apply.Started && e.Seq > after:
					late++
				case e.Phase == apply.Started:
					running++
				case (e.Phase == apply.Done || e.Phase == apply.Failed) && e.Seq <= after:
					running--
				}
				if e.Seq == after {
					interrupt()
				}
			})
			incomplete, ok := errors.AsType[*apply.IncompleteError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			// What the walk had given to a goroutine may say that it starts a moment later.
			if most := 3*4 - running; late > most {
				t.Errorf("%d changes started after the interrupt, with room for %d", late, most)
			}
			begun := phases[apply.Started]
			for a := range begun {
				if !phases[apply.Done][a] && !phases[apply.Failed][a] {
					t.Errorf("%s was begun and not finished", a)
				}
			}
			planned := len(phases[apply.Planned])
			if got := len(begun) + len(phases[apply.Skipped]); got != planned || incomplete.Skipped != len(phases[apply.Skipped]) || r.Skipped != incomplete.Skipped {
				t.Errorf("%d planned, %d begun, %d skipped; the error says %d, the result %d",
					planned, len(begun), len(phases[apply.Skipped]), incomplete.Skipped, r.Skipped)
			}
			if n := len(phases[apply.Failed]); n == 0 && err.Error() != fmt.Sprintf("interrupted: %d changes were not started; run `hardway apply` again to resume", incomplete.Skipped) {
				t.Errorf("got %v", err)
			}
			was := w.state()
			for a, rec := range was.Resources {
				if rec.Pending && !phases[apply.Failed][a] {
					t.Errorf("%s is pending, though it was finished", a)
				}
			}
			is := w.mustConverge(provision.PlanOptions{})
			w.sound(is)
			keptKeys(t, was, is)
		})
	}
}

// Interrupted before it began, an apply does nothing at all.
func TestInterruptedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	fresh := w.snapshots()
	p := w.plan(provision.PlanOptions{})
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if _, err := w.apply(ctx, p, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.machinesAre(fresh)
	s := w.open()
	defer w.close(s)
	if _, err := s.Plan(ctx, provision.PlanOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted plan: %v", err)
	}
	if st := w.state(); len(st.Resources)+len(st.Authorities) > 0 {
		t.Error("the state was written")
	}
}

// Events come in one stream, each change's in order, the last one at the end.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	p := w.plan(provision.PlanOptions{})
	last := map[addr.Address]apply.Phase{}
	done := map[addr.Address]bool{}
	seq, finished := 0, false
	r, err := w.apply(t.Context(), p, func(e apply.Event) {
		if seq++; e.Seq != seq || finished {
			t.Fatalf("event %d came as number %d (after the end: %v)", e.Seq, seq, finished)
		}
		was := last[e.Addr]
		switch e.Phase {
		case apply.Planned:
			if was != "" {
				t.Errorf("%s: planned after %s", e.Addr, was)
			}
		case apply.Started:
			if was != apply.Planned {
				t.Errorf("%s: started after %s", e.Addr, was)
			}
			for _, d := range change(t, p, e.Addr).DependsOn {
				if active := change(t, p, d).Action != plan.NoOp; active && !done[d] {
					t.Errorf("%s started before %s was done", e.Addr, d)
				}
			}
		case apply.Progress, apply.Waiting:
			if was != apply.Started && was != apply.Progress && was != apply.Waiting {
				t.Errorf("%s: %s after %s", e.Addr, e.Phase, was)
			}
		case apply.Done:
			done[e.Addr] = true
		case apply.Finished:
			finished = true
		default:
			t.Errorf("%s: %s", e.Addr, e.Phase)
		}
		last[e.Addr] = e.Phase
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Counts(); r.Counts != c || r.Failed+r.Skipped > 0 || len(done) != c.Add+c.Change || !finished || r.Bytes == 0 {
		t.Errorf("planned %+v, did %+v, %d done, finished %v", c, r, len(done), finished)
	}
}

func change(t *testing.T, p *plan.Plan, a addr.Address) plan.Change {
	t.Helper()
	return find(t, p, a.String())
}
