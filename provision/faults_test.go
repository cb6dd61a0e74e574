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

func (f fault) name() string {
	return fmt.Sprintf("%s %d %s %s", f.host.Name, f.n, f.step, modes[f.mode])
}

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

// faultsOf lists what can go wrong in a run of steps: at each operation one way,
// which changes from one to the next, or with -faults all of them.
func faultsOf(steps map[addr.Host][]string) []fault {
	all := slices.Sorted(maps.Keys(modes))
	var out []fault
	for _, h := range slices.SortedFunc(maps.Keys(steps), addr.Host.Compare) {
		for i, step := range steps[h] {
			for k, mode := range all {
				if *allFaults || k == len(out)%len(all) {
					out = append(out, fault{h, i + 1, step, mode})
					if !*allFaults {
						break
					}
				}
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
func (w *world) named(err error, f fault, step string) {
	t := w.t
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

// removal is a whole destruction.
var removal = provision.PlanOptions{Destroy: true, DestroyData: true}

// Whatever operation of a first apply goes wrong, and however: the next apply
// goes on from there, with the same authorities, to the same cluster. And
// whatever goes wrong when that is destroyed: what could not be removed is
// removed by the next one, and the machines are as they were.
func TestFaultAtEveryOperation(t *testing.T) {
	w := newWorld(t, "testdata/one")
	making := w.record(provision.PlanOptions{})
	removing := w.record(removal)
	t.Logf("%d faults in the %d operations of an apply, %d in the %d of a destroy",
		len(faultsOf(making)), count(making), len(faultsOf(removing)), count(removing))
	down := faultsOf(removing)
	for i, f := range faultsOf(making) {
		if testing.Short() && i%7 != 0 {
			continue
		}
		t.Run(f.name(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			fresh := w.snapshots()
			w.fails(provision.PlanOptions{}, f)
			was := w.state()
			w.mustConverge(provision.PlanOptions{})
			is := w.state()
			w.sound(is)
			w.tidy()
			keptKeys(t, was, is)

			w.fails(removal, down[i%len(down)])
			w.mustConverge(removal)
			w.cleared(fresh)
		})
	}
	if n := len(faultsOf(making)); n < len(down) {
		t.Errorf("%d faults of a destroy are not reached", len(down)-n)
	}
}

// record applies a plan and returns the steps that it took on each machine.
func (w *world) record(o provision.PlanOptions) map[addr.Host][]string {
	w.t.Helper()
	p := w.plan(o)
	steps := w.steps()
	if _, err := w.apply(w.t.Context(), p, nil); err != nil {
		w.t.Fatal(err)
	}
	return steps()
}

func count(steps map[addr.Host][]string) (n int) {
	for _, s := range steps {
		n += len(s)
	}
	return n
}

// fails applies a plan in which the fault happens, and holds the error to what it
// has to say.
func (w *world) fails(o provision.PlanOptions, f fault) {
	w.t.Helper()
	p := w.plan(o)
	hit := w.inject(f)
	_, err := w.apply(w.t.Context(), p, nil)
	switch step := hit(); {
	case step == "":
		w.t.Fatalf("%s: the operation was never reached", f.name())
	case err == nil && !forgiven(step, f.mode):
		w.t.Fatalf("%s: nobody noticed that %q failed", f.name(), step)
	case err != nil:
		w.named(err, f, step)
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
