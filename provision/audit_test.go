package provision_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/audit"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
)

func (w *world) audit(o provision.AuditOptions) audit.Report {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	r, err := s.Audit(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// failing are the failures of a report, as check, host and evidence.
func failing(r audit.Report) string {
	var b strings.Builder
	for _, res := range r.Results {
		if res.Status == audit.Fail || res.Status == audit.Unknown {
			b.WriteString(res.Check + " " + res.Host.String() + " " + string(res.Status) + " " + res.Evidence + "\n")
		}
	}
	return b.String()
}

// TestAudit: what apply built passes on the hosts as it does in the plan, and what
// somebody changes there behind hardway's back is found where it is.
func TestAudit(t *testing.T) {
	w := newWorld(t, "testdata/three")
	if r := w.audit(provision.AuditOptions{PlanOnly: true}); failing(r) != "" || !r.Complete || r.Subject != audit.SubjectPlan {
		t.Fatalf("the plan:\n%s", failing(r))
	}
	// Nothing is there yet: that is unknown, and never a pass.
	if r := w.audit(provision.AuditOptions{}); r.Complete || r.Counts.Fail > 0 || r.Counts.Unknown == 0 {
		t.Errorf("bare hosts: %+v, complete %v", r.Counts, r.Complete)
	}
	w.mustConverge(provision.PlanOptions{})
	before := w.audit(provision.AuditOptions{})
	if failing(before) != "" || !before.Complete || before.Counts.Pass < 100 {
		t.Fatalf("fresh hosts: %+v\n%s", before.Counts, failing(before))
	}

	m, n := w.machines[m1], w.machines[n1]
	m.RunAs("kube-apiserver.service", "/usr/local/bin/kube-apiserver", "--anonymous-auth", "--profiling=true")
	change1(m, "/etc/kubernetes/admin.conf", func(f *hosttest.File) { f.Mode = 0o644 })
	change1(m, "/etc/kubernetes/pki/sa.key", func(f *hosttest.File) { f.Owner = "kube" })
	change1(n, kubeletConf, func(f *hosttest.File) {
		f.Content = strings.Replace(f.Content, "readOnlyPort: 0", "readOnlyPort: 10255", 1)
	})
	n.SetFile("/etc/kubernetes/kubelet.conf", &hosttest.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: "/tmp/x"})
	r := w.audit(provision.AuditOptions{})
	found := failing(r)
	for _, want := range []string{
		`1.2.1 master["m1"] fail the running process has --anonymous-auth=true`, `1.2.15 master["m1"] fail the running process has --profiling=true`,
		`1.2.7 master["m1"] fail the running process has no --authorization-mode`,
		`1.1.13 master["m1"] fail /etc/kubernetes/admin.conf 0644`, `1.1.19 master["m1"] fail /etc/kubernetes/pki/sa.key kube:root`,
		`4.2.4 node["n1"] fail its unit has readOnlyPort: 10255`, `4.1.5 node["n1"] fail /etc/kubernetes/kubelet.conf is a link`,
	} {
		if !strings.Contains(found, want) {
			t.Errorf("no %q in\n%s", want, found)
		}
	}
	for _, res := range r.Results {
		if res.Choice != nil {
			t.Errorf("nobody chose %s: %+v", res.Check, res.Choice)
		}
	}
	// Narrowed to what is asked for; and no host is asked that is not.
	w.down = map[addr.Host]error{m1: errors.New("i/o timeout")}
	if r := w.audit(provision.AuditOptions{Checks: []string{"4.2"}, Hosts: []addr.Host{n1}}); !r.Complete || r.Counts.Fail != 1 || len(r.Checks) != 14 {
		t.Errorf("4.2 on n1: %+v, %d checks\n%s", r.Counts, len(r.Checks), failing(r))
	}
	if r := w.audit(provision.AuditOptions{}); r.Complete || len(r.Unseen) != 1 || r.Unseen[0].Host != m1 {
		t.Errorf("with a host that is down: complete %v, unseen %v", r.Complete, r.Unseen)
	}
	w.down = nil
	s := w.open()
	defer w.close(s)
	if _, err := s.Audit(t.Context(), provision.AuditOptions{Hosts: []addr.Host{{Role: addr.Node, Name: "n99"}}}); err == nil || !strings.Contains(err.Error(), `node["n99"]`) {
		t.Errorf("a host that there is not: %v", err)
	}
}

// readOnly fails a test in which anything but a look reaches a host.
type readOnly struct {
	host.Host
	t testing.TB
}

func (h readOnly) Observe(ctx context.Context, q facts.Request) (facts.Observation, error) {
	return h.Host.Observe(ctx, q)
}
func (h readOnly) Put(context.Context, host.Put) error { h.t.Error("a put"); return nil }
func (h readOnly) Lock(context.Context, string) error  { h.t.Error("a lock"); return nil }

// TestAuditOnlyReads: one look at each host; and with the plan alone, none.
func TestAuditOnlyReads(t *testing.T) {
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	looks := 0
	w.wrap = func(_ addr.Host, h host.Host) host.Host { looks++; return readOnly{h, t} }
	hosts := len(w.machines)
	w.audit(provision.AuditOptions{})
	if looks != hosts {
		t.Errorf("%d connections to %d hosts", looks, hosts)
	}
	w.audit(provision.AuditOptions{PlanOnly: true})
	if looks != hosts {
		t.Error("an audit of the plan dialled a host")
	}
}
