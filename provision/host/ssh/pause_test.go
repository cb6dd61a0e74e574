package ssh

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// pausedEnv makes this test binary a controller of its own, which can be stopped.
const pausedEnv = "HARDWAY_TEST_PAUSED"

// pausedOrder is what that controller is to do.
type pausedOrder struct {
	Address, KnownHosts, Agent, RunDir, StateDir string
	KeepAlive, IdleTimeout                       time.Duration
	Dir                                          string // where it writes
}

// signerAgent is an ssh agent with one key that only signs: the other process
// needs no copy of it.
type signerAgent struct {
	agent.ExtendedAgent
	signer ssh.Signer
}

func (a signerAgent) List() ([]*agent.Key, error) {
	k := a.signer.PublicKey()
	return []*agent.Key{{Format: k.Type(), Blob: k.Marshal()}}, nil
}

func (a signerAgent) SignWithFlags(_ ssh.PublicKey, data []byte, _ agent.SignatureFlags) (*ssh.Signature, error) {
	return a.signer.Sign(nil, data)
}

func (a signerAgent) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return a.SignWithFlags(key, data, 0)
}

func (a signerAgent) serve(t *testing.T) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(a, conn) }()
		}
	}()
	return socket
}

// TestPausedController is not a test but the other controller: it takes the lock
// and writes, small and large, until it may not any more. It prints a line for
// each operation that was acknowledged, and a last one about what ended it.
func TestPausedController(t *testing.T) {
	text := os.Getenv(pausedEnv)
	if text == "" {
		t.Skip("this is what TestPause runs")
	}
	var o pausedOrder
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	c := Config{
		Name: "m1", Address: o.Address, User: "root", AgentSocket: o.Agent, KnownHosts: []string{o.KnownHosts},
		RunDir: o.RunDir, StateDir: o.StateDir, KeepAlive: o.KeepAlive, IdleTimeout: o.IdleTimeout,
	}
	h, err := Dial(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Lock(ctx, "the paused one"); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("locked %d\n", h.Generation())
	for i := 0; err == nil; i++ {
		switch at := filepath.Join(o.Dir, "shared"); i % 4 {
		case 0:
			err = h.Put(ctx, put(at, []byte("paused")))
		case 1:
			_, err = h.Run(ctx, host.Script{Name: "exec", Args: []string{"sh", "-c", `echo "$1 paused" >>"$2"`, "sh", fmt.Sprint(h.Generation()), filepath.Join(o.Dir, "audit")}})
		case 2:
			err = h.Put(ctx, put(filepath.Join(o.Dir, fmt.Sprintf("own-%d", i)), bytes.Repeat([]byte("paused "), 100<<10)))
		case 3:
			_, err = h.Run(ctx, host.Script{Name: "block", Args: []string{filepath.Join(o.Dir, "hosts")}, Stdin: fmt.Appendf(nil, "paused %d\n", i)})
		}
		if err == nil {
			fmt.Println("done", i)
		}
	}
	// What it had in hand is over; nothing else may go through either, and it is
	// told who has the host now.
	again := h.Put(ctx, put(filepath.Join(o.Dir, "shared"), []byte("paused again")))
	fmt.Printf("ended %t %t %v\n", stopped(err), stopped(again), err)
	other, err := Dial(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	err = other.Lock(ctx, "the paused one")
	locked, _ := errors.AsType[*host.LockedError](err)
	fmt.Printf("relock %t %v\n", locked != nil && locked.Holder == "the other one", err)
	_ = other.Close()
	_ = h.Close()
}

// stopped says whether an error tells that the session is not to be used any more.
func stopped(err error) bool {
	_, lost := errors.AsType[*host.LostError](err)
	_, fenced := errors.AsType[*host.FencedError](err)
	return lost || fenced
}

// controller is a process that runs TestPausedController.
type controller struct {
	*testing.T
	cmd   *exec.Cmd
	lines chan string
}

func startController(t *testing.T, o pausedOrder) *controller {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &controller{t, exec.Command(self, "-test.run=^TestPausedController$"), make(chan string, 10000)}
	c.cmd.Env = append(os.Environ(), pausedEnv+"="+string(text))
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		for range c.lines {
		}
		_ = c.cmd.Wait()
	})
	return c
}

