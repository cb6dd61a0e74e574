package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// play sends the events of a small apply that takes half a minute.
func play(p Progress) {
	kubelet, binary, proxy := at(n1, resource.KindUnit, "kubelet"), at(n1, resource.KindBinary, "kubelet"), at(n1, resource.KindUnit, "kube-proxy")
	ca := at(cluster, resource.KindAuthority, "kubernetes")
	send := func(e apply.Event) { p.Event(e) }
	for _, a := range []apply.Event{
		{Phase: apply.Planned, Addr: ca, Action: plan.Create}, {Phase: apply.Planned, Addr: binary, Action: plan.Create},
		{Phase: apply.Planned, Addr: kubelet, Action: plan.Update}, {Phase: apply.Planned, Addr: proxy, Action: plan.Delete},
	} {
		send(a)
	}
	send(apply.Event{Phase: apply.Started, Addr: ca, Action: plan.Create})
	send(apply.Event{Phase: apply.Done, Addr: ca, Action: plan.Create, Elapsed: 20 * time.Millisecond})
	send(apply.Event{Phase: apply.Started, Addr: binary, Action: plan.Create})
	time.Sleep(4 * time.Second)
	send(apply.Event{Phase: apply.Progress, Addr: binary, Action: plan.Create, Done: 42e6, Total: 84e6})
	time.Sleep(8 * time.Second)
	send(apply.Event{Phase: apply.Done, Addr: binary, Action: plan.Create, Elapsed: 12 * time.Second})
	send(apply.Event{Phase: apply.Started, Addr: kubelet, Action: plan.Update})
	send(apply.Event{Phase: apply.Waiting, Addr: kubelet, Action: plan.Update, Message: "kubelet /healthz"})
	time.Sleep(21 * time.Second)
	send(apply.Event{Phase: apply.Restoring, Addr: kubelet, Action: plan.Update, Message: kubelet.String() + ": /healthz does not answer"})
	time.Sleep(15 * time.Second)
	send(apply.Event{Phase: apply.Restored, Addr: kubelet, Action: plan.Update, Elapsed: 36 * time.Second})
	send(apply.Event{Phase: apply.NotRestored, Addr: proxy, Action: plan.Delete, Elapsed: time.Second, Err: "the disk is full"})
	send(apply.Event{Phase: apply.Failed, Addr: kubelet, Action: plan.Update, Elapsed: 36 * time.Second, Err: kubelet.String() + ": gate kubelet /healthz: not reached\nlast: \x1b[31mrefused"})
	send(apply.Event{Phase: apply.Skipped, Addr: proxy, Action: plan.Delete, Message: `node["n1"].unit["kubelet"] failed`})
	send(apply.Event{Phase: apply.Finished})
}

func TestLinesGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := NewLines(&b, Style{})
		play(p)
		p.Close()
		golden(t, "progress/lines.txt", b.String())
	})
}

func TestEventLogGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := NewEventLog(&b, "0.1.0", time.Now)
		hosts := []addr.Host{m1, n1, n2}
		l.Reading(hosts)
		held := mixed()
		held.Held = onlyHeld().Held
		l.Read(hosts, held)
		l.Plan(held)
		play(l)
		l.Result(Applied{Result: apply.Result{Counts: plan.Counts{Add: 2}, Failed: 1, Skipped: 1, Restored: 1}, Mode: plan.Normal, Unseen: 1})
		l.Diagnostics([]Diagnostic{{Severity: "error", Summary: "Apply incomplete", Detail: "Run apply again."}})
		l.Close()
		golden(t, "progress/events.jsonl", b.String())

		// every line is one JSON object with Terraform's four fields
		for line := range strings.Lines(b.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			for _, k := range []string{"@level", "@message", "@module", "@timestamp", "type"} {
				if _, ok := m[k]; !ok {
					t.Errorf("%q has no %s", line, k)
				}
			}
		}
	})
}

