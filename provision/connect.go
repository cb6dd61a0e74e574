package provision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

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
	g := errgroup.Group{}
	g.SetLimit(s.parallelism())
	for _, h := range s.cfg.Hosts {
		if s.dialled(h.Addr) {
			continue
		}
		g.Go(func() error {
			conn, err := s.opts.Dial(ctx, h)
			s.mu.Lock()
			defer s.mu.Unlock()
			if err != nil {
				s.unreachable[h.Addr] = err
			} else {
				s.hosts[h.Addr] = conn
			}
			if on != nil {
				on(h.Addr, err)
			}
			return nil
		})
	}
	_ = g.Wait() // failures are values
	return ctx.Err()
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

// observe asks every connected host everything, in one batch each.
func (s *Session) observe(ctx context.Context, requests map[addr.Host]facts.Request) map[addr.Host]facts.Observation {
	out := map[addr.Host]facts.Observation{}
	var mu sync.Mutex
	g := errgroup.Group{}
	g.SetLimit(s.parallelism())
	for _, h := range s.cfg.Hosts {
		conn, ok := s.hosts[h.Addr]
		if !ok {
			mu.Lock()
			out[h.Addr] = facts.Unreachable(s.unreachable[h.Addr])
			mu.Unlock()
			continue
		}
		g.Go(func() error {
			o, err := conn.Observe(ctx, requests[h.Addr])
			if err != nil {
				o = facts.Unreachable(err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[h.Addr] = o
			return nil
		})
	}
	_ = g.Wait() // failures are values
	return out
}

// lockHosts takes the lock of every connected host, all or nothing.
func (s *Session) lockHosts(ctx context.Context, operation string) error {
	var errs []error
	for _, h := range s.cfg.Hosts {
		if conn, ok := s.hosts[h.Addr]; ok {
			if err := conn.Lock(ctx, s.holder(operation)); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", h.Addr, err))
			}
		}
	}
	return errors.Join(errs...)
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
