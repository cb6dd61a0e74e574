package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
)

const unfit = "maxPods: 13" // what kubelets of these tests do not survive

// impatient shortens the waiting for gates that stay closed.
func impatient(p *plan.Plan) *plan.Plan {
	for i := range p.Changes {
		c := &p.Changes[i]
		c.Within = min(c.Within, 2*time.Second)
		if u := c.Spec.Unit; u != nil && u.Gate != nil {
			other, gate := *u, *u.Gate
			gate.Timeout = min(gate.Timeout, 2*time.Second)
			other.Gate = &gate
			c.Spec.Unit = &other
		}
	}
	return p
}

// affected are the hosts whose kubelet has what it does not survive.
func (w *world) affected() []string {
	var out []string
	for _, h := range w.hosts() {
		if f, _ := w.machines[h].File(kubeletConf); strings.Contains(f.Content, unfit) {
			out = append(out, h.Name)
		}
	}
	return out
}

// However an apply ends while a broken change is under way on the first host, the
// next one begins with that host, and puts it back when it does not become
// healthy. No second host is ever affected.
func TestInterruptedBrokenChange(t *testing.T) {
	t.Parallel()
	event := func(phase apply.Phase, name string) func(apply.Event, context.CancelFunc, *hosttest.Machine) {
		return func(e apply.Event, cancel context.CancelFunc, _ *hosttest.Machine) {
			if e.Phase == phase && e.Addr.Host == m1 && strings.HasSuffix(e.Addr.Name, name) {
				cancel()
			}
		}
	}
	for name, ends := range map[string]func(apply.Event, context.CancelFunc, *hosttest.Machine){
		"while its gate is closed":      event(apply.Waiting, "kubelet"),
		"between its file and the unit": event(apply.Done, "config.yaml"),
		"cut off while its gate is closed": func(e apply.Event, _ context.CancelFunc, m *hosttest.Machine) {
			if e.Phase == apply.Waiting && e.Addr.Host == m1 && e.Addr.Name == "kubelet" {
				go m.SetDown(errors.New("cut off"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := broken(t, "testdata/three")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if _, err := w.apply(ctx, impatient(w.plan(provision.PlanOptions{})), func(e apply.Event) { ends(e, cancel, w.machines[m1]) }); err == nil {
				t.Fatal("nothing ended it")
			}
			w.machines[m1].SetDown(nil)
			p := impatient(w.plan(provision.PlanOptions{}))
			if c := find(t, p, `master["m1"].unit["kubelet"]`); len(c.Restore) == 0 || !slices.Contains(c.Restore, addr.Address{Host: m1, Kind: "file", Name: kubeletConf}) {
				t.Errorf("the next plan would put back %v", c.Restore)
			}
			r, err := w.apply(t.Context(), p, nil)
			if restored, ok := errors.AsType[*apply.RestoredError](err); !ok || restored.Restore != nil || r.Restored != 1 {
				t.Errorf("%+v, %v", r, err)
			}
			if got := w.affected(); len(got) > 0 {
				t.Errorf("%v have the broken change", got)
			}
			if p := w.plan(provision.PlanOptions{}); p.Changed() || len(p.Held) == 0 {
				t.Errorf("the next plan:\n%s, held %+v", says(p), p.Held)
			}
			w.edit("maxPods = 13", "maxPods = 14")
			w.sound(w.mustConverge(provision.PlanOptions{}))
			for a, record := range w.state().Resources {
				if record.Last != nil {
					t.Errorf("%s is still not settled", a)
				}
			}
		})
	}
}

// An API server that fails with another port takes back nothing of what waits for
// it, and holds all of it: no kubelet may look for it at the new one.
func TestHoldOfAnAPIServerHoldsWhatNeedsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	w.mustConverge(provision.PlanOptions{})
	before := w.snapshots()
	w.edit(`host = "api.example.com"`, "host = \"api.example.com\"\n  port = 7443")
	failing := true
	w.machines[m1].Handle("exec", func(m *hosttest.Machine, args []string, stdin []byte) (host.Result, error) {
		unit, _ := m.File("/etc/systemd/system/kube-apiserver.service")
		if failing && strings.Contains(strings.Join(args, " "), "/readyz") && strings.Contains(unit.Content, "7443") {
			return host.Result{Exit: 1, Stderr: []byte("not ready\n")}, nil
		}
		return m.Kubectl(args[1:], stdin), nil
	})
	_, err := w.apply(t.Context(), impatient(w.plan(provision.PlanOptions{})), nil)
	if restored, ok := errors.AsType[*apply.RestoredError](err); !ok || restored.Restore != nil {
		t.Fatalf("got %v", err)
	}
	p := impatient(w.plan(provision.PlanOptions{}))
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Errorf("the next apply: %v", err)
	}
	if p := w.plan(provision.PlanOptions{}); p.Changed() || len(p.Held) == 0 {
		t.Errorf("the plan after it:\n%s", says(p))
	}
	for h, was := range before {
		is := w.machines[h].Snapshot()
		for path, f := range was.Files {
			if strings.HasSuffix(path, ".conf") && strings.HasPrefix(path, "/etc/kubernetes/") && f.Content != is.Files[path].Content {
				t.Errorf("%s: %s is not what it was", h, path)
			}
		}
	}
	failing = false
	w.sound(w.mustConverge(provision.PlanOptions{Retry: true}))
}

// A rollback that follows an apply which was killed goes back to what was there
// before it.
func TestGenerationsAfterAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	good := w.state().Serial
	w.update()
	w.killed(provision.PlanOptions{}, 12, true)
	s := w.open()
	defer w.close(s)
	list, err := s.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Serial != good+1 || st.Run.Complete || list[0].Serial != good || !list[0].Run.Complete {
		t.Errorf("the state is at %d, complete %v; the newest generation is %d", st.Serial, st.Run.Complete, list[0].Serial)
	}
}
