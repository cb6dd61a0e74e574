package apply

import (
	"errors"
	"fmt"
	"time"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

// Phase says where a change is.
type Phase string

// The phases of an event. Gate events come from waiting for health, Bytes
// events from uploads; Finished closes the stream.
const (
	Planned  Phase = "planned" // once per change, before the first starts
	Started  Phase = "started"
	Progress Phase = "progress" // Done of Total bytes
	Waiting  Phase = "waiting"  // for a gate; Message names it
	Done     Phase = "done"
	Failed   Phase = "failed"
	Skipped  Phase = "skipped" // because of Message: a failed dependency, an open breaker, an interrupt
	Finished Phase = "finished"
	// What happens when a unit that ran before does not become healthy: what was
	// there before is put back. Message says why, and what came of it.
	Restoring   Phase = "restoring"
	Restored    Phase = "restored"
	NotRestored Phase = "not-restored"
)

// Event is one thing that happened while applying. Events of one change are in
// order; events of different hosts interleave.
type Event struct {
	Seq     int           `json:"seq"`
	Time    time.Time     `json:"time"`
	Phase   Phase         `json:"phase"`
	Addr    addr.Address  `json:"address"`
	Action  plan.Action   `json:"action,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"`
	Message string        `json:"message,omitempty"`
	Err     string        `json:"error,omitempty"`
	// Done and Total count bytes of an upload.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
}

// Sink receives events, one at a time.
type Sink func(Event)

// Result sums up a run.
type Result struct {
	Counts  plan.Counts `json:"counts"` // what was really done
	Failed  int         `json:"failed"`
	Skipped int         `json:"skipped"`
	// Restored counts the units that were put back to what was there before.
	Restored int           `json:"restored,omitempty"`
	Bytes    int64         `json:"bytes"` // sent to hosts
	Elapsed  time.Duration `json:"elapsed"`
	// Copying is the time during which at least one upload of a binary or an
	// image was under way.
	Copying time.Duration `json:"copying"`
}

// IncompleteError says that a plan was not carried out in full. What was done
// is recorded; running apply again resumes.
type IncompleteError struct {
	Errs    []error
	Skipped int
}

func (e *IncompleteError) Error() string {
	if len(e.Errs) == 0 {
		return fmt.Sprintf("interrupted: %d changes were not started; run `hardway apply` again to resume", e.Skipped)
	}
	return errors.Join(e.Errs...).Error()
}

// Unwrap returns the failures.
func (e *IncompleteError) Unwrap() []error { return e.Errs }

// RestoredError says that a unit did not become healthy with a change, and what
// came of putting back what was there before.
type RestoredError struct {
	Unit    string
	Err     error // why it did not become healthy
	Elapsed time.Duration
	Restore error // nil: the former one is in force and healthy
}

func (e *RestoredError) Error() string {
	if e.Restore != nil {
		return fmt.Sprintf("%s did not become healthy with the change: %v\nand putting back what was there before did not work either: %v", e.Unit, e.Err, e.Restore)
	}
	return fmt.Sprintf("%s did not become healthy with the change, so what was there before was put back; it is in force and healthy again (%s after the change). "+
		"The change is held back: mend the configuration and apply, or try this one once more with `hardway apply --retry`.\nWhat went wrong: %v", e.Unit, e.Elapsed.Round(time.Second), e.Err)
}

// Unwrap returns both failures.
func (e *RestoredError) Unwrap() []error { return []error{e.Err, e.Restore} }
