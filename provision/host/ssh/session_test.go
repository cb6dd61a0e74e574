package ssh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

func put(path string, text []byte) host.Put {
	sum := sha256.Sum256(text)
	return host.Put{Path: path, Mode: 0o600, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: not within 10 s", what)
}

// alive says whether a process runs; one that only waits to be reaped does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// Both sides of what a host pays: the server's own count, and what the hooks saw.
func TestConnectionsAndChannels(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct {
		name     string
		session  func(t *testing.T, h *Host, dir string)
		channels int64
	}{
		{"plan", func(t *testing.T, h *Host, _ string) {
			for range 2 {
				if _, err := h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{{Path: "/etc/passwd", Content: true}}, Ports: []int{22}}); err != nil {
					t.Fatal(err)
				}
			}
		}, 2},
		{"apply", func(t *testing.T, h *Host, dir string) {
			if err := h.Lock(t.Context(), "test"); err != nil {
				t.Fatal(err)
			}
			var puts sync.WaitGroup
			for i := range 100 {
				puts.Go(func() {
					if err := h.Put(t.Context(), put(fmt.Sprintf("%s/small%d", dir, i), []byte{byte(i)})); err != nil {
						t.Error(err)
					}
				})
			}
			for i := range 3 {
				puts.Go(func() {
					if err := h.Put(t.Context(), put(fmt.Sprintf("%s/large%d", dir, i), bytes.Repeat([]byte{byte(i)}, 8<<20))); err != nil {
						t.Error(err)
					}
				})
			}
			puts.Wait()
			if n := len(entries(t, dir)); n != 103 {
				t.Errorf("%d files, want 103", n)
			}
		}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Options{})
			cfg := config(t, s)
			var connections, channels atomic.Int64
			cfg.Hooks = Hooks{Connection: func() { connections.Add(1) }, Channel: func(string) { channels.Add(1) }}
			h := dial(t, cfg)
			dir := t.TempDir()
			c.session(t, h, dir)
			if n := s.Connections.Load(); n != 1 || connections.Load() != n {
				t.Errorf("%d connections, the hook saw %d; want 1", n, connections.Load())
			}
			if n := s.Channels.Load(); n > c.channels || channels.Load() != n {
				t.Errorf("%d channels, the hook saw %d; want at most %d", n, channels.Load(), c.channels)
			}
			_ = h.Close()
			if left := entries(t, cfg.RunDir); len(left) > 0 {
				t.Errorf("the session left %v", left)
			}
			if _, err := os.Stat(cfg.StateDir); c.name == "plan" && err == nil {
				t.Error("a session that only observed made hardway's directory")
			}
		})
	}
}

func TestShells(t *testing.T) {
	needsRoot(t)
	for _, shell := range []string{"/bin/dash", "/bin/bash", "/usr/bin/fish", "/bin/busybox", "/usr/bin/tcsh", "/usr/bin/zsh"} {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			if _, err := os.Stat(shell); err != nil {
				t.Skip(err)
			}
			t.Parallel()
			s := sshtest.Start(t, sshtest.Options{Shell: shell, Rc: "echo Welcome; printf 'hardway-ready 0 0 /'; echo oops >&2"})
			h := dial(t, config(t, s))
			r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"cat"}, Stdin: []byte("a\x00b\n")})
			if err != nil || string(r.Stdout) != "a\x00b\n" {
				t.Fatalf("%q, %v", r.Stdout, err)
			}
		})
	}
}

// Login scripts that read the input, take their time, or put another shell in the
// place of the login shell, do not get in the way.
func TestHeavyLogin(t *testing.T) {
	needsRoot(t)
	for name, c := range map[string]struct{ shell, rc string }{
		"reads":             {"/bin/sh", "read -r a"},
		"reads much":        {"/bin/sh", "read -r a; read -r b; read -r c"},
		"sleeps":            {"/bin/sh", "sleep 2.5"},
		"all of it":         {"/bin/bash", "echo Welcome; printf 'no newline'; echo oops >&2; read -r a; sleep 1.5"},
		"execs dash":        {"/bin/bash", "echo Welcome; exec dash"},
		"execs bash":        {"/bin/dash", "exec bash"},
		"execs sh, reading": {"/bin/bash", "read -r a; exec sh"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(c.shell); err != nil {
				t.Skip(err)
			}
			t.Parallel()
			h := dial(t, config(t, sshtest.Start(t, sshtest.Options{Shell: c.shell, Rc: c.rc})))
			r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"cat"}, Stdin: []byte("a\x00b\n")})
			if err != nil || string(r.Stdout) != "a\x00b\n" {
				t.Fatalf("%q, %v", r.Stdout, err)
			}
			if err := h.Put(t.Context(), put(filepath.Join(t.TempDir(), "large"), make([]byte, 1<<20))); err != nil { // another channel
				t.Error(err)
			}
		})
	}
}

func TestArgumentsAreData(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	args := []string{"", "a b", "'\"`$(id)\\", "\n", "x\n", "-n", "\x01\xff", "ü", "*", "~", "#", strings.Repeat("y", 50000)}
	r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: append([]string{"printf", "%s|"}, args...)})
	if want := strings.Join(args, "|") + "|"; err != nil || string(r.Stdout) != want {
		t.Fatalf("%q, %v", r.Stdout, err)
	}
	if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"echo", "a\x00b"}}); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Fatalf("got %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"sh", "-c", "head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; exit 3"}})
	if e, ok := errors.AsType[*host.ScriptError](err); !ok || e.Exit != 3 {
		t.Fatalf("got %v", err)
	}
	if len(r.Stdout) != host.MaxOutput || len(r.Stderr) != host.MaxOutput || r.Exit != 3 {
		t.Fatalf("%d and %d bytes, exit %d", len(r.Stdout), len(r.Stderr), r.Exit)
	}
	// A script need not read what it is sent, little or much.
	for _, n := range []int{10, 100 << 10, 3 << 20} {
		if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}, Stdin: make([]byte, n)}); err != nil {
			t.Fatal(err)
		}
		r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"wc", "-c"}, Stdin: make([]byte, n)})
		if err != nil || strings.TrimSpace(string(r.Stdout)) != fmt.Sprint(n) {
			t.Fatalf("%q, %v", r.Stdout, err)
		}
	}
}

