package provision_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
	"hardway/provision/state"
)

var errInjected = errors.New("injected: input/output error")

// fault is one operation on one machine, counted from the beginning of an
// apply, and what goes wrong there.
type fault struct {
	host addr.Host
	n    int
	step string
	mode hosttest.Mode
}

var modes = map[hosttest.Mode]string{
	hosttest.FailBefore: "fails before", hosttest.FailAfter: "fails after", hosttest.CutBefore: "cut before", hosttest.CutAfter: "cut after",
}

func (f fault) name() string { return fmt.Sprintf("%s %d %s %s", f.host.Name, f.n, f.step, modes[f.mode]) }

// steps records the operations on each machine from now on.
func (w *world) steps() func() map[addr.Host][]string {
	out := map[addr.Host][]string{}
	var mu sync.Mutex
	for h, m := range w.machines {
		m.OnOp(func(_ int, step string) {
			mu.Lock()
			defer mu.Unlock()
			out[h] = append(out[h], step)
		})
	}
	return func() map[addr.Host][]string {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(out)
	}
}

// faultsOf lists what can go wrong in a run of steps: at each, once without and
// once with an effect, alternately with and without the connection; or all of it.
func faultsOf(steps map[addr.Host][]string) []fault {
	var out []fault
	for _, h := range slices.SortedFunc(maps.Keys(steps), addr.Host.Compare) {
		for i, step := range steps[h] {
			list := []hosttest.Mode{hosttest.FailBefore, hosttest.CutAfter}
			if i%2 == 1 {
				list = []hosttest.Mode{hosttest.CutBefore, hosttest.FailAfter}
			}
			if *allFaults {
				list = slices.Sorted(maps.Keys(modes))
			}
			for _, mode := range list {
				out = append(out, fault{h, i + 1, step, mode})
			}
		}
	}
	return out
}

// inject puts the fault into the run that comes, and returns the step that it hit.
func (w *world) inject(f fault) (hit func() string) {
	m := w.machines[f.host]
	at, step := m.Ops()+f.n, ""
	m.FailAt(f.n, f.mode, errInjected)
	var mu sync.Mutex
	m.OnOp(func(n int, s string) {
		mu.Lock()
		defer mu.Unlock()
		if n == at {
			step = s
		}
	})
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return step
	}
}

// forgiven reports whether an apply may go well in spite of a failure: a question
// that is asked until it is answered, and what nothing depends on.
func forgiven(step string, mode hosttest.Mode) bool {
	if mode != hosttest.FailBefore && mode != hosttest.FailAfter {
		return false
	}
	return step == "script http-get" || step == "script exec" || strings.HasPrefix(step, "reset-failed ")
}

// named fails unless an error says on which host and, but for its lock, at which
// resource something went wrong.
func named(t *testing.T, err error, f fault, step string) {
	t.Helper()
	lost := f.mode == hosttest.CutBefore || f.mode == hosttest.CutAfter
	if _, ok := errors.AsType[*host.LostError](err); !errors.Is(err, errInjected) || ok != lost {
		t.Errorf("the error does not wrap its cause: %v", err)
	}
	if !strings.Contains(err.Error(), f.host.Name+": ") || !strings.Contains(err.Error(), `["`) {
		t.Errorf("the error does not name host and resource: %v", err)
	}
	if _, ok := errors.AsType[*apply.IncompleteError](err); !ok && step != "lock" {
		t.Errorf("the error does not say that it is incomplete: %v", err)
	}
}

// keptKeys fails if an authority or a key pair that was there once is not the same.
func keptKeys(t *testing.T, was, is state.Public) {
	t.Helper()
	for name, a := range was.Authorities {
		if is.Authorities[name] != a {
			t.Errorf("the authority %s was made anew", name)
		}
	}
	for name, k := range was.KeyPairs {
		if is.KeyPairs[name] != k {
			t.Errorf("the key pair %s was made anew", name)
		}
	}
	if len(is.Authorities) != 3 || len(is.KeyPairs) != 1 {
		t.Errorf("%d authorities and %d key pairs, want 3 and 1", len(is.Authorities), len(is.KeyPairs))
	}
}

// tidy fails if something is left on a machine that was there only for a moment.
func (w *world) tidy() {
	w.t.Helper()
	for h, m := range w.machines {
		for path := range m.Snapshot().Files {
			if strings.HasPrefix(path, "/run/hardway/") || strings.HasPrefix(path, "/var/lib/hardway/images/") {
				w.t.Errorf("%s: %s is left", h, path)
			}
		}
	}
}

// Whatever operation of a first apply goes wrong, and however: the next apply
// goes on from there, with the same authorities, to the same cluster.
func TestFaultAtEveryOperationOfApply(t *testing.T) {
	w := newWorld(t, "testdata/one")
	p := w.plan(provision.PlanOptions{})
	steps := w.steps()
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	faults := faultsOf(steps())
	t.Logf("%d operations, %d faults", len(faults)/2, len(faults))
	for _, f := range faults {
		t.Run(f.name(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			p := w.plan(provision.PlanOptions{})
			hit := w.inject(f)
			_, err := w.apply(t.Context(), p, nil)
			switch step := hit(); {
			case step == "":
				t.Fatal("the operation was never reached")
			case err == nil && !forgiven(step, f.mode):
				t.Fatalf("nobody noticed that %q failed", step)
			case err != nil:
				named(t, err, f, step)
			}
			was := w.state()
			w.mustConverge(provision.PlanOptions{})
			w.sound()
			w.tidy()
			keptKeys(t, was, w.state())
		})
	}
}

// The same for a destruction: what could not be removed is removed by the next
// one, and the machines are as they were.
func TestFaultAtEveryOperationOfDestroy(t *testing.T) {
	o := provision.PlanOptions{Destroy: true, DestroyData: true}
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	p := w.plan(o)
	steps := w.steps()
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	faults := faultsOf(steps())
	t.Logf("%d operations, %d faults", len(faults)/2, len(faults))
	for _, f := range faults {
		t.Run(f.name(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			fresh := w.snapshots()
			w.mustConverge(provision.PlanOptions{})
			p := w.plan(o)
			hit := w.inject(f)
			_, err := w.apply(t.Context(), p, nil)
			switch step := hit(); {
			case step == "":
				t.Fatal("the operation was never reached")
			case err == nil && !forgiven(step, f.mode):
				t.Fatalf("nobody noticed that %q failed", step)
			case err != nil:
				named(t, err, f, step)
			}
			w.mustConverge(o)
			w.cleared(fresh)
		})
	}
}

// cleared fails unless nothing of the cluster is left, here and on the machines.
func (w *world) cleared(fresh map[addr.Host]hosttest.Snapshot) {
	w.t.Helper()
	if st := w.state(); len(st.Resources)+len(st.Authorities)+len(st.KeyPairs) > 0 {
		w.t.Errorf("the state still has %d resources, %d authorities, %d key pairs", len(st.Resources), len(st.Authorities), len(st.KeyPairs))
	}
	w.machinesAre(fresh)
}

var _ plan.Action
