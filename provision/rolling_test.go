package provision_test

import (
	"errors"
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
)

func master(name string) addr.Host { return addr.Host{Role: addr.Master, Name: name} }

// restarts records which unit is restarted where, in order, over all machines.
func (w *world) restarts() func() []string {
	var mu sync.Mutex
	var out []string
	for h, m := range w.machines {
		m.OnOp(func(_ int, step string) {
			if unit, ok := strings.CutPrefix(step, "restart "); ok {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, h.Name+" "+strings.TrimSuffix(unit, ".service"))
			}
		})
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(out)
	}
}

// rollOut is a change that restarts etcd, the API servers and the kubelets.
func (w *world) rollOut() {
	w.edit("network \"bridge\" {}", `network "bridge" {}

etcd { flags = { snapshot-count = 20000 } }
apiserver { flags = { event-ttl = "3h" } }
kubelet { config = { maxPods = 99 } }
`)
}

// etcd goes one member after the other, then the API servers one after the
// other, then the nodes.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	w.mustConverge(provision.PlanOptions{})
	w.rollOut()
	got := w.restarts()
	w.sound(w.mustConverge(provision.PlanOptions{}))
	order := got()
	if len(order) != 11 || !slices.Equal(order[:6], []string{"m1 etcd", "m2 etcd", "m3 etcd", "m1 kube-apiserver", "m2 kube-apiserver", "m3 kube-apiserver"}) {
		t.Errorf("restarted in the order %q", order)
	}
}

// The first host that does not come back stops the wave: those behind it keep
// what they run, and the error has the reason from the journal.
func TestBreaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	w.mustConverge(provision.PlanOptions{})
	w.rollOut()
	bad := w.machines[master("m2")]
	bad.BreakUnit("etcd.service", true)
	bad.Handle("unit-logs", func(_ *hosttest.Machine, args []string, _ []byte) (host.Result, error) {
		return host.Result{Stdout: []byte("etcd[7]: " + args[0] + ": snapshot count is not to my taste\n")}, nil
	})
	got := w.restarts()
	p := w.plan(provision.PlanOptions{})
	skipped := map[string]string{}
	r, err := w.apply(t.Context(), p, func(e apply.Event) {
		if e.Phase == apply.Skipped {
			skipped[e.Addr.String()] = e.Message
		}
	})
	if err == nil {
		t.Fatal("nobody noticed")
	}
	for _, want := range []string{`master["m2"].unit["etcd"]`, "etcd.service: snapshot count is not to my taste", "journalctl -u etcd.service"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	// The second restart of m2 is the attempt to put back what was there before.
	if order := got(); !slices.Equal(order, []string{"m1 etcd", "m2 etcd", "m2 etcd"}) {
		t.Errorf("restarted %q", order)
	}
	if restored, ok := errors.AsType[*apply.RestoredError](err); !ok || restored.Restore == nil {
		t.Errorf("it does not say that putting it back failed too: %v", err)
	}
	if why := skipped[`master["m3"].unit["etcd"]`]; why != `master["m2"].unit["etcd"] failed` || r.Failed != 1 || r.Skipped != len(skipped) || r.Skipped < 6 {
		t.Errorf("failed %d, skipped %d of %d: %q", r.Failed, r.Skipped, len(skipped), why)
	}
	bad.BreakUnit("etcd.service", false)
	// The next apply goes on with putting it back, and holds the change.
	p = w.plan(provision.PlanOptions{})
	if _, err := w.apply(t.Context(), p, nil); err != nil || len(p.Held) == 0 {
		t.Errorf("held %+v, %v", p.Held, err)
	}
	if p := w.plan(provision.PlanOptions{}); slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return c.Addr.Name == "etcd" && c.Action != plan.NoOp }) {
		t.Errorf("etcd is still being changed: %+v", p.Held)
	}
	w.sound(w.mustConverge(provision.PlanOptions{Retry: true}))
}

// In a first creation what does not depend on the failure is finished.
func TestFailureOfOneNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	bad := addr.Host{Role: addr.Node, Name: "n1"}
	w.machines[bad].BreakUnit("containerd.service", true)
	p := w.plan(provision.PlanOptions{})
	r, err := w.apply(t.Context(), p, nil)
	if err == nil || r.Failed != 1 {
		t.Fatalf("%d failed: %v", r.Failed, err)
	}
	st := w.state()
	for _, c := range p.Changes {
		rec, ok := st.Resources[c.Addr]
		behind := c.Addr.Host == bad && (c.Addr.Kind == "unit" && c.Addr.Name != "kube-proxy" && c.Addr.Name != "routes" || c.Addr.Kind == "image") ||
			c.Addr.Kind == "node" && c.Addr.Name == "n1" || c.Spec.Authority != nil || c.Spec.KeyPair != nil
		if done := ok && !rec.Pending; !done && !behind {
			t.Errorf("%s does not depend on the failure, and was left out", c.Addr)
		}
	}
	w.machines[bad].BreakUnit("containerd.service", false)
	w.sound(w.mustConverge(provision.PlanOptions{}))
}
