// Package local keeps the state in files beside the configuration:
//
//	hardway.state               the snapshot
//	hardway.state.backup        the snapshot before it
//	hardway.state.journal       what happened since the snapshot; exists only
//	                            during an apply and after a crash
//	hardway.state.lock          locked by whoever writes (flock)
//	hardway.state.lock.info     who that is
//	.hardway/snapshots/         the last ten snapshots, the present one included
//
// It knows files, their durability and the lock. It must never know what is in
// a snapshot beyond lineage and serial; that is package state's.
//
// A file is replaced by writing a temporary one beside it, fsync, rename, fsync
// of the directory. The lock is a file of its own, because a lock on the state
// file would be lost with each replacement.
package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"hardway/provision/addr"
	"hardway/provision/state"
)

// Options of a Store.
type Options struct {
	Tool string           // version of hardway, for the snapshot and the lock
	Now  func() time.Time // time.Now
	// Step, for tests, is called before and after each durable step and can stop there.
	Step func(step, when string) error
}

// Store is a state in local files. Reading needs no lock. To write: Lock, then
// Load (or Create), then any number of records from any number of goroutines,
// Commit, Unlock.
//
// Each record is durable when its method returns. The context is there for
// backends that write over a network; here a record is never given up half way.
type Store struct {
	path string
	opts Options

	mu      sync.Mutex // guards what follows
	lock    *heldLock
	loaded  bool
	current state.Snapshot // with every record applied
	stored  []byte         // the snapshot file's bytes
	journal *journal       // nil until the first record after a snapshot

	// fail, set by tests, is called before and after each durable step and can
	// stop there as a crash would.
	fail func(step, when string) error
}

// New returns the store whose snapshot is at path. It touches nothing yet.
func New(path string, opts Options) *Store {
	return &Store{path: path, opts: opts, fail: opts.Step}
}

// Path returns the snapshot's path.
func (s *Store) Path() string { return s.path }

// Load returns the state as far as it was acknowledged: the snapshot with the
// journal on it. With the lock held, a journal that a crash left behind is
// folded into a new snapshot, and the store is ready for records; without it
// nothing is written, and the result is the same. The error wraps
// state.ErrNotInitialised when there is no state and no trace of one.
func (s *Store) Load(ctx context.Context) (state.Snapshot, state.Recovery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		return s.current.Clone(), state.Recovery{}, nil
	}
	data, err := s.read(ctx)
	if err != nil {
		return state.Snapshot{}, state.Recovery{}, err
	}
	snap, rec, err := s.decode(data)
	if err == nil {
		err = s.genuine(data, snap, rec)
	}
	if err != nil {
		return state.Snapshot{}, state.Recovery{}, err
	}
	if s.lock == nil {
		return snap, rec, nil
	}
	if rec.Entries > 0 {
		stored, err := s.store(snap, data.snapshot)
		if err != nil {
			return snap, rec, err
		}
		data.snapshot = stored
	} else if data.journal != nil {
		if err := s.dropJournal(); err != nil {
			return snap, rec, err
		}
	}
	s.sweep()
	if path := s.historyPath(snap); !slices.Contains(s.history(), path) { // a crash came between
		if err := s.keep(snap, data.snapshot); err != nil {
			return snap, rec, err
		}
	}
	s.current, s.stored, s.loaded = snap, data.snapshot, true
	return snap.Clone(), rec, nil
}

// Create stores the first snapshot, as serial 1. The lock must be held. It
// refuses to replace a state, and to begin anew where there are traces of one.
func (s *Store) Create(ctx context.Context, snap state.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return state.ErrNotLocked
	}
	if s.loaded {
		return fmt.Errorf("creating the state %s: it exists already", s.path)
	}
	switch data, err := s.read(ctx); {
	case err == nil && data.snapshot != nil:
		return fmt.Errorf("creating the state %s: it exists already", s.path)
	case !errors.Is(err, state.ErrNotInitialised):
		return err
	}
	snap = snap.Clone()
	snap.Serial = 1
	stored, err := s.store(snap, nil)
	if err != nil {
		return err
	}
	s.current, s.stored, s.loaded = snap, stored, true
	return nil
}

