package local

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/state"
)

// crashed leaves a snapshot with serial 3, its history and a journal of two
// entries, as a crash would.
func crashed(t *testing.T) (*Store, state.Snapshot) {
	t.Helper()
	s := locked(t)
	must(t, begin(s, 1), done(s, 1), s.Commit(ctx), begin(s, 2), s.Commit(ctx), done(s, 2), begin(s, 3))
	want := s.Snapshot()
	must(t, s.Unlock())
	return s, want
}

func write(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err, os.WriteFile(path, change(data), 0o600))
}

// recovers takes what state.Choose chooses, as `hardway state recover` does, and
// holds that the state loads then and that nothing was deleted.
func recovers(t *testing.T, s *Store) (state.Snapshot, state.Candidate) {
	t.Helper()
	list := s.Candidates()
	choice, err := state.Choose(list, state.Evidence{Cluster: "lab"})
	must(t, err)
	before := contents(t, s)
	must(t, s.Lock(ctx, "state recover", 0))
	aside, err := s.Restore(ctx, list[choice.Best].Stored, 0)
	must(t, err, s.Unlock())
	for _, suffix := range []string{"", journalSuffix} {
		if data, ok := before[s.path+suffix]; ok && !kept(t, aside, data) {
			t.Errorf("%s was not set aside", s.path+suffix)
		}
	}
	snap, rec := load(t, s)
	if rec != (state.Recovery{}) {
		t.Errorf("after the recovery: %+v", rec)
	}
	return snap, list[choice.Best]
}

// contents are the files of a store by their paths.
func contents(t *testing.T, s *Store) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, path := range append(s.history(), s.path, s.path+journalSuffix, s.path+backupSuffix) {
		if data, err := readFile(path); err == nil && data != nil {
			out[path] = data
		}
	}
	return out
}

func kept(t *testing.T, paths []string, data []byte) bool {
	t.Helper()
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && bytes.Equal(b, data) {
			return true
		}
	}
	return false
}

// Every damage is refused with an error that names the file and the one command,
// and what that command does brings the state back.
func TestDamageIsFoundAndRecovered(t *testing.T) {
	half := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/3] ^= 4; return b }
	none := func([]byte) []byte { return nil }
	for _, c := range []struct {
		name    string
		file    string // suffix
		change  func([]byte) []byte
		want    error
		entries int // of the two in the journal, that survive
		source  string
	}{
		{"snapshot cut", "", half, new(state.DamagedError), 2, "snapshots/hardway.state.00000000000000000003 with hardway.state.journal"},
		{"snapshot empty", "", none, new(state.DamagedError), 2, "with hardway.state.journal"},
		{"snapshot flipped", "", flip, new(state.DamagedError), 2, "with hardway.state.journal"},
		{"journal empty", journalSuffix, none, new(state.DamagedError), 0, "hardway.state"},
		{"journal head flipped", journalSuffix, func(b []byte) []byte { b[70] ^= 1; return b }, new(state.DamagedError), 0, "hardway.state"},
		{"journal flipped", journalSuffix, func(b []byte) []byte { b[len(b)-5] ^= 1; return b }, new(state.DamagedError), 1, "hardway.state with the good part of hardway.state.journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, want := crashed(t)
			write(t, s.path+c.file, c.change)
			_, _, err := s.Load(ctx)
			if err == nil || fmt.Sprintf("%T", err) != fmt.Sprintf("%T", c.want) || !strings.Contains(err.Error(), s.path+c.file) || !strings.HasSuffix(err.Error(), "run `hardway state recover`") {
				t.Fatalf("got %v", err)
			}
			got, taken := recovers(t, s)
			if taken.Entries != c.entries || !strings.HasSuffix(taken.Source, c.source) || taken.Lost != min(2-c.entries, 1) && c.entries > 0 {
				t.Errorf("took %q with %d entries, %d lost", taken.Source, taken.Entries, taken.Lost)
			}
			if c.entries == 2 {
				if d := cmp.Diff(want.Resources, got.Resources); d != "" {
					t.Error(d)
				}
			}
		})
	}
	t.Run("snapshot gone", func(t *testing.T) {
		s, want := crashed(t)
		must(t, os.Remove(s.path))
		_, _, err := s.Load(ctx)
		if !errors.As(err, new(*state.MissingError)) || !strings.Contains(err.Error(), state.Recover) {
			t.Fatalf("got %v", err)
		}
		must(t, s.Lock(ctx, "init", 0))
		if err := s.Create(ctx, state.New("lab", "0", clock)); !errors.As(err, new(*state.MissingError)) {
			t.Errorf("a new state would replace the lost one: %v", err)
		}
		must(t, s.Unlock())
		got, _ := recovers(t, s)
		if d := cmp.Diff(want.Resources, got.Resources); d != "" {
			t.Error(d)
		}
	})
	t.Run("older snapshot put back", func(t *testing.T) {
		s, want := crashed(t)
		must(t, os.Rename(s.path+backupSuffix, s.path))
		if _, _, err := s.Load(ctx); !errors.As(err, new(*state.ForeignError)) {
			t.Fatalf("got %v", err)
		}
		got, _ := recovers(t, s)
		if d := cmp.Diff(want.Resources, got.Resources); d != "" {
			t.Error(d)
		}
	})
	t.Run("older snapshot put back after the last one was closed", func(t *testing.T) {
		s := locked(t)
		must(t, begin(s, 1), s.Commit(ctx), begin(s, 2), s.Commit(ctx), s.Unlock(), os.Rename(s.path+backupSuffix, s.path))
		older := new(state.OlderError)
		if _, _, err := s.Load(ctx); !errors.As(err, &older) || older.Serial != 2 || older.Seen != 3 || !strings.Contains(err.Error(), state.Recover) {
			t.Fatalf("got %v", err)
		}
		if got, _ := recovers(t, s); len(got.Resources) != 2 || got.Serial != 4 {
			t.Errorf("serial %d, %d resources", got.Serial, len(got.Resources))
		}
	})
	t.Run("snapshot of another lineage put in its place", func(t *testing.T) {
		s := locked(t)
		must(t, begin(s, 1), s.Commit(ctx), begin(s, 2), s.Commit(ctx), s.Unlock())
		other := state.New("lab", "0", clock)
		other.Serial = 99
		stored, err := state.Encode(other)
		must(t, err, os.WriteFile(s.path, stored, 0o600))
		if _, _, err := s.Load(ctx); !errors.As(err, new(*state.ForeignError)) || !strings.Contains(err.Error(), other.Lineage) {
			t.Fatalf("got %v", err)
		}
		if got, _ := recovers(t, s); got.Lineage == other.Lineage || len(got.Resources) != 2 {
			t.Errorf("%d resources of %s", len(got.Resources), got.Lineage)
		}
	})
	t.Run("snapshot and journal swapped", func(t *testing.T) {
		s, want := crashed(t)
		must(t, os.Rename(s.path, s.path+".x"), os.Rename(s.path+journalSuffix, s.path), os.Rename(s.path+".x", s.path+journalSuffix))
		must(t, os.RemoveAll(filepath.Join(filepath.Dir(s.path), ".hardway")))
		if _, _, err := s.Load(ctx); !errors.As(err, new(*state.DamagedError)) {
			t.Fatalf("got %v", err)
		}
		got, _ := recovers(t, s)
		if d := cmp.Diff(want.Resources, got.Resources); d != "" {
			t.Error(d)
		}
	})
	t.Run("all gone", func(t *testing.T) {
		s, _ := crashed(t)
		write(t, s.path, half)
		must(t, os.Remove(s.path+backupSuffix), os.RemoveAll(filepath.Join(filepath.Dir(s.path), ".hardway")))
		if _, err := state.Choose(s.Candidates(), state.Evidence{Cluster: "lab"}); err == nil || !strings.Contains(err.Error(), "neither here nor on a master") {
			t.Errorf("got %v", err)
		}
	})
}

