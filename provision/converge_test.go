package provision_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
	"hardway/provision/state"
)

// machine makes a machine what the configuration takes a host for: of its
// architecture, with the directories, parameters and modules of a Debian.
func machine(m *hosttest.Machine, h config.Host, cfg *config.Cluster) {
	m.System(func(o *facts.Observation) { o.Arch, o.Addresses = h.Arch, []string{h.Address.String()} })
	for _, dir := range []string{"/srv", "/usr/libexec"} {
		m.SetFile(dir, &hosttest.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"})
	}
	for _, key := range append(slices.Collect(maps.Keys(cfg.Machine.Sysctl)), "kernel.keys.root_maxbytes", "kernel.keys.root_maxkeys") {
		m.SetSysctl(key, "1")
	}
	for _, name := range cfg.Machine.Modules {
		m.SetModule(name, false)
	}
}

// plan makes a plan in a session of its own, as a command does.
func (w *world) plan(o provision.PlanOptions) *plan.Plan {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	p, err := s.Plan(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// apply applies a plan in a session of its own.
func (w *world) apply(ctx context.Context, p *plan.Plan, sink apply.Sink) (apply.Result, error) {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	return s.Apply(ctx, p, provision.ApplyOptions{Sink: sink})
}

// converge plans and applies until nothing is left to do, as `hardway apply`
// does, and returns the state then.
func (w *world) converge(o provision.PlanOptions) (state.Public, error) {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	for range 5 {
		p, err := s.Plan(w.t.Context(), o)
		switch {
		case err != nil:
			return state.Public{}, err
		case len(p.Unknown) > 0:
			return state.Public{}, fmt.Errorf("unknown: %v", p.Unknown)
		case !p.Changed() && !p.Complete:
			return state.Public{}, fmt.Errorf("not complete: %v", p.Deferred)
		case !p.Changed():
			return s.State(w.t.Context())
		}
		if _, err := s.Apply(w.t.Context(), p, provision.ApplyOptions{}); err != nil {
			return state.Public{}, err
		}
	}
	return state.Public{}, fmt.Errorf("no end after five steps")
}

// mustConverge is converge that wants success.
func (w *world) mustConverge(o provision.PlanOptions) state.Public {
	w.t.Helper()
	st, err := w.converge(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// settled fails unless a plan has nothing to do and has seen everything.
func (w *world) settled(o provision.PlanOptions) {
	w.t.Helper()
	if p := w.plan(o); p.Changed() || !p.Complete {
		w.t.Fatalf("the plan is not empty:\n%s", says(p))
	}
}

// says is a plan in few words.
func says(p *plan.Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		if c.Action != plan.NoOp {
			fmt.Fprintf(&b, "%s %s: %s", c.Action.Symbol(), c.Addr, c.Reason)
			if c.Unit != nil {
				fmt.Fprintf(&b, " %+v", *c.Unit)
			}
			b.WriteString("\n")
		}
	}
	for _, d := range p.Deferred {
		fmt.Fprintf(&b, "deferred %s: %s\n", d.Addr, d.Reason)
	}
	for _, u := range p.Unknown {
		fmt.Fprintf(&b, "unknown %s: %s\n", u.Host, u.Reason)
	}
	for _, x := range p.Warnings {
		fmt.Fprintf(&b, "warning %s: %s\n", x.Addr, x.Summary)
	}
	return b.String()
}

// find returns the change of an address, or fails.
func find(t testing.TB, p *plan.Plan, address string) plan.Change {
	t.Helper()
	a, err := addr.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Changes {
		if c.Addr == a {
			return c
		}
	}
	t.Fatalf("the plan says nothing of %s:\n%s", address, says(p))
	return plan.Change{}
}

func (w *world) state() state.Public {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	st, err := s.State(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// machinesAre compares all machines with snapshots of them. Three things are no
// difference: modules stay loaded, since others may use them by now; what was in
// the cluster goes with etcd's data; and the directory below /run goes with the
// session, which the machine in memory does not model.
func (w *world) machinesAre(want map[addr.Host]hosttest.Snapshot) {
	w.t.Helper()
	got := w.snapshots()
	for _, h := range w.hosts() {
		if d := cmp.Diff(want[h], got[h], cmpopts.IgnoreFields(hosttest.Snapshot{}, "Modules", "Objects")); d != "" {
			w.t.Errorf("%s (-want +got):\n%s", h, d)
		}
	}
}

func (w *world) snapshots() map[addr.Host]hosttest.Snapshot {
	out := map[addr.Host]hosttest.Snapshot{}
	for h, m := range w.machines {
		out[h] = m.Snapshot()
		delete(out[h].Files, "/run/hardway")
	}
	return out
}

func (w *world) hosts() []addr.Host {
	return slices.SortedFunc(maps.Keys(w.machines), addr.Host.Compare)
}

// ops counts the operations of all machines so far.
func (w *world) ops() (n int) {
	for _, m := range w.machines {
		n += m.Ops()
	}
	return n
}

// sound checks what must hold after every apply that went well: each process
// runs with the inputs that its unit says, and every record is whole.
func (w *world) sound(st state.Public) {
	w.t.Helper()
	for a, r := range st.Resources {
		if r.Pending || r.Removing {
			w.t.Errorf("%s is still pending", a)
		}
		u := r.Spec.Unit
		if u == nil {
			continue
		}
		live := w.machines[a.Host].Snapshot().Units[u.Name]
		switch {
		case live.NeedsReload:
			w.t.Errorf("%s: systemd has not read its file", a)
		case u.Running && live.Active != "active":
			w.t.Errorf("%s is %s", a, live.Active)
		case u.Running && live.Inputs != u.Inputs:
			w.t.Errorf("%s runs with the inputs %.12s, want %.12s", a, live.Inputs, u.Inputs)
		}
	}
}