// The bars are drawn by goroutines of mpb on a clock of its own, so only what
// must be on the screen at the end is checked.
func TestBars(t *testing.T) {
	var b bytes.Buffer
	p := newBars(&b, Style{Width: 120}, mpb.WithAutoRefresh(), mpb.WithWidth(120))
	kubelet, proxy := at(n1, resource.KindUnit, "kubelet"), at(n1, resource.KindUnit, "kube-proxy")
	for _, a := range []apply.Event{
		{Phase: apply.Planned, Addr: kubelet, Action: plan.Create}, {Phase: apply.Planned, Addr: proxy, Action: plan.Create},
		{Phase: apply.Planned, Addr: at(m1, resource.KindUnit, "etcd"), Action: plan.Create},
		{Phase: apply.Started, Addr: kubelet, Action: plan.Create},
		{Phase: apply.Done, Addr: kubelet, Action: plan.Create, Elapsed: 5 * time.Second},
		{Phase: apply.Started, Addr: proxy, Action: plan.Create},
		{Phase: apply.Restoring, Addr: proxy, Action: plan.Create, Message: "not healthy"},
		{Phase: apply.Restored, Addr: proxy, Action: plan.Create, Elapsed: 2 * time.Second},
		{Phase: apply.NotRestored, Addr: proxy, Action: plan.Create, Err: "the disk is full"},
		{Phase: apply.Failed, Addr: proxy, Action: plan.Create, Elapsed: time.Second, Err: "exit status 1"},
		{Phase: apply.Skipped, Addr: at(m1, resource.KindUnit, "etcd"), Message: "something failed"},
		{Phase: apply.Finished},
	} {
		p.Event(a)
	}
	p.Close()
	out := b.String()
	for _, want := range []string{
		`node["n1"]`, "2/2", `master["m1"]`, "1/1",
		`node["n1"].unit["kubelet"]: Creation complete after 5s`,
		`node["n1"].unit["kube-proxy"]: Creation failed after 1s: exit status 1`,
		"Skipped 1 change: something failed",
		`node["n1"].unit["kube-proxy"]: Putting back what was there before, because: not healthy`,
		`node["n1"].unit["kube-proxy"]: What was there before is back after 2s`,
		`node["n1"].unit["kube-proxy"]: Putting back failed: the disk is full`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.Index(out, `master["m1"]`) > strings.LastIndex(out, `node["n1"]`) {
		t.Errorf("the master's bar does not stand first:\n%s", out)
	}
}

// An apply that ends in the middle must not leave the display hanging.
func TestBarsCloseEarly(t *testing.T) {
	p := newBars(&bytes.Buffer{}, Style{}, mpb.WithAutoRefresh())
	p.Event(apply.Event{Phase: apply.Planned, Addr: at(n1, resource.KindUnit, "kubelet")})
	p.Event(apply.Event{Phase: apply.Started, Addr: at(n1, resource.KindUnit, "kubelet")})
	done := make(chan struct{})
	go func() { p.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Close does not return")
	}
}

func TestHostBarText(t *testing.T) {
	var h hostBar
	for name, c := range map[string]struct {
		r    *running
		want string
	}{
		"nothing": {nil, ""},
		"upload":  {&running{addr: at(n1, resource.KindBinary, "kubelet"), since: time.Now(), done: 21e6, total: 84e6}, "binary kubelet 25% of 84.0 MB"},
		"gate":    {&running{addr: at(n1, resource.KindUnit, "kubelet"), since: time.Now(), gate: "kubelet /healthz"}, "waiting for kubelet /healthz"},
		"restore": {&running{addr: at(n1, resource.KindUnit, "kubelet"), since: time.Now(), restoring: true, gate: "x"}, "putting back unit kubelet"},
		"slow":    {&running{addr: at(n1, resource.KindUnit, "kubelet"), since: time.Now().Add(-7500 * time.Millisecond)}, "unit kubelet 7s"},
	} {
		h.show(c.r)
		if got := h.text(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestApplied(t *testing.T) {
	for name, c := range map[string]struct {
		r    apply.Result
		mode plan.Mode
		want string
	}{
		"apply": {apply.Result{Counts: plan.Counts{Add: 3, Change: 1}, Bytes: 1.2e9, Copying: 44 * time.Second, Elapsed: 83 * time.Second}, plan.Normal,
			"Apply complete! Resources: 3 added, 1 changed, 0 destroyed.\nTook 1m23s, 44s of it copying 1.2 GB to hosts.\n"},
		"destroy": {apply.Result{Counts: plan.Counts{Destroy: 7, Forget: 2}, Elapsed: 2 * time.Second}, plan.Destroy,
			"Destroy complete! Resources: 7 destroyed, 2 forgotten.\nTook 2s.\n"},
		"failed": {apply.Result{Counts: plan.Counts{Add: 1}, Failed: 1, Skipped: 2, Elapsed: time.Second}, plan.Normal,
			"Apply incomplete. Resources: 1 added, 0 changed, 0 destroyed; 1 failed, 2 skipped.\nTook 1s.\n"},
		"rollback": {apply.Result{Counts: plan.Counts{Change: 2}, Elapsed: time.Second}, plan.Rollback,
			"Rollback complete! Resources: 0 added, 2 changed, 0 destroyed.\nTook 1s.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := (Applied{Result: c.r, Mode: c.mode}).Write(&b, Style{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What was not all of it is never called complete.
func TestAppliedInPart(t *testing.T) {
	for want, r := range map[string]Applied{
		"1 failed, 0 skipped, 1 unit put back.": {Result: apply.Result{Failed: 1, Restored: 1}},
		"2 hosts left out.":                     {Unseen: 2},
		"1 change held back.":                   {Held: 1},
		"3 resources undecided.":                {Undecided: 3},
		"1 host left out, 1 change held back.":  {Unseen: 1, Held: 1},
	} {
		if text, ok := r.text(); ok || text != "Apply incomplete. Resources: 0 added, 0 changed, 0 destroyed; "+want {
			t.Errorf("%v %q, want %q", ok, text, want)
		}
	}
}