// until waits for a line that begins so, and returns it.
func (c *controller) until(prefix string, limit time.Duration) string {
	c.Helper()
	deadline := time.After(limit)
	for {
		select {
		case line, ok := <-c.lines:
			if strings.HasPrefix(line, prefix) {
				return line
			}
			if !ok {
				c.Fatalf("the controller ended without saying %q", prefix)
			}
		case <-deadline:
			c.Fatalf("the controller did not say %q within %s", prefix, limit)
		}
	}
}

func (c *controller) signal(s syscall.Signal) {
	c.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.Fatal(err)
	}
}

// pause is one round: a controller stops for longer than the host's patience,
// somewhere in its work, another one takes over, and then the first one goes on.
func pause(t *testing.T, keepAlive, idle, length time.Duration) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := startController(t, pausedOrder{
		Address: s.Address, KnownHosts: cfg.KnownHosts[0], Agent: signerAgent{signer: s.User()}.serve(t),
		RunDir: cfg.RunDir, StateDir: cfg.StateDir, KeepAlive: keepAlive, IdleTimeout: idle, Dir: dir,
	})
	c.until("locked 1", time.Minute)
	c.until("done 3", time.Minute)
	time.Sleep(rand.N(400 * time.Millisecond))
	c.signal(syscall.SIGSTOP)
	begun := time.Now()

	other := dial(t, cfg)
	for {
		err := other.Lock(t.Context(), "the other one")
		if err == nil {
			break
		}
		locked, ok := errors.AsType[*host.LockedError](err)
		if !ok || locked.Holder != "the paused one" {
			t.Fatal(err)
		}
		// The watchdog looks once a keep-alive, may just have missed a beat, and
		// then gives a script some seconds to end.
		if time.Since(begun) > idle+3*keepAlive+20*time.Second {
			t.Fatalf("the lock is not free after %s of silence", time.Since(begun))
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the lock was free %s after the pause began, with a patience of %s", time.Since(begun).Round(100*time.Millisecond), idle)
	if other.Generation() != 2 {
		t.Errorf("generation %d, want 2", other.Generation())
	}
	if err := other.Put(t.Context(), put(filepath.Join(dir, "shared"), []byte("the other one's"))); err != nil {
		t.Fatal(err)
	}
	taken := tree(t, dir)
	for name := range taken {
		if strings.Contains(name, ".hardway.shared.") {
			t.Errorf("left behind, and not cleared away by whoever wrote that path next: %s", name)
		}
	}
	time.Sleep(time.Until(begun.Add(length)))
	c.signal(syscall.SIGCONT)

	ended := c.until("ended ", idle+time.Minute)
	if !strings.HasPrefix(ended, "ended true true ") {
		t.Errorf("the paused controller was not told: %s", ended)
	}
	if line := c.until("relock ", time.Minute); !strings.HasPrefix(line, "relock true ") {
		t.Errorf("the paused controller came back and was not refused by name: %s", line)
	}
	time.Sleep(300 * time.Millisecond) // for what might still be under way
	if now := tree(t, dir); !equalTrees(taken, now) {
		t.Errorf("the paused controller changed something after it was taken over: %q, then %q", names(taken), names(now))
	}
	audit, _ := os.ReadFile(filepath.Join(dir, "audit"))
	for line := range strings.Lines(string(audit)) {
		if line != "1 paused\n" {
			t.Errorf("audit: %q", line)
		}
	}
	if err := other.Put(t.Context(), put(filepath.Join(dir, "shared"), []byte("at the end"))); err != nil {
		t.Errorf("the present holder: %v", err)
	}
}

func equalTrees(a, b map[string]string) bool {
	return slices.Equal(names(a), names(b)) && !slices.ContainsFunc(names(a), func(n string) bool { return a[n] != b[n] })
}

func names(tree map[string]string) []string {
	var out []string
	for name := range tree {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// A controller that was stopped (a laptop that slept) does not change one byte
// once another has its host. With -faults also once with the times that hosts
// really have, stopped for two minutes.
func TestPause(t *testing.T) {
	needsRoot(t)
	rounds := 2
	if *allFaults {
		rounds = 20
		t.Run("real times", func(t *testing.T) {
			t.Parallel()
			pause(t, DefaultKeepAlive, DefaultIdleTimeout, 2*time.Minute)
		})
	}
	for i := range rounds {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			pause(t, 200*time.Millisecond, 2*time.Second, 3*time.Second+rand.N(time.Second))
		})
	}
}
