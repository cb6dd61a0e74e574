package local

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"hardway/provision/state"
)

// journal appends entries to the journal file. Adding fixes an entry's place;
// flushing makes it durable. While one fsync runs, the entries added meanwhile
// gather in a batch that the next fsync takes whole.
type journal struct {
	path string
	id   string
	file *os.File
	step func(name string, do func() error) error // as the store's

	mu   sync.Mutex
	last string // checksum of the last line added
	open *batch // not yet being written
	err  error  // the first failed write; nothing is written after it

	disk sync.Mutex // held while a batch is written
}

// batch is a run of lines that becomes durable by one fsync.
type batch struct {
	lines []byte
	once  sync.Once
	err   error
}

// startJournal makes the journal file with its first line. It is renamed into
// place, so a journal without a whole first line is never a crash but damage.
func (s *Store) startJournal() (*journal, error) {
	line, id, err := state.NewJournal(s.current, s.stored, s.opts.Tool, s.opts.Now())
	if err != nil {
		return nil, err
	}
	path := s.path + journalSuffix
	if err := s.step("journal start", func() error { return replace(path, line) }); err != nil {
		return nil, fmt.Errorf("starting the journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("starting the journal: %w", err)
	}
	return &journal{path: path, id: id, file: f, last: id, step: s.step}, nil
}

// add applies an entry to memory and gives it its place in the file.
func (j *journal) add(e state.Entry, apply func() error) (*batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return nil, j.err
	}
	line, sum, err := state.AppendEntry(j.last, e)
	if err != nil {
		return nil, err
	}
	if err := apply(); err != nil {
		return nil, err
	}
	if j.open == nil {
		j.open = new(batch)
	}
	j.open.lines = append(j.open.lines, line...)
	j.last = sum
	return j.open, nil
}

// flush returns when the batch is durable.
func (j *journal) flush(b *batch) error {
	b.once.Do(func() {
		j.disk.Lock()
		defer j.disk.Unlock()
		j.mu.Lock() // from here on, new entries go into the next batch
		lines := b.lines
		if j.open == b {
			j.open = nil
		}
		b.err = j.err
		j.mu.Unlock()
		if b.err != nil {
			return
		}
		if b.err = j.write(lines); b.err != nil {
			// After a failed write or fsync nobody knows what is on the disk.
			j.mu.Lock()
			j.err = errors.Join(errors.New("an earlier record could not be written"), b.err)
			j.mu.Unlock()
		}
	})
	return b.err
}

func (j *journal) write(lines []byte) error {
	err := j.step("journal write", func() error {
		_, err := j.file.Write(lines)
		return err
	})
	if err != nil {
		return err
	}
	return j.step("journal sync", j.file.Sync)
}

// close writes what was added, waits for writes under way and closes the file.
// Nothing may be added meanwhile.
func (j *journal) close() {
	j.mu.Lock()
	b := j.open
	j.mu.Unlock()
	if b != nil {
		j.flush(b) // whoever added to it gets the error
	}
	j.disk.Lock()
	defer j.disk.Unlock()
	j.file.Close() // every acknowledged byte was synced before
}
