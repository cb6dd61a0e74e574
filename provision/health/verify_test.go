package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/resource"
)

// lines are the checks as text, without what depends on time.
func lines(checks []Check) []string {
	var out []string
	for _, c := range checks {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s %s", c.Host, c.Component, c.Name, c.Status, c.Message)))
	}
	return out
}

func withProbes(s Spec) Spec {
	for _, h := range []addr.Host{n1, m1} { // not in the report's order
		s.Probes = append(s.Probes,
			Probe{h, "kubelet", resource.Gate{Name: "/healthz", HTTP: "http://127.0.0.1:10248/healthz"}},
			Probe{h, "etcd", resource.Gate{Name: "endpoint health", Argv: []string{"etcdctl"}}})
	}
	return s
}

func TestVerifyHealthyCluster(t *testing.T) {
	want := []string{
		`master["m1"] kubelet /healthz: healthy`,
		`master["m1"] etcd endpoint health: healthy`,
		`node["n1"] kubelet /healthz: healthy`,
		`node["n1"] etcd endpoint health: healthy`,
		`master["m1"] componentstatuses kubectl get componentstatuses: healthy 3 of 3 healthy`,
		`master["m1"] node kubectl get nodes: healthy 3 nodes`,
		`master["m1"] node Ready: healthy v1.37.1`,
		`node["n1"] node Ready: healthy v1.37.1`,
		`node["n2"] node Ready: healthy v1.37.1`,
		`cluster smoke namespace: healthy hardway-smoke-x0`,
		`cluster smoke service account and ca.crt: healthy`,
		`cluster smoke pods and Service are accepted: healthy`,
		`master["m1"] smoke pod on m1 runs: healthy 10.244.1.2`,
		`node["n1"] smoke pod on n1 runs: healthy 10.244.2.2`,
		`node["n2"] smoke pod on n2 runs: healthy 10.244.3.2`,
		`master["m1"] smoke Service reached through kube-proxy from m1: healthy 3 of 3 pods answered`,
		`node["n1"] smoke Service reached through kube-proxy from n1: healthy 3 of 3 pods answered`,
		`node["n2"] smoke Service reached through kube-proxy from n2: healthy 3 of 3 pods answered`,
		`master["m1"] smoke pod to pod m1 → n1: healthy`,
		`master["m1"] smoke pod to pod m1 → n2: healthy`,
		`node["n1"] smoke pod to pod n1 → m1: healthy`,
		`node["n1"] smoke pod to pod n1 → n2: healthy`,
		`node["n2"] smoke pod to pod n2 → m1: healthy`,
		`node["n2"] smoke pod to pod n2 → n1: healthy`,
		`master["m1"] smoke API server to pod on m1: healthy`,
		`master["m1"] smoke logs of m1 through the kubelet: healthy`,
		`master["m1"] smoke exec on m1 through the kubelet: healthy`,
		`node["n1"] smoke API server to pod on n1: healthy`,
		`node["n1"] smoke logs of n1 through the kubelet: healthy`,
		`node["n1"] smoke exec on n1 through the kubelet: healthy`,
		`node["n2"] smoke API server to pod on n2: healthy`,
		`node["n2"] smoke logs of n2 through the kubelet: healthy`,
		`node["n2"] smoke exec on n2 through the kubelet: healthy`,
		`cluster smoke clean-up: healthy`,
	}
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		told := make(map[string]int)
		report := Verify(t.Context(), withProbes(c.spec()), c.sessions(), nil, func(c Check) { told[lines([]Check{c})[0]]++ })
		for i := range report.Checks { // the Service balances at random
			report.Checks[i].Message, _, _ = strings.Cut(report.Checks[i].Message, " in ")
		}
		if d := cmp.Diff(want, lines(report.Checks)); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
		if !report.Healthy || report.Cluster != "lab" || report.Elapsed < 8*time.Second || report.Elapsed > 15*time.Second {
			t.Errorf("healthy %v, cluster %q, %s", report.Healthy, report.Cluster, report.Elapsed)
		}
		if len(report.Nodes) != 3 || len(report.ComponentStatuses) != 3 || len(told) != len(want) {
			t.Errorf("%d nodes, %d components, %d told", len(report.Nodes), len(report.ComponentStatuses), len(told))
		}
		if left := c.leftNamespaces(); len(left)+len(c.namespaces) > 0 {
			t.Errorf("left behind: %q of %d", left, len(c.namespaces))
		}
		for _, call := range c.calls {
			if !strings.Contains(call, " --raw ") && !strings.Contains(call, " --cache-dir=/dev/null ") {
				t.Errorf("kubectl %s leaves a cache on the host", call)
			}
		}
	})
}

