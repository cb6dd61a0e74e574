package provision

import (
	"context"
	"sync"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/plan"
)

// DriftOptions of a look for drift.
type DriftOptions struct {
	Ignore []addr.Address // hosts, kinds or resources that are left out
	// Deep has every digest computed from the bytes on the disks.
	Deep   bool
	OnHost func(addr.Host, error) // told of each connection
}

// observer is all of a host that looking for drift can use: there is no way from
// it to an operation that changes anything.
type observer interface {
	Observe(context.Context, facts.Request) (facts.Observation, error)
	Close() error
}

// Drift compares the hosts with what was applied last, whatever the
// configuration says by now. It reads the state without its lock, and has no
// connection in hand that could change a host.
func (s *Session) Drift(ctx context.Context, o DriftOptions) (*plan.Drift, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.sameCluster(snap.Public); err != nil {
		return nil, err
	}
	set, err := plan.DriftSet(snap.Public)
	if err != nil {
		return nil, err
	}
	seen := s.look(ctx, requests(s.cfg, set, snap.Public, o.Deep), o.OnHost)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := plan.Compute(plan.Input{
		Tool: s.opts.Version, Cluster: s.cfg.Name, ConfigDigest: s.cfg.Digest, Now: s.opts.Now().UTC(), Mode: plan.ReadDrift,
		Desired: set, Allocations: snap.Allocations, Observed: seen, State: snap.Public,
	})
	if err != nil {
		return nil, err
	}
	return plan.DriftOf(p, o.Ignore), nil
}

// look dials each host that there is a request for, asks it once and leaves it.
func (s *Session) look(ctx context.Context, requests map[addr.Host]facts.Request, on func(addr.Host, error)) map[addr.Host]facts.Observation {
	out := map[addr.Host]facts.Observation{}
	var mu sync.Mutex
	s.each(func(h config.Host) {
		r, wanted := requests[h.Addr]
		if !wanted {
			return
		}
		o, err := s.lookAt(ctx, h, r)
		mu.Lock()
		defer mu.Unlock()
		out[h.Addr] = o
		if on != nil {
			on(h.Addr, err)
		}
	})
	return out
}

func (s *Session) lookAt(ctx context.Context, h config.Host, r facts.Request) (facts.Observation, error) {
	conn, err := s.opts.Dial(ctx, h)
	if err != nil {
		return facts.Unreachable(err), err
	}
	var host observer = conn
	defer func() { _ = host.Close() }() // nothing was written that could be lost
	o, err := host.Observe(ctx, r)
	if err != nil {
		return facts.Unreachable(err), err
	}
	return o, nil
}