// A crash in the middle of a recovery needs no hand, or the same command again;
// what is chosen then is what was chosen before, and the good backup is not lost.
func TestCrashWhileRestoring(t *testing.T) {
	for point := 1; ; point++ {
		s, want := crashed(t)
		write(t, s.path, func(b []byte) []byte { return b[:100] })
		backup, err := os.ReadFile(s.path + backupSuffix)
		must(t, err)
		list := s.Candidates()
		choice, err := state.Choose(list, state.Evidence{Cluster: "lab"})
		must(t, err, s.Lock(ctx, "state recover", 0))
		steps := 0
		s.fail = func(string, string) error {
			if steps++; steps == point {
				return errors.New("crash")
			}
			return nil
		}
		_, crash := s.Restore(ctx, list[choice.Best].Stored, 0)
		s.fail = nil
		must(t, s.Unlock())
		if _, _, err := s.Load(ctx); err != nil {
			recovers(t, s)
		}
		got, _ := load(t, s)
		if d := cmp.Diff(want.Resources, got.Resources); d != "" {
			t.Errorf("crash at point %d: %s", point, d)
		}
		if now, err := os.ReadFile(s.path + backupSuffix); err != nil || !bytes.Equal(now, backup) {
			t.Errorf("crash at point %d: the backup was replaced by what was damaged", point)
		}
		if crash == nil {
			if point < 8 {
				t.Errorf("only %d steps", point)
			}
			return
		}
	}
}

