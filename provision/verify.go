package provision

import (
	"context"

	"hardway/provision/addr"
	"hardway/provision/desired"
	"hardway/provision/health"
	"hardway/provision/state"
)

// VerifyOptions of a verification.
type VerifyOptions struct {
	On      func(health.Check) // told of each check as it ends
	NoSmoke bool               // leave out the pods, and ask only what is there
}

// Verify asks every component on every host whether it is healthy, and proves
// with pods of its own that the cluster works.
func (s *Session) Verify(ctx context.Context, o VerifyOptions) (health.Report, error) {
	if err := s.connect(ctx, nil); err != nil {
		return health.Report{}, err
	}
	spec := desired.Health(s.cfg)
	if o.NoSmoke {
		spec.Smoke.Image = ""
	}
	unreachable := map[addr.Host]string{}
	for h, err := range s.unreachable {
		unreachable[h] = err.Error()
	}
	return health.Verify(ctx, spec, s.hosts, unreachable, o.On), nil
}

// State returns what the state records, without its secrets.
func (s *Session) State(ctx context.Context) (state.Public, error) {
	snap, err := s.load(ctx)
	return snap.Public, err
}
