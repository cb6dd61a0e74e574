package provision_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/apply"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
)

// unhealthyWith makes the gates of kubelets that run with a text in their configuration
// stay closed, as a broken setting does.
func (w *world) unhealthyWith(text string) {
	for _, m := range w.machines {
		m.Handle("http-get", func(m *hosttest.Machine, args []string, _ []byte) (host.Result, error) {
			config, _ := m.File("/var/lib/kubelet/config.yaml")
			if strings.Contains(args[0], "10248") && strings.Contains(config.Content, text) {
				return host.Result{Stdout: []byte("503\nnot with this")}, nil
			}
			return host.Result{Stdout: []byte("200\nok")}, nil
		})
	}
}

// broken is a cluster whose configuration has a change that kubelets do not survive.
func broken(t *testing.T, dir string) *world {
	w := newWorld(t, dir)
	w.mustConverge(provision.PlanOptions{})
	w.edit("network \"bridge\" {}", "network \"bridge\" {}\n\nkubelet { config = { maxPods = 13 } }\n")
	w.unhealthyWith("maxPods: 13")
	return w
}

func TestBrokenChangeIsPutBack(t *testing.T) {
	t.Parallel()
	w := broken(t, "testdata/three")
	before := w.snapshots()
	p := w.plan(provision.PlanOptions{})
	for i := range p.Changes {
		p.Changes[i].Within = min(p.Changes[i].Within, 2e9) // a gate that stays closed is waited for
	}
	var events []apply.Event
	r, err := w.apply(t.Context(), p, func(e apply.Event) { events = append(events, e) })
	restored, ok := errors.AsType[*apply.RestoredError](err)
	if !ok || restored.Restore != nil || r.Restored != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	var phases []string
	for _, e := range events {
		if e.Phase == apply.Restoring || e.Phase == apply.Restored || e.Phase == apply.NotRestored {
			phases = append(phases, e.Addr.Host.Name+" "+string(e.Phase))
		}
	}
	if !slices.Equal(phases, []string{"m1 restoring", "m1 restored"}) {
		t.Errorf("phases %q", phases)
	}
	// One host was affected, and it is what it was.
	for h, was := range before {
		is := w.machines[h].Snapshot()
		for _, path := range []string{"/var/lib/kubelet/config.yaml", "/etc/systemd/system/kubelet.service"} {
			if was.Files[path].Content != is.Files[path].Content {
				t.Errorf("%s: %s is not what it was", h, path)
			}
		}
	}
	// The next plan does not try again.
	p = w.plan(provision.PlanOptions{})
	if p.Changed() || p.Complete || len(p.Held) != 5 || !strings.Contains(p.Held[0].Reason, "503") {
		t.Errorf("changed %v, complete %v, held %+v", p.Changed(), p.Complete, p.Held)
	}
	// Somebody insists: it fails again, on the same host, and is held again.
	p = w.plan(provision.PlanOptions{Retry: true})
	for i := range p.Changes {
		p.Changes[i].Within = min(p.Changes[i].Within, 2e9)
	}
	if _, err := w.apply(t.Context(), p, nil); err == nil {
		t.Error("the second try went through")
	}
	if p := w.plan(provision.PlanOptions{}); p.Changed() || len(p.Held) != 5 {
		t.Errorf("held %+v", p.Held)
	}
	// Another configuration is applied as ever, and the hold is gone.
	w.edit("maxPods = 13", "maxPods = 14")
	w.sound(w.mustConverge(provision.PlanOptions{}))
	if holds := w.state().Holds; len(holds) > 0 {
		t.Errorf("still held: %+v", holds)
	}
}

// A crash while it is put back leaves the way back to the next plan.
func TestCrashWhilePuttingBack(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"script keep-restore", "daemon-reload", "restart kubelet.service"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := broken(t, "testdata/one")
			p := w.plan(provision.PlanOptions{})
			for i := range p.Changes {
				p.Changes[i].Within = min(p.Changes[i].Within, 2e9)
			}
			m := w.machines[m1]
			restoring := false
			m.OnOp(func(_ int, s string) {
				restoring = restoring || s == "script keep-restore"
				if restoring && s == step {
					go m.SetDown(errors.New("the controller is gone"))
				}
			})
			if _, err := w.apply(t.Context(), p, nil); err == nil {
				t.Fatal("nothing went wrong")
			}
			m.OnOp(nil)
			m.SetDown(nil)
			p = w.plan(provision.PlanOptions{})
			if len(p.Held) == 0 {
				t.Fatal("nothing is held back")
			}
			if _, err := w.apply(t.Context(), p, nil); err != nil {
				t.Fatal(err)
			}
			if f, _ := m.File("/var/lib/kubelet/config.yaml"); strings.Contains(f.Content, "maxPods: 13") {
				t.Error("the broken configuration is still there")
			}
			if p := w.plan(provision.PlanOptions{}); p.Changed() {
				t.Errorf("it goes on: %+v", p.Changes)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	created := w.mustConverge(provision.PlanOptions{})
	then := w.state().Serial
	before := w.snapshots()
	w.rollOut()
	rolled := w.mustConverge(provision.PlanOptions{})
	s := w.open()
	// The order of the waves belongs to one plan: what is recorded is what needs what.
	for a, r := range rolled.Resources {
		if !slices.Equal(r.DependsOn, created.Resources[a].DependsOn) {
			t.Errorf("%s depends on %v now, and on %v when it was created", a, r.DependsOn, created.Resources[a].DependsOn)
		}
	}
	if d, err := s.Drift(t.Context(), provision.DriftOptions{}); err != nil || len(d.Resources) > 0 || !d.Complete {
		t.Errorf("drift %+v, %v", d, err)
	}
	list, err := s.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.close(s)
	if len(list) < 2 || list[0].Run == nil || !list[0].Run.Complete {
		t.Fatalf("generations %+v", list)
	}
	back := provision.PlanOptions{ToGeneration: then}
	p := w.plan(back)
	if p.Mode != plan.Rollback || p.Generation != then || len(p.Waves) == 0 {
		t.Errorf("mode %s, generation %d, %d waves", p.Mode, p.Generation, len(p.Waves))
	}
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	for h, was := range before {
		is := w.machines[h].Snapshot()
		for path, f := range was.Files {
			if !strings.HasPrefix(path, "/var/lib/hardway") && f.Content != is.Files[path].Content {
				t.Errorf("%s: %s is not what it was", h, path)
			}
		}
	}
	if p := w.plan(provision.PlanOptions{}); p.Changed() || p.Complete || len(p.Held) != 1 {
		t.Errorf("the next plan goes forward again: changed %v, held %+v", p.Changed(), p.Held)
	}
	w.sound(w.mustConverge(provision.PlanOptions{Retry: true}))
}

// A state that was put back is detected on the hosts.
func TestOlderStateIsDetected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	older, err := os.ReadFile(filepath.Join(w.dir, "hardway.state"))
	if err != nil {
		t.Fatal(err)
	}
	w.edit("network \"bridge\" {}", "network \"bridge\" {}\n\nkubelet { config = { maxPods = 14 } }\n")
	w.mustConverge(provision.PlanOptions{})
	w.write("hardway.state", string(older))
	if err := os.RemoveAll(filepath.Join(w.dir, ".hardway")); err != nil { // another machine's, with nothing newer beside it
		t.Fatal(err)
	}
	s := w.open()
	defer w.close(s)
	_, err = s.Plan(t.Context(), provision.PlanOptions{})
	if _, ok := errors.AsType[*plan.MarkedError](err); !ok || !strings.Contains(err.Error(), "hardway state recover") {
		t.Errorf("got %v", err)
	}
}
