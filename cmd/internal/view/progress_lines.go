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
		first, _, _ := strings.Cut(e.Err, "\n")
		return w.failed + after + ": " + Escape(first)
	case apply.Skipped:
		return "Skipped: " + Escape(e.Message)
	}
	return ""
}

func stillText(r *running, elapsed time.Duration) string {
	text := wordsOf(r.action).still
	if r.gate != "" {
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

// Applied writes the last line of an apply or a destruction, and where the
// time went.
func Applied(w io.Writer, r apply.Result, mode plan.Mode, s Style) error {
	c := s.palette()
	head, ok := appliedText(r, mode)
	paint := c.green
	if !ok {
		paint = c.red
	}
	took := "Took " + brief(r.Elapsed)
	if r.Bytes > 0 {
		took += fmt.Sprintf(", %s of it copying %s to hosts", brief(r.Copying), size(r.Bytes))
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", c.bold(paint(head)), c.faint(took+"."))
	return err
}

// appliedText is the headline of a result, and whether everything was done.
func appliedText(r apply.Result, mode plan.Mode) (string, bool) {
	name, numbers := "Apply", fmt.Sprintf("%d added, %d changed, %d destroyed", r.Counts.Add, r.Counts.Change, r.Counts.Destroy)
	if mode == plan.Destroy {
		name, numbers = "Destroy", fmt.Sprintf("%d destroyed", r.Counts.Destroy)
	}
	if r.Counts.Forget > 0 {
		numbers += fmt.Sprintf(", %d forgotten", r.Counts.Forget)
	}
	if r.Failed > 0 || r.Skipped > 0 {
		return fmt.Sprintf("%s incomplete. Resources: %s; %d failed, %d skipped.", name, numbers, r.Failed, r.Skipped), false
	}
	return name + " complete! Resources: " + numbers + ".", true
}
