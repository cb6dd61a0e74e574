package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gofrs/flock"

	"hardway/provision/state"
)

// LockInfo says who holds the lock. It stands in the .lock.info file for
// others to read; the lock itself is the kernel's, and ends with its holder.
type LockInfo struct {
	ID        string    `json:"id"`
	Operation string    `json:"operation"` // "apply"
	Who       string    `json:"who"`       // user@host
	PID       int       `json:"pid"`
	Version   string    `json:"version"` // of hardway
	Created   time.Time `json:"created"`
	Path      string    `json:"path"` // of the snapshot
}

// LockedError says that somebody else writes to the state.
type LockedError struct {
	Path   string
	Holder LockInfo // zero when it could not be read
	Age    time.Duration
}

// Error names the holder and what to do.
func (e *LockedError) Error() string {
	if e.Holder.ID == "" {
		return fmt.Sprintf("the state %s is locked by another process: wait for it with --lock-timeout=5m", e.Path)
	}
	h := e.Holder
	return fmt.Sprintf("the state %s is locked by %s (process %d) for %s since %s, %s ago (lock %s): "+
		"wait for it with --lock-timeout=5m; if that process hangs, end it on that machine with `kill %[3]d`, and the lock ends with it",
		e.Path, h.Who, h.PID, h.Operation, when(h.Created), e.Age.Round(time.Second), h.ID)
}

type heldLock struct {
	file *flock.Flock
	info LockInfo
}

// Lock takes the lock, trying again until timeout has passed; with 0 once. The
// error is a *LockedError when somebody else has it.
func (s *Store) Lock(ctx context.Context, operation string, timeout time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock != nil {
		return fmt.Errorf("locking the state %s: it is locked by this process already", s.path)
	}
	every := backoff.NewExponentialBackOff()
	every.InitialInterval, every.MaxInterval = 100*time.Millisecond, 2*time.Second
	tries := uint(0) // any number
	if timeout <= 0 {
		tries = 1
	}
	held, err := backoff.Retry(ctx, func() (*heldLock, error) { return s.tryLock(operation) },
		backoff.WithBackOff(every), backoff.WithMaxElapsedTime(timeout), backoff.WithMaxTries(tries))
	if err != nil {
		return err
	}
	s.lock = held
	return nil
}

func (s *Store) tryLock(operation string) (*heldLock, error) {
	l := flock.New(s.path+lockSuffix, flock.SetPermissions(fileMode))
	ok, err := l.TryLock()
	if err != nil {
		return nil, backoff.Permanent(fmt.Errorf("locking the state: %w", err))
	}
	if !ok {
		l.Close()
		return nil, s.locked()
	}
	// Somebody may have removed the file between open and lock, and then a
	// third could lock the next file of that name.
	held, err := l.Stat()
	if err == nil {
		var now os.FileInfo
		if now, err = os.Stat(s.path + lockSuffix); err == nil && !os.SameFile(held, now) {
			err = errors.New("the lock file was replaced")
		}
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("locking the state %s: %w", s.path, err)
	}
	info := LockInfo{ID: state.NewLineage(), Operation: operation, Who: who(), PID: os.Getpid(),
		Version: s.opts.Tool, Created: s.opts.Now().UTC().Round(0), Path: s.path}
	text, err := json.MarshalIndent(info, "", "  ")
	if err == nil {
		err = replace(s.path+infoSuffix, append(text, '\n'))
	}
	if err != nil {
		l.Close()
		return nil, backoff.Permanent(fmt.Errorf("locking the state %s: %w", s.path, err))
	}
	return &heldLock{file: l, info: info}, nil
}

// infoTime is how long the note about a holder may take to appear: it is written
// right after the lock was taken.
const infoTime = 100 * time.Millisecond

func (s *Store) locked() error {
	e := &LockedError{Path: s.path}
	for end := time.Now().Add(infoTime); ; time.Sleep(infoTime / 20) {
		if info, ok := s.readInfo(); ok {
			e.Holder, e.Age = info, s.opts.Now().Sub(info.Created)
			return e
		}
		if time.Now().After(end) {
			return e
		}
	}
}

func (s *Store) readInfo() (LockInfo, bool) {
	var info LockInfo
	text, err := os.ReadFile(s.path + infoSuffix)
	return info, err == nil && json.Unmarshal(text, &info) == nil
}

// Unlock gives the lock back. Records that were not committed stay in the
// journal, and the next Load finds them. Without the lock it does nothing.
func (s *Store) Unlock() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	if s.journal != nil {
		s.journal.close()
	}
	held := s.lock
	s.lock, s.loaded, s.journal = nil, false, nil
	err := os.Remove(s.path + infoSuffix)
	if err := errors.Join(err, held.file.Close()); err != nil {
		return fmt.Errorf("unlocking the state %s: %w", s.path, err)
	}
	return nil
}

// LockID returns the ID of the lock that is held, or "".
func (s *Store) LockID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return ""
	}
	return s.lock.info.ID
}

// ForceUnlock clears what the holder with that ID left behind. It cannot take
// the lock from a living process: then it is a *LockedError that names it.
func (s *Store) ForceUnlock(id string) error {
	info, ok := s.readInfo()
	if !ok {
		return fmt.Errorf("the state %s is not locked", s.path)
	}
	l := flock.New(s.path+lockSuffix, flock.SetPermissions(fileMode))
	free, err := l.TryLock()
	if err != nil {
		return fmt.Errorf("unlocking the state: %w", err)
	}
	defer l.Close()
	if !free {
		return s.locked()
	}
	if info.ID != id {
		return fmt.Errorf("the state %s carries the lock %s, not %s", s.path, info.ID, id)
	}
	if err := os.Remove(s.path + infoSuffix); err != nil {
		return fmt.Errorf("unlocking the state: %w", err)
	}
	return nil
}

// who returns user@host as far as both are known.
func who() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
