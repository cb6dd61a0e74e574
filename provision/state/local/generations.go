package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"hardway/provision/state"
)

// Generation is a stored snapshot: the present one, or one of those before it.
// Its number is the snapshot's serial.
type Generation struct {
	Serial  uint64
	Updated time.Time
	Run     *state.Run // that led to it; nil before the first apply
	Path    string
	// Err is why it cannot be read; then only Serial and Path are set.
	Err error
}

// Generations lists the stored snapshots, the newest first: the last ten, the
// present one included. What a journal holds beyond it is not yet a generation.
// Those that cannot be read, or that are of another lineage, have Err set.
func (s *Store) Generations() ([]Generation, error) {
	var out []Generation
	f, err := s.read(context.Background())
	if err != nil {
		return nil, err
	}
	now, err := state.Decode(f.snapshot)
	if err != nil {
		return nil, s.complete(err)
	}
	for _, path := range f.kept {
		serial := serialOf(path)
		if serial > now.Serial {
			continue // the present one is older than it, which is for Load to tell
		}
		if len(out) == 0 && serial < now.Serial {
			out = append(out, generation(s.path, now)) // a crash came before its copy was kept
		}
		snap, err := readSnapshot(path)
		if err == nil && snap.Lineage != now.Lineage {
			err = &state.ForeignError{What: "snapshot", Path: path, Reason: fmt.Sprintf("its lineage is %s, this state's %s", snap.Lineage, now.Lineage)}
		}
		if err != nil {
			out = append(out, Generation{Serial: serial, Path: path, Err: err})
			continue
		}
		out = append(out, generation(path, snap))
	}
	if len(out) == 0 {
		out = append(out, generation(s.path, now))
	}
	return out, nil
}

func generation(path string, s state.Snapshot) Generation {
	return Generation{Serial: s.Serial, Updated: s.Updated, Run: s.Run, Path: path}
}

// Generation returns the stored snapshot with a serial.
func (s *Store) Generation(serial uint64) (state.Snapshot, error) {
	list, err := s.Generations()
	if err != nil {
		return state.Snapshot{}, err
	}
	var there []string
	for _, g := range list {
		switch {
		case g.Serial == serial && g.Err != nil:
			return state.Snapshot{}, fmt.Errorf("generation %d cannot be read: %w", serial, g.Err)
		case g.Serial == serial:
			return readSnapshot(g.Path)
		case g.Err == nil:
			there = append(there, strconv.FormatUint(g.Serial, 10))
		}
	}
	return state.Snapshot{}, fmt.Errorf("there is no generation %d: the last %d are kept, and there are %s", serial, historyLength, strings.Join(there, ", "))
}

// readSnapshot reads a stored snapshot. Errors name its path.
func readSnapshot(path string) (state.Snapshot, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state.Snapshot{}, fmt.Errorf("%s is gone", path)
	}
	if err != nil {
		return state.Snapshot{}, fmt.Errorf("reading a kept snapshot: %w", err)
	}
	snap, err := state.Decode(data)
	if d, ok := errors.AsType[*state.DamagedError](err); ok {
		d.Path = path
	}
	if n, ok := errors.AsType[*state.NewerError](err); ok {
		n.Path = path
	}
	if n := serialOf(path); err == nil && n != 0 && n != snap.Serial {
		err = &state.ForeignError{What: "snapshot", Path: path, Reason: fmt.Sprintf("its serial is %d, which is not that of its name", snap.Serial)}
	}
	return snap, err
}

// serialOf returns the serial in the name of a kept snapshot; 0 for another name.
func serialOf(path string) uint64 {
	digits := path[strings.LastIndexByte(path, '.')+1:]
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || len(digits) != serialDigits {
		return 0
	}
	return n
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
