package provision_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
)

// sequences is how many times something is edited, or drifts, and an apply of
// it is interrupted and repeated; the whole of it takes about an hour:
//
//	go test ./provision -run TestSequences -sequences 10000 -timeout 3h
var sequences = flag.Int("sequences", 60, "how many sequences TestSequences tries")

// perWorld is how many sequences one cluster goes through before a new one is made.
const perWorld = 30

// TestSequences: whatever is edited, drifts, fails, is cut or killed, and in
// whatever order, the next apply that is left alone converges: the plan after it
// is empty, processes run with the inputs that they should, and no authority or
// key was made anew.
func TestSequences(t *testing.T) {
	n := *sequences
	if testing.Short() || racing {
		n = min(n, 20)
	}
	for first := 0; first < n; first += perWorld {
		t.Run(fmt.Sprintf("from %d", first), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2026, uint64(first)))
			w := newWorld(t, "testdata/one")
			was := w.mustConverge(provision.PlanOptions{})
			for i := first; i < min(first+perWorld, n) && !t.Failed(); i++ {
				told := w.sequence(t, r)
				is, err := w.converge(provision.PlanOptions{Retry: true})
				if err != nil {
					t.Fatalf("sequence %d: %v: %v", i, told, err)
				}
				w.sound(is)
				w.tidy()
				keptKeys(t, was, is)
				w.settled(provision.PlanOptions{})
				if t.Failed() {
					t.Logf("sequence %d: %v", i, told)
				}
			}
		})
	}
}

// sequence does up to three things to the cluster and its configuration, and
// lets up to three applies end badly. It returns what it did.
func (w *world) sequence(t *testing.T, r *rand.Rand) (told []string) {
	all := drifts()
	for i := range 1 + r.IntN(3) {
		if i == 0 && r.IntN(2) == 0 { // one: the next may find nothing to do it to
			d := all[r.IntN(len(all))]
			if d.name == "certificate expired" || d.name == "certificate due" || w.timed(d) {
				continue // time does not go back for what comes after
			}
			d.happens(t, w)
			told = append(told, "drift: "+d.name)
			continue
		}
		told = append(told, "edit: "+w.editAnything(r))
	}
	for range r.IntN(4) {
		told = append(told, w.endBadly(r))
	}
	return told
}

// timed reports whether a drift is about the clock.
func (w *world) timed(d drift) bool {
	probe := &world{now: w.now, machines: map[addr.Host]*hosttest.Machine{}}
	for h := range w.machines {
		probe.machines[h] = hosttest.NewMachine(h.Name)
	}
	at := probe.now()
	defer func() { _ = recover() }() // the others want a cluster to change
	d.happens(nil, probe)
	return !probe.now().Equal(at)
}

// editAnything writes a file of settings beside the configuration.
func (w *world) editAnything(r *rand.Rand) string {
	text := fmt.Sprintf("kubelet {\n  config = { maxPods = %d }\n}\n\napiserver {\n  flags = { event-ttl = \"%dh\" }\n}\n\nscheduler {\n  config = { percentageOfNodesToScore = %d }\n}\n\netcd {\n  flags = { snapshot-count = %d }\n}\n",
		50+r.IntN(4), 1+r.IntN(3), 40+r.IntN(3), 10000+r.IntN(2))
	w.write("settings.hcl", text)
	return fmt.Sprintf("%q", text)
}

// endBadly plans and applies with a failing operation, a cut connection, or a
// controller that dies.
func (w *world) endBadly(r *rand.Rand) string {
	p := w.plan(provision.PlanOptions{Retry: r.IntN(2) == 0})
	for i := range p.Changes {
		p.Changes[i].Within = min(p.Changes[i].Within, 2e9)
	}
	at := 1 + r.IntN(25)
	if r.IntN(3) == 0 {
		return w.diesAt(at, r.IntN(2) == 0, func() error { _, err := w.apply(w.t.Context(), p, nil); return err })
	}
	hosts := w.hosts()
	f := fault{host: hosts[r.IntN(len(hosts))], n: at, mode: []hosttest.Mode{hosttest.FailBefore, hosttest.FailAfter, hosttest.CutBefore, hosttest.CutAfter}[r.IntN(4)]}
	m := w.machines[f.host]
	m.FailAt(f.n, f.mode, errInjected)
	_, err := w.apply(w.t.Context(), p, nil)
	m.ClearFaults()
	return fmt.Sprintf("%s: %v", f.name(), err != nil)
}

// diesAt runs an apply whose controller dies at an operation, if it gets there.
func (w *world) diesAt(at int, after bool, run func() error) string {
	k := &kill{w: w, at: at, after: after, alive: true}
	w.wrap = func(_ addr.Host, h host.Host) host.Host { return mortal{h, k} }
	err := run()
	w.wrap = nil
	if !errors.Is(err, errKilled) {
		return fmt.Sprintf("not killed at %d", at)
	}
	for _, name := range []string{"hardway.state.lock", "hardway.state.lock.info"} { // the kernel frees the lock
		if err := os.Remove(filepath.Join(k.left, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Error(err)
		}
	}
	w.dir = k.left
	return fmt.Sprintf("killed at %d, after %v", at, after)
}
