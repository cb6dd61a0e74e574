package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

var errDo = errors.New("did not work")

// at is the address of a change of a test.
func at(host int, name string) addr.Address {
	return addr.Address{Host: addr.Host{Role: addr.Node, Name: fmt.Sprintf("n%d", host)}, Kind: "file", Name: name}
}

// recorder does changes and remembers how.
type recorder struct {
	mu      sync.Mutex
	fails   map[addr.Address]bool
	takes   time.Duration
	onStart func(n int)

	started []addr.Address
	done    map[addr.Address]bool
	running map[addr.Host]int
	mostOn  int // changes at once on a host
	mostOf  int // hosts at once
	early   []string
	skips   map[addr.Address]string
	depends map[addr.Address][]addr.Address
}

func record(changes []plan.Change, fails ...addr.Address) *recorder {
	r := &recorder{fails: map[addr.Address]bool{}, done: map[addr.Address]bool{}, running: map[addr.Host]int{},
		skips: map[addr.Address]string{}, depends: map[addr.Address][]addr.Address{}}
	for _, a := range fails {
		r.fails[a] = true
	}
	for _, c := range changes {
		r.depends[c.Addr] = c.DependsOn
	}
	return r
}

func (r *recorder) do(c plan.Change) error {
	r.mu.Lock()
	for _, d := range c.DependsOn {
		if !r.done[d] {
			r.early = append(r.early, fmt.Sprintf("%s before %s", c.Addr, d))
		}
	}
	r.started = append(r.started, c.Addr)
	r.running[c.Addr.Host]++
	r.mostOn = max(r.mostOn, r.running[c.Addr.Host])
	r.mostOf = max(r.mostOf, len(r.running))
	if r.onStart != nil {
		r.onStart(len(r.started))
	}
	r.mu.Unlock()
	time.Sleep(r.takes)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[c.Addr.Host]--; r.running[c.Addr.Host] == 0 {
		delete(r.running, c.Addr.Host)
	}
	if r.fails[c.Addr] {
		return errDo
	}
	r.done[c.Addr] = true
	return nil
}

func (r *recorder) skip(c plan.Change, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.skips[c.Addr]; twice {
		why = "skipped twice"
	}
	r.skips[c.Addr] = why
}

// blocked returns the failed changes on which a change rests, however far away.
func (r *recorder) blocked(a addr.Address) (by []addr.Address) {
	for _, d := range r.depends[a] {
		if r.fails[d] && len(r.blocked(d)) == 0 {
			by = append(by, d)
		}
		by = append(by, r.blocked(d)...)
	}
	return by
}

// Over any graph: each change runs once, after all that it depends on went well;
// what rests on a failure is skipped and told of it; all else is done; and the
// limits hold.
func TestWalkAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hosts := rapid.IntRange(1, 5).Draw(t, "hosts")
		n := rapid.IntRange(0, 40).Draw(t, "changes")
		var changes []plan.Change
		var fails []addr.Address
		for i := range n {
			c := plan.Change{Addr: at(rapid.IntRange(1, hosts).Draw(t, "host"), fmt.Sprint(i)), Action: plan.Create}
			for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, max(i-1, 0)), 0, min(i, 4), rapid.ID).Draw(t, "depends on") {
				c.DependsOn = append(c.DependsOn, changes[j].Addr)
			}
			changes = append(changes, c)
			if rapid.IntRange(0, 9).Draw(t, "luck") == 0 {
				fails = append(fails, c.Addr)
			}
		}
		atOnce, each := rapid.IntRange(1, 6).Draw(t, "hosts at once"), rapid.IntRange(1, 4).Draw(t, "changes at once")
		r := record(changes, fails...)
		outcomes := walk(context.Background(), changes, atOnce, each, r.do, r.skip)
		if len(r.early) > 0 {
			t.Fatalf("started too early: %v", r.early)
		}
		if r.mostOn > each || r.mostOf > atOnce {
			t.Fatalf("%d changes at once on a host, of %d; %d hosts at once, of %d", r.mostOn, each, r.mostOf, atOnce)
		}
		if sorted := slices.SortedFunc(slices.Values(r.started), addr.Address.Compare); len(slices.Compact(sorted)) != len(r.started) {
			t.Fatal("something was started twice")
		}
		for _, c := range changes {
			by, want := r.blocked(c.Addr), succeeded
			switch {
			case len(by) > 0:
				want = skipped
			case r.fails[c.Addr]:
				want = failed
			}
			if got := outcomes[c.Addr]; got != want {
				t.Fatalf("%s: outcome %d, want %d", c.Addr, got, want)
			}
			why, told := r.skips[c.Addr]
			if told != (want == skipped) || told && !slices.ContainsFunc(by, func(b addr.Address) bool { return why == b.String()+" failed" }) {
				t.Fatalf("%s: told %q, blocked by %v", c.Addr, why, by)
			}
		}
	})
}

