package command

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/audit"
	"hardway/provision/config"
)

func auditOf(s audit.Status) audit.Report {
	checks := audit.Checks()
	r := audit.Report{FormatVersion: audit.FormatVersion, Cluster: "lab", Kubernetes: "1.37.1", Benchmark: audit.Benchmark, Subject: audit.SubjectHosts, Complete: true, Checks: checks[:1]}
	r.Results = []audit.Result{{Check: checks[0].ID, Host: addr.Host{Role: addr.Master, Name: "m1"}, Status: s, Evidence: "it is so"}}
	switch s {
	case audit.Pass:
		r.Counts.Pass++
	case audit.Fail:
		r.Counts.Fail++
	case audit.Unknown:
		r.Counts.Unknown++
		r.Complete = false
	}
	return r
}

func TestAuditExitCodes(t *testing.T) {
	blind := auditOf(audit.Fail)
	blind.Complete, blind.Unseen = false, []audit.Unseen{{Host: addr.Host{Role: addr.Node, Name: "n2"}, Reason: "i/o timeout"}}
	for name, c := range map[string]struct {
		r    audit.Report
		args []string
		code int
		want string
	}{
		"passed":  {auditOf(audit.Pass), nil, 0, "Audit: 1 passed, 0 failed"},
		"failed":  {auditOf(audit.Fail), nil, 2, "Audit: 0 passed, 1 failed"},
		"unknown": {auditOf(audit.Unknown), nil, 1, "That is not everything"},
		"unseen":  {blind, nil, 1, `node["n2"]: i/o timeout`},
		"as JSON": {auditOf(audit.Fail), []string{"-json"}, 2, `"status": "fail"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := cli(t, &fake{report: c.r}, nil, false, nil, append([]string{"audit"}, c.args...)...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d\n%s", r.code, c.code, r.stderr)
			}
			wants(t, r, c.want)
		})
	}
}

func TestAuditOptions(t *testing.T) {
	m1, n1 := addr.Host{Role: addr.Master, Name: "m1"}, addr.Host{Role: addr.Node, Name: "n1"}
	f := &fake{report: auditOf(audit.Pass), hosts: []config.Host{{Addr: m1, Name: "m1"}, {Addr: n1, Name: "n1"}}}
	r := cli(t, f, nil, false, nil, "audit", "--plan-only", "--check=1.2,2.7", "--check=1.24/4.2.6", "--host=n1", `--host=master["m1"]`)
	if r.code != 0 {
		t.Fatalf("code %d\n%s", r.code, r.stderr)
	}
	want := provision.AuditOptions{PlanOnly: true, Checks: []string{"1.2", "2.7", "1.24/4.2.6"}, Hosts: []addr.Host{n1, m1}}
	if diff := cmp.Diff(want, f.audited[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for arg, want := range map[string]string{
		"--check=9.9": `There is no check "9.9"`, "--check=1.2.": `There is no check "1.2."`, "--check=": "", "--host=m9": `There is no host "m9"`, "--parallelism=0": "--parallelism must be at least 1",
	} {
		r := cli(t, f, nil, false, nil, "audit", arg)
		if want == "" {
			continue // an empty list asks for nothing in particular
		}
		if r.code != 1 {
			t.Errorf("%s: code %d", arg, r.code)
		}
		wants(t, r, want)
	}
}
