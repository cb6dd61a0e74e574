package health

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/host"
)

// apiOver is an api whose raw GETs a function answers.
func apiOver(get func(path string) (host.Result, error)) *api {
	run := func(s host.Script) (host.Result, error) { return get(s.Args[len(s.Args)-1]) }
	return &api{kubectl: "kubectl", kubeconfig: "k", masters: []master{{m1, fakeHost{run: run}}}, slots: make(chan struct{}, 1)}
}

func TestComponentStatuses(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   []ComponentStatus
	}{
		"as 1.37 answers, in order of name": {
			answer: read(t, "componentstatuses.json"),
			want: []ComponentStatus{
				{Name: "controller-manager", Status: "Healthy", Message: "ok"},
				{Name: "etcd-0", Status: "Healthy", Message: "ok"},
				{Name: "scheduler", Status: "Healthy", Message: "ok"},
			},
		},
		"one is down": {
			answer: read(t, "componentstatuses-no-scheduler.json"),
			want: []ComponentStatus{
				{Name: "controller-manager", Status: "Healthy", Message: "ok"},
				{Name: "etcd-0", Status: "Healthy", Message: "ok"},
				{Name: "scheduler", Status: "Unhealthy", Message: `Get "https://127.0.0.1:10259/healthz": dial tcp 127.0.0.1:10259: connect: connection refused`},
			},
		},
		"as before 1.28, with an error": {
			answer: `{"items":[{"metadata":{"name":"etcd-0"},"conditions":[{"type":"Other","status":"True"},
				{"type":"Healthy","status":"Unknown","message":"m","error":"e"},{"type":"Healthy","status":"True"}]}]}`,
			want: []ComponentStatus{{Name: "etcd-0", Status: "Unhealthy", Message: "m", Error: "e"}},
		},
		"nothing known": {
			answer: `{"items":[{"metadata":{"name":"scheduler"}}]}`,
			want:   []ComponentStatus{{Name: "scheduler", Status: "Unknown"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := componentStatuses(t.Context(), apiOver(func(string) (host.Result, error) { return stdout(tt.answer) }))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("rows (-want +got):\n%s", d)
			}
		})
	}
}

func TestNodeStatuses(t *testing.T) {
	const head = `{"items":[{"metadata":{"name":"n9","labels":{%s}},"spec":{%s},"status":{"nodeInfo":{"kubeletVersion":"v1.37.1"},"conditions":[%s]}}]}`
	tests := map[string]struct {
		answer string
		want   []NodeStatus
	}{
		"as 1.37 answers": {
			answer: read(t, "nodes.json"),
			want: []NodeStatus{
				{Name: "m1", Ready: true, Roles: []string{"control-plane"}, Version: "v1.37.1", Address: "10.9.9.10", Runtime: "containerd://2.4.2"},
				{Name: "n1", Ready: true, Version: "v1.37.1", Address: "10.9.9.11", Runtime: "containerd://2.4.2"},
				{Name: "n2", Ready: true, Version: "v1.37.1", Address: "10.9.9.12", Runtime: "containerd://2.4.2"},
			},
		},
		"not ready": {
			answer: fmt.Sprintf(head, "", "", `{"type":"MemoryPressure","status":"False"},
				{"type":"Ready","status":"False","reason":"KubeletNotReady","message":"network plugin not ready:\n cni plugin not initialized"}`),
			want: []NodeStatus{{Name: "n9", Reason: "KubeletNotReady: network plugin not ready: cni plugin not initialized", Version: "v1.37.1"}},
		},
		"unknown": {
			answer: fmt.Sprintf(head, "", "", `{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","message":"Kubelet stopped posting node status."}`),
			want:   []NodeStatus{{Name: "n9", Reason: "NodeStatusUnknown: Kubelet stopped posting node status.", Version: "v1.37.1"}},
		},
		"just registered": {
			answer: fmt.Sprintf(head, "", "", ""),
			want:   []NodeStatus{{Name: "n9", Reason: "the kubelet has not reported yet", Version: "v1.37.1"}},
		},
		"cordoned, with roles of both kinds": {
			answer: fmt.Sprintf(head, `"node-role.kubernetes.io/worker":"","node-role.kubernetes.io/":"","kubernetes.io/role":"gpu","a":"b"`,
				`"unschedulable":true`, `{"type":"Ready","status":"True"}`),
			want: []NodeStatus{{Name: "n9", Ready: true, Reason: "SchedulingDisabled", Roles: []string{"gpu", "worker"}, Version: "v1.37.1"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := nodeStatuses(t.Context(), apiOver(func(string) (host.Result, error) { return stdout(tt.answer) }))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("rows (-want +got):\n%s", d)
			}
		})
	}
}

