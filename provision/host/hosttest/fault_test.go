package hosttest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
)

var errInjected = errors.New("disk full")

// Every mode does, or does not do, what its name says; the operation after it is sound.
func TestFailAt(t *testing.T) {
	for _, c := range []struct {
		name    string
		mode    Mode
		happens bool
		lost    bool
	}{
		{"before", FailBefore, false, false}, {"after", FailAfter, true, false},
		{"cut before", CutBefore, false, true}, {"cut after", CutAfter, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewMachine("m1")
			s := m.Connect()
			if err := s.Lock(t.Context(), "test"); err != nil {
				t.Fatal(err)
			}
			before := m.Snapshot()
			m.FailAt(2, c.mode, errInjected)
			if _, err := s.Observe(t.Context(), facts.Request{}); err != nil {
				t.Fatal(err)
			}
			_, err := s.Run(t.Context(), host.Script{Name: "directory", Args: []string{"/opt/x", "0755", "root", "root"}})
			if !errors.Is(err, errInjected) {
				t.Fatalf("got %v", err)
			}
			if _, lost := errors.AsType[*host.LostError](err); lost != c.lost {
				t.Errorf("lost: %v, want %v", lost, c.lost)
			}
			if changed := cmp.Diff(before, m.Snapshot()) != ""; changed != c.happens {
				t.Errorf("happened: %v, want %v", changed, c.happens)
			}
			_, err = s.Observe(t.Context(), facts.Request{})
			if (err != nil) != c.lost {
				t.Errorf("the session afterwards: %v", err)
			}
			// A cut frees the lock; a failure does not.
			err = m.Connect().Lock(t.Context(), "other")
			if (err == nil) != c.lost {
				t.Errorf("the lock afterwards: %v", err)
			}
			if want := 5 - map[bool]int{true: 1}[c.lost]; m.Ops() != want {
				t.Errorf("%d operations, want %d", m.Ops(), want)
			}
		})
	}
}

func TestDown(t *testing.T) {
	m := NewMachine("m1")
	s := m.Connect()
	m.SetDown(errors.New("no route to host"))
	o, err := s.Observe(t.Context(), facts.Request{})
	if _, lost := errors.AsType[*host.LostError](err); !lost || o.Reachable() {
		t.Fatalf("%+v, %v", o, err)
	}
	m.SetDown(nil)
	if _, err := s.Observe(t.Context(), facts.Request{}); err == nil {
		t.Error("a lost session came back")
	}
	if _, err := m.Connect().Observe(t.Context(), facts.Request{}); err != nil {
		t.Error(err)
	}
}

func TestFencing(t *testing.T) {
	m := NewMachine("m1")
	first, second := m.Connect(), m.Connect()
	if err := first.Lock(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	m.FreeLock()
	if err := second.Lock(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	if _, fenced := errors.AsType[*host.FencedError](first.Remove(t.Context(), host.Remove{Path: "/etc/hosts"})); !fenced {
		t.Error("a session without its lock went on")
	}
	if _, ok := m.File("/etc/hosts"); !ok {
		t.Error("and removed a file")
	}
}

func TestOnOpAndHandlers(t *testing.T) {
	m := NewMachine("m1")
	s := m.Connect()
	var steps []string
	m.OnOp(func(_ int, step string) { steps = append(steps, step) })
	m.Handle("http-get", func(m *Machine, args []string, _ []byte) (host.Result, error) {
		m.WriteFile("/asked", 0o600, args[0])
		return host.Result{Exit: 1, Stderr: []byte("refused")}, nil
	})
	m.HandleExec("etcdctl", func(_ *Machine, args []string, stdin []byte) (host.Result, error) {
		return host.Result{Stdout: append([]byte(args[0]), stdin...)}, nil
	})
	_, err := s.Run(t.Context(), host.Script{Name: "http-get", Args: []string{"http://127.0.0.1/"}})
	if e, ok := errors.AsType[*host.ScriptError](err); !ok || e.Exit != 1 {
		t.Errorf("got %v", err)
	}
	r, err := s.Run(t.Context(), host.Script{Name: "exec", Args: []string{"/usr/local/bin/etcdctl", "member"}, Stdin: []byte("!")})
	if err != nil || string(r.Stdout) != "member!" {
		t.Errorf("%q, %v", r.Stdout, err)
	}
	if d := cmp.Diff([]string{"script http-get", "script exec"}, steps); d != "" {
		t.Error(d)
	}
}

func TestClockAndSystem(t *testing.T) {
	m := NewMachine("m1")
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	m.SetClock(func() time.Time { return at })
	m.System(func(o *facts.Observation) { o.Arch = "arm64"; o.Addresses = []string{"192.0.2.1"} })
	o, err := m.Connect().Observe(t.Context(), facts.Request{})
	if err != nil || !o.Clock.Equal(at) || o.Arch != "arm64" || o.Addresses[0] != "192.0.2.1" {
		t.Errorf("%+v, %v", o, err)
	}
}
