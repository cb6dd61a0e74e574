package ssh

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// allFaults takes about half an hour: every fault at every place, and the times
// that hosts really have, instead of a choice of places and short times.
var allFaults = flag.Bool("faults", false, "inject every fault at every place")

// tally is what came of all cuts.
type tally struct{ cuts, beyond, torn, stuck, slow, differ, other atomic.Int64 }

func (c *tally) String() string {
	return fmt.Sprintf("%d cuts (%d more places came after the end), %d torn files, %d stuck locks, %d late ends, %d different trees, %d others",
		c.cuts.Load(), c.beyond.Load(), c.torn.Load(), c.stuck.Load(), c.slow.Load(), c.differ.Load(), c.other.Load())
}

// result is what an uninterrupted scenario leaves, and what is there when it was undone.
type result struct{ root, undone map[string]string }

// whole runs the scenario without a cut. The proxy has seen its packets.
func whole(t *testing.T, s *sshtest.Server) (result, *proxy) {
	t.Helper()
	w, p := newSite(t, s, t.TempDir()), newProxy(t, s.Address, cut{})
	w.cfg.Dial = p.dial
	h := dial(t, w.cfg)
	if err := errors.Join(h.Lock(t.Context(), "whole"), w.scenario(t.Context(), h)); err != nil {
		t.Fatal(err)
	}
	r := result{root: tree(t, w.root)}
	if err := errors.Join(w.undo(t.Context(), h), h.Close()); err != nil {
		t.Fatal(err)
	}
	r.undone = tree(t, w.root)
	p.end()
	for _, d := range []direction{toHost, toController} {
		if n := len(p.seen[d].edges); n < 40 || p.seen[d].edges[n-1] != p.seen[d].bytes {
			t.Fatalf("%s: %d packets were made out of %d bytes: the test cannot read them", d, n, p.seen[d].bytes)
		}
	}
	if left := w.leftovers(t); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
	return r, p
}

