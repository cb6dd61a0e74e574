//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
)

// audited is what the tests read of `audit --json`.
type audited struct {
	Results  []auditedResult `json:"results"`
	Counts   map[string]int  `json:"counts"`
	Complete bool            `json:"complete"`
}

type auditedResult struct {
	Check    string `json:"check"`
	Host     string `json:"host"`
	Status   string `json:"status"`
	Evidence string `json:"evidence"`
}

// failing are the failures, and what is unknown, as host and check.
func (a audited) failing() []string {
	var out []string
	for _, r := range a.Results {
		if r.Status == "fail" || r.Status == "unknown" {
			out = append(out, r.Host+" "+r.Check+" "+r.Evidence)
		}
	}
	return out
}

// testAudit wants a fresh cluster to pass the benchmark, on its hosts as in the
// plan, and what is changed there, or started otherwise, to be found. It leaves
// the hosts as they were.
func testAudit(l *lab) {
	read := func(code int, args ...string) audited {
		l.t.Helper()
		r := l.must(code, append([]string{"audit", "--json"}, args...)...)
		var a audited
		if err := json.Unmarshal([]byte(r.out), &a); err != nil {
			l.t.Fatalf("audit --json: %v\n%s", err, tail(r.out, 2000))
		}
		return a
	}
	if a := read(0, "--plan-only"); !a.Complete || len(a.failing()) > 0 {
		l.t.Errorf("the plan: %v", a.failing())
	}
	before := l.still()
	a := read(0)
	if !a.Complete || len(a.failing()) > 0 || a.Counts["pass"] < 100 {
		l.t.Errorf("the hosts: complete %v, %v, %v", a.Complete, a.Counts, a.failing())
	}
	if !slices.ContainsFunc(a.Results, func(r auditedResult) bool {
		return r.Check == "1.2.1" && strings.Contains(r.Evidence, "--anonymous-auth=false")
	}) {
		l.t.Error("no evidence of how the API server runs")
	}
	l.same("after audit", before, l.still())

	// A process that its unit does not speak of, by a drop-in; and a mode.
	const dropIn = "/run/systemd/system/kube-scheduler.service.d/audit.conf"
	l.on("m1", `mkdir -p `+dropIn[:strings.LastIndex(dropIn, "/")]+` &&
printf '[Service]\nExecStart=\nExecStart=/usr/local/bin/kube-scheduler --config=/etc/kubernetes/scheduler.yaml --profiling=true --bind-address=0.0.0.0 --authentication-kubeconfig=/etc/kubernetes/scheduler.conf --authorization-kubeconfig=/etc/kubernetes/scheduler.conf\n' >`+dropIn+` &&
systemctl daemon-reload && systemctl restart kube-scheduler`)
	l.on("n1", "chmod 0644 /etc/kubernetes/kubelet.conf")
	found := strings.Join(read(2).failing(), "\n")
	for _, want := range []string{
		`master["m1"] 1.4.1 the running process has --profiling=true`, `master["m1"] 1.4.2 the running process has --bind-address=0.0.0.0`,
		`node["n1"] 4.1.5 /etc/kubernetes/kubelet.conf 0644`,
	} {
		if !strings.Contains(found, want) {
			l.t.Errorf("audit does not find %q:\n%s", want, found)
		}
	}
	l.on("m1", "rm -r "+dropIn[:strings.LastIndex(dropIn, "/")]+" && systemctl daemon-reload && systemctl restart kube-scheduler")
	l.on("n1", "chmod 0600 /etc/kubernetes/kubelet.conf")
	if a := read(0, "--check=1.4", "--check=4.1"); len(a.failing()) > 0 {
		l.t.Errorf("after all was put back: %v", a.failing())
	}
	l.same("after the audits", before, l.still())
}
