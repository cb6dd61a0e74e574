// Package progress tells a person that a long step is alive: a line that counts seconds on a terminal, plain lines in a
// log. It must never know what the steps are.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Reporter writes the lines. The zero value is not usable; see New.
type Reporter struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	every    time.Duration // between signs of life
}

// New reports to file: every second on a terminal, every half minute into anything else.
func New(file *os.File) *Reporter {
	r := &Reporter{out: file, now: time.Now, every: 30 * time.Second}
	if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		r.terminal, r.every = true, time.Second
	}
	return r
}

// Line writes one plain line.
func (r *Reporter) Line(format string, args ...any) {
	fmt.Fprintf(r.out, format+"\n", args...)
}

// Step runs work and reports label with the elapsed time: "building etcd 3.7.3 (1 of 3) … 41 s".
func (r *Reporter) Step(label string, work func() error) error {
	start := r.now()
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	if r.terminal {
		fmt.Fprintf(r.out, "%s …", label)
	}
	for {
		select {
		case err := <-done:
			r.finish(label, r.now().Sub(start), err)
			return err
		case <-tick.C:
			r.alive(label, r.now().Sub(start))
		}
	}
}

// alive is the sign of life in the middle of a step.
func (r *Reporter) alive(label string, elapsed time.Duration) {
	if r.terminal {
		fmt.Fprintf(r.out, "\r%s … %d s", label, seconds(elapsed))
		return
	}
	fmt.Fprintf(r.out, "%s … %d s, still at it\n", label, seconds(elapsed))
}

// finish is the line that stays.
func (r *Reporter) finish(label string, elapsed time.Duration, err error) {
	if r.terminal {
		fmt.Fprint(r.out, "\r")
	}
	word := ""
	if err != nil {
		word = ", failed"
	}
	fmt.Fprintf(r.out, "%s … %d s%s\n", label, seconds(elapsed), word)
}

// seconds rounds a duration to whole seconds.
func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }
