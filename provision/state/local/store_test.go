package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/state"
)

var (
	ctx     = context.Background()
	clock   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	options = Options{Tool: "0.1.0", Now: func() time.Time { return clock }}
	compare = cmp.Options{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
)

func file(n int) (addr.Address, resource.Spec) {
	path := fmt.Sprintf("/etc/hardway/%d", n)
	return addr.Address{Host: addr.Host{Role: addr.Node, Name: "n1"}, Kind: "file", Name: path},
		resource.Spec{File: &resource.File{Path: path, Meta: resource.Root(0o644), Content: fmt.Sprint(n)}}
}

func begin(s *Store, n int) error {
	a, spec := file(n)
	return s.Begin(ctx, state.Begin{Addr: a, Spec: spec})
}

func done(s *Store, n int) error {
	a, _ := file(n)
	return s.Done(ctx, state.Done{Addr: a, SHA256: fmt.Sprint(n)})
}

// must fails the test at the first error.
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// locked returns a created store that is ready for records.
func locked(t testing.TB) *Store {
	t.Helper()
	s := New(filepath.Join(t.TempDir(), "hardway.state"), options)
	must(t, s.Lock(ctx, "test", 0), s.Create(ctx, state.New("lab", "0.1.0", clock)))
	t.Cleanup(func() { s.Unlock() })
	return s
}

func load(t testing.TB, s *Store) (state.Snapshot, state.Recovery) {
	t.Helper()
	snap, rec, err := s.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return snap, rec
}

func TestLifeOfAState(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "hardway.state"), options)
	if _, _, err := s.Load(ctx); !errors.Is(err, state.ErrNotInitialised) || !strings.Contains(err.Error(), s.Path()) {
		t.Fatalf("nothing there: %v", err)
	}
	if err := begin(s, 1); !errors.Is(err, state.ErrNotLocked) {
		t.Fatalf("writing without the lock: %v", err)
	}
	must(t, s.Lock(ctx, "init", 0), s.Create(ctx, state.New("lab", "0.1.0", clock)))
	if err := s.Create(ctx, state.New("lab", "0.1.0", clock)); err == nil {
		t.Error("created twice")
	}
	must(t, begin(s, 1), done(s, 1), begin(s, 2))
	a2, _ := file(2)
	must(t, s.Failed(ctx, a2, "no space left"), s.Commit(ctx), s.Commit(ctx), s.Unlock())

	other := New(s.Path(), options)
	snap, rec := load(t, other)
	if snap.Serial != 2 || rec != (state.Recovery{}) || len(snap.Resources) != 2 || snap.Resources[a2].Tainted != "no space left" {
		t.Errorf("serial %d, %+v, %v", snap.Serial, rec, snap.Resources)
	}
	must(t, other.Lock(ctx, "apply", 0))
	load(t, other)
	must(t, other.BeginRemoval(ctx, a2), other.Forget(ctx, a2), other.PutAllocations(ctx, state.Allocations{Pods: map[string]state.PodRange{"n1": {CIDR: netip.MustParsePrefix("10.244.0.0/24")}}}))
	must(t, other.PutKeys(ctx, state.Keys{Recipients: []string{"age1x"}, Sealed: []byte("sealed")}), other.Commit(ctx), other.Unlock())
	snap, _ = load(t, s)
	if snap.Serial != 3 || len(snap.Resources) != 1 || string(snap.Sealed) != "sealed" || len(snap.Allocations.Pods) != 1 {
		t.Errorf("%+v", snap)
	}
	for _, name := range []string{"hardway.state", "hardway.state.backup", ".hardway/snapshots/hardway.state.00000000000000000003"} {
		info, err := os.Stat(filepath.Join(filepath.Dir(s.Path()), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, gone := range []string{journalSuffix, infoSuffix} {
		if _, err := os.Stat(s.Path() + gone); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
}

func TestHistoryKeepsTheLastTen(t *testing.T) {
	s := locked(t)
	for n := range 15 {
		must(t, begin(s, n), s.Commit(ctx))
	}
	h := s.history()
	if len(h) != historyLength || !strings.HasSuffix(h[0], "16") || !strings.HasSuffix(h[9], "07") {
		t.Errorf("history %v", h)
	}
}

// A crash before or after any durable step loses nothing that was acknowledged, needs no
// hand, and shows the same state with and without the lock.
func TestCrashBetweenSteps(t *testing.T) {
	crash := errors.New("crash")
	for point := 1; ; point++ {
		s := locked(t)
		steps, acked := 0, map[addr.Address]bool{}
		s.fail = func(string, string) error {
			if steps++; steps >= point {
				return crash
			}
			return nil
		}
		tried := 0
		err := func() error {
			for n := range 4 {
				a, _ := file(n)
				tried++
				if err := begin(s, n); err != nil {
					return err
				}
				acked[a] = false
				if err := done(s, n); err != nil {
					return err
				}
				acked[a] = true
				if n%2 == 1 {
					if err := s.Commit(ctx); err != nil {
						return err
					}
				}
			}
			return nil
		}()
		s.lock.file.Close() // as the kernel does for a dead process
		s.lock = nil        // the clean-up has nothing to unlock

		s2 := New(s.Path(), options)
		seen, _ := load(t, s2)
		for a, done := range acked {
			r, ok := seen.Resources[a]
			if !ok || done && r.Pending {
				t.Fatalf("crash at point %d: %s was acknowledged (done: %v) and is lost", point, a, done)
			}
		}
		if len(seen.Resources) > tried {
			t.Fatalf("crash at point %d: %d resources after %d", point, len(seen.Resources), tried)
		}
		must(t, s2.Lock(ctx, "apply", 0))
		folded, _ := load(t, s2)
		if d := cmp.Diff(seen, folded, compare); d != "" {
			t.Fatalf("crash at point %d: locked and unlocked differ: %s", point, d)
		}
		must(t, begin(s2, 99), s2.Commit(ctx), s2.Unlock())
		after, rec := load(t, s2)
		if after.Serial != folded.Serial+1 || rec != (state.Recovery{}) {
			t.Fatalf("crash at point %d: serial %d after %d, %+v", point, after.Serial, folded.Serial, rec)
		}
		if err == nil {
			if point < 30 {
				t.Fatalf("only %d steps", point)
			}
			return
		}
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}
	}
}

func TestCrashWhileCreating(t *testing.T) {
	for point := 1; point <= 6; point++ { // before and after three steps
		s := New(filepath.Join(t.TempDir(), "hardway.state"), options)
		steps := 0
		s.fail = func(string, string) error {
			if steps++; steps == point {
				return errors.New("crash")
			}
			return nil
		}
		must(t, s.Lock(ctx, "init", 0))
		if err := s.Create(ctx, state.New("lab", "0", clock)); err == nil {
			t.Fatalf("point %d was not reached", point)
		}
		s.lock.file.Close()
		s2 := New(s.Path(), options)
		must(t, s2.Lock(ctx, "init", 0))
		snap, _, err := s2.Load(ctx)
		if errors.Is(err, state.ErrNotInitialised) && point == 1 {
			must(t, s2.Create(ctx, state.New("lab", "0", clock)))
			snap, _ = load(t, s2)
		} else if err != nil {
			t.Fatalf("point %d: %v", point, err)
		}
		if snap.Serial != 1 || len(s2.history()) != 1 {
			t.Errorf("point %d: serial %d, history %v", point, snap.Serial, s2.history())
		}
		must(t, s2.Unlock())
	}
}

func TestConcurrentRecords(t *testing.T) {
	s := locked(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				n := g*100 + i
				if err := errors.Join(begin(s, n), done(s, n)); err != nil {
					t.Error(err)
				}
				if n%137 == 0 {
					if err := s.Commit(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	want := s.Snapshot()
	must(t, s.Unlock())
	snap, _ := load(t, s)
	if len(snap.Resources) != 160 {
		t.Fatalf("%d of 160 resources", len(snap.Resources))
	}
	if d := cmp.Diff(want.Resources, snap.Resources); d != "" {
		t.Error(d)
	}
}

// After a failed write nobody knows what is on the disk: nothing more is
// acknowledged until a commit put everything into a new snapshot.
func TestFailedWrite(t *testing.T) {
	s := locked(t)
	must(t, begin(s, 1))
	full := errors.New("no space left on device")
	s.fail = func(step, when string) error {
		if step == "journal sync" && when == "before" {
			return full
		}
		return nil
	}
	if err := done(s, 1); !errors.Is(err, full) || !strings.Contains(err.Error(), s.path+journalSuffix) {
		t.Fatalf("got %v", err)
	}
	s.fail = nil
	if err := begin(s, 2); !errors.Is(err, full) {
		t.Fatalf("acknowledged after a failed write: %v", err)
	}
	must(t, s.Commit(ctx), begin(s, 2), s.Unlock())
	snap, _ := load(t, s)
	a1, _ := file(1)
	a2, _ := file(2)
	if snap.Resources[a1].Pending || !snap.Resources[a2].Pending {
		t.Errorf("%+v", snap.Resources)
	}
}

func TestPush(t *testing.T) {
	s := locked(t)
	must(t, begin(s, 1), s.Commit(ctx))
	old, err := os.ReadFile(s.path + backupSuffix) // serial 1
	must(t, err)
	now, err := os.ReadFile(s.path) // serial 2
	must(t, err)
	stranger, err := state.Encode(state.New("other", "0", clock))
	must(t, err)
	for _, c := range []struct {
		name   string
		stored []byte
		want   string
	}{
		{"older", old, "it is older"},
		{"another lineage", stranger, "its lineage is"},
		{"no state", []byte("x"), "damaged"},
	} {
		if err := s.Push(ctx, c.stored, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	must(t, s.Push(ctx, now, false))
	if got := s.Snapshot().Serial; got != 3 {
		t.Errorf("serial %d", got)
	}
	must(t, s.Push(ctx, old, true))
	if got := s.Snapshot(); got.Serial != 4 || len(got.Resources) != 0 {
		t.Errorf("serial %d, %d resources", got.Serial, len(got.Resources))
	}
	must(t, os.Truncate(s.path, 100))
	if err := s.Push(ctx, now, false); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("over a damaged one: %v", err)
	}
	must(t, s.Push(ctx, now, true))
	if got := s.Snapshot().Serial; got != 5 {
		t.Errorf("serial %d: that of a kept snapshot was taken again", got)
	}
	must(t, s.Push(ctx, stranger, true), s.Unlock())
	if snap, _ := load(t, s); snap.Cluster != "other" || snap.Serial != 6 {
		t.Errorf("%q, serial %d", snap.Cluster, snap.Serial)
	}
}

// What a push replaces may still have a journal: a crash before that is removed
// needs no hand.
func TestCrashWhilePushing(t *testing.T) {
	s := locked(t)
	must(t, begin(s, 1), s.Commit(ctx), begin(s, 2))
	snap := s.Snapshot()
	snap.Resources = nil
	stored, err := state.Encode(snap)
	must(t, err)
	s.fail = func(step, when string) error {
		if step == "journal drop" && when == "before" {
			return errors.New("crash")
		}
		return nil
	}
	if err := s.Push(ctx, stored, true); err == nil {
		t.Fatal("the journal was not dropped, and there is no error")
	}
	s.fail = nil
	must(t, s.Unlock())
	if got, rec := load(t, s); len(got.Resources) != 0 || !rec.Stale {
		t.Errorf("%d resources, %+v", len(got.Resources), rec)
	}
}
