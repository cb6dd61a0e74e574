package ssh

import (
	"context"
	"sync"
	"time"
)

// patience is a time limit that can be stopped while it is not the host that is
// waited for.
type patience struct {
	mu     sync.Mutex
	timer  *time.Timer
	left   time.Duration
	since  time.Time
	pauses int // how many wait now
}

// patienceKey finds the patience of a context: a bastion is reached on the time of
// its own, and not on that of the host that waits behind it.
type patienceKey struct{}

// patienceOf returns the innermost one; nil where there is none.
func patienceOf(ctx context.Context) *patience {
	p, _ := ctx.Value(patienceKey{}).(*patience)
	return p
}

// withPatience returns a context that ends after a time, pauses not counted. The
// returned function must be called.
func withPatience(ctx context.Context, limit time.Duration, cause error) (context.Context, *patience, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{left: limit, since: time.Now()}
	p.timer = time.AfterFunc(limit, func() { cancel(cause) })
	return context.WithValue(ctx, patienceKey{}, p), p, func() {
		p.timer.Stop()
		cancel(nil)
	}
}

func (p *patience) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pauses++; p.pauses == 1 && p.timer.Stop() {
		p.left -= time.Since(p.since)
	}
}

func (p *patience) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pauses--; p.pauses == 0 {
		p.since = time.Now()
		p.timer.Reset(max(p.left, time.Millisecond))
	}
}
