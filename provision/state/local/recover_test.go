package local

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// Every damage is refused with an error that names the file and a command, and
// that command, run as it stands, brings the state back.
func TestDamageIsFoundAndTheNamedCommandHelps(t *testing.T) {
	half := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/3] ^= 4; return b }
	none := func([]byte) []byte { return nil }
	for _, c := range []struct {
		name    string
		file    string // suffix
		change  func([]byte) []byte
		want    error
		entries int // of the two in the journal, that survive
	}{
		{"snapshot cut", "", half, new(state.DamagedError), 2},
		{"snapshot empty", "", none, new(state.DamagedError), 2},
		{"snapshot flipped", "", flip, new(state.DamagedError), 2},
		{"journal empty", journalSuffix, none, new(state.DamagedError), 0},
		{"journal head flipped", journalSuffix, func(b []byte) []byte { b[70] ^= 1; return b }, new(state.DamagedError), 0},
		{"journal flipped", journalSuffix, func(b []byte) []byte { b[len(b)-5] ^= 1; return b }, new(state.DamagedError), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, want := crashed(t)
			write(t, s.path+c.file, c.change)
			_, _, err := s.Load(ctx)
			if err == nil || fmt.Sprintf("%T", err) != fmt.Sprintf("%T", c.want) || !strings.Contains(err.Error(), s.path+c.file) {
				t.Fatalf("got %v", err)
			}
			runNamedCommand(t, err)
			got, rec := load(t, s)
			if rec.Entries != c.entries {
				t.Errorf("%d entries, want %d", rec.Entries, c.entries)
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
		if !errors.As(err, new(*state.MissingError)) {
			t.Fatalf("got %v", err)
		}
		must(t, s.Lock(ctx, "init", 0))
		if err := s.Create(ctx, state.New("lab", "0", clock)); !errors.As(err, new(*state.MissingError)) {
			t.Errorf("a new state would replace the lost one: %v", err)
		}
		must(t, s.Unlock())
		runNamedCommand(t, err)
		got, _ := load(t, s)
		if d := cmp.Diff(want.Resources, got.Resources); d != "" {
			t.Error(d)
		}
	})
	t.Run("older snapshot put back", func(t *testing.T) {
		s, _ := crashed(t)
		must(t, os.Rename(s.path+backupSuffix, s.path))
		_, _, err := s.Load(ctx)
		if !errors.As(err, new(*state.ForeignError)) {
			t.Fatalf("got %v", err)
		}
		runNamedCommand(t, err)
		load(t, s)
	})
	t.Run("all gone", func(t *testing.T) {
		s, _ := crashed(t)
		write(t, s.path, half)
		must(t, os.Remove(s.path+backupSuffix), os.RemoveAll(filepath.Join(filepath.Dir(s.path), ".hardway")))
		if _, _, err := s.Load(ctx); err == nil || !strings.Contains(err.Error(), "restore "+s.path+" from a backup") {
			t.Errorf("got %v", err)
		}
	})
}

// runNamedCommand runs the last command that an error names.
func runNamedCommand(t *testing.T, err error) {
	t.Helper()
	commands := regexp.MustCompile(`: ((?:cp|mv) [^;]*)`).FindAllStringSubmatch(err.Error(), -1)
	if len(commands) == 0 {
		t.Fatalf("the error names no command: %v", err)
	}
	command := commands[len(commands)-1][1]
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
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
