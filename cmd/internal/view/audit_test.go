package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/audit"
)

// auditReport has an answer of each kind, to checks of several sections.
func auditReport() audit.Report {
	m1, n1, n2 := addr.Host{Role: addr.Master, Name: "m1"}, addr.Host{Role: addr.Node, Name: "n1"}, addr.Host{Role: addr.Node, Name: "n2"}
	cluster := addr.Host{Role: addr.Cluster}
	r := audit.Report{
		FormatVersion: audit.FormatVersion, Tool: "0.0.0-test", Created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Cluster: "lab", Kubernetes: "1.37.1",
		Benchmark: audit.Benchmark, Subject: audit.SubjectHosts,
		Unseen: []audit.Unseen{{Host: addr.Host{Role: addr.Node, Name: "n3"}, Reason: "dial tcp 192.168.56.23:22: i/o timeout"}},
		Counts: audit.Counts{Pass: 2, Fail: 3, Chosen: 1, Accepted: 1, Manual: 1, Unknown: 1, NotApplicable: 1},
	}
	byID := map[string]audit.Check{}
	for _, c := range audit.Checks() {
		byID[c.ID] = c
	}
	add := func(id string, res ...audit.Result) {
		r.Checks = append(r.Checks, byID[id])
		for _, x := range res {
			x.Check = id
			r.Results = append(r.Results, x)
		}
	}
	add("1.1.12", audit.Result{Host: m1, Status: audit.Accepted, Evidence: "/var/lib/etcd root:root", Reason: byID["1.1.12"].Accepted, Fix: byID["1.1.12"].Fix})
	add("1.2.1", audit.Result{Host: m1, Status: audit.Fail, Evidence: "its unit has --anonymous-auth=true", Fix: byID["1.2.1"].Fix,
		Choice: &audit.Choice{Setting: `apiserver.flags["anonymous-auth"]`, File: "cluster.hcl", Line: 31}})
	add("1.2.2", audit.Result{Host: m1, Status: audit.Pass, Evidence: "its unit has no --token-auth-file"})
	const drifted = `The configuration asks for it already: "hardway drift" shows what differs on the host, "hardway apply" puts it back.`
	add("4.1.5",
		audit.Result{Host: m1, Status: audit.Pass, Evidence: "/etc/kubernetes/kubelet.conf 0600"},
		audit.Result{Host: n1, Status: audit.Fail, Evidence: "/etc/kubernetes/kubelet.conf 0644", Fix: drifted},
		audit.Result{Host: n2, Status: audit.Fail, Evidence: "/etc/kubernetes/kubelet.conf 0644", Fix: drifted})
	add("4.2.1", audit.Result{Host: n1, Status: audit.Unknown, Evidence: "the config file of its unit could not be read", Fix: `Run "hardway plan": it says what is missing on the host.`})
	add("5.1.2", audit.Result{Host: cluster, Status: audit.Manual, Fix: byID["5.1.2"].Fix})
	add("1.24/4.2.6", audit.Result{Host: cluster, Status: audit.NotApplicable, Reason: "it is about Kubernetes up to 1.24"})
	return r
}

func auditString(t *testing.T, r audit.Report, o PlanOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Audit(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAuditGolden(t *testing.T) {
	r := auditReport()
	golden(t, "audit/all-80.txt", auditString(t, r, PlanOptions{Style: Style{Width: 80}}))
	golden(t, "audit/all-120-color.txt", auditString(t, r, PlanOptions{Style: Style{Width: 120, Color: true}}))
	golden(t, "audit/all-verbose-80.txt", auditString(t, r, PlanOptions{Style: Style{Width: 80}, Verbose: true}))
	good := r
	good.Results, good.Unseen, good.Complete, good.Subject = r.Results[2:3], nil, true, audit.SubjectPlan
	good.Counts = audit.Counts{Pass: 1}
	golden(t, "audit/good-80.txt", auditString(t, good, PlanOptions{Style: Style{Width: 80}}))
	var b bytes.Buffer
	if err := AuditJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "audit/all.json", b.String())

	var back audit.Report // the text needs nothing that the JSON does not publish
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	o := PlanOptions{Style: Style{Width: 80}, Verbose: true}
	if diff := cmp.Diff(auditString(t, r, o), auditString(t, back, o)); diff != "" {
		t.Errorf("(-report +from JSON):\n%s", diff)
	}
}

// Lines keep to the width, and what a host says reaches no terminal as it is.
func TestAuditIsSafe(t *testing.T) {
	r := auditReport()
	for _, width := range []int{80, 120} {
		for line := range strings.SplitSeq(auditString(t, r, PlanOptions{Style: Style{Width: width}, Verbose: true}), "\n") {
			if columns(line) > width {
				t.Errorf("%d columns in %d: %s", columns(line), width, line)
			}
		}
	}
	const evil = "a\x1b[2J\u202eb\r\x00\xff"
	for i := range r.Results {
		res := &r.Results[i]
		res.Evidence, res.Fix, res.Reason = evil, evil, evil
		res.Host.Name = evil
		res.Choice = &audit.Choice{Setting: evil, File: evil, Line: 1}
	}
	r.Cluster, r.Kubernetes, r.Unseen[0].Reason = evil, evil, evil
	text := auditString(t, r, PlanOptions{Style: Style{Width: 80}, Verbose: true})
	if strings.ContainsAny(text, "\x1b\r\x00\u202e") || !strings.Contains(text, `\x1b`) {
		t.Errorf("not escaped:\n%q", text)
	}
}
