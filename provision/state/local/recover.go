package local

import (
	"bytes"
	"errors"
	"os"

	"hardway/provision/state"
)

// complete adds to an error about stored bytes where they are, and the command
// that brings the state back.
func (s *Store) complete(err error) error {
	path := func(what string) string {
		if what == "journal" {
			return s.path + journalSuffix
		}
		return s.path
	}
	var damaged *state.DamagedError
	var newer *state.NewerError
	var foreign *state.ForeignError
	switch {
	case errors.As(err, &damaged):
		damaged.Path, damaged.Recover = path(damaged.What), state.Recover
	case errors.As(err, &newer):
		newer.Path = path(newer.What)
	case errors.As(err, &foreign):
		foreign.Path, foreign.Recover = path(foreign.What), state.Recover
	}
	return err
}

// genuine holds the state against the kept snapshots: what was put in its place
// and is older, or of another lineage, is sound in itself and shows only there. A
// kept snapshot that cannot be read says nothing.
func (s *Store) genuine(f files, snap state.Snapshot, rec state.Recovery) error {
	base := snap.Serial
	if rec.Entries > 0 {
		base-- // the journal made it one more
	}
	for _, path := range f.kept {
		data, err := os.ReadFile(path)
		if err != nil || bytes.Equal(data, f.snapshot) {
			if err == nil {
				return nil
			}
			continue
		}
		newer := serialOf(path) > base
		if !newer && bytes.Contains(head(data), []byte(`"lineage": "`+snap.Lineage+`"`)) {
			return nil
		}
		kept, err := state.Decode(data) // only when something is wrong: it takes long
		switch {
		case err != nil:
			continue
		case kept.Lineage != snap.Lineage:
			return &state.ForeignError{What: "snapshot", Path: s.path, Recover: state.Recover,
				Reason: "its lineage is " + snap.Lineage + ", and that of the kept " + path + " is " + kept.Lineage}
		case newer:
			return &state.OlderError{Serial: base, Seen: kept.Serial, Where: "the kept " + path, Path: s.path, Recover: state.Recover}
		}
		return nil
	}
	return nil
}

// head is the part of a stored snapshot in which its lineage stands.
func head(data []byte) []byte { return data[:min(len(data), 1<<10)] }
