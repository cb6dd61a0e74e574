package provision_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/apply"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/state/local"
)

// refused applies a plan that must be refused with all of these words, and holds
// that nothing was changed by it.
func (w *world) refused(p *plan.Plan, words ...string) error {
	w.t.Helper()
	machines, st := w.snapshots(), w.state()
	_, err := w.apply(w.t.Context(), p, nil)
	if err == nil {
		w.t.Fatal("the plan was applied")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.t.Errorf("%q does not say %q", err, word)
		}
	}
	for _, h := range w.hosts() { // locking makes hardway's own directory
		if f, ok := w.machines[h].File("/var/lib/hardway"); ok {
			machines[h].Files["/var/lib/hardway"] = f
		}
	}
	w.machinesAre(machines)
	if is := w.state(); is.Serial != st.Serial || len(is.Resources) != len(st.Resources) {
		w.t.Errorf("the state was written: serial %d, was %d", is.Serial, st.Serial)
	}
	return err
}

func TestStalePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	first := w.plan(provision.PlanOptions{})
	w.mustConverge(provision.PlanOptions{})
	w.refused(first, "stale", "serial 1", "hardway plan")

	other := newWorld(t, "testdata/one")
	foreign := *first
	foreign.Lineage, foreign.Serial = other.state().Lineage, w.state().Serial
	w.refused(&foreign, "lineage "+foreign.Lineage, "hardway plan")

	p := w.plan(provision.PlanOptions{})
	w.update()
	w.refused(p, "stale", "configuration", "hardway plan")
}

// What the plan read of a host is no longer so: the change that rests on it is
// refused, and what somebody else wrote there stays.
func TestChangedHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, path, host string }{
		{"file", "/etc/sysctl.d/99-hardway.conf", "n1"},
		{"unit", "/etc/systemd/system/kubelet.service", "n1"},
		{"binary", "/usr/local/bin/kube-scheduler", "m1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			m := w.machines[n1]
			if c.host == "m1" {
				m = w.machines[m1]
			}
			before := w.plan(provision.PlanOptions{})
			m.WriteFile(c.path, 0o640, "somebody was faster\n")
			_, err := w.apply(t.Context(), before, nil)
			changed, ok := errors.AsType[*host.ChangedError](err)
			if !ok || changed.Path != c.path || !strings.Contains(err.Error(), c.host) {
				t.Fatalf("got %v", err)
			}
			if f, _ := m.File(c.path); f.Content != "somebody was faster\n" || f.Mode != 0o640 {
				t.Errorf("it was overwritten: %+v", f)
			}
			w.sound(w.mustConverge(provision.PlanOptions{})) // and a new plan has seen it
			w.mustConverge(removal)
			if f, _ := m.File(c.path); f.Content != "somebody was faster\n" {
				t.Errorf("it was not put back: %+v", f)
			}
		})
	}
}

func TestLockedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	p := w.plan(provision.PlanOptions{})
	other := local.New(filepath.Join(w.dir, "hardway.state"), local.Options{Tool: "0.0.0-other", Now: w.now})
	if err := other.Lock(t.Context(), "destroy", 0); err != nil {
		t.Fatal(err)
	}
	before := w.ops()
	err := w.refused(p, "locked by", "destroy")
	if _, ok := errors.AsType[*local.LockedError](err); !ok || w.ops() != before {
		t.Errorf("%d operations, %v", w.ops()-before, err)
	}
	w.plan(provision.PlanOptions{}) // needs no lock
	if err := other.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Error(err)
	}
}

func TestLockTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	p := w.plan(provision.PlanOptions{})
	other := local.New(filepath.Join(w.dir, "hardway.state"), local.Options{Now: w.now})
	if err := other.Lock(t.Context(), "apply", 0); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = other.Unlock() })
	o := w.options()
	o.LockTimeout = time.Minute
	s, files, diags := provision.Open(o)
	if s == nil {
		t.Fatal(rendered(files, diags))
	}
	defer w.close(s)
	if _, err := s.Apply(t.Context(), p, provision.ApplyOptions{}); err != nil {
		t.Errorf("the lock was free after a moment: %v", err)
	}
}

func TestLockedHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	p := w.plan(provision.PlanOptions{})
	other := w.machines[n1].Connect()
	if err := other.Lock(t.Context(), "ann@laptop, apply"); err != nil {
		t.Fatal(err)
	}
	err := w.refused(p, `node["n1"]`, "ann@laptop, apply")
	if locked, ok := errors.AsType[*host.LockedError](err); !ok || locked.Holder != "ann@laptop, apply" {
		t.Errorf("got %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	w.mustConverge(provision.PlanOptions{})
}

// A session whose lock went to another does nothing more.
func TestFencedHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	p := w.plan(provision.PlanOptions{})
	m := w.machines[n1]
	thief := m.Connect()
	s := w.open()
	var steal sync.Once
	_, err := s.Apply(t.Context(), p, provision.ApplyOptions{Sink: func(e apply.Event) {
		if e.Addr.Host == n1 && e.Phase == apply.Started {
			steal.Do(func() {
				m.FreeLock()
				if err := thief.Lock(t.Context(), "thief"); err != nil {
					t.Error(err)
				}
			})
		}
	}})
	w.close(s)
	if err := thief.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*host.FencedError](err); !ok {
		t.Fatalf("got %v", err)
	}
	w.sound(w.mustConverge(provision.PlanOptions{}))
}

// Before init there is nothing to plan from.
func TestNotInitialised(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t, "testdata/one")
	s := w.open()
	defer w.close(s)
	if _, err := s.Plan(t.Context(), provision.PlanOptions{}); err == nil || !strings.Contains(err.Error(), "hardway init") {
		t.Errorf("got %v", err)
	}
	if w.ops() != 0 {
		t.Error("a host was asked")
	}
}
