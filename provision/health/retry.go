package health

import (
	"context"
	"time"
)

// The pause between two tries starts short, because most gates of a healthy
// cluster open within a second, and stays short, because a person is waiting.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// tryGrace is what a try that runs when the time is over gets to finish. Cutting
// it off at once would cost the host's session, and the answer it was about to give.
const tryGrace = 20 * time.Second

// retry calls try until it succeeds, the timeout has passed or ctx ends. No try
// starts after the timeout, but there is always a first one, and one at the end.
// It returns how often it tried and the last error, which is nil after a success.
// A try that failed only because its context ended does not replace the answer
// of an earlier one.
func retry(ctx context.Context, timeout time.Duration, onWait func(attempt int, last error), try func(context.Context) error) (int, error) {
	deadline := time.Now().Add(timeout)
	bounded, cancel := context.WithDeadline(ctx, deadline.Add(tryGrace))
	defer cancel()

	var last error
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, min(2*pause, longestPause) {
		err := try(bounded)
		if err == nil {
			return attempt, nil
		}
		if last == nil || bounded.Err() == nil {
			last = err
		}
		left := time.Until(deadline)
		if left <= 0 || bounded.Err() != nil {
			return attempt, last
		}
		if onWait != nil {
			onWait(attempt, last)
		}
		if !sleep(bounded, min(pause, left)) {
			return attempt, last
		}
	}
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
