package apply

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

var (
	m1 = addr.Host{Role: addr.Master, Name: "m1"}
	n1 = addr.Host{Role: addr.Node, Name: "n1"}
)

// memory is a state that goes with the test. It applies entries as every
// backend does, and fails where it is told to.
type memory struct {
	mu   sync.Mutex
	snap state.Snapshot
	deny func(state.Entry) error
}

func (m *memory) Material() state.Public {
	now := m.Snapshot()
	return state.Public{Authorities: now.Authorities, KeyPairs: now.KeyPairs}
}

func (m *memory) Snapshot() state.Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snap.Clone()
}

func (m *memory) apply(e state.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deny != nil {
		if err := m.deny(e); err != nil {
			return err
		}
	}
	return m.snap.Apply(e)
}

func (m *memory) Begin(_ context.Context, b state.Begin) error {
	return m.apply(state.Entry{Begin: &b})
}
func (m *memory) BeginRemoval(_ context.Context, a addr.Address) error {
	return m.apply(state.Entry{Remove: &a})
}
func (m *memory) Done(_ context.Context, d state.Done) error { return m.apply(state.Entry{Done: &d}) }
func (m *memory) Failed(_ context.Context, a addr.Address, reason string) error {
	return m.apply(state.Entry{Failed: &state.Failed{Addr: a, Reason: reason}})
}
func (m *memory) Forget(_ context.Context, a addr.Address) error {
	return m.apply(state.Entry{Forget: &a})
}
func (m *memory) PutKeys(_ context.Context, k state.Keys) error {
	return m.apply(state.Entry{Keys: &k})
}
func (m *memory) PutAllocations(_ context.Context, a state.Allocations) error {
	return m.apply(state.Entry{Allocations: &a})
}

func (m *memory) PutRun(_ context.Context, r state.Run) error { return m.apply(state.Entry{Run: &r}) }
func (m *memory) Hold(_ context.Context, h state.Held) error  { return m.apply(state.Entry{Held: &h}) }
func (m *memory) Release(_ context.Context, digest string) error {
	return m.apply(state.Entry{Release: &state.Release{ConfigDigest: digest}})
}

type nothing struct{}

func (nothing) Open(sha256 string) (io.ReadCloser, int64, error) {
	return nil, 0, errors.New(sha256 + " is not in the cache")
}

// bench is one master in memory and a plan for it.
type bench struct {
	t       *testing.T
	store   *memory
	machine *hosttest.Machine
	plan    *plan.Plan
	events  []Event
}

func newBench(t *testing.T, changes ...plan.Change) *bench {
	m := hosttest.NewMachine("m1")
	return &bench{t: t, store: &memory{snap: state.New("test", "0", time.Now())}, machine: m, plan: &plan.Plan{Mode: plan.Normal, Changes: changes}}
}

func (b *bench) run(ctx context.Context) (Result, error) {
	b.t.Helper()
	s := b.machine.Connect()
	defer s.Close()
	if err := s.Lock(b.t.Context(), "test"); err != nil {
		b.t.Fatal(err)
	}
	b.plan.Lineage, b.plan.Serial = b.store.snap.Lineage, b.store.snap.Serial
	return Run(ctx, b.plan, Env{Hosts: map[addr.Host]host.Host{m1: s}, Masters: []addr.Host{m1}, Store: b.store, Artifacts: nothing{}, Now: time.Now, Settle: time.Millisecond},
		func(e Event) { b.events = append(b.events, e) })
}

// phases are the phases of an address, in order.
func (b *bench) phases(a addr.Address) string {
	var out []string
	for _, e := range b.events {
		if e.Addr == a {
			out = append(out, string(e.Phase))
		}
	}
	return strings.Join(out, " ")
}

func unitChange(name string, timeout time.Duration) plan.Change {
	return plan.Change{Addr: addr.Address{Host: m1, Kind: "unit", Name: name}, Action: plan.Create, Prior: &state.Prior{},
		Unit: &plan.UnitSteps{Write: true, Enable: true, Start: "start"},
		Spec: resource.Spec{Unit: &resource.Unit{Name: name + ".service", Path: "/etc/systemd/system/" + name + ".service", Meta: resource.Root(0o644),
			Content: "[Service]\nExecStart=/bin/" + name + "\n", Enabled: true, Running: true,
			Gate: &resource.Gate{Name: name + " /healthz", HTTP: "http://127.0.0.1:10248/healthz", Timeout: timeout}}}}
}

func fileChange(p, text string) plan.Change {
	return plan.Change{Addr: addr.Address{Host: m1, Kind: "file", Name: p}, Action: plan.Create, Prior: &state.Prior{}, Expect: "absent",
		Spec: resource.Spec{File: &resource.File{Path: p, Meta: resource.Root(0o644), Content: text}}}
}

func unhealthy(_ *hosttest.Machine, _ []string, _ []byte) (host.Result, error) {
	return host.Result{Stdout: []byte("503\nnot yet")}, nil
}

