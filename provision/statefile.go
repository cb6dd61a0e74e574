package provision

import (
	"context"
	"errors"
	"fmt"

	"hardway/provision/addr"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// lockOnly takes the state's lock without loading what it guards, which may be
// damaged or not there.
func (s *Session) lockOnly(ctx context.Context, operation string) error {
	if s.locked {
		return nil
	}
	if err := s.store.Lock(ctx, operation, s.opts.LockTimeout); err != nil {
		return err
	}
	s.locked = true
	return nil
}

// Generations lists the stored snapshots of the state, the newest first.
func (s *Session) Generations(context.Context) ([]local.Generation, error) {
	list, err := s.store.Generations()
	return list, initFirst(err)
}

// PullState returns the state in its stored form, with what the journal holds.
func (s *Session) PullState(ctx context.Context) ([]byte, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return state.Encode(snap)
}

// PushState replaces the state by one in its stored form, under the lock. Unless
// force is set, its lineage must be the present one's and its serial not lower.
// It returns the state as it is then, with a serial above both.
func (s *Session) PushState(ctx context.Context, stored []byte, force bool) (state.Public, error) {
	snap, err := state.Decode(stored)
	if err != nil {
		return state.Public{}, fmt.Errorf("what was to be pushed cannot be used: %w", err)
	}
	if snap.Cluster != s.cfg.Name {
		return state.Public{}, s.foreignCluster("what was to be pushed", snap.Cluster)
	}
	if err := s.lockOnly(ctx, "state push"); err != nil {
		return state.Public{}, err
	}
	if err := s.store.Push(ctx, stored, force); err != nil {
		return state.Public{}, err
	}
	return s.store.Snapshot().Public, nil
}

// ForgetResources removes records from the state, and with the last record of a
// host what was allocated to it. No host is touched. The targets are resources,
// kinds or hosts as --target takes them; the result is what was forgotten. It
// refuses what state.Public.Forgetting refuses.
func (s *Session) ForgetResources(ctx context.Context, targets []addr.Address) ([]addr.Address, error) {
	snap, err := s.lock(ctx, "state rm")
	if err != nil {
		return nil, err
	}
	f, err := snap.Forgetting(targets)
	if err != nil {
		return nil, err
	}
	for _, a := range f.Addresses {
		if err = s.store.Forget(ctx, a); err != nil {
			break
		}
	}
	if table := f.Free(snap.Allocations); err == nil && !table.Equal(snap.Allocations) {
		err = s.store.PutAllocations(ctx, table)
	}
	if err := errors.Join(err, s.store.Commit(context.WithoutCancel(ctx))); err != nil {
		return nil, fmt.Errorf("forgetting resources: %w", err)
	}
	return f.Addresses, nil
}

// ForceUnlock clears what the dead holder of the state's lock with that ID left
// behind. A lock that a living process holds is a *local.LockedError.
func (s *Session) ForceUnlock(_ context.Context, id string) error { return s.store.ForceUnlock(id) }