func TestNodeStatusesReadsAllPages(t *testing.T) {
	var paths []string
	get := func(path string) (host.Result, error) {
		paths = append(paths, path)
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		switch u.Query().Get("continue") {
		case "":
			return stdout(`{"metadata":{"continue":"a+b/c=&limit=1"},"items":[{"metadata":{"name":"b"}}]}`)
		case "a+b/c=&limit=1":
			return stdout(`{"items":[{"metadata":{"name":"a"}}]}`)
		}
		return notFound("pages", path)
	}
	rows, err := nodeStatuses(t.Context(), apiOver(get))
	if err != nil || len(paths) != 2 || len(rows) != 2 || rows[0].Name != "a" {
		t.Errorf("asked %q, got %v, %v", paths, rows, err)
	}
}

func TestNodeListThatDoesNotEnd(t *testing.T) {
	asked := 0
	a := apiOver(func(string) (host.Result, error) {
		asked++
		return stdout(`{"metadata":{"continue":"again"},"items":[]}`)
	})
	if _, err := nodeStatuses(t.Context(), a); err == nil || asked != nodePages {
		t.Errorf("asked %d times, got %v", asked, err)
	}
}

func TestAnswersThatAreNoJSON(t *testing.T) {
	for _, text := range []string{"", "no", `{"items":{}}`, `[`, `{"items":[{"metadata":{"name":7}}]}`} {
		a := apiOver(func(string) (host.Result, error) { return stdout(text) })
		if _, err := nodeStatuses(t.Context(), a); err == nil || !strings.Contains(err.Error(), "JSON") {
			t.Errorf("nodes from %q: %v", text, err)
		}
		if _, err := componentStatuses(t.Context(), a); err == nil {
			t.Errorf("components from %q: no error", text)
		}
	}
}

func TestAnswerThatWasCutIsRefused(t *testing.T) {
	a := apiOver(func(string) (host.Result, error) { return stdout(strings.Repeat(" ", host.MaxOutput)) })
	if _, err := nodeStatuses(t.Context(), a); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v", err)
	}
}

// Whatever an API server answers becomes rows or an error, in order and printable.
func FuzzRows(f *testing.F) {
	for _, name := range []string{"nodes.json", "componentstatuses.json", "componentstatuses-no-scheduler.json"} {
		f.Add(read(f, name))
	}
	f.Add(`{"items":[{"metadata":{"name":"\u001b[31m","labels":{"node-role.kubernetes.io/\n":""}},"status":{"addresses":[{"type":"InternalIP"}]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		a := apiOver(func(string) (host.Result, error) { return stdout(text) })
		rows, _ := nodeStatuses(context.Background(), a)
		for i, r := range rows {
			if r.Name != clean(r.Name) || r.Reason != clean(r.Reason) || (i > 0 && rows[i-1].Name > r.Name) {
				t.Errorf("row %d: %+v", i, r)
			}
		}
		components, _ := componentStatuses(context.Background(), a)
		for _, c := range components {
			if c.Message != clean(c.Message) || (c.Status != "Healthy" && c.Status != "Unhealthy" && c.Status != "Unknown") {
				t.Errorf("%+v", c)
			}
		}
	})
}
