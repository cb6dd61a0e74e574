package provision_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/host"
)

// errKilled is what nobody reads any more. It ends a session like any other loss.
var errKilled error = &host.LostError{Host: "controller", Step: "living", Err: errors.New("killed")}

// kill ends the controller at an operation, as kill -9 does: at that moment the
// files of the state are what they are, and nothing is done on any host any more.
// An operation has its record that it begins before it and that it is done after
// it, so each record of the state is the last one of some death.
type kill struct {
	w     *world
	at    int  // the operation, counted over all hosts
	after bool // it is still carried out

	mu    sync.Mutex
	n     int
	alive bool
	left  string // the directory as it was at that moment
}

// survive counts an operation and runs it, unless the controller is dead.
func (k *kill) survive(op func() error) error {
	k.mu.Lock()
	k.n++
	dies := k.n == k.at
	if !k.alive {
		k.mu.Unlock()
		return errKilled
	}
	if dies && !k.after {
		k.die()
		k.mu.Unlock()
		return errKilled
	}
	k.mu.Unlock()
	err := op()
	if dies {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.die()
		return errKilled
	}
	return err
}

func (k *kill) die() {
	k.alive, k.left = false, scratch(k.w.t)
	if err := os.CopyFS(k.left, os.DirFS(k.w.dir)); err != nil {
		k.w.t.Error(err)
	}
}

// mortal is a host of a controller that may be killed.
type mortal struct {
	host.Host
	kill *kill
}

func (m mortal) Observe(ctx context.Context, r facts.Request) (o facts.Observation, err error) {
	err = m.kill.survive(func() error { o, err = m.Host.Observe(ctx, r); return err })
	return o, err
}

func (m mortal) Put(ctx context.Context, p host.Put) error {
	return m.kill.survive(func() error { return m.Host.Put(ctx, p) })
}

func (m mortal) Remove(ctx context.Context, r host.Remove) error {
	return m.kill.survive(func() error { return m.Host.Remove(ctx, r) })
}

func (m mortal) Unit(ctx context.Context, name string, a host.UnitAction) error {
	return m.kill.survive(func() error { return m.Host.Unit(ctx, name, a) })
}

func (m mortal) Run(ctx context.Context, s host.Script) (r host.Result, err error) {
	err = m.kill.survive(func() error { r, err = m.Host.Run(ctx, s); return err })
	return r, err
}

func (m mortal) Lock(ctx context.Context, holder string) error {
	return m.kill.survive(func() error { return m.Host.Lock(ctx, holder) })
}

// killed applies a plan and kills the controller at the operation; the world is
// then as another controller finds it.
func (w *world) killed(o provision.PlanOptions, at int, after bool) {
	w.t.Helper()
	p := w.plan(o)
	k := &kill{w: w, at: at, after: after, alive: true}
	w.wrap = func(_ addr.Host, h host.Host) host.Host { return mortal{h, k} }
	_, err := w.apply(w.t.Context(), p, nil)
	w.wrap = nil
	if !errors.Is(err, errKilled) {
		w.t.Fatalf("the controller was not killed: %v", err)
	}
	for _, name := range []string{"hardway.state.lock", "hardway.state.lock.info"} { // the kernel frees the lock
		if err := os.Remove(filepath.Join(k.left, name)); err != nil {
			w.t.Error(err)
		}
	}
	w.dir = k.left
}

// deaths runs f for deaths before and after operations 1 to n, every one or some.
func deaths(t *testing.T, n, every int, f func(t *testing.T, at int, after bool)) {
	switch {
	case *allFaults:
		every = 1
	case testing.Short() || racing:
		every *= 7
	}
	points := 0
	for at := 1; at <= n; at++ {
		for _, after := range []bool{false, true} {
			if (2*at+map[bool]int{true: 1}[after])%every != 0 {
				continue
			}
			points++
			when := map[bool]string{false: "before", true: "after"}[after]
			t.Run(fmt.Sprintf("%s operation %d", when, at), func(t *testing.T) {
				t.Parallel()
				f(t, at, after)
			})
		}
	}
	t.Logf("%d deaths in %d operations", points, n)
}