// attempt is the session that gets cut: everything from the connection on.
func (w site) attempt(ctx context.Context, cfg Config) (connected bool, err error) {
	h, err := Dial(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer h.Close()
	if err := h.Lock(ctx, "cut"); err != nil {
		return true, err
	}
	return true, w.scenario(ctx, h)
}

// cutOnce runs the scenario through a proxy that cuts, and then what a person
// would run next: the same again, on a line that holds.
//
// With the short times that a black hole needs here, a machine with too much to do
// may count as silent before the cut: then nothing was learnt, and it says so.
func cutOnce(t *testing.T, s *sshtest.Server, at cut, want result, count *tally) (early bool) {
	name := fmt.Sprintf("%s %s at byte %d, packet %d", at.mode, at.dir, at.offset, at.edge)
	fail := func(n *atomic.Int64, format string, args ...any) {
		n.Add(1)
		t.Errorf("%s: "+format, append([]any{name}, args...)...)
	}
	dir, err := os.MkdirTemp(t.TempDir(), "site")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w, p := newSite(t, s, dir), newProxy(t, s.Address, at)
	defer p.end()
	cfg := w.cfg
	cfg.Dial = p.dial
	if at.mode == cutHole {
		cfg.ConnectTimeout, cfg.KeepAlive, cfg.IdleTimeout = 6*time.Second, 200*time.Millisecond, 2500*time.Millisecond
	}
	torn := w.watch()
	defer torn()

	type end struct {
		connected bool
		err       error
		at        time.Time
	}
	ended := make(chan end, 1)
	go func() {
		connected, err := w.attempt(t.Context(), cfg)
		ended <- end{connected, err, time.Now()}
	}()
	var e end
	select {
	case e = <-ended:
	case <-time.After(time.Minute):
		fail(&count.slow, "the session has not ended after a minute")
		p.end()
		e = <-ended
	}
	select {
	case <-p.fired:
		count.cuts.Add(1)
		limit := 5 * time.Second
		if at.mode == cutHole && e.connected {
			limit += cfg.IdleTimeout
		} else if at.mode == cutHole {
			limit += cfg.ConnectTimeout
		}
		if late := e.at.Sub(p.when); late > limit {
			fail(&count.slow, "the session ended %s after it: %v", late, e.err)
		}
	default:
		switch {
		case e.err != nil && at.mode == cutHole:
			return true
		case e.err != nil:
			fail(&count.other, "an error without a cut: %v", e.err)
			return false
		}
		count.beyond.Add(1)
	}
	if e.err != nil && e.connected {
		if lost, ok := errors.AsType[*host.LostError](e.err); !ok || lost.Host != "m1" || lost.Step == "" {
			fail(&count.other, "not an error that says on which host and at which step: %v", e.err)
		}
	}

	// The host may take the watchdog's time to see it, and some to clear up.
	begun := time.Now()
	h, err := Dial(t.Context(), w.cfg)
	if err != nil {
		fail(&count.other, "the next session: %v", err)
		return false
	}
	defer h.Close()
	for {
		if err = h.Lock(t.Context(), "next"); err == nil {
			break
		}
		if _, locked := errors.AsType[*host.LockedError](err); !locked || time.Since(begun) > cfg.IdleTimeout+10*time.Second {
			fail(&count.stuck, "the lock, %s after it: %v", time.Since(begun), err)
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	if torn := w.torn(); len(torn) > 0 {
		fail(&count.torn, "torn files when the lock was free: %v", torn)
	}
	if err := w.scenario(t.Context(), h); err != nil {
		fail(&count.differ, "the same again: %v", err)
		return false
	}
	if torn := torn(); len(torn) > 0 {
		fail(&count.torn, "somebody could have read torn files: %v", torn)
	}
	if d := cmp.Diff(want.root, tree(t, w.root)); d != "" {
		fail(&count.differ, "not as after an uninterrupted run (-want +got):\n%s", d)
	}
	if err := errors.Join(w.undo(t.Context(), h), h.Close()); err != nil {
		fail(&count.differ, "taking it back: %v", err)
	}
	if d := cmp.Diff(want.undone, tree(t, w.root)); d != "" {
		fail(&count.differ, "not as it was before (-want +got):\n%s", d)
	}
	if left := w.leftovers(t); len(left) > 0 {
		fail(&count.differ, "left behind: %v", left)
	}
	return false
}

// places lists where to cut: with -faults after every packet of the first 64 KiB
// of each direction and at 300 bytes of all, in every way; without, at some.
func places(seen *proxy) []cut {
	const first, offsets = 64 << 10, 300
	var out []cut
	for _, d := range []direction{toHost, toController} {
		w := &seen.seen[d]
		var at []cut
		for i, edge := range w.edges {
			if edge <= first {
				at = append(at, cut{dir: d, edge: i + 1})
			}
		}
		n := int64(offsets / 3)
		if d == toHost { // most of what travels
			n *= 2
		}
		for i := range n {
			at = append(at, cut{dir: d, offset: w.bytes * i / n})
		}
		for i, c := range at {
			for k, mode := range cutModes {
				if c.mode = mode; *allFaults || i%40 == 17 && i/40%len(cutModes) == k {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// A connection may die at any byte, in any way: no file is ever torn, the host
// frees its lock by itself, and the same again ends as if nothing had been.
func TestCuts(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	want, seen := whole(t, s)
	todo := places(seen)
	t.Logf("%d packets and %d bytes to the host, %d and %d to the controller; %d cuts to make",
		len(seen.seen[toHost].edges), seen.seen[toHost].bytes, len(seen.seen[toController].edges), seen.seen[toController].bytes, len(todo))
	var count tally
	work := make(chan cut, len(todo))
	for _, at := range todo {
		work <- at
	}
	close(work)
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() {
			for at := range work {
				tries := 1
				for cutOnce(t, s, at, want, &count) {
					if tries++; tries > 5 {
						t.Errorf("%v: the session never came as far as the cut", at)
						break
					}
				}
			}
		})
	}
	workers.Wait()
	t.Log(&count)
}

// A black hole with the times that hosts really have: the controller gives up in
// time while it connects, while it waits for an answer and while it sends.
func TestBlackHoleInRealTime(t *testing.T) {
	needsRoot(t)
	if !*allFaults {
		t.Skip("takes more than a minute; run it with -faults")
	}
	s := sshtest.Start(t, sshtest.Options{})
	for _, c := range []struct {
		name   string
		offset int64
		limit  time.Duration
	}{
		{"connecting", 1000, DefaultConnectTimeout},
		{"waiting", 40 << 10, DefaultIdleTimeout},
		{"sending", 2 << 20, DefaultIdleTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, p := newSite(t, s, t.TempDir()), newProxy(t, s.Address, cut{mode: cutHole, dir: toHost, offset: c.offset})
			defer p.end()
			cfg := w.cfg
			cfg.Dial, cfg.ConnectTimeout, cfg.KeepAlive, cfg.IdleTimeout = p.dial, 0, 0, 0
			_, err := w.attempt(t.Context(), cfg)
			took := time.Since(p.when)
			if err == nil || took > c.limit+5*time.Second {
				t.Errorf("it ended %s after the cut: %v", took, err)
			}
			t.Logf("it ended %s after the cut: %v", took.Round(100*time.Millisecond), err)
		})
	}
}

// limited is a connection that ends after some more bytes to the host.
type limited struct {
	*net.TCPConn
	left *atomic.Int64 // negative for no limit
}

func (l limited) Write(b []byte) (int, error) {
	left := l.left.Load()
	if left < 0 {
		return l.TCPConn.Write(b)
	}
	n, err := l.TCPConn.Write(b[:min(int64(len(b)), left)])
	l.left.Store(left - int64(n))
	if err == nil && n < len(b) {
		_ = l.TCPConn.CloseWrite()
		err = io.ErrClosedPipe
	}
	return n, err
}

// dialLimited opens a session that a test can cut.
func dialLimited(t *testing.T, cfg Config) (*Host, *atomic.Int64) {
	t.Helper()
	left := new(atomic.Int64)
	left.Store(-1)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return limited{c.(*net.TCPConn), left}, nil
	}
	return dial(t, cfg), left
}

// A request that arrives in part is not run in part: neither with half of its
// input, nor with half of its arguments.
func TestCutInsideAFrame(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	for _, c := range []struct {
		name   string
		script func(note string) host.Script
		after  int64
	}{
		{"input", func(note string) host.Script {
			return host.Script{Name: "exec", Args: []string{"sh", "-c", `wc -c >"$1"`, "sh", note}, Stdin: make([]byte, 200<<10)}
		}, 150 << 10},
		{"large input", func(note string) host.Script {
			return host.Script{Name: "exec", Args: []string{"sh", "-c", `wc -c >"$1.new"; mv "$1.new" "$1"`, "sh", note}, Stdin: make([]byte, 4<<20)}
		}, 2 << 20},
		{"arguments", func(note string) host.Script {
			args := []string{"sh", "-c", `echo $# >"$1"`, "sh", note}
			for range 1000 {
				args = append(args, strings.Repeat("x", 120))
			}
			return host.Script{Name: "exec", Args: args}
		}, 90 << 10},
		{"script", func(note string) host.Script {
			// exec.sh itself is sent with the first request of a channel.
			return host.Script{Name: "exec", Args: []string{"touch", note}}
		}, 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, s)
			for range 3 { // whoever is faster would decide
				h, left := dialLimited(t, cfg)
				if c.name != "script" {
					if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}}); err != nil {
						t.Fatal(err)
					}
				}
				note := filepath.Join(t.TempDir(), "note")
				left.Store(c.after)
				_, err := h.Run(t.Context(), c.script(note))
				if _, lost := errors.AsType[*host.LostError](err); !lost {
					t.Fatalf("got %v", err)
				}
				other := dial(t, cfg)
				eventually(t, "the end of the first session", func() bool { return len(entries(t, cfg.RunDir)) == 1 })
				if text, err := os.ReadFile(note); err == nil {
					t.Fatalf("it was run with a part of what was sent: %q", text)
				}
				if err := errors.Join(h.Close(), other.Close()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// When a session ends, what runs is asked to end and may clear up; nobody gets the
// lock before it has.
func TestCutLetsAScriptClearUp(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	h, left := dialLimited(t, cfg)
	if err := h.Lock(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(t.TempDir(), "note")
	ended := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"sh", "-c",
			`trap 'sleep 1; echo cleared >>"$1"; exit 1' TERM; echo began >"$1"; while :; do sleep 0.1; done`, "sh", note}})
		ended <- err
	}()
	read := func() string { text, _ := os.ReadFile(note); return string(text) }
	eventually(t, "the script", func() bool { return read() == "began\n" })
	left.Store(0)
	_ = h.control.beat(1 << 20)
	if err := <-ended; err == nil {
		t.Fatal("the connection was not cut")
	}
	other := dial(t, cfg)
	eventually(t, "the lock", func() bool { return other.Lock(t.Context(), "second") == nil })
	if got := read(); got != "began\ncleared\n" {
		t.Errorf("the lock was free before the script had cleared up: %q", got)
	}
}