func TestVerifyWithoutHosts(t *testing.T) {
	c := newFakeCluster(t)
	report := Verify(t.Context(), withProbes(c.spec()), nil, map[addr.Host]string{m1: "dial tcp: timeout\n", n1: ""}, nil)
	want := []string{
		`master["m1"] host reachable: unknown unreachable: dial tcp: timeout`,
		`node["n1"] host reachable: unknown there is no connection to this host`,
		`node["n2"] host reachable: unknown there is no connection to this host`,
		`master["m1"] kubelet /healthz: unknown unreachable: dial tcp: timeout`,
		`master["m1"] etcd endpoint health: unknown unreachable: dial tcp: timeout`,
		`node["n1"] kubelet /healthz: unknown there is no connection to this host`,
		`node["n1"] etcd endpoint health: unknown there is no connection to this host`,
		`master["m1"] componentstatuses kubectl get componentstatuses: unknown ` +
			`the Kubernetes API could not be asked on any master: master["m1"]: unreachable: dial tcp: timeout`,
		`master["m1"] node Ready: unknown the Kubernetes API could not be asked`,
		`node["n1"] node Ready: unknown the Kubernetes API could not be asked`,
		`node["n2"] node Ready: unknown the Kubernetes API could not be asked`,
		`cluster smoke namespace: unknown the Kubernetes API could not be asked`,
	}
	if d := cmp.Diff(want, lines(report.Checks)); d != "" {
		t.Errorf("checks (-want +got):\n%s", d)
	}
	if report.Healthy {
		t.Error("healthy")
	}
}

func TestVerifyTellsBadFromUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		c.override = func(h addr.Host, s host.Script) (host.Result, error, bool) {
			switch {
			case h == m1 && s.Name == scriptHTTPGet && strings.Contains(s.Args[0], "10248"):
				r, err := stdout("500\nno")
				return r, err, true
			case h == n1 && len(s.Args) == 1 && s.Args[0] == "etcdctl":
				return host.Result{}, errors.New("connection lost"), true
			}
			return host.Result{}, nil, false
		}
		spec := withProbes(c.spec())
		spec.Smoke.Image = ""
		report := Verify(t.Context(), spec, c.sessions(), nil, nil)
		got := lines(report.Checks)
		want := []string{
			`master["m1"] kubelet /healthz: unhealthy GET http://127.0.0.1:10248/healthz: HTTP 500 Internal Server Error: no`,
			`master["m1"] etcd endpoint health: healthy`,
			`node["n1"] kubelet /healthz: healthy`,
			`node["n1"] etcd endpoint health: unknown asking etcdctl: connection lost`,
		}
		if d := cmp.Diff(want, got[:4]); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
		if last := got[len(got)-1]; last != "cluster smoke smoke test: skipped no image is set for it" {
			t.Errorf("last: %s", last)
		}
		if report.Healthy {
			t.Error("healthy")
		}
	})
}