func TestKilledWhileCreating(t *testing.T) {
	w := newWorld(t, "testdata/one")
	n := count(w.record(provision.PlanOptions{}))
	deaths(t, n, 11, func(t *testing.T, at int, after bool) {
		w := newWorld(t, "testdata/one")
		fresh := w.snapshots()
		w.killed(provision.PlanOptions{}, at, after)
		was := w.state()
		is := w.mustConverge(provision.PlanOptions{})
		w.sound(is)
		w.tidy()
		keptKeys(t, was, is)
		w.cleared(w.mustConverge(removal), fresh)
	})
}

// update is a change of the configuration that writes files and restarts
// components on every host.
func (w *world) update() {
	w.t.Helper()
	w.edit("network \"bridge\" {}", `network "bridge" {}

kubelet { config = { maxPods = 99 } }
apiserver { flags = { event-ttl = "3h" } }
scheduler { config = { percentageOfNodesToScore = 50 } }
etcd { flags = { snapshot-count = 20000 } }
`)
}

// A restart that a dead controller left owed is paid by the next one.
func TestKilledWhileUpdating(t *testing.T) {
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	w.update()
	steps := w.record(provision.PlanOptions{})
	if restarts := tally(steps)["restart"]; restarts != 5 { // etcd, apiserver, scheduler, two kubelets
		t.Fatalf("the update restarts %d units, want 5: %v", restarts, steps)
	}
	deaths(t, count(steps), 3, func(t *testing.T, at int, after bool) {
		w := newWorld(t, "testdata/one")
		was := w.mustConverge(provision.PlanOptions{})
		w.update()
		w.killed(provision.PlanOptions{}, at, after)
		is := w.mustConverge(provision.PlanOptions{})
		w.sound(is)
		keptKeys(t, was, is)
		for a, r := range is.Resources {
			if r.Spec.Unit != nil && r.Spec.Digest() == was.Resources[a].Spec.Digest() && changedUnits[a.Name] {
				t.Errorf("%s was not updated", a)
			}
		}
	})
}

// Somebody edits what a kubelet has read at its start. Whenever the controller
// dies that puts it right, the kubelet is restarted after the file was.
func TestKilledWhileRepairing(t *testing.T) {
	edit := func(w *world) {
		w.machines[n1].WriteFile(misplaced, 0o600, "edited\n")
	}
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	edit(w)
	steps := w.record(provision.PlanOptions{})
	deaths(t, count(steps), 1, func(t *testing.T, at int, after bool) {
		w := newWorld(t, "testdata/one")
		w.mustConverge(provision.PlanOptions{})
		edit(w)
		done := w.steps()
		w.killed(provision.PlanOptions{}, at, after)
		w.sound(w.mustConverge(provision.PlanOptions{}))
		order := done()[n1]
		put, restart := slices.Index(order, "put "+misplaced), slices.Index(order, "restart kubelet.service")
		for i, s := range order {
			if s == "restart kubelet.service" {
				restart = i
			}
		}
		if put < 0 || restart < put {
			t.Errorf("the kubelet was not restarted after its config was written: %q", order)
		}
	})
}

var changedUnits = map[string]bool{"kubelet": true, "kube-apiserver": true, "kube-scheduler": true, "etcd": true}

// tally counts operations by kind.
func tally(steps map[addr.Host][]string) map[string]int {
	out := map[string]int{}
	for _, list := range steps {
		for _, s := range list {
			out[kind(s)]++
		}
	}
	return out
}

func TestKilledWhileDestroying(t *testing.T) {
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	n := count(w.record(removal))
	deaths(t, n, 17, func(t *testing.T, at int, after bool) {
		w := newWorld(t, "testdata/one")
		fresh := w.snapshots()
		w.mustConverge(provision.PlanOptions{})
		w.killed(removal, at, after)
		if after { // or the owner has changed their mind
			w.sound(w.mustConverge(provision.PlanOptions{}))
		}
		w.cleared(w.mustConverge(removal), fresh)
	})
}