// Begin records that a resource is about to be written. It must return before
// the host is touched.
func (s *Store) Begin(_ context.Context, b state.Begin) error {
	return s.record(state.Entry{Begin: &b})
}

// BeginRemoval records that a resource is about to be removed.
func (s *Store) BeginRemoval(_ context.Context, a addr.Address) error {
	return s.record(state.Entry{Remove: &a})
}

// Done records that the resource is as it was begun.
func (s *Store) Done(_ context.Context, d state.Done) error { return s.record(state.Entry{Done: &d}) }

// Failed records why an operation on a resource did not end well.
func (s *Store) Failed(_ context.Context, a addr.Address, reason string) error {
	return s.record(state.Entry{Failed: &state.Failed{Addr: a, Reason: reason}})
}

// Forget records that a resource is removed, or is not ours any more.
func (s *Store) Forget(_ context.Context, a addr.Address) error {
	return s.record(state.Entry{Forget: &a})
}

// PutKeys records new authorities and key pairs together with their sealed
// private keys. It must return before any of them reaches a host.
func (s *Store) PutKeys(_ context.Context, k state.Keys) error {
	return s.record(state.Entry{Keys: &k})
}

// PutAllocations records the allocation table.
func (s *Store) PutAllocations(_ context.Context, a state.Allocations) error {
	return s.record(state.Entry{Allocations: &a})
}

// PutRun records that a run begins, or how it ended.
func (s *Store) PutRun(_ context.Context, r state.Run) error { return s.record(state.Entry{Run: &r}) }

// Hold records that a change is taken back and not to be repeated.
func (s *Store) Hold(_ context.Context, h state.Held) error { return s.record(state.Entry{Held: &h}) }

// Release ends the holds that do not keep back this configuration; with an
// empty digest, all of them.
func (s *Store) Release(_ context.Context, configDigest string) error {
	return s.record(state.Entry{Release: &state.Release{ConfigDigest: configDigest}})
}

// record applies an entry and waits until the journal has it on disk. Entries
// that come while the disk is busy share the next fsync.
func (s *Store) record(e state.Entry) error {
	s.mu.Lock()
	if s.lock == nil || !s.loaded {
		s.mu.Unlock()
		return state.ErrNotLocked
	}
	if s.journal == nil {
		j, err := s.startJournal()
		if err != nil {
			s.mu.Unlock()
			return err
		}
		s.journal = j
	}
	e.Time = s.opts.Now().UTC().Round(0)
	j := s.journal
	b, err := j.add(e, func() error { return s.current.Apply(e) })
	s.mu.Unlock() // the order of entries is fixed; waiting needs no lock
	if err != nil {
		return fmt.Errorf("recording in %s: %w", j.path, err)
	}
	if err := j.flush(b); err != nil {
		return fmt.Errorf("recording in %s: %w; %s", j.path, err, badDisk)
	}
	return nil
}

// Snapshot returns the state with every record made so far, without I/O.
func (s *Store) Snapshot() state.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.Clone()
}

// Material returns the authorities and key pairs alone, from which certificates
// and files are made. A Snapshot copies the table of all resources: for each of
// them, that would cost their square.
func (s *Store) Material() state.Public {
	s.mu.Lock()
	defer s.mu.Unlock()
	return state.Public{Authorities: maps.Clone(s.current.Authorities), KeyPairs: maps.Clone(s.current.KeyPairs)}
}

// Commit folds the records since the last snapshot into a new one. Without any
// it does nothing, and the serial stays. A crash inside loses nothing: until the
// new snapshot is in place the journal counts, and after it the journal is known
// to be contained.
func (s *Store) Commit(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil || !s.loaded {
		return state.ErrNotLocked
	}
	if s.journal == nil {
		return nil
	}
	snap := s.current
	snap.Serial++
	snap.Journal, snap.Tool = s.journal.id, s.opts.Tool
	s.journal.close()
	stored, err := s.store(snap, s.stored)
	if err != nil {
		return err
	}
	s.current, s.stored, s.journal = snap, stored, nil
	return nil
}
