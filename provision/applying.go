package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hardway/provision/apply"
	"hardway/provision/binaries"
	"hardway/provision/plan"
	"hardway/provision/state"
)

// ApplyOptions of an application.
type ApplyOptions struct {
	Sink apply.Sink
	// Saved: the plan was made by another run. The hosts are read again first, and
	// the plan is refused when anything that it is based on has moved since.
	Saved bool
}

// Apply carries out a plan that was made by this session or saved by another.
// When ctx ends, operations under way are finished and recorded, and the error
// says how to resume.
func (s *Session) Apply(ctx context.Context, p *plan.Plan, o ApplyOptions) (apply.Result, error) {
	snap, err := s.lock(ctx, string(p.Mode))
	if err != nil {
		return apply.Result{}, err
	}
	if err := plan.Bound(p, snap.Lineage, snap.Serial, s.cfg.Digest, s.cfg.Name); err != nil {
		return apply.Result{}, err
	}
	secrets, err := s.open(snap)
	if err != nil {
		return apply.Result{}, err
	}
	if err := s.connect(ctx, nil); err != nil {
		return apply.Result{}, err
	}
	if err := s.lockHosts(ctx, string(p.Mode)); err != nil {
		return apply.Result{}, err
	}
	if o.Saved {
		if err := s.fresh(ctx, p, snap.Public); err != nil {
			return apply.Result{}, err
		}
	}
	if err := s.reseal(ctx, snap, secrets); err != nil {
		return apply.Result{}, err
	}
	env := apply.Env{
		Hosts: s.hosts, Masters: masters(s.cfg), Store: s.store, Secrets: secrets, Recipients: s.recipients(snap.Public),
		Artifacts: binaries.NewCache(s.cfg.Binaries.Cache), Now: s.opts.Now, Parallelism: s.parallelism(),
		Settle: s.opts.Settle,
	}
	result, err := apply.Run(ctx, p, env, o.Sink)
	ctx = context.WithoutCancel(ctx) // what is done is stored, also after an interrupt
	if commitErr := s.store.Commit(ctx); commitErr != nil {
		return result, errors.Join(err, fmt.Errorf("saving the state: %w", commitErr))
	}
	if stored := s.store.Snapshot(); stored.Serial != snap.Serial || len(p.Copies) > 0 {
		if copyErr := apply.Copies(ctx, stored, env); copyErr != nil {
			return result, errors.Join(err, copyErr)
		}
	}
	return result, err
}

// fresh reads the hosts again and refuses a saved plan that they have moved away from.
func (s *Session) fresh(ctx context.Context, p *plan.Plan, public state.Public) error {
	now, err := s.plan(ctx, public, PlanOptions{
		Destroy: p.Mode == plan.Destroy, DestroyData: p.Mode == plan.Destroy, Targets: p.Targets, ToGeneration: p.Generation, Retry: p.Retry,
	})
	if err != nil {
		return fmt.Errorf("reading the hosts again: %w", err)
	}
	if moved := plan.Moves(p, now); len(moved) > 0 {
		return &plan.StaleError{Moved: moved}
	}
	return nil
}

// reseal seals the keys for the recipients of the configuration where they were
// sealed for others: somebody who was added must be able to open them when the
// one who is trusted today is gone.
func (s *Session) reseal(ctx context.Context, snap state.Snapshot, secrets state.Secrets) error {
	to := s.recipients(snap.Public)
	if len(snap.Sealed) == 0 || slices.Equal(slices.Sorted(slices.Values(to)), slices.Sorted(slices.Values(snap.Recipients))) {
		return nil
	}
	sealed, err := snap.Seal(to, secrets)
	if err != nil {
		return fmt.Errorf("sealing the keys for the recipients of the state block: %w", err)
	}
	return s.store.PutKeys(context.WithoutCancel(ctx), state.Keys{
		Recipients: to, Authorities: snap.Authorities, KeyPairs: snap.KeyPairs, Sealed: sealed,
	})
}

// recipients are whom the keys are sealed for: the configuration's, else those
// that init chose.
func (s *Session) recipients(p state.Public) []string {
	if len(s.cfg.State.Recipients) > 0 {
		return s.cfg.State.Recipients
	}
	return p.Recipients
}
