// Package host is the seam between deciding and doing: a handful of typed
// operations on one machine.
//
// It knows files, units and scripts. It must never know resources, plans or
// Kubernetes. Two implementations exist, host/ssh for real machines and
// host/hosttest in memory, and one conformance suite runs against both.
package host

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"hardway/provision/facts"
)

// Host is one machine. Its methods may be called from several goroutines;
// operations that must not overlap are ordered by the caller.
type Host interface {
	// Observe reads everything asked for in one batch and changes nothing.
	Observe(ctx context.Context, req facts.Request) (facts.Observation, error)
	// Put writes a file: temporary in the same directory, owner and mode first,
	// digest while streaming, fsync, rename, fsync of the directory.
	Put(ctx context.Context, p Put) error
	// Remove deletes a file, an empty directory or, if asked, a tree. What is
	// already gone is no error.
	Remove(ctx context.Context, r Remove) error
	// Unit performs one action on a systemd unit.
	Unit(ctx context.Context, name string, action UnitAction) error
	// Run runs one of the known scripts with arguments that travel as data. A
	// non-zero exit is a *ScriptError, and the Result is valid beside it; script
	// mark refusing is a *MarkedError.
	Run(ctx context.Context, s Script) (Result, error)
	// Lock takes the host's lock for this session, or fails at once with a
	// *LockedError naming the holder, which is the text that the other session
	// gave. It is released by Close, or by the kernel when the session dies.
	Lock(ctx context.Context, holder string) error
	// Close ends the session.
	Close() error
}

// Put describes a file to write. Expect, when set, is the SHA-256 that the
// present content must have ("absent" for none): a host that is no longer what
// the plan read of it is refused with a *ChangedError, before anything is written.
type Put struct {
	Path   string
	Mode   uint32 // permission bits
	Owner  string // user name; empty for root
	Group  string // group name; empty for root
	Size   int64
	SHA256 string // of Content, lower-case hex; verified on the host before the rename
	Expect string
	// Open returns the content from its beginning; it may be called again after
	// a lost connection.
	Open func() (io.ReadCloser, error)
}

// Remove describes what to delete; Expect as in Put.
type Remove struct {
	Path      string
	Recursive bool
	Expect    string
}

// UnitAction is what systemctl does.
type UnitAction string

// The actions. DaemonReload ignores the unit name. StartNoBlock returns once
// the job is queued: members of a new etcd cluster wait for each other.
const (
	DaemonReload UnitAction = "daemon-reload"
	Start        UnitAction = "start"
	StartNoBlock UnitAction = "start-no-block"
	Stop         UnitAction = "stop"
	Restart      UnitAction = "restart"
	// RestartNoBlock is for members of an etcd that has no quorum to lose.
	RestartNoBlock UnitAction = "restart-no-block"
	Reload         UnitAction = "reload"
	Enable         UnitAction = "enable"
	Disable        UnitAction = "disable"
	Unmask         UnitAction = "unmask"
	ResetFailed    UnitAction = "reset-failed"
)

// Script names one of the constant scripts of package templates, and carries
// its arguments and standard input. Neither ever becomes part of a command string.
type Script struct {
	Name  string
	Args  []string
	Stdin []byte
}

// Result is what a script left behind. Both streams are cut at MaxOutput.
type Result struct {
	Exit   int
	Stdout []byte
	Stderr []byte
}

// MaxOutput bounds each output stream of a script, in bytes.
const MaxOutput = 4 << 20

// ScriptError is a script that ran and failed.
type ScriptError struct {
	Script string
	Exit   int
	Stderr string
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("script %s: exit status %d: %s", e.Script, e.Exit, strings.TrimSpace(e.Stderr))
}

// ChangedError says that a path is not what the plan read.
type ChangedError struct{ Path, Want, Got string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s changed since the plan was made (was %.12s, is %.12s); run plan again", e.Path, e.Want, e.Got)
}

// LockedError says who holds the host's lock: the text that the holder gave to
// Lock, which names the person, the operation, its id and when it began.
type LockedError struct{ Holder string }

func (e *LockedError) Error() string {
	return "the lock of this host is held by " + e.Holder
}

// MarkedError is script mark refusing: the mark that is on the host has another
// lineage or a higher serial. Lineage and Serial are those of that mark.
type MarkedError struct {
	Lineage string
	Serial  uint64
	// Expected is the lineage that was to be written; empty where it is not known.
	Expected string
}

func (e *MarkedError) Error() string {
	newer := fmt.Sprintf("was last changed by a newer state (serial %d)", e.Serial)
	foreign := fmt.Sprintf("belongs to another cluster (lineage %s)", e.Lineage)
	switch e.Expected {
	case e.Lineage:
		return "this host " + newer + "; run `hardway state recover`"
	case "":
		return "this host " + newer + " or " + foreign + "; run `hardway state recover`"
	}
	return "this host " + foreign + "; run `hardway state recover`"
}

// LostError is a session that ended before an operation was answered. Whether
// the operation took effect is unknown; a new session has to observe it.
type LostError struct {
	Host  string
	Step  string        // what was being done, such as "put /etc/hosts"
	After time.Duration // since the step began
	Err   error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s: %s: no answer after %s: %v", e.Host, e.Step, e.After.Round(100*time.Millisecond), e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// FencedError says that another session took the host's lock since this one did,
// so that nothing of this one may be done any more.
type FencedError struct{ Host, Message string }

func (e *FencedError) Error() string { return e.Host + ": " + e.Message }
