package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Bastion is a machine on the way to others. All hosts behind it share its one
// connection, which is opened when the first of them is dialled. Its host key is
// checked like any other. Nothing runs on it: it only passes bytes on, and what
// passes is encrypted for the host behind it.
//
// A chain is a Bastion whose Config.Dial is that of the one before it.
type Bastion struct {
	config Config

	turn   chan struct{} // holds one token: whoever has it may connect
	mu     sync.Mutex
	client *ssh.Client
	ended  chan struct{} // closed with the connection
	reason error         // why it ended, or why there never was one
	closed bool
}

// NewBastion returns a Bastion that is not connected yet. What a Config says of
// becoming root is not used.
func NewBastion(c Config) *Bastion {
	b := &Bastion{config: c, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// BastionError is a bastion that cannot be reached, or whose connection ended. The
// hosts behind it may be well.
type BastionError struct {
	Name, Address string
	Err           error
}

func (e *BastionError) Error() string {
	return fmt.Sprintf("its bastion %s (%s): %v", e.Name, e.Address, e.Err)
}

func (e *BastionError) Unwrap() error { return e.Err }

func (b *Bastion) fault(err error) error {
	return &BastionError{Name: b.config.Name, Address: b.config.Address, Err: err}
}

// Dial opens a connection from the bastion to an address, which the bastion
// resolves.
func (b *Bastion) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	client, ended, err := b.connected(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := client.DialContext(ctx, network, address)
	if err != nil {
		if reason := b.over(ended); reason != nil {
			return nil, b.fault(reason)
		}
		var refused *ssh.OpenChannelError
		if errors.As(err, &refused) && refused.Reason == ssh.Prohibited {
			return nil, b.fault(fmt.Errorf("it forbids forwarding to %s; its sshd_config needs AllowTcpForwarding for user %s",
				address, b.config.User))
		}
		return nil, fmt.Errorf("from the bastion %s: %s", b.config.Name, printable(cause(ctx, err).Error(), 200))
	}
	return &behind{Conn: conn, bastion: b, ended: ended}, nil
}

// connected returns the connection, opening it for the first who asks. Why there is
// none is remembered: it costs its time limit once, not once a host.
func (b *Bastion) connected(ctx context.Context) (*ssh.Client, <-chan struct{}, error) {
	if waiting := patienceOf(ctx); waiting != nil {
		waiting.pause() // the bastion has a limit of its own, of which typing is no part
		defer waiting.resume()
	}
	select {
	case <-b.turn:
		defer func() { b.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, nil, b.fault(context.Cause(ctx))
	}
	b.mu.Lock()
	client, ended, reason := b.client, b.ended, b.reason
	b.mu.Unlock()
	if reason != nil {
		return nil, nil, b.fault(reason)
	}
	if client != nil {
		return client, ended, nil
	}
	c, err := b.config.withDefaults()
	if err != nil {
		return nil, nil, b.fault(err)
	}
	connecting, wait, end := withPatience(context.WithoutCancel(ctx), c.ConnectTimeout, fmt.Errorf("no answer within %s", c.ConnectTimeout))
	defer end()
	// Whoever asked first may give up; that says nothing of the bastion.
	connecting, cancel := context.WithCancelCause(connecting)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	conn, client, err := connect(connecting, c, wait)
	if err != nil {
		if ctx.Err() == nil {
			b.mu.Lock()
			b.reason = err
			b.mu.Unlock()
		}
		return nil, nil, b.fault(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = conn.Close()
		return nil, nil, b.fault(errClosed)
	}
	b.client, b.ended = client, make(chan struct{})
	go b.watch(client, b.ended)
	go b.probe(c, conn, client, b.ended)
	return client, b.ended, nil
}

// watch notes the end of the connection.
func (b *Bastion) watch(client *ssh.Client, ended chan struct{}) {
	err := client.Wait()
	b.mu.Lock()
	if b.reason == nil {
		b.reason = fmt.Errorf("the connection ended: %w", err)
	}
	b.mu.Unlock()
	close(ended)
}

// probe ends a connection whose other side is silent. It gives up before the hosts
// behind it do, so that they can say whose fault it was.
func (b *Bastion) probe(c Config, conn net.Conn, client *ssh.Client, ended <-chan struct{}) {
	limit := c.IdleTimeout * 3 / 4
	tick := time.NewTicker(c.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _, _ = client.SendRequest("keepalive@openssh.com", true, nil) // sshd refuses it, and so is alive
		}()
		select {
		case <-ended:
			return
		case <-answered:
		case <-time.After(limit):
			b.mu.Lock()
			if b.reason == nil {
				b.reason = fmt.Errorf("it gave no sign of life for %s", limit)
			}
			b.mu.Unlock()
			_ = conn.Close()
			return
		}
	}
}

// over returns why a connection ended, or nil while it lives. What breaks at its end
// may be noticed first, so it waits a moment.
func (b *Bastion) over(ended <-chan struct{}) error {
	select {
	case <-ended:
	case <-time.After(100 * time.Millisecond):
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reason
}

// Close ends the connection, and with it those of all hosts behind.
func (b *Bastion) Close() error {
	b.mu.Lock()
	b.closed = true
	client, ended := b.client, b.ended
	if b.reason == nil {
		b.reason = errClosed
	}
	b.mu.Unlock()
	if client == nil {
		return nil
	}
	_ = client.Close() // it may have ended by itself
	<-ended
	return nil
}

// behind is a connection through a bastion; when that dies, it says so.
type behind struct {
	net.Conn
	bastion *Bastion
	ended   <-chan struct{}
}

func (c *behind) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.explain(err)
}

func (c *behind) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.explain(err)
}

func (c *behind) explain(err error) error {
	if err == nil {
		return nil
	}
	if reason := lostOnTheWay(c); reason != nil {
		return reason
	}
	return err
}

// lostOnTheWay returns what became of the bastion that a connection leads through, or
// nil if that lives, or there is none.
func lostOnTheWay(conn net.Conn) error {
	c, ok := conn.(*behind)
	if !ok {
		return nil
	}
	if reason := c.bastion.over(c.ended); reason != nil {
		return c.bastion.fault(reason)
	}
	return nil
}
