package apply

import (
	"strings"
	"testing"
	"time"

	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
)

// answering lets the process answer its probe, and end right after the first so
// many answers.
func answering(b *bench, unit string, ends int) {
	b.machine.Handle("http-get", func(m *hosttest.Machine, _ []string, _ []byte) (host.Result, error) {
		if ends > 0 {
			ends--
			m.KillUnit(unit)
		}
		return host.Result{Stdout: []byte("200\nok")}, nil
	})
}

func restarted(b *bench) plan.Change {
	c := unitChange("kubelet", time.Second)
	c.Action, c.Within = plan.Update, 2*time.Second
	c.Unit = &plan.UnitSteps{Write: true, Enable: true, Start: "restart"}
	b.plan.Changes = []plan.Change{c}
	return c
}

// That a gate opened says nothing of a process that has ended since.
func TestProcessThatAnswersAndEnds(t *testing.T) {
	b := newBench(t)
	c := restarted(b)
	answering(b, "kubelet.service", 1)
	b.machine.Handle("unit-logs", func(*hosttest.Machine, []string, []byte) (host.Result, error) {
		return host.Result{Stdout: []byte("the cgroup is not there\n")}, nil
	})
	_, err := b.run(t.Context())
	if err == nil {
		t.Fatal("a process that has ended is called healthy")
	}
	for _, want := range []string{`unit["kubelet"]`, "kubelet /healthz opened", "did not stay up", "kubelet.service failed", "the cgroup is not there"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if got := b.phases(c.Addr); !strings.HasSuffix(got, "failed") {
		t.Errorf("the unit: %s", got)
	}
}

func TestProcessThatStays(t *testing.T) {
	b := newBench(t)
	restarted(b)
	answering(b, "kubelet.service", 0)
	if _, err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
