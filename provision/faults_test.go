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

// faultsOf lists what can go wrong in a run of steps: each operation in every
// way with -faults, which takes minutes. Without, every other operation of a kind
// in one way, each way as often as the others; and what is rare in every way.
func faultsOf(steps map[addr.Host][]string) []fault {
	const rare = 4
	all, kinds := slices.Sorted(maps.Keys(modes)), tally(steps)
	var out []fault
	seen := map[string]int{}
	for _, h := range slices.SortedFunc(maps.Keys(steps), addr.Host.Compare) {
		for i, step := range steps[h] {
			k := kind(step)
			for m, mode := range all {
				if *allFaults || kinds[k] <= rare || seen[k]%2 == 0 && m == seen[k]/2%len(all) {
					out = append(out, fault{h, i + 1, step, mode})
				}
			}
			seen[k]++
		}
	}
	return out
}

// kind is an operation without what it is about, but for the name of a script.
func kind(step string) string {
	what, rest, _ := strings.Cut(step, " ")
	if what == "script" {
		return what + " " + rest
	}
	return what
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
	up, down := faultsOf(making), faultsOf(removing)
	rarity := tally(removing)
	slices.SortStableFunc(down, func(a, b fault) int { return rarity[kind(a.step)] - rarity[kind(b.step)] })
	if !*allFaults {
		down = down[:len(up)/2]
	}
	t.Logf("%d faults in the %d operations of an apply, %d in the %d of a destroy", len(up), count(making), len(down), count(removing))
	for i, f := range up {
		if (testing.Short() || racing) && i%7 != 0 {
			continue
		}
		t.Run(f.name(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			fresh := w.snapshots()
			was := w.fails(provision.PlanOptions{}, f)
			is := w.mustConverge(provision.PlanOptions{})
			w.sound(is)
			w.tidy()
			keptKeys(t, was, is)
			if i < len(down) { // of what was made with a fault
				w.fails(removal, down[i])
				w.cleared(w.mustConverge(removal), fresh)
			}
		})
	}
	if len(down) > len(up) {
		t.Errorf("%d faults of a destroy are never tried", len(down)-len(up))
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

// fails applies a plan in which the fault happens, holds the error to what it has
// to say, and returns the state that is left.
func (w *world) fails(o provision.PlanOptions, f fault) state.Public {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	p, err := s.Plan(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	hit := w.inject(f)
	_, err = s.Apply(w.t.Context(), p, provision.ApplyOptions{})
	switch step := hit(); {
	case step == "":
		w.t.Fatalf("%s: the operation was never reached", f.name())
	case err == nil && !forgiven(step, f.mode):
		w.t.Fatalf("%s: nobody noticed that %q failed", f.name(), step)
	case err != nil:
		w.named(err, f, step)
	}
	st, err := s.State(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// cleared fails unless nothing of the cluster is left, here and on the machines.
func (w *world) cleared(st state.Public, fresh map[addr.Host]hosttest.Snapshot) {
	w.t.Helper()
	if len(st.Resources)+len(st.Authorities)+len(st.KeyPairs)+len(st.Allocations.Pods)+len(st.Allocations.Etcd) > 0 {
		w.t.Errorf("the state still has %d resources, %d authorities, %d key pairs, %+v",
			len(st.Resources), len(st.Authorities), len(st.KeyPairs), st.Allocations)
	}
	w.machinesAre(fresh)
}
