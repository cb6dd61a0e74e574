package health

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"hardway/provision/host"
	"hardway/provision/resource"
)

// WaitError says that a gate did not open: what was asked, what the last answer
// was, and how long was waited.
type WaitError struct {
	Attempts int
	Elapsed  time.Duration
	Last     error // as Once returned it: it names the gate and the question
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("%v (waited %s, asked %d times)", e.Last, e.Elapsed.Round(time.Millisecond), e.Attempts)
}

func (e *WaitError) Unwrap() error { return e.Last }

// Once asks g on h a single time; nil means that it holds. An *AnswerError
// carries the host's answer; any other error means that the question could not
// be asked. Only ctx bounds how long it takes.
func Once(ctx context.Context, h host.Host, g resource.Gate) error {
	if g.HTTP == "" && len(g.Argv) == 0 {
		return fmt.Errorf("gate %q asks nothing: it has neither a URL nor a command", g.Name)
	}
	if err := ask(ctx, h, g); err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
	}
	return nil
}

func ask(ctx context.Context, h host.Host, g resource.Gate) error {
	if g.HTTP == "" {
		_, err := runArgv(ctx, h, g.Argv, nil)
		return err
	}
	status, body, err := httpGet(ctx, h, g.HTTP, 0)
	if err == nil && status != http.StatusOK {
		err = badStatus(g.HTTP, status, body)
	}
	return err
}

// Wait repeats Once until g holds, g.Timeout has passed or ctx ends; a Timeout of
// zero means one try. The error is a *WaitError, or wraps ctx's error when that
// ended first. onWait, which may be nil, hears of every failed attempt that
// another one follows.
func Wait(ctx context.Context, h host.Host, g resource.Gate, onWait func(attempt int, last error)) error {
	start := time.Now()
	attempts, last := retry(ctx, g.Timeout, onWait, func(ctx context.Context) error { return Once(ctx, h, g) })
	if last == nil {
		return nil
	}
	err := &WaitError{Attempts: attempts, Elapsed: time.Since(start), Last: last}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("waiting was interrupted (%w): %w", cause, err)
	}
	return err
}
