package view

import (
	"slices"
	"sync"
	"time"

	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/plan"
)

// Progress shows an apply while it runs. Event takes what apply.Sink takes;
// Close ends the display and must be called exactly once.
type Progress interface {
	Event(apply.Event)
	Close()
}

// stillEvery is how often something that is still under way is mentioned.
const stillEvery = 10 * time.Second

// words are an action's texts, as Terraform has them.
type words struct{ start, still, done, failed string }

func wordsOf(a plan.Action) words {
	switch a {
	case plan.Create:
		return words{"Creating...", "Still creating...", "Creation complete", "Creation failed"}
	case plan.Update:
		return words{"Modifying...", "Still modifying...", "Modifications complete", "Modification failed"}
	case plan.Replace:
		return words{"Replacing...", "Still replacing...", "Replacement complete", "Replacement failed"}
	case plan.Delete:
		return words{"Destroying...", "Still destroying...", "Destruction complete", "Destruction failed"}
	case plan.Forget:
		return words{"Forgetting...", "Still forgetting...", "Forgotten", "Forgetting failed"}
	case plan.Read:
		return words{"Reading...", "Still reading...", "Read complete", "Read failed"}
	}
	return words{"Working...", "Still working...", "Complete", "Failed"}
}

// running is a change under way.
type running struct {
	addr        addr.Address
	action      plan.Action
	since       time.Time
	said        time.Duration // when it was last mentioned, from since
	gate        string        // what it waits for
	restoring   bool          // what was there before is being put back
	done, total int64         // bytes of its upload
}

// tracker knows what is under way, and reports every ten seconds what still is.
type tracker struct {
	mu      sync.Mutex
	running map[addr.Address]*running
	quit    chan struct{}
	ended   chan struct{}
}

// track starts a tracker; still is called with the lock held.
func track(still func(r *running, elapsed time.Duration)) *tracker {
	t := &tracker{running: map[addr.Address]*running{}, quit: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-t.quit:
				return
			case <-tick.C:
				t.mention(still)
			}
		}
	}()
	return t
}

func (t *tracker) mention(still func(r *running, elapsed time.Duration)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var late []*running
	for _, r := range t.running {
		if time.Since(r.since) >= r.said+stillEvery {
			late = append(late, r)
		}
	}
	slices.SortFunc(late, func(a, b *running) int { return a.addr.Compare(b.addr) })
	for _, r := range late {
		r.said += stillEvery
		still(r, r.said)
	}
}

// note updates what is under way; the caller holds the lock. It returns the
// change that the event belongs to, with what was known of it.
func (t *tracker) note(e apply.Event) *running {
	r := t.running[e.Addr]
	if r == nil {
		r = &running{addr: e.Addr, action: e.Action, since: time.Now()}
	}
	switch e.Phase {
	case apply.Started:
		t.running[e.Addr] = r
	case apply.Progress:
		r.done, r.total = e.Done, e.Total
	case apply.Waiting:
		r.gate = e.Message
	case apply.Restoring:
		r.restoring, r.gate = true, ""
		t.running[e.Addr] = r
	case apply.Done, apply.Failed, apply.Skipped, apply.Restored, apply.NotRestored:
		delete(t.running, e.Addr)
	}
	return r
}

func (t *tracker) close() {
	close(t.quit)
	<-t.ended
}

// percent writes how far an upload is, or nothing.
func percent(done, total int64) string {
	if total <= 0 {
		return ""
	}
	return number64(done*100/total) + "% of " + size(total)
}
