package apply

import (
	"context"
	"fmt"
	"sync"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

// outcome is how one change ended.
type outcome int

const (
	succeeded outcome = iota
	failed
	skipped
)

// walk runs do for every change, each after everything it depends on
// succeeded, with at most perHost at a time on one host and at most hosts
// machines at a time. When stop ends, nothing new starts. What depends on
// something that did not succeed is skipped and told why: in a rolling wave
// the restarts depend on each other, so the first failure stops the wave.
func walk(stop context.Context, changes []plan.Change, hosts, perHost int, do func(plan.Change) error, skip func(plan.Change, string)) map[addr.Address]outcome {
	w := &walker{
		stop: stop, do: do, skip: skip,
		waiting:    make(map[addr.Address]int, len(changes)),
		dependents: map[addr.Address][]*plan.Change{},
		outcomes:   make(map[addr.Address]outcome, len(changes)),
		queues:     map[addr.Host][]*plan.Change{},
		running:    map[addr.Host]int{},
		hosts:      max(hosts, 1), perHost: max(perHost, 1),
	}
	w.wake = sync.NewCond(&w.mu)
	return w.run(changes)
}

type walker struct {
	stop context.Context
	do   func(plan.Change) error
	skip func(plan.Change, string)

	mu         sync.Mutex
	wake       *sync.Cond
	waiting    map[addr.Address]int
	dependents map[addr.Address][]*plan.Change
	outcomes   map[addr.Address]outcome
	queues     map[addr.Host][]*plan.Change // ready, in plan order
	running    map[addr.Host]int
	busy       int // hosts with something running
	active     int
	hosts      int
	perHost    int
}

func (w *walker) run(changes []plan.Change) map[addr.Address]outcome {
	var order []addr.Host
	for i := range changes {
		c := &changes[i]
		w.waiting[c.Addr] = len(c.DependsOn)
		for _, d := range c.DependsOn {
			w.dependents[d] = append(w.dependents[d], c)
		}
		if _, seen := w.queues[c.Addr.Host]; !seen {
			w.queues[c.Addr.Host] = nil
			order = append(order, c.Addr.Host)
		}
	}
	for i := range changes {
		if c := &changes[i]; w.waiting[c.Addr] == 0 {
			w.queues[c.Addr.Host] = append(w.queues[c.Addr.Host], c)
		}
	}

	wakeOnStop := context.AfterFunc(w.stop, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wake.Broadcast()
	})
	defer wakeOnStop()

	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.outcomes) < len(changes) {
		if w.stop.Err() != nil && w.active == 0 {
			w.abandon(changes, "interrupted")
			break
		}
		if w.stop.Err() == nil && w.startOne(order) {
			continue
		}
		if w.active == 0 && w.stop.Err() == nil {
			w.abandon(changes, "its dependencies never became ready")
			break
		}
		w.wake.Wait()
	}
	return w.outcomes
}

// startOne starts the next ready change of a host that has room.
func (w *walker) startOne(order []addr.Host) bool {
	for _, h := range order {
		queue := w.queues[h]
		if len(queue) == 0 || w.running[h] >= w.perHost || (w.running[h] == 0 && w.busy >= w.hosts) {
			continue
		}
		c := queue[0]
		w.queues[h] = queue[1:]
		if w.running[h] == 0 {
			w.busy++
		}
		w.running[h]++
		w.active++
		go w.one(c)
		return true
	}
	return false
}

func (w *walker) one(c *plan.Change) {
	err := w.do(*c)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active--
	if w.running[c.Addr.Host]--; w.running[c.Addr.Host] == 0 {
		w.busy--
	}
	if err != nil {
		w.outcomes[c.Addr] = failed
		w.drop(c.Addr, fmt.Sprintf("%s failed", c.Addr))
	} else {
		w.outcomes[c.Addr] = succeeded
		for _, d := range w.dependents[c.Addr] {
			if w.waiting[d.Addr]--; w.waiting[d.Addr] == 0 {
				if _, done := w.outcomes[d.Addr]; !done {
					w.queues[d.Addr.Host] = append(w.queues[d.Addr.Host], d)
				}
			}
		}
	}
	w.wake.Broadcast()
}

// drop skips everything that depends on a, however far away.
func (w *walker) drop(a addr.Address, why string) {
	for _, d := range w.dependents[a] {
		if _, done := w.outcomes[d.Addr]; done {
			continue
		}
		w.outcomes[d.Addr] = skipped
		w.skip(*d, why)
		w.drop(d.Addr, why)
	}
}

func (w *walker) abandon(changes []plan.Change, why string) {
	for _, c := range changes {
		if _, done := w.outcomes[c.Addr]; !done {
			w.outcomes[c.Addr] = skipped
			w.skip(c, why)
		}
	}
}