func TestGenerations(t *testing.T) {
	s := locked(t)
	run := state.Run{Operation: "apply", ConfigDigest: "c1", Started: clock, Ended: clock, Complete: true}
	for n := range 13 {
		must(t, s.PutRun(ctx, run), begin(s, n), s.Commit(ctx))
	}
	must(t, begin(s, 99)) // in the journal: not yet a generation
	list, err := s.Generations()
	must(t, err)
	if len(list) != historyLength || list[0].Serial != 14 || list[9].Serial != 5 || list[0].Run == nil || !list[0].Run.Complete || list[3].Err != nil {
		t.Fatalf("%d generations: %+v", len(list), list)
	}
	snap, err := s.Generation(9)
	if err != nil || snap.Serial != 9 || len(snap.Resources) != 8 {
		t.Errorf("serial %d, %d resources, %v", snap.Serial, len(snap.Resources), err)
	}
	for serial, want := range map[uint64]string{4: "the last 10 are kept, and there are 14, 13, 12, 11, 10, 9, 8, 7, 6, 5", 15: "there is no generation 15"} {
		if _, err := s.Generation(serial); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", serial, err)
		}
	}
	write(t, list[2].Path, func(b []byte) []byte { return b[:50] })
	other, err := state.Encode(state.New("lab", "0", clock))
	must(t, err, os.WriteFile(list[3].Path, other, 0o600))
	must(t, os.Rename(list[6].Path, list[5].Path)) // a file under another's name
	list, err = s.Generations()
	must(t, err)
	if !errors.As(list[2].Err, new(*state.DamagedError)) || !errors.As(list[3].Err, new(*state.ForeignError)) || !errors.As(list[5].Err, new(*state.ForeignError)) || len(list) != 9 {
		t.Errorf("%+v", list)
	}
	if _, err := s.Generation(12); err == nil || !strings.Contains(err.Error(), list[2].Path) {
		t.Errorf("got %v", err)
	}
	must(t, os.Remove(list[0].Path)) // a crash came before the copy was kept
	if list, err = s.Generations(); err != nil || list[0].Path != s.path || list[0].Serial != 14 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The journal is cut at every byte, as a power failure would; nothing but the
// lines that were cut off is lost, and nothing is invented.
func TestTornJournalIsToleratedAndReported(t *testing.T) {
	s, _ := crashed(t)
	whole, err := os.ReadFile(s.path + journalSuffix)
	must(t, err)
	head := bytes.IndexByte(whole, '\n') + 1
	for n := head; n < len(whole); n++ {
		must(t, os.WriteFile(s.path+journalSuffix, whole[:n], 0o600))
		_, rec := load(t, s)
		if torn := n - head; torn > 0 && rec.Entries == 0 && rec.Torn != torn {
			t.Fatalf("cut at %d: %+v", n, rec)
		}
	}
	must(t, os.WriteFile(s.path+journalSuffix, whole[:len(whole)-5], 0o600), s.Lock(ctx, "apply", 0))
	_, rec := load(t, s)
	if rec.Entries != 1 || rec.Torn == 0 {
		t.Errorf("not reported: %+v", rec)
	}
	must(t, begin(s, 7), s.Unlock())
	if snap, _ := load(t, s); len(snap.Resources) != 3 {
		t.Errorf("%d resources", len(snap.Resources))
	}
}

// A process that is killed with SIGKILL loses nothing that it was told is safe.
func TestKill9(t *testing.T) {
	if path := os.Getenv("HARDWAY_TEST_WRITER"); path != "" {
		writeForever(path)
	}
	path := filepath.Join(t.TempDir(), "hardway.state")
	s := New(path, options)
	must(t, s.Lock(ctx, "init", 0), s.Create(ctx, state.New("lab", "0", clock)), s.Unlock())
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill9$")
		cmd.Env = append(os.Environ(), "HARDWAY_TEST_WRITER="+path)
		out, err := cmd.StdoutPipe()
		must(t, err, cmd.Start())
		last := -1
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &last); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
			if last == 3+round*5 {
				time.AfterFunc(time.Duration(round)*700*time.Microsecond, func() { cmd.Process.Kill() })
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer was not killed")
		}
		snap, _ := load(t, s)
		for n := range last + 1 {
			a, _ := file(n)
			if r, ok := snap.Resources[a]; !ok || r.Pending {
				t.Fatalf("round %d: resource %d of %d is lost", round, n, last)
			}
		}
		if info, ok := s.readInfo(); !ok || info.Operation != "writer" {
			t.Fatalf("round %d: the dead writer's info: %v, %v", round, info, ok)
		}
	}
}

func writeForever(path string) {
	s := New(path, Options{Tool: "0", Now: time.Now})
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fail(s.Lock(ctx, "writer", 0))
	_, _, err := s.Load(ctx)
	fail(err)
	for n := 0; ; n++ {
		fail(begin(s, n))
		fail(done(s, n))
		fmt.Println("acknowledged", n)
		if n%7 == 6 {
			fail(s.Commit(ctx))
		}
	}
}

func TestSweepRemovesLeftTemporaries(t *testing.T) {
	s := locked(t)
	must(t, s.Unlock())
	left := filepath.Join(filepath.Dir(s.path), ".hardway.state123456")
	must(t, os.WriteFile(left, nil, 0o600), s.Lock(ctx, "apply", 0))
	load(t, s)
	if _, err := os.Stat(left); err == nil {
		t.Error("the temporary file is left")
	}
	must(t, s.Unlock())
}
