package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"hardway/provision/health"
)

func report(healthy bool) health.Report {
	r := health.Report{Cluster: "lab", Healthy: healthy, Elapsed: 12300 * time.Millisecond,
		Checks: []health.Check{
			{Host: m1, Component: "etcd", Name: "/health", Status: health.Healthy, Elapsed: 8 * time.Millisecond},
			{Host: m1, Component: "kube-apiserver", Name: "/readyz", Status: health.Healthy, Elapsed: 21 * time.Millisecond},
			{Host: n1, Component: "kubelet", Name: "/healthz", Status: health.Healthy, Message: "ok", Elapsed: 3 * time.Millisecond},
			{Host: n1, Component: "smoke", Name: "pod to pod n1 → n2", Status: health.Skipped, Message: "no verify image is set"},
		},
		ComponentStatuses: []health.ComponentStatus{
			{Name: "scheduler", Status: "Healthy", Message: "ok"}, {Name: "controller-manager", Status: "Healthy", Message: "ok"},
			{Name: "etcd-0", Status: "Healthy", Message: `{"health":"true"}`},
		},
		Nodes: []health.NodeStatus{
			{Name: "m1", Ready: true, Roles: []string{"control-plane"}, Version: "v1.37.1", Address: "192.168.10.21", Runtime: "containerd://2.4.2"},
			{Name: "n1", Ready: true, Version: "v1.37.1", Address: "192.168.10.31", Runtime: "containerd://2.4.2"},
		},
	}
	if !healthy {
		r.Checks[2].Status, r.Checks[2].Message = health.Unhealthy, "connection refused: the kubelet is \x1b[31mnot\x1b[0m running, its unit is failed with exit status 1"
		r.Checks = append(r.Checks, health.Check{Host: n2, Component: "kubelet", Name: "/healthz", Status: health.Unknown, Message: "no connection", Elapsed: 10 * time.Second})
		r.Nodes[1].Ready, r.Nodes[1].Reason = false, "container runtime network not ready"
		r.ComponentStatuses[0] = health.ComponentStatus{Name: "scheduler", Status: "Unhealthy", Error: "dial tcp 127.0.0.1:10259: connection refused"}
	}
	return r
}

func TestReportGolden(t *testing.T) {
	silent := report(true) // a host without a connection: every check of it says the same
	silent.Healthy = false
	for _, name := range []string{"reachable", "containerd", "kubelet /healthz", "kube-proxy /healthz"} {
		silent.Checks = append(silent.Checks, health.Check{Host: n2, Component: "host", Name: name, Status: health.Unknown, Message: "unreachable: dial tcp 10.0.0.3:22: no route to host"})
	}
	for name, c := range map[string]struct {
		r health.Report
		s Style
	}{
		"silent-120":          {silent, Style{Width: 120}},
		"healthy-80":          {report(true), Style{Width: 80}},
		"unhealthy-80":        {report(false), Style{Width: 80}},
		"unhealthy-120-color": {report(false), Style{Width: 120, Color: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Report(&b, c.r, c.s); err != nil {
				t.Fatal(err)
			}
			golden(t, "report/"+name+".txt", b.String())
		})
	}
	var b bytes.Buffer
	if err := ReportJSON(&b, report(false)); err != nil {
		t.Fatal(err)
	}
	golden(t, "report/unhealthy.json", b.String())
}

func TestReportIsWholeInAFile(t *testing.T) {
	r := health.Report{Checks: []health.Check{{Component: "etcd", Name: "x", Status: health.Unhealthy, Message: strings.Repeat("why ", 40) + "END"}}}
	for _, whole := range []bool{false, true} {
		var b strings.Builder
		if err := Report(&b, r, Style{Width: 80, Whole: whole}); err != nil {
			t.Fatal(err)
		}
		table, _, _ := strings.Cut(b.String(), "\n\n")
		if got := strings.Contains(table, "END"); got != whole {
			t.Errorf("whole %v: the row has its end: %v\n%s", whole, got, table)
		}
	}
}