// chain is a rolling wave: one change a host, each behind the one before.
func chain(n int) (changes []plan.Change) {
	for i := range n {
		c := plan.Change{Addr: at(i+1, "unit"), Action: plan.Update}
		if i > 0 {
			c.DependsOn = []addr.Address{changes[i-1].Addr}
		}
		changes = append(changes, c)
	}
	return changes
}

func TestWalkBreaker(t *testing.T) {
	changes := chain(5)
	other := plan.Change{Addr: at(5, "file"), Action: plan.Update}
	changes = append(changes, other)
	r := record(changes, at(2, "unit"))
	walk(t.Context(), changes, 10, 4, r.do, r.skip)
	if r.done[at(3, "unit")] || !r.done[at(1, "unit")] || !r.done[other.Addr] || len(r.started) != 3 {
		t.Errorf("started %v", r.started)
	}
	for i := 3; i <= 5; i++ {
		if why := r.skips[at(i, "unit")]; why != at(2, "unit").String()+" failed" {
			t.Errorf("%d: %q", i, why)
		}
	}
}

// Independent work really runs at once, and up to the limits.
func TestWalkIsParallel(t *testing.T) {
	var changes []plan.Change
	for h := range 6 {
		for i := range 10 {
			changes = append(changes, plan.Change{Addr: at(h, fmt.Sprint(i)), Action: plan.Create})
		}
	}
	r := record(changes)
	r.takes = 5 * time.Millisecond
	walk(t.Context(), changes, 3, 4, r.do, r.skip)
	if r.mostOn != 4 || r.mostOf != 3 || len(r.done) != 60 {
		t.Errorf("%d at once on a host, %d hosts at once, %d done", r.mostOn, r.mostOf, len(r.done))
	}
}

// An interrupt lets finish what runs, and starts nothing.
func TestWalkInterrupt(t *testing.T) {
	var changes []plan.Change
	for i := range 50 {
		changes = append(changes, plan.Change{Addr: at(i%5, fmt.Sprint(i)), Action: plan.Create})
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := record(changes)
	r.takes = time.Millisecond
	r.onStart = func(n int) {
		if n == 12 {
			cancel()
		}
	}
	outcomes := walk(ctx, changes, 2, 3, r.do, r.skip)
	if len(r.started) < 12 || len(r.started) > 12+2*3 || len(r.done) != len(r.started) || len(r.done)+len(r.skips) != 50 || len(outcomes) != 50 {
		t.Errorf("%d started, %d done, %d skipped", len(r.started), len(r.done), len(r.skips))
	}
	for a, why := range r.skips {
		if why != "interrupted" {
			t.Errorf("%s: %q", a, why)
		}
	}
}

// A plan whose dependencies cannot be met ends, and says so.
func TestWalkCycle(t *testing.T) {
	a, b := at(1, "a"), at(1, "b")
	changes := []plan.Change{{Addr: a, DependsOn: []addr.Address{b}}, {Addr: b, DependsOn: []addr.Address{a}}, {Addr: at(2, "c")}}
	r := record(changes)
	walk(t.Context(), changes, 10, 4, r.do, r.skip)
	if len(r.done) != 1 || !strings.Contains(r.skips[a], "never became ready") || len(r.skips) != 2 {
		t.Errorf("%v done, %v skipped", r.done, r.skips)
	}
}
