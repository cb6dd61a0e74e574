package local

import (
	"errors"
	"fmt"
	"os"

	"al.essio.dev/pkg/shellescape"

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
		damaged.Path = path(damaged.What)
		damaged.Recover = s.restoreCommand()
		if damaged.What == "journal" {
			damaged.Recover = s.journalCommand(damaged.Line - 1)
		}
	case errors.As(err, &newer):
		newer.Path = path(newer.What)
	case errors.As(err, &foreign):
		foreign.Path = path(foreign.What)
		foreign.Recover = fmt.Sprintf("if %s is the state you want, set the journal aside: %s; otherwise %s",
			s.path, s.asideCommand(), s.restoreCommand())
	}
	return err
}

// restoreCommand puts the newest readable snapshot in place. The journal stays:
// it still fits when that snapshot is a copy of the lost one.
func (s *Store) restoreCommand() string {
	for _, candidate := range append(s.history(), s.path+backupSuffix) {
		data, err := os.ReadFile(candidate)
		if err != nil {
			continue
		}
		if snap, err := state.Decode(data); err == nil {
			return fmt.Sprintf("put the newest good snapshot, serial %d of %s, back: cp -p %s %s",
				snap.Serial, snap.Updated.Format("2006-01-02 15:04:05"), shellescape.Quote(candidate), shellescape.Quote(s.path))
		}
	}
	return fmt.Sprintf("no good snapshot is left beside it: restore %s from a backup", s.path)
}

// journalCommand keeps the good lines of a damaged journal.
func (s *Store) journalCommand(good int) string {
	if good < 1 {
		return "go on with the snapshot alone, the next plan shows what differs: " + s.asideCommand()
	}
	j := shellescape.Quote(s.path + journalSuffix)
	aside := shellescape.Quote(s.path + journalSuffix + ".damaged")
	return fmt.Sprintf("keep the lines before it, the next plan shows what differs: cp -p %s %s && head -n %d %[2]s > %[1]s", j, aside, good)
}

func (s *Store) asideCommand() string {
	return fmt.Sprintf("mv %s %s", shellescape.Quote(s.path+journalSuffix), shellescape.Quote(s.path+journalSuffix+".aside"))
}
