package state

import (
	"errors"
	"fmt"
)

// ErrNotInitialised says that there is no state and no trace of one.
var ErrNotInitialised = errors.New("no state yet: run `hardway init` first")

// ErrNotLocked says that a store was written to without its lock, or before its
// state was loaded under the lock.
var ErrNotLocked = errors.New("the state is not locked for writing")

// Recover is the way out of every state that cannot be used, as errors name it:
// one command, whatever happened. It finds what is left, here and on the masters.
const Recover = "run `hardway state recover`"

// DamagedError says that stored bytes are not what hardway wrote.
type DamagedError struct {
	What   string // "snapshot" or "journal"
	Reason string
	Line   int // of a journal; the lines before it are good
	// Path and Recover are set by the store: where the bytes are, and the
	// command that brings the state back.
	Path    string
	Recover string
}

// Error names the file, what is wrong with it and the way out.
func (e *DamagedError) Error() string {
	return locate(e.What, e.Path, "is damaged: "+e.Reason, e.Recover)
}

// NewerError says that stored bytes were written by another, newer hardway.
type NewerError struct {
	What    string
	Format  int
	Tool    string // version of the writer, if it could be read
	Reason  string
	Path    string
	Recover string
}

// Error names the file and the version that wrote it.
func (e *NewerError) Error() string {
	s := fmt.Sprintf("has format %d (this hardway knows %d)", e.Format, Format)
	if e.Tool != "" {
		s += " and was written by hardway " + e.Tool
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return locate(e.What, e.Path, s, "use that hardway or a newer one; nothing was changed")
}

// ForeignError says that a snapshot and something beside it do not belong together.
type ForeignError struct {
	What    string
	Reason  string
	Path    string
	Recover string
}

// Error names the file and why it does not fit.
func (e *ForeignError) Error() string {
	return locate(e.What, e.Path, "does not belong here: "+e.Reason, e.Recover)
}

// OlderError says that a snapshot was put in place of a newer one.
type OlderError struct {
	Serial  uint64 // of the snapshot that is there
	Seen    uint64 // the higher one that was there
	Where   string // what shows it: a file, or a host
	Path    string
	Recover string
}

// Error names both serials and where the higher one was seen.
func (e *OlderError) Error() string {
	return locate("snapshot", e.Path, fmt.Sprintf("is an older one: its serial is %d, and %s has serial %d", e.Serial, e.Where, e.Seen), e.Recover)
}

// MissingError says that the snapshot is gone, though there was one.
type MissingError struct {
	Path    string
	Trace   string // what shows that there was one
	Recover string
}

// Error names the file, the trace and the way out.
func (e *MissingError) Error() string {
	return locate("snapshot", e.Path, "is gone, but "+e.Trace+" shows that there was one", e.Recover)
}

func locate(what, path, problem, next string) string {
	s := "the state's " + what
	if path != "" {
		s += " " + path
	}
	s += " " + problem
	if next != "" {
		s += "; " + next
	}
	return s
}