// A gate that does not open fails the unit, with what was asked, what the answer
// was, and the end of the unit's journal.
func TestGateFails(t *testing.T) {
	c := unitChange("kubelet", 250*time.Millisecond)
	behind := fileChange("/etc/after", "x")
	behind.DependsOn = []addr.Address{c.Addr}
	b := newBench(t, c, behind)
	b.machine.Handle("http-get", unhealthy)
	b.machine.Handle("unit-logs", func(_ *hosttest.Machine, args []string, _ []byte) (host.Result, error) {
		return host.Result{Stdout: []byte(args[0] + ": cannot find its config\n")}, nil
	})
	r, err := b.run(t.Context())
	if err == nil {
		t.Fatal("the gate opened")
	}
	for _, want := range []string{`master["m1"].unit["kubelet"]: `, "kubelet /healthz", "503", "kubelet.service: cannot find its config", "journalctl -u kubelet.service"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if got := b.phases(c.Addr); got != "planned started waiting failed" {
		t.Errorf("the unit: %s", got)
	}
	if got := b.phases(behind.Addr); got != "planned skipped" || r.Failed != 1 || r.Skipped != 1 {
		t.Errorf("what depends on it: %s; %+v", got, r)
	}
	rec := b.store.Snapshot().Resources[c.Addr]
	if !rec.Pending || !strings.Contains(rec.Tainted, "503") {
		t.Errorf("recorded as %+v", rec)
	}
	b.machine.Handle("http-get", func(*hosttest.Machine, []string, []byte) (host.Result, error) {
		return host.Result{Stdout: []byte("200\nok")}, nil
	})
	b.plan.Changes = []plan.Change{{Addr: c.Addr, Action: plan.Update, Spec: c.Spec, Unit: &plan.UnitSteps{}}} // as the next plan has it
	if _, err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rec := b.store.Snapshot().Resources[c.Addr]; rec.Pending || rec.Tainted != "" {
		t.Errorf("recorded as %+v", rec)
	}
}

// A host that is lost while its gate is closed is not asked for minutes.
func TestGateOfLostHost(t *testing.T) {
	b := newBench(t, unitChange("kubelet", time.Hour))
	b.machine.Handle("http-get", func(m *hosttest.Machine, _ []string, _ []byte) (host.Result, error) {
		m.SetDown(errors.New("no route to host"))
		return host.Result{Stdout: []byte("503\n")}, nil
	})
	ended := make(chan error, 1)
	go func() { _, err := b.run(t.Context()); ended <- err }()
	select {
	case err := <-ended:
		if _, lost := errors.AsType[*host.LostError](err); !lost || !strings.Contains(err.Error(), "kubelet /healthz") || !strings.Contains(err.Error(), "no route to host") {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it is still asking")
	}
}

// An interrupt ends the waiting for a gate; the next plan waits again.
func TestGateInterrupted(t *testing.T) {
	c := unitChange("kubelet", time.Hour)
	b := newBench(t, c)
	ctx, interrupt := context.WithCancel(t.Context())
	b.machine.Handle("http-get", func(*hosttest.Machine, []string, []byte) (host.Result, error) {
		interrupt()
		return host.Result{Stdout: []byte("503\n")}, nil
	})
	if _, err := b.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if rec := b.store.Snapshot().Resources[c.Addr]; !rec.Pending {
		t.Errorf("recorded as %+v", rec)
	}
}

// A write-ahead record that cannot be written keeps hands off the host.
func TestNoRecordNoChange(t *testing.T) {
	full := errors.New("no space left on device")
	c := fileChange("/etc/x", "x")
	b := newBench(t, c)
	b.store.deny = func(e state.Entry) error {
		if e.Begin != nil {
			return full
		}
		return nil
	}
	r, err := b.run(t.Context())
	if _, there := b.machine.File("/etc/x"); !errors.Is(err, full) || there || r.Failed != 1 {
		t.Errorf("written: %v; %+v, %v", there, r, err)
	}
	// And one that is adopted fails as loudly, though nothing is done to the host.
	adopted := plan.Change{Addr: addr.Address{Host: m1, Kind: "sysctl", Name: "k"}, Action: plan.NoOp, Prior: &state.Prior{Exists: true, Value: "1"},
		Spec: resource.Spec{Sysctl: &resource.Sysctl{Key: "k", Value: "1"}}}
	b.plan.Changes = []plan.Change{adopted}
	if r, err = b.run(t.Context()); !errors.Is(err, full) || r.Failed != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A binary that is not in the cache, and material that the state has not.
func TestMissingContent(t *testing.T) {
	binary := plan.Change{Addr: addr.Address{Host: m1, Kind: "binary", Name: "kubelet"}, Action: plan.Create, Prior: &state.Prior{},
		Spec: resource.Spec{Binary: &resource.Binary{Path: "/usr/local/bin/kubelet", SHA256: "abc", Size: 1}}}
	key := fileChange("/etc/ca.key", "")
	key.Spec.File.Material = resource.MaterialKey("kubernetes")
	b := newBench(t, binary, key)
	_, err := b.run(t.Context())
	for _, want := range []string{"abc is not in the cache", "key/kubernetes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// What belongs to a host that is not connected fails and names it.
func TestNotConnected(t *testing.T) {
	c := fileChange("/etc/x", "x")
	c.Addr.Host = n1
	b := newBench(t, c)
	if _, err := b.run(t.Context()); err == nil || !strings.Contains(err.Error(), `node["n1"] is not connected`) {
		t.Errorf("got %v", err)
	}
	if len(b.store.Snapshot().Resources) > 0 {
		t.Error("it was begun")
	}
}
