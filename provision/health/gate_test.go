package health

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/host"
	"hardway/provision/resource"
)

func TestOnce(t *testing.T) {
	lost := errors.New("connection lost")
	tests := map[string]struct {
		gate     resource.Gate
		run      func(host.Script) (host.Result, error)
		want     string // of the error
		answered bool
	}{
		"http 200": {
			gate: resource.Gate{HTTP: "http://127.0.0.1:10248/healthz"},
			run:  func(host.Script) (host.Result, error) { return stdout("200\nok") },
		},
		"http 500": {
			gate: resource.Gate{HTTP: "http://127.0.0.1:10248/healthz"},
			run: func(host.Script) (host.Result, error) {
				return stdout("500\n[-]etcd failed:\n\x1b[31mreason withheld\n")
			},
			want:     "g: GET http://127.0.0.1:10248/healthz: HTTP 500 Internal Server Error: [-]etcd failed: [31mreason withheld",
			answered: true,
		},
		"http refused": {
			gate:     resource.Gate{HTTP: "http://127.0.0.1:1/"},
			run:      func(host.Script) (host.Result, error) { return exit(1, "no answer from http://127.0.0.1:1/\n") },
			want:     "g: GET http://127.0.0.1:1/: exit status 1: no answer from http://127.0.0.1:1/",
			answered: true,
		},
		"http nonsense": {
			gate:     resource.Gate{HTTP: "http://127.0.0.1:1/"},
			run:      func(host.Script) (host.Result, error) { return stdout("hello\n") },
			want:     "g: GET http://127.0.0.1:1/: no HTTP answer: hello",
			answered: true,
		},
		"argv ok": {
			gate: resource.Gate{Argv: []string{"etcdctl", "endpoint", "health"}},
			run:  func(host.Script) (host.Result, error) { return stdout("") },
		},
		"argv says it on stdout": {
			gate: resource.Gate{Argv: []string{"etcdctl", "health"}},
			run: func(host.Script) (host.Result, error) {
				return host.Result{Exit: 1, Stdout: []byte("is unhealthy\n")}, &host.ScriptError{Script: "exec", Exit: 1}
			},
			want: "g: etcdctl health: exit status 1: is unhealthy", answered: true,
		},
		"no such command": {
			gate: resource.Gate{Argv: []string{"etcdctl"}},
			run:  func(host.Script) (host.Result, error) { return exit(127, "etcdctl: not found") },
			want: "g: asking etcdctl: the host cannot run it: etcdctl: not found",
		},
		"session lost": {
			gate: resource.Gate{Argv: []string{"etcdctl"}},
			run:  func(host.Script) (host.Result, error) { return host.Result{}, lost },
			want: "g: asking etcdctl: connection lost",
		},
		"asks nothing": {
			want: `gate "g" asks nothing: it has neither a URL nor a command`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.gate.Name = "g"
			err := Once(t.Context(), fakeHost{run: tt.run}, tt.gate)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			if _, answered := errors.AsType[*AnswerError](err); answered != tt.answered {
				t.Errorf("answered: %v, want %v", answered, tt.answered)
			}
		})
	}
}

func TestOncePassesArgumentsAsData(t *testing.T) {
	var got []host.Script
	h := fakeHost{run: func(s host.Script) (host.Result, error) { got = append(got, s); return stdout("200\n") }}
	for _, g := range []resource.Gate{
		{Name: "a", HTTP: "http://127.0.0.1/$(id)"},
		{Name: "b", Argv: []string{"test", "-e", "/a b;c"}},
	} {
		if err := Once(t.Context(), h, g); err != nil {
			t.Fatal(err)
		}
	}
	want := []host.Script{
		{Name: "http-get", Args: []string{"http://127.0.0.1/$(id)"}},
		{Name: "exec", Args: []string{"test", "-e", "/a b;c"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("scripts (-want +got):\n%s", d)
	}
}

func TestWaitOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := fakeHost{run: func(host.Script) (host.Result, error) {
			if time.Since(start) < 5*time.Second {
				return stdout("503\nstarting")
			}
			return stdout("200\nok")
		}}
		var attempts []int
		err := Wait(t.Context(), h, resource.Gate{Name: "g", HTTP: "http://x/", Timeout: time.Minute}, func(n int, last error) {
			if !strings.Contains(last.Error(), "starting") {
				t.Errorf("attempt %d: %v", n, last)
			}
			attempts = append(attempts, n)
		})
		if err != nil {
			t.Fatal(err)
		}
		// Tries at 0, 0.1, 0.3, 0.7, 1.5, 3.1 and 5.1 seconds.
		if d := cmp.Diff([]int{1, 2, 3, 4, 5, 6}, attempts); d != "" {
			t.Errorf("failed attempts (-want +got):\n%s", d)
		}
		if took := time.Since(start); took != 5100*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestWaitGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		h := fakeHost{run: func(host.Script) (host.Result, error) {
			tries++
			time.Sleep(time.Second)
			return stdout("503\nstarting")
		}}
		err := Wait(t.Context(), h, resource.Gate{Name: "g", HTTP: "http://x/", Timeout: 10 * time.Second}, nil)
		waited, ok := errors.AsType[*WaitError](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		if waited.Attempts != tries || waited.Elapsed < 10*time.Second || waited.Elapsed > 12*time.Second {
			t.Errorf("%d attempts (%d made) in %s", waited.Attempts, tries, waited.Elapsed)
		}
		const want = "g: GET http://x/: HTTP 503 Service Unavailable: starting (waited 11s, asked 7 times)"
		if d := cmp.Diff(want, err.Error()); d != "" {
			t.Errorf("error (-want +got):\n%s", d)
		}
	})
}

func TestWaitWithoutTimeoutAsksOnce(t *testing.T) {
	tries := 0
	h := fakeHost{run: func(host.Script) (host.Result, error) { tries++; return exit(1, "no") }}
	if err := Wait(t.Context(), h, resource.Gate{Name: "g", Argv: []string{"x"}}, nil); err == nil || tries != 1 {
		t.Errorf("%d tries, error %v", tries, err)
	}
}

func TestWaitKeepsTheAnswerOverTheInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := fakeHost{run: func(host.Script) (host.Result, error) { return stdout("503\nstarting") }}
		time.AfterFunc(time.Second, cancel)
		err := Wait(ctx, h, resource.Gate{Name: "g", HTTP: "http://x/", Timeout: time.Minute}, nil)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "starting") {
			t.Errorf("got %v", err)
		}
	})
}

// A host that hangs is given up a while after the timeout, and what it said
// before is still told.
func TestWaitBoundsATryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := hangingHost{after: 2}
		err := Wait(t.Context(), &h, resource.Gate{Name: "g", Argv: []string{"x"}, Timeout: 10 * time.Second}, nil)
		if err == nil || !strings.Contains(err.Error(), "starting") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 10*time.Second+tryGrace {
			t.Errorf("took %s", took)
		}
	})
}

// hangingHost answers a few times, and then only when its context ends.
type hangingHost struct {
	host.Host
	after int
}

func (h *hangingHost) Run(ctx context.Context, _ host.Script) (host.Result, error) {
	if h.after--; h.after >= 0 {
		return exit(1, "starting")
	}
	<-ctx.Done()
	return host.Result{}, ctx.Err()
}
