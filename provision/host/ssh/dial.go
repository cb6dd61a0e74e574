package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host"
)

// Host is one machine with a session on it. It implements host.Host.
type Host struct {
	config  Config
	conn    net.Conn
	client  *ssh.Client
	born    time.Time
	control *channel
	bulk    bulkChannels

	generation atomic.Int64 // of the lock that is held, or 0
	locking    sync.Mutex

	mu       sync.Mutex
	reason   error
	ended    chan struct{} // closed with the connection
	workers  sync.WaitGroup
	closed   bool
	stopBeat chan struct{}
}

var _ host.Host = (*Host)(nil)

var (
	errAborted = errors.New("given up")
	errClosed  = errors.New("the session was closed")
)

// Dial connects, verifies the host key, logs in, becomes root and starts the
// control channel. It ends when ctx does.
func Dial(ctx context.Context, c Config) (*Host, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, wait, end := withPatience(ctx, c.ConnectTimeout, fmt.Errorf("no answer within %s", c.ConnectTimeout))
	defer end()
	h := &Host{config: c, born: time.Now(), ended: make(chan struct{}), stopBeat: make(chan struct{})}
	h.bulk.open = make(chan struct{}, maxBulk)
	if h.conn, h.client, err = connect(ctx, c, wait); err != nil {
		return nil, err
	}
	h.workers.Go(func() {
		err := h.client.Wait()
		h.fail(fmt.Errorf("the connection ended: %w", err))
	})
	if h.control, err = h.openChannel(ctx, "control", ""); err != nil {
		h.fail(errAborted)
		h.workers.Wait()
		return nil, err
	}
	h.workers.Go(h.keepAlive)
	return h, nil
}

// cause prefers why a context ended over what that broke.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// fail ends the connection for a reason; the first one counts.
func (h *Host) fail(reason error) {
	h.mu.Lock()
	first := h.reason == nil
	if first {
		h.reason = reason
		close(h.ended)
	}
	h.mu.Unlock()
	if first {
		_ = h.conn.Close()
	}
}

func (h *Host) abort() { h.fail(errAborted) }

// failed returns why the connection ended, or nil while it lives.
func (h *Host) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reason
}

// keepAlive tells the loops that the controller is alive. One beat serves the
// whole session: the watchdogs of all channels look at the same file.
func (h *Host) keepAlive() {
	tick := time.NewTicker(h.config.KeepAlive)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-h.ended:
			return
		case <-h.stopBeat:
			return
		case <-tick.C:
		}
		if err := h.control.beat(n); err != nil {
			return
		}
	}
}

// Close ends the session: the loops see the end of their input, end what still
// runs, and free the lock.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	close(h.stopBeat)
	h.mu.Unlock()
	if h.failed() == nil {
		go func() { // may block behind a frame that is being written
			h.control.frames.Lock()
			defer h.control.frames.Unlock()
			_ = h.control.in.Close()
		}()
		select {
		case <-h.control.exited:
		case <-h.ended:
		case <-time.After(grace):
		}
	}
	h.fail(errClosed)
	h.workers.Wait()
	return nil
}

// Dial opens a TCP connection that starts at the host, as ssh -W does: a health
// probe speaks TLS to the host's own 127.0.0.1 with it. Nothing runs on the host.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := h.failed(); err != nil {
		return nil, &host.LostError{Host: h.config.Name, Step: "connect to " + address, Err: err}
	}
	h.config.Hooks.Channel("tcp")
	conn, err := h.client.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%s: connecting from the host to %s: %w", h.config.Name, address, err)
	}
	return conn, nil
}
