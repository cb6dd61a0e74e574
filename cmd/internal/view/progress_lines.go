package view

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"hardway/provision/apply"
	"hardway/provision/plan"
)

// lines is the Progress for logs and pipes: one line an event, as Terraform.
type lines struct {
	palette
	w       io.Writer
	t       *tracker
	skipped skips
}

// NewLines returns a Progress that writes plain lines.
func NewLines(w io.Writer, s Style) Progress {
	l := &lines{palette: s.palette(), w: w, skipped: skips{}}
	l.t = track(func(r *running, elapsed time.Duration) { l.print(r, stillText(r, elapsed)) })
	return l
}

func (l *lines) Event(e apply.Event) {
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	r := l.t.note(e)
	switch e.Phase {
	case apply.Skipped:
		l.skipped[e.Message]++
	case apply.Finished:
		l.skipped.flush(l.w)
	default:
		if text := eventText(e, r); text != "" {
			l.print(r, text)
		}
	}
}

// print writes one line about a change. A broken pipe is no reason to stop
// changing hosts, so a failed write is let go.
func (l *lines) print(r *running, text string) {
	fmt.Fprintf(l.w, "%s %s\n", l.bold(Escape(r.addr.String())+":"), text)
}

func (l *lines) Close() {
	l.t.close()
	l.skipped.flush(l.w)
}

// eventText is the sentence about an event, without the address; empty when
// there is nothing to say.
func eventText(e apply.Event, r *running) string {
	w := wordsOf(r.action)
	after := ""
	if e.Elapsed > 0 {
		after = " after " + seconds(e.Elapsed)
	}
	switch e.Phase {
	case apply.Started:
		return w.start
	case apply.Waiting:
		return "Waiting for " + Escape(e.Message) + "..."
	case apply.Done:
		return w.done + after
	case apply.Failed:
		return w.failed + after + ": " + Escape(failure(e.Err, e))
	case apply.Restoring:
		return "Putting back what was there before, because: " + Escape(failure(e.Message, e))
	case apply.Restored:
		return "What was there before is back" + after
	case apply.NotRestored:
		return "Putting back failed" + after + ": " + Escape(failure(e.Err, e))
	case apply.Skipped:
		return "Skipped: " + Escape(e.Message)
	}
	return ""
}

// failure is the first line of an error; the address stands before it already.
func failure(text string, e apply.Event) string {
	first, _, _ := strings.Cut(text, "\n")
	return withoutAddress(first, e.Addr)
}

func stillText(r *running, elapsed time.Duration) string {
	text := wordsOf(r.action).still
	switch {
	case r.restoring:
		text = "Still putting back what was there before..."
	case r.gate != "":
		text = "Still waiting for " + Escape(r.gate) + "..."
	}
	text += " [" + seconds(elapsed) + " elapsed"
	if p := percent(r.done, r.total); p != "" && r.gate == "" {
		text += ", " + p
	}
	return text + "]"
}

func number64(n int64) string { return strconv.FormatInt(n, 10) }

// skips counts skipped changes by reason: one failure can skip a hundred.
type skips map[string]int

func (s skips) flush(w io.Writer) {
	var reasons []string
	for reason := range s {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(w, "Skipped %s: %s\n", number(s[reason], "change"), Escape(reason))
	}
	clear(s)
}

// Applied is what came of an apply, a destruction or a rollback.
type Applied struct {
	apply.Result
	Mode plan.Mode
	// Unseen counts the hosts that could not be read and were left out, Held what
	// is held back, Undecided what no further step could decide.
	Unseen, Held, Undecided int
}

// Write writes the last line, and where the time went.
func (r Applied) Write(w io.Writer, s Style) error {
	c := s.palette()
	head, ok := r.text()
	paint := c.green
	if !ok {
		paint = c.red
	}
	took := "Took " + Brief(r.Elapsed)
	if r.Bytes > 0 {
		took += fmt.Sprintf(", %s of it copying %s to hosts", Brief(r.Copying), size(r.Bytes))
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", c.bold(paint(head)), c.faint(took+"."))
	return err
}

// text is the headline, and whether everything was done.
func (r Applied) text() (string, bool) {
	name, numbers := "Apply", fmt.Sprintf("%d added, %d changed, %d destroyed", r.Counts.Add, r.Counts.Change, r.Counts.Destroy)
	switch r.Mode {
	case plan.Destroy:
		name, numbers = "Destroy", fmt.Sprintf("%d destroyed", r.Counts.Destroy)
	case plan.Rollback:
		name = "Rollback"
	}
	if r.Counts.Forget > 0 {
		numbers += fmt.Sprintf(", %d forgotten", r.Counts.Forget)
	}
	var open []string
	if r.Failed > 0 || r.Skipped > 0 {
		open = append(open, fmt.Sprintf("%d failed, %d skipped", r.Failed, r.Skipped))
	}
	if r.Restored > 0 {
		open = append(open, number(r.Restored, "unit")+" put back")
	}
	if r.Unseen > 0 {
		open = append(open, number(r.Unseen, "host")+" left out")
	}
	if r.Held > 0 {
		open = append(open, number(r.Held, "change")+" held back")
	}
	if r.Undecided > 0 {
		open = append(open, number(r.Undecided, "resource")+" undecided")
	}
	if len(open) > 0 {
		return fmt.Sprintf("%s incomplete. Resources: %s; %s.", name, numbers, strings.Join(open, ", ")), false
	}
	return name + " complete! Resources: " + numbers + ".", true
}
