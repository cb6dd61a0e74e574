package ssh

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// allFaults takes about half an hour: every fault at every place, and the times
// that hosts really have, instead of a choice of places and short times.
var allFaults = flag.Bool("faults", false, "inject every fault at every place")

// site is a directory of a host that a scenario works on.
type site struct {
	root string
	cfg  Config
}

// What the scenario writes, and what stood there before; nothing for absent.
var (
	largeContent = bytes.Repeat([]byte("0123456789abcde\n"), 3<<16) // 3 MiB
	scenarioPuts = []struct{ name, old, text string }{
		{"a.conf", "old a\n", "new a\n"},
		{"b.conf", strings.Repeat("old b\n", 1000), strings.Repeat("new b\n", 2000)},
		{"c.conf", "", strings.Repeat("c", 20<<10)},
		{"d.key", "", "a key\n"},
		{"dir/e.conf", "", ""},
		{"large", "old large\n", string(largeContent)},
	}
	hostsBefore = "127.0.0.1 localhost" // without a newline at its end
	hostsAfter  = hostsBefore + "\n# BEGIN hardway\n10.0.0.1 m1\n# END hardway\n"
)

// newSite makes a host as it is before the scenario.
func newSite(t testing.TB, s *sshtest.Server, at string) site {
	t.Helper()
	c := config(t, s)
	c.RunDir, c.StateDir = filepath.Join(at, "run"), filepath.Join(at, "state")
	w := site{root: filepath.Join(at, "root"), cfg: c}
	if err := os.MkdirAll(w.root, 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"hosts": hostsBefore, "unwanted": "unwanted\n"}
	for _, p := range scenarioPuts {
		if p.old != "" {
			files[p.name] = p.old
		}
	}
	for name, text := range files {
		if err := os.WriteFile(w.at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("old-target", w.at("link")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w site) at(name string) string { return filepath.Join(w.root, name) }

// scenario does what an apply does with a host: it reads what is there, and
// brings it to what should be. It may be begun anew at any time.
func (w site) scenario(ctx context.Context, h *Host) error {
	req := facts.Request{Files: []facts.FileRequest{{Path: w.at("unwanted")}}}
	for _, p := range scenarioPuts {
		req.Files = append(req.Files, facts.FileRequest{Path: w.at(p.name)})
	}
	seen, err := h.Observe(ctx, req)
	if err != nil {
		return err
	}
	expect := func(name string) string {
		if f := seen.Files[w.at(name)]; f.Exists() {
			return f.SHA256
		}
		return "absent"
	}
	run := func(name, stdin string, args ...string) error {
		_, err := h.Run(ctx, host.Script{Name: name, Args: args, Stdin: []byte(stdin)})
		return err
	}
	if err := run("directory", "", w.at("dir"), "0750", "root", "root"); err != nil {
		return err
	}
	for _, p := range scenarioPuts {
		if err := run("prior-save", "", w.at(p.name)); err != nil {
			return err
		}
		f := put(w.at(p.name), []byte(p.text))
		f.Expect = expect(p.name)
		if err := h.Put(ctx, f); err != nil {
			return err
		}
	}
	if err := run("link", "", "new-target", w.at("link")); err != nil {
		return err
	}
	if err := run("block", "10.0.0.1 m1\n", w.at("hosts")); err != nil {
		return err
	}
	r := host.Remove{Path: w.at("unwanted")}
	if f := seen.Files[r.Path]; f.Exists() {
		r.Expect = f.SHA256
	}
	return h.Remove(ctx, r)
}

// undo puts back what the scenario kept of the time before it.
func (w site) undo(ctx context.Context, h *Host) error {
	if _, err := h.Run(ctx, host.Script{Name: "block", Args: []string{w.at("hosts")}}); err != nil {
		return err
	}
	_, err := h.Run(ctx, host.Script{Name: "prior-restore", Args: []string{w.at("b.conf")}})
	return err
}

// tree is everything below a directory: mode and content, by path.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case d.Type() == fs.ModeSymlink:
			text, err = os.Readlink(p)
		case d.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(p)
			text = string(b)
		}
		rel, _ := filepath.Rel(dir, p)
		out[rel] = info.Mode().String() + " " + text
		return err
	})
	if err != nil {
		t.Errorf("looking at %s: %v", dir, err)
	}
	return out
}

// torn names the files that have neither their old nor their new content.
func (w site) torn() []string {
	var out []string
	look := func(name string, good ...string) {
		b, err := os.ReadFile(w.at(name))
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(good, "") {
			return
		}
		if err != nil || !slices.Contains(good, string(b)) {
			out = append(out, fmt.Sprintf("%s (%d bytes, %v)", name, len(b), err))
		}
	}
	for _, p := range scenarioPuts {
		look(p.name, p.old, p.text)
	}
	look("hosts", hostsBefore, hostsAfter)
	look("unwanted", "", "unwanted\n")
	if to, err := os.Readlink(w.at("link")); err != nil || to != "old-target" && to != "new-target" {
		out = append(out, fmt.Sprintf("link (%q, %v)", to, err))
	}
	return out
}

// watch reads the files again and again, and says at the end whether one of them
// was ever torn.
func (w site) watch() (stop func() []string) {
	over, found := make(chan struct{}), make(chan []string)
	go func() {
		for {
			if torn := w.torn(); len(torn) > 0 {
				found <- torn
				return
			}
			select {
			case <-over:
				found <- nil
				return
			case <-time.After(25 * time.Millisecond):
			}
		}
	}()
	return sync.OnceValue(func() []string { close(over); return <-found })
}

// tally is what came of all cuts.
type tally struct{ cuts, beyond, torn, stuck, slow, differ, other atomic.Int64 }

func (c *tally) String() string {
	return fmt.Sprintf("%d cuts (%d more places came after the end), %d torn files, %d stuck locks, %d late ends, %d different trees, %d others",
		c.cuts.Load(), c.beyond.Load(), c.torn.Load(), c.stuck.Load(), c.slow.Load(), c.differ.Load(), c.other.Load())
}

// leftovers are files that no session should leave behind.
func (w site) leftovers(t *testing.T) []string {
	var out []string
	for name := range tree(t, w.root) {
		if strings.Contains(name, ".hardway.") {
			out = append(out, name)
		}
	}
	for name := range tree(t, w.cfg.StateDir) {
		if name == "lock.info" || strings.HasSuffix(name, ".new") {
			out = append(out, "state/"+name)
		}
	}
	for _, name := range entries(t, w.cfg.RunDir) {
		out = append(out, "run/"+name)
	}
	slices.Sort(out)
	return out
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
				if c.mode = mode; *allFaults || i%12 == 5 && i/12%len(cutModes) == k {
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
