package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hardway/provision/host"
)

// maxBulk is how many channels besides the control channel serve large contents.
// sshd allows ten (MaxSessions); more than this gain nothing.
const maxBulk = 3

// bulkChannels are opened when first needed, and kept.
type bulkChannels struct {
	open chan struct{} // a token for each channel in use
	mu   sync.Mutex
	idle []*channel
}

// onBulk runs a request on a channel of its own, so that the control channel
// stays free for small ones.
func (h *Host) onBulk(ctx context.Context, step string, r request) (answer, error) {
	select {
	case h.bulk.open <- struct{}{}:
		defer func() { <-h.bulk.open }()
	case <-ctx.Done():
		return answer{}, fmt.Errorf("%s: %s: %w", h.config.Name, step, context.Cause(ctx))
	}
	var ch *channel
	h.bulk.mu.Lock()
	if n := len(h.bulk.idle); n > 0 {
		ch, h.bulk.idle = h.bulk.idle[n-1], h.bulk.idle[:n-1]
	}
	h.bulk.mu.Unlock()
	if ch == nil {
		opening, cancel := context.WithTimeoutCause(ctx, h.config.ConnectTimeout,
			errors.New("no answer within "+h.config.ConnectTimeout.String()))
		defer cancel()
		var err error
		begun := time.Now()
		if ch, err = h.openChannel(opening, "bulk", h.control.dir); err != nil {
			select { // the channel may have noticed the end of the connection first
			case <-h.ended:
			case <-time.After(100 * time.Millisecond):
			}
			if reason := h.failed(); reason != nil && ctx.Err() == nil {
				if !errors.Is(reason, errAborted) {
					err = reason
				}
				return answer{}, &host.LostError{Host: h.config.Name, Step: step, After: time.Since(begun), Err: err}
			}
			return answer{}, fmt.Errorf("%s: %w", step, err)
		}
	}
	a, err := ch.do(ctx, step, r)
	if !ch.dead {
		h.bulk.mu.Lock()
		h.bulk.idle = append(h.bulk.idle, ch)
		h.bulk.mu.Unlock()
	}
	return a, err
}
