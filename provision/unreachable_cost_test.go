package provision_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/plan"
)

// lost is the one host among a hundred that does not answer.
var lost = addr.Host{Role: addr.Node, Name: "w50"}

// hundred is a world of one master and 99 nodes, one of which is out of reach.
func hundred(t *testing.T) *world {
	t.Helper()
	text, err := os.ReadFile("testdata/one/cluster.hcl")
	if err != nil {
		t.Fatal(err)
	}
	var nodes strings.Builder
	nodes.WriteString("\nnode \"w\" {\n  for_each = { for i in range(98) : format(\"w%02d\", i) => cidrhost(\"10.2.0.0/16\", i + 1) }\n  address  = each.value\n}\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cluster.hcl"), append(text, nodes.String()...), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dir)
	if len(w.machines) != 100 || w.machines[lost] == nil {
		t.Fatalf("%d machines", len(w.machines))
	}
	return w
}

// calls counts what is asked of each host.
type calls struct {
	mu              sync.Mutex
	dials, observes map[addr.Host]int
}

func (c *calls) add(m map[addr.Host]int, h addr.Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[h]++
}

type counted struct {
	host.Host
	observed func()
}

func (c counted) Observe(ctx context.Context, q facts.Request) (facts.Observation, error) {
	defer c.observed()
	return c.Host.Observe(ctx, q)
}

// counting opens a session whose connections are counted. The lost host's dial
// is answered by dialLost.
func counting(w *world, observed func(), dialLost func(context.Context) error) (*provision.Session, *calls) {
	c := &calls{dials: map[addr.Host]int{}, observes: map[addr.Host]int{}}
	o := w.options()
	o.Dial = func(ctx context.Context, h config.Host) (host.Host, error) {
		c.add(c.dials, h.Addr)
		if h.Addr == lost {
			return nil, dialLost(ctx)
		}
		return counted{w.machines[h.Addr].Connect(), func() { c.add(c.observes, h.Addr); observed() }}, nil
	}
	s, files, diags := provision.Open(o)
	if s == nil {
		w.t.Fatal(rendered(files, diags))
	}
	return s, c
}

// A host that is out of reach costs its connect timeout once in a run: it is
// dialled once, however many steps the run has, and so is every other.
func TestUnreachableHostIsDialledOnce(t *testing.T) {
	t.Parallel()
	w := hundred(t)
	s, c := counting(w, func() {}, func(context.Context) error { return errNoRoute })
	defer w.close(s)
	one := provision.PlanOptions{Targets: []addr.Address{{Host: addr.Host{Role: addr.Node, Name: "w00"}}}}
	p, err := s.Plan(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), p, provision.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	for _, h := range slices.SortedFunc(maps.Keys(w.machines), addr.Host.Compare) {
		if n := c.dials[h]; n != 1 {
			t.Errorf("%s was dialled %d times in one run, want once", h, n)
		}
	}
}

// While one dial hangs until its timeout, the others are dialled and read.
func TestUnreachableHostDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := hundred(t)
	const others = 99
	read := make(chan struct{}, 2*others)
	all := make(chan struct{})
	go func() {
		for range others {
			<-read
		}
		close(all)
	}()
	delayed := false
	s, _ := counting(w, func() { read <- struct{}{} }, func(ctx context.Context) error {
		select {
		case <-all:
		case <-time.After(10 * time.Second): // far longer than to read 99 machines in memory
			delayed = true
		case <-ctx.Done():
		}
		return fmt.Errorf("no answer: %w", errNoRoute)
	})
	defer w.close(s)
	p, err := s.Plan(t.Context(), provision.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if delayed {
		t.Error("the others were read only after the dial of the host that does not answer had ended")
	}
	if p.Complete || len(p.Unknown) != 1 || p.Unknown[0].Host != lost {
		t.Errorf("complete %v, unknown %v", p.Complete, p.Unknown)
	}
}

// What is planned for the others is what would be without the host that is out
// of reach, but for what needs it.
func TestUnreachableHostChangesNoOthersPlan(t *testing.T) {
	t.Parallel()
	w := hundred(t)
	whole := w.plan(provision.PlanOptions{})
	w.down = map[addr.Host]error{lost: errNoRoute}
	if diff := cmp.Diff(without(whole), without(w.plan(provision.PlanOptions{}))); diff != "" {
		t.Errorf("(-all reachable +one not):\n%s", diff)
	}
}

// without is what a plan does beside the lost host: no change of it or of its
// Node, and no dependency on those.
func without(p *plan.Plan) map[string]plan.Change {
	out := map[string]plan.Change{}
	of := func(a addr.Address) bool { return a.Host == lost || a.Host.IsCluster() && a.Name == lost.Name }
	for _, c := range p.Changes {
		if of(c.Addr) {
			continue
		}
		c.DependsOn = slices.DeleteFunc(slices.Clone(c.DependsOn), of)
		if len(c.DependsOn) == 0 {
			c.DependsOn = nil
		}
		out[c.Addr.String()] = c
	}
	return out
}