// Cancelling ends the script on the host, children included, and the session goes on.
func TestCancelEndsTheScript(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	for _, command := range []string{"sleep 1000 & sleep 1000", "trap '' TERM; while :; do sleep 1; done"} {
		note := filepath.Join(t.TempDir(), "pid")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			for range 100 {
				time.Sleep(50 * time.Millisecond)
				if _, err := os.Stat(note); err == nil {
					break
				}
			}
			cancel(errors.New("enough"))
		}()
		_, err := h.Run(ctx, host.Script{Name: "exec", Args: []string{"sh", "-c", "echo $$ >" + note + "; " + command}})
		if err == nil || !strings.Contains(err.Error(), "enough") {
			t.Fatalf("got %v", err)
		}
		pid, _ := os.ReadFile(note)
		eventually(t, "the script's end", func() bool { return !alive(strings.TrimSpace(string(pid))) })
	}
	if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
}

// A connection that is cut in the middle of a write leaves the old file, no
// temporary one, no process and no lock.
func TestCut(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	h := dial(t, cfg)
	dir := t.TempDir()
	if err := h.Lock(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "large")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := put(target, bytes.Repeat([]byte("n"), 8<<20))
	open := p.Open
	p.Open = func() (io.ReadCloser, error) {
		rc, err := open()
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(rc, 5<<20), cutting{s}), rc}, err
	}
	err := h.Put(t.Context(), p)
	if e, ok := errors.AsType[*host.LostError](err); !ok || e.Host != "m1" || !strings.Contains(e.Step, target) {
		t.Fatalf("got %v", err)
	}
	other := dial(t, cfg)
	eventually(t, "the lock", func() bool { return other.Lock(t.Context(), "second") == nil })
	if got := entries(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
	if text, _ := os.ReadFile(target); string(text) != "old" {
		t.Error("the file was changed")
	}
	if other.Generation() != 2 {
		t.Errorf("generation %d, want 2", other.Generation())
	}
}

// cutting cuts the connections of a server when it is read, and has no end.
type cutting struct{ s *sshtest.Server }

func (c cutting) Read(p []byte) (int, error) {
	c.s.Cut()
	return len(p), nil
}

// frozen is a connection whose controller stops, as a suspended laptop does: the
// peer sees neither data nor an end.
type frozen struct {
	net.Conn
	stop *atomic.Bool
}

func (f frozen) Write(p []byte) (int, error) {
	if f.stop.Load() {
		return len(p), nil
	}
	return f.Conn.Write(p)
}

// The host frees its lock, and ends what runs, when the controller falls silent.
func TestWatchdog(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	cfg.KeepAlive, cfg.IdleTimeout = 200*time.Millisecond, 1500*time.Millisecond
	patient := cfg
	var stop atomic.Bool
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return frozen{c, &stop}, err
	}
	h := dial(t, cfg)
	if err := h.Lock(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	// A long script is no silence.
	if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"sleep", "2"}}); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(t.TempDir(), "pid")
	go func() {
		_, _ = h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"sh", "-c", "echo $$ >" + note + "; sleep 1000"}})
	}()
	var pid string
	eventually(t, "the script", func() bool {
		text, _ := os.ReadFile(note)
		pid = strings.TrimSpace(string(text))
		return pid != ""
	})
	stop.Store(true)
	other := dial(t, patient)
	if err := other.Lock(t.Context(), "second"); err == nil {
		t.Fatal("the lock was free at once")
	}
	eventually(t, "the lock", func() bool { return other.Lock(t.Context(), "second") == nil })
	if alive(pid) {
		t.Error("the script of the silent session still runs")
	}
}

// A session whose lock was taken over does nothing any more.
func TestFencing(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	cfg := config(t, sshtest.Start(t, sshtest.Options{}))
	h := dial(t, cfg)
	if err := h.Lock(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.StateDir, "generation"), []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "f")
	err := h.Put(t.Context(), put(path, []byte("x")))
	if e, ok := errors.AsType[*host.FencedError](err); !ok || !strings.Contains(e.Error(), "generation 7") {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("it was written all the same")
	}
}

func TestDialThroughHost(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	c, err := h.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
		t.Fatalf("%q, %v", b, err)
	}
	if _, err := h.Dial(t.Context(), "tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "m1") {
		t.Fatalf("got %v", err)
	}
}

func TestNothingLeaks(t *testing.T) {
	needsRoot(t)
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	before := runtime.NumGoroutine()
	for range 3 {
		h, err := Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Put(t.Context(), put(filepath.Join(t.TempDir(), "f"), make([]byte, 1<<20))); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal("closing twice:", err)
		}
	}
	eventually(t, "the goroutines' end", func() bool { return runtime.NumGoroutine() <= before })
	// No process still knows the sessions' directory.
	eventually(t, "the processes' end", func() bool {
		all, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, p := range all {
			if text, _ := os.ReadFile(p); bytes.Contains(text, []byte(cfg.RunDir)) {
				return false
			}
		}
		return true
	})
}