func TestVerifyComponentsAndNodes(t *testing.T) {
	tests := map[string]struct {
		components, nodes string // answers; empty for the healthy ones
		componentsExit    string // standard error
		declared          []NodeSpec
		want              []string // checks that are not healthy, or speak of a Node without a host
		healthy           bool
	}{
		"all well": {healthy: true},
		"a component is down": {
			components: read(t, "componentstatuses-no-scheduler.json"),
			want: []string{`master["m1"] componentstatuses kubectl get componentstatuses: unhealthy scheduler is Unhealthy ` +
				`Get "https://127.0.0.1:10259/healthz": dial tcp 127.0.0.1:10259: connect: connection refused`},
		},
		"no components": {
			components: `{"items":[]}`,
			want:       []string{`master["m1"] componentstatuses kubectl get componentstatuses: unhealthy no rows`},
		},
		"componentstatuses removed": {
			componentsExit: "Error from server (NotFound): the server could not find the requested resource",
			want:           []string{`master["m1"] componentstatuses kubectl get componentstatuses: skipped this API server no longer has componentstatuses`},
			healthy:        true,
		},
		"API gone meanwhile": {
			componentsExit: "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?",
			want: []string{`master["m1"] componentstatuses kubectl get componentstatuses: unknown master["m1"]: the Kubernetes API could not be asked: ` +
				`kubectl get --raw /api/v1/componentstatuses: The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?`},
		},
		"nodes missing, not ready and not declared": {
			nodes: `{"items":[{"metadata":{"name":"n1"},"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"R","message":"M"}]}},
				{"metadata":{"name":"old"}},{"metadata":{"name":"guest"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}]}`,
			declared: []NodeSpec{{m1, "m1"}, {n1, "n1"}},
			want: []string{
				`master["m1"] node Ready: unhealthy node m1: is not registered; look at the kubelet's journal on this host`,
				`node["n1"] node Ready: unhealthy node n1: not Ready: R: M`,
				`cluster node Ready: guest: healthy no host stands for this Node`,
				`cluster node Ready: old: unhealthy node old: not Ready: the kubelet has not reported yet (no host stands for this Node; if it is gone, delete the Node)`,
			},
		},
		"nodes are no list": {
			nodes: `{"items":`,
			want: []string{
				`master["m1"] node kubectl get nodes: unhealthy GET /api/v1/nodes?limit=50: not the JSON that was expected: unexpected end of JSON input`,
				`master["m1"] node Ready: unknown the nodes could not be listed`,
				`node["n1"] node Ready: unknown the nodes could not be listed`,
				`node["n2"] node Ready: unknown the nodes could not be listed`,
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFakeCluster(t)
				c.override = func(_ addr.Host, s host.Script) (r host.Result, err error, done bool) {
					path := s.Args[len(s.Args)-1]
					switch {
					case strings.Contains(path, "componentstatuses") && tt.componentsExit != "":
						r, err = exit(1, tt.componentsExit)
					case strings.Contains(path, "componentstatuses") && tt.components != "":
						r, err = stdout(tt.components)
					case strings.Contains(path, "/nodes?") && tt.nodes != "":
						r, err = stdout(tt.nodes)
					default:
						return r, err, false
					}
					return r, err, true
				}
				spec := c.spec()
				spec.Smoke.Image = ""
				if tt.declared != nil {
					spec.Nodes = tt.declared
				}
				report := Verify(t.Context(), spec, c.sessions(), nil, nil)
				var got []string
				for i, line := range lines(report.Checks) {
					c := report.Checks[i]
					if c.Component != componentSmoke && (c.Status != Healthy || strings.Contains(line, "no host stands")) {
						got = append(got, line)
					}
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("checks (-want +got):\n%s", d)
				}
				if report.Healthy != tt.healthy {
					t.Errorf("healthy: %v", report.Healthy)
				}
			})
		})
	}
}

func TestVerifyUsesTheMasterThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		c.hosts = append(c.hosts, m2)
		c.override = func(h addr.Host, s host.Script) (host.Result, error, bool) {
			if h == m1 && s.Name == scriptExec {
				r, err := exit(1, "The connection to the server 10.0.0.1:6443 was refused")
				return r, err, true
			}
			return host.Result{}, nil, false
		}
		spec := c.spec()
		spec.Masters = []addr.Host{m1, m2}
		report := Verify(t.Context(), spec, c.sessions(), nil, nil)
		if !report.Healthy || report.Checks[0].Host != m2 {
			t.Errorf("healthy %v, asked on %s", report.Healthy, report.Checks[0].Host)
		}
	})
}

func TestVerifyTellsOneCheckAtATime(t *testing.T) {
	c := newFakeCluster(t)
	spec := withProbes(c.spec())
	spec.Smoke.Image = ""
	var mu sync.Mutex
	Verify(t.Context(), spec, c.sessions(), nil, func(Check) {
		if !mu.TryLock() {
			t.Error("two at once")
			return
		}
		time.Sleep(time.Millisecond)
		mu.Unlock()
	})
}

func TestVerifyInterruptedAtOnce(t *testing.T) {
	c := newFakeCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := Verify(ctx, withProbes(c.spec()), c.sessions(), nil, nil)
	if report.Healthy || len(c.calls) > 0 {
		t.Errorf("healthy %v, calls %q", report.Healthy, c.calls)
	}
	for _, check := range report.Checks {
		if check.Status != Unknown {
			t.Errorf("%+v", check)
		}
	}
}

func TestReportIsStableJSON(t *testing.T) {
	report := Report{Cluster: "lab", Checks: []Check{{Host: n1, Component: "kubelet", Name: "/healthz", Status: Healthy, Elapsed: time.Second}}}
	got, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"cluster":"lab","checks":[{"host":"node[\"n1\"]","component":"kubelet","name":"/healthz","status":"healthy",` +
		`"elapsed":1000000000}],"healthy":false,"elapsed":0}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
}
