package local

import (
	"context"
	"errors"
	"fmt"

	"hardway/provision/state"
)

// Push replaces the state by a snapshot in its stored form, such as one of
// .hardway/snapshots or another machine's. The lock must be held; the present
// state need not be readable. Unless force is set, the lineage must be the
// present one and the serial not lower. The result's serial is higher than both.
func (s *Store) Push(ctx context.Context, stored []byte, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return state.ErrNotLocked
	}
	snap, err := state.Decode(stored)
	if err != nil {
		return err
	}
	data, err := s.readAny(ctx)
	if err != nil {
		return err
	}
	if data.snapshot == nil {
		return s.install(snap, data, 0)
	}
	now, _, err := s.decode(data)
	switch {
	case err != nil && !force:
		return fmt.Errorf("replacing a state that cannot be read needs --force: %w", err)
	case err != nil:
		if _, err := s.setAside(data); err != nil {
			return err
		}
		// The backup stays: what it holds is better than what is replaced.
		return s.install(snap, files{journal: data.journal}, 0)
	case now.Lineage != snap.Lineage && !force:
		return &state.ForeignError{What: "snapshot", Reason: fmt.Sprintf("its lineage is %s (cluster %q, serial %d), this state's %s (cluster %q, serial %d); --force replaces it all the same",
			snap.Lineage, snap.Cluster, snap.Serial, now.Lineage, now.Cluster, now.Serial)}
	case now.Serial > snap.Serial && !force:
		return &state.ForeignError{What: "snapshot", Reason: fmt.Sprintf("its serial is %d (of %s), this state's %d (of %s): it is older; --force replaces it all the same",
			snap.Serial, when(snap.Updated), now.Serial, when(now.Updated))}
	}
	return s.install(snap, data, now.Serial)
}

// Restore puts a snapshot in its stored form in place of a state that is damaged,
// older, foreign or gone. The lock must be held. What stands there is set aside
// first, under names that are returned: it is never deleted. The result's serial
// is higher than the snapshot's, than above, and than that of any kept snapshot.
func (s *Store) Restore(ctx context.Context, stored []byte, above uint64) (aside []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil, state.ErrNotLocked
	}
	snap, err := state.Decode(stored)
	if err != nil {
		return nil, err
	}
	data, err := s.readAny(ctx)
	if err != nil {
		return nil, err
	}
	if aside, err = s.setAside(data); err != nil {
		return aside, err
	}
	return aside, s.install(snap, files{journal: data.journal}, above)
}

// readAny reads the two files, whether there is a state or not.
func (s *Store) readAny(ctx context.Context) (files, error) {
	data, err := s.read(ctx)
	if errors.Is(err, state.ErrNotInitialised) {
		return data, nil
	}
	if _, ok := errors.AsType[*state.MissingError](err); ok {
		return data, nil
	}
	return data, err
}

// install makes snap the state, with a serial above all others that were seen
// here: a kept snapshot is never written over, nor the new one taken for an older.
// A journal that is left when a crash comes in the middle is known not to count.
func (s *Store) install(snap state.Snapshot, old files, above uint64) error {
	snap.Serial = max(snap.Serial, above)
	if kept := s.history(); len(kept) > 0 {
		snap.Serial = max(snap.Serial, serialOf(kept[0]))
	}
	snap.Journal = ""
	if j, _ := state.DecodeJournal(old.journal); j.ID != "" {
		snap.Serial = max(snap.Serial, j.Head.Serial)
		snap.Journal = j.ID
	}
	snap.Serial++
	stored, err := s.store(snap, old.snapshot)
	if err != nil {
		return err
	}
	s.current, s.stored, s.loaded, s.journal = snap, stored, true, nil
	return nil
}

// setAside copies the two files to names of their own, durably. A copy, because
// then there is no moment without a state, and a crash loses nothing.
func (s *Store) setAside(data files) (names []string, err error) {
	for _, f := range []struct {
		path string
		data []byte
	}{{s.path, data.snapshot}, {s.path + journalSuffix, data.journal}} {
		if f.data == nil {
			continue
		}
		name, err := s.asideName(f.path)
		if err == nil {
			err = s.step("aside", func() error { return replace(name, f.data) })
		}
		if err != nil {
			return names, fmt.Errorf("setting %s aside: %w", f.path, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// asideName returns a free name beside path with the time in it.
func (s *Store) asideName(path string) (string, error) {
	base := path + ".aside-" + s.opts.Now().UTC().Format("20060102T150405Z")
	name := base
	for n := 2; ; n++ {
		data, err := readFile(name)
		if err != nil {
			return "", err
		}
		if data == nil {
			return name, nil
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
}
