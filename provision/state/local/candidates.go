package local

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"

	"hardway/provision/resource"
	"hardway/provision/state"
)

// found is one file that is, or may be, a part of the state. What it is shows in
// its content: a file that was put in another's place is still of use.
type found struct {
	name    string // relative to the state's directory
	data    []byte
	snap    state.Snapshot
	err     error // of reading it as a snapshot
	journal state.Journal
	jerr    error // of reading it as a journal; the entries before it are good
}

// Candidates lists what could be the state: the snapshot with its journal, with
// the good part of a damaged one, and alone; the same with each kept snapshot and
// the backup. Files that are nothing of this are listed with Err set, where they
// stand for the present state before all others. It needs no lock and changes
// nothing.
func (s *Store) Candidates() []state.Candidate {
	snapshots, journals, rest := s.find()
	loadErr := s.sound()
	var out []state.Candidate
	seen := map[string]bool{}
	for _, snap := range snapshots {
		sum := resource.SHA256(snap.data)
		if seen[sum] {
			continue // the present snapshot and its kept copy
		}
		seen[sum] = true
		alone := state.NewCandidate(snap.name, snap.snap, snap.data)
		for _, j := range journals {
			c, ok := with(snap, j)
			if !ok {
				continue
			}
			out = append(out, c)
			alone.Lost = max(alone.Lost, c.Entries+c.Lost)
		}
		out = append(out, alone)
	}
	if loadErr == nil && len(out) > 0 {
		out[0].Present = true // it begins with the present snapshot, and what continues it
	}
	var first []state.Candidate
	if missing, ok := errors.AsType[*state.MissingError](loadErr); ok {
		first = append(first, state.Candidate{Source: filepath.Base(s.path), Err: errors.New("it is gone, but " + missing.Trace + " shows that there was one")})
	}
	for _, f := range rest {
		c := state.Candidate{Source: f.name, Err: f.err}
		if f.name == filepath.Base(s.path) || f.name == filepath.Base(s.path)+journalSuffix {
			first = append(first, c)
		} else {
			out = append(out, c)
		}
	}
	return append(first, out...)
}

// sound returns the error that Load would return.
func (s *Store) sound() error {
	f, err := s.read(context.Background())
	if err != nil {
		return err
	}
	snap, rec, err := s.decode(f)
	if err != nil {
		return err
	}
	return s.genuine(f, snap, rec)
}

// find reads every file in which a part of the state may be, the present ones
// first.
func (s *Store) find() (snapshots, journals, rest []found) {
	dir := filepath.Dir(s.path)
	paths := append([]string{s.path, s.path + journalSuffix}, s.history()...)
	for _, path := range append(paths, s.path+backupSuffix) {
		f := found{name: path}
		if rel, err := filepath.Rel(dir, path); err == nil {
			f.name = rel
		}
		data, err := readFile(path)
		switch {
		case err != nil:
			rest = append(rest, found{name: f.name, err: err})
			continue
		case data == nil:
			continue
		}
		f.data = data
		if f.snap, f.err = state.Decode(data); f.err == nil {
			snapshots = append(snapshots, f)
			continue
		}
		f.journal, f.jerr = state.DecodeJournal(data)
		if f.journal.ID != "" {
			journals = append(journals, f)
		}
		switch {
		case f.jerr != nil && (f.journal.ID != "" || path == s.path+journalSuffix):
			rest = append(rest, found{name: f.name, err: f.jerr})
		case f.jerr != nil:
			rest = append(rest, found{name: f.name, err: f.err})
		case path != s.path+journalSuffix: // a journal where a snapshot should be
			rest = append(rest, found{name: f.name, err: errors.New("it is a journal, and no snapshot")})
		}
	}
	return snapshots, journals, rest
}

// with is a snapshot with as much of a journal on it as is good; false when the
// journal does not continue it or adds nothing.
func with(snap, j found) (state.Candidate, bool) {
	whole := j.jerr == nil
	out, rec, err := snap.snap.Replay(snap.data, j.journal)
	if d, ok := errors.AsType[*state.DamagedError](err); ok && d.Line >= 2 {
		whole = false
		j.journal.Entries = j.journal.Entries[:d.Line-2] // up to the one that does not fit
		out, rec, err = snap.snap.Replay(snap.data, j.journal)
	}
	if err != nil || rec.Entries == 0 {
		return state.Candidate{}, false
	}
	stored, err := state.Encode(out)
	if err != nil {
		return state.Candidate{}, false
	}
	source := snap.name + " with " + j.name
	if !whole {
		source = snap.name + " with the good part of " + j.name
	}
	c := state.NewCandidate(source, out, stored)
	c.Entries, c.Torn = rec.Entries, rec.Torn
	if !whole {
		c.Lost = max(bytes.Count(j.data, []byte{'\n'})-1-rec.Entries, 1) // the first line is no entry
	}
	if newer, ok := errors.AsType[*state.NewerError](j.jerr); ok {
		c.Err, c.Stored = newer, nil
	}
	return c, true
}
