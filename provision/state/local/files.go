package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"hardway/provision/state"
)

// badDisk is what to do when a file of the state cannot be written.
const badDisk = "make room or repair the disk, then run the command again"

const (
	backupSuffix  = ".backup"
	journalSuffix = ".journal"
	lockSuffix    = ".lock"
	infoSuffix    = ".lock.info"

	// historyDir is below the snapshot's directory.
	historyDir = ".hardway/snapshots"
	// historyLength is how many snapshots are kept there.
	historyLength = 10
	// serialDigits is how many digits the serial has in their names, so that they
	// sort.
	serialDigits = 20

	fileMode = 0o600
	dirMode  = 0o700
)

// files is what was read: bytes of the two files, nil for one that is absent,
// and the kept snapshots that there were then, the newest first.
type files struct {
	snapshot, journal []byte
	kept              []string
}

// read reads snapshot and journal as they belong together. A writer replaces
// the snapshot before it removes the journal, so the pair is right when the
// snapshot did not change while the journal was read.
func (s *Store) read(ctx context.Context) (files, error) {
	var f files
	for {
		var err error
		if f.snapshot, err = readFile(s.path); err != nil {
			return files{}, fmt.Errorf("reading the state: %w", err)
		}
		if f.journal, err = readFile(s.path + journalSuffix); err != nil {
			return files{}, fmt.Errorf("reading the state's journal: %w", err)
		}
		f.kept = s.history()
		again, err := readFile(s.path)
		if err != nil {
			return files{}, fmt.Errorf("reading the state: %w", err)
		}
		if bytes.Equal(f.snapshot, again) {
			break
		}
		select {
		case <-ctx.Done():
			return files{}, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if f.snapshot != nil {
		return f, nil
	}
	if trace := s.trace(f); trace != "" {
		return f, &state.MissingError{Path: s.path, Trace: trace, Recover: state.Recover}
	}
	return f, fmt.Errorf("%s: %w", s.path, state.ErrNotInitialised)
}

// readFile returns nil for a file that does not exist, and never nil for one
// that does.
func readFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case b == nil:
		return []byte{}, nil
	}
	return b, nil
}

// trace names a file that is there only when a snapshot was.
func (s *Store) trace(f files) string {
	if f.journal != nil {
		return s.path + journalSuffix
	}
	if b, err := readFile(s.path + backupSuffix); b != nil && err == nil {
		return s.path + backupSuffix
	}
	if len(f.kept) > 0 {
		return f.kept[0]
	}
	return ""
}

// decode turns the two files into a state, and completes errors with the path
// and the way out. It does not look at the kept snapshots.
func (s *Store) decode(f files) (state.Snapshot, state.Recovery, error) {
	snap, err := state.Decode(f.snapshot)
	if err != nil {
		return state.Snapshot{}, state.Recovery{}, s.complete(err)
	}
	if f.journal == nil {
		return snap, state.Recovery{}, nil
	}
	j, err := state.DecodeJournal(f.journal)
	if err != nil {
		return state.Snapshot{}, state.Recovery{}, s.complete(err)
	}
	snap, rec, err := snap.Replay(f.snapshot, j)
	if err != nil {
		return state.Snapshot{}, state.Recovery{}, s.complete(err)
	}
	return snap, rec, nil
}

// store makes snap the snapshot, in steps each of which may be the last one
// before a crash: the old one to .backup, the new one in place, its copy to the
// history, the journal away. It returns the stored bytes.
func (s *Store) store(snap state.Snapshot, old []byte) ([]byte, error) {
	data, err := state.Encode(snap)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if err := s.step("backup", func() error { return replace(s.path+backupSuffix, old) }); err != nil {
			return nil, fmt.Errorf("keeping the old state: %w", err)
		}
	}
	if err := s.step("snapshot", func() error { return replace(s.path, data) }); err != nil {
		return nil, fmt.Errorf("writing the state: %w", err)
	}
	if err := s.keep(snap, data); err != nil {
		return nil, err
	}
	return data, s.dropJournal()
}

// keep puts a copy of the snapshot into the history and removes the oldest.
func (s *Store) keep(snap state.Snapshot, data []byte) error {
	path := s.historyPath(snap)
	err := s.step("history", func() error {
		if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
			return err
		}
		return replace(path, data)
	})
	if err != nil {
		return fmt.Errorf("keeping a copy of the state: %w", err)
	}
	if h := s.history(); len(h) > historyLength {
		for _, old := range h[historyLength:] {
			os.Remove(old) // one too many is no harm
		}
	}
	return nil
}

func (s *Store) historyPath(snap state.Snapshot) string {
	return filepath.Join(filepath.Dir(s.path), historyDir, fmt.Sprintf("%s.%0*d", filepath.Base(s.path), serialDigits, snap.Serial))
}

// history lists the kept snapshots, the newest first.
func (s *Store) history() []string {
	dir := filepath.Join(filepath.Dir(s.path), historyDir)
	entries, err := os.ReadDir(dir) // sorted by name, and so by serial
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		serial, ok := strings.CutPrefix(e.Name(), filepath.Base(s.path)+".")
		if ok && len(serial) == serialDigits && strings.Trim(serial, "0123456789") == "" {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.Reverse(out)
	return out
}

// dropJournal removes the journal, which the snapshot contains.
func (s *Store) dropJournal() error {
	err := s.step("journal drop", func() error {
		err := os.Remove(s.path + journalSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = syncDir(filepath.Dir(s.path))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("removing the state's journal: %w", err)
	}
	return nil
}

// sweep removes what replacements cut off by a crash left behind. The lock is
// held, so nobody is in the middle of one.
func (s *Store) sweep() {
	for _, name := range []string{s.path, s.path + backupSuffix, s.path + journalSuffix} {
		left, err := filepath.Glob(filepath.Join(globQuote(filepath.Dir(name)), "."+globQuote(filepath.Base(name))+"[0-9]*"))
		if err != nil {
			continue
		}
		for _, l := range left {
			os.Remove(l) // harmless where it stays
		}
	}
}

var globQuote = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace

// replace writes a file as a whole or not at all, durably.
func replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	err := renameio.WriteFile(path, data, fileMode, renameio.WithTempDir(dir), renameio.WithStaticPermissions(fileMode))
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, badDisk)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// step does what is durable when it returns. A test can stop it before, as a
// crash would, or afterwards, when it is done and nobody knows.
func (s *Store) step(name string, do func() error) error {
	if s.fail == nil {
		return do()
	}
	if err := s.fail(name, "before"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.fail(name, "after")
}
