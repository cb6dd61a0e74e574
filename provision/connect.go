package provision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
)

// connect dials every host that was not dialled yet, several at a time. A host
// that cannot be reached is remembered as such; it is a value, not a failure, and
// it costs its time limit once, however often it is asked for.
func (s *Session) connect(ctx context.Context, on func(addr.Host, error)) error {
	s.each(func(h config.Host) {
		if s.dialled(h.Addr) {
			return
		}
		if _, err := s.dial(ctx, h); on != nil {
			on(h.Addr, err)
		}
	})
	return ctx.Err()
}

// read asks every host everything, in one batch each, and dials those that were
// not dialled yet. One that does not answer holds up none of the others.
func (s *Session) read(ctx context.Context, requests map[addr.Host]facts.Request, on func(addr.Host, error)) map[addr.Host]facts.Observation {
	out := map[addr.Host]facts.Observation{}
	var mu sync.Mutex
	s.each(func(h config.Host) {
		conn, err := s.dial(ctx, h)
		o := facts.Observation{}
		if err == nil {
			o, err = conn.Observe(ctx, requests[h.Addr])
		}
		if err != nil {
			o = facts.Unreachable(err)
		}
		mu.Lock()
		defer mu.Unlock()
		out[h.Addr] = o
		if on != nil {
			on(h.Addr, err)
		}
	})
	return out
}

// each runs f for every host, several at a time.
func (s *Session) each(f func(config.Host)) {
	g := errgroup.Group{}
	g.SetLimit(s.parallelism())
	for _, h := range s.cfg.Hosts {
		g.Go(func() error {
			f(h)
			return nil
		})
	}
	_ = g.Wait() // what fails is a value
}

// dial returns the connection to a host, or why there is none.
func (s *Session) dial(ctx context.Context, h config.Host) (host.Host, error) {
	s.mu.Lock()
	conn, err := s.hosts[h.Addr], s.unreachable[h.Addr]
	s.mu.Unlock()
	if conn != nil || err != nil {
		return conn, err
	}
	conn, err = s.opts.Dial(ctx, h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.unreachable[h.Addr] = err
		return nil, err
	}
	s.hosts[h.Addr] = conn
	return conn, nil
}

func (s *Session) parallelism() int {
	if s.opts.Parallelism <= 0 {
		return 10
	}
	return s.opts.Parallelism
}

func (s *Session) dialled(h addr.Host) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, up := s.hosts[h]
	_, down := s.unreachable[h]
	return up || down
}

// lockHosts takes the lock of every connected host, all or nothing. Whoever is
// to wait for another waits at the first host, so that no two wait for each
// other; at the rest only for a session that is just ending. A host whose
// connection is lost by now holds up nobody: its changes will say so.
func (s *Session) lockHosts(ctx context.Context, operation string) error {
	for _, h := range s.cfg.Hosts {
		if conn, ok := s.hosts[h.Addr]; ok {
			err := lockWithin(ctx, conn, s.holder(operation), s.opts.LockTimeout)
			if _, lost := errors.AsType[*host.LostError](err); lost {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", h.Addr, err)
			}
			break
		}
	}
	var mu sync.Mutex
	var errs []error
	s.each(func(h config.Host) {
		s.mu.Lock()
		conn, ok := s.hosts[h.Addr]
		s.mu.Unlock()
		if !ok {
			return
		}
		err := lockWithin(ctx, conn, s.holder(operation), min(s.opts.LockTimeout, endingSession))
		if _, lost := errors.AsType[*host.LostError](err); err == nil || lost {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, fmt.Errorf("%s: %w", h.Addr, err))
	})
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// endingSession is how long the lock of a session may take to go that has lost
// its controller.
const endingSession = 5 * time.Second

// lockWithin takes a host's lock, waiting for another holder up to a time.
func lockWithin(ctx context.Context, h host.Host, holder string, within time.Duration) error {
	for deadline := time.Now().Add(within); ; {
		err := h.Lock(ctx, holder)
		if _, locked := errors.AsType[*host.LockedError](err); !locked || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// masters are the masters in order.
func masters(cfg *config.Cluster) []addr.Host {
	var out []addr.Host
	for _, m := range cfg.Masters() {
		out = append(out, m.Addr)
	}
	return out
}

func joinHostPort(h string, port int) string { return net.JoinHostPort(h, strconv.Itoa(port)) }

// dialFunc connects to a host, as Options.Dial.
type dialFunc = func(context.Context, config.Host) (host.Host, error)

// tcpDialer is what a host may offer beside host.Host: a connection that starts
// on the host itself.
type tcpDialer interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}
