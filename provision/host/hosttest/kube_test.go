package hosttest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
)

const serviceText = "[Service]\nExecStart=/usr/local/bin/x\n"

// kubectl runs the small kubectl and wants it to succeed.
func kubectl(t *testing.T, s *Session, stdin string, args ...string) string {
	t.Helper()
	r, err := s.Run(t.Context(), host.Script{Name: "exec", Args: append([]string{"/usr/local/bin/kubectl", "--kubeconfig", "/c", "--request-timeout=20s"}, args...), Stdin: []byte(stdin)})
	if err != nil {
		t.Fatalf("kubectl %q: %v", args, err)
	}
	return string(r.Stdout)
}

func TestCluster(t *testing.T) {
	m, n := NewMachine("m1"), NewMachine("n1")
	Join(m, n)
	master, node := m.Connect(), n.Connect()
	start := func(m *Machine, s *Session, name, text string) {
		t.Helper()
		m.WriteFile("/etc/systemd/system/"+name, 0o644, text)
		if err := s.Unit(t.Context(), name, host.Start); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := master.Run(t.Context(), host.Script{Name: "exec", Args: []string{"kubectl", "get", "nodes"}}); err == nil {
		t.Fatal("there is no API, and it answered")
	}
	start(m, master, "etcd.service", "[Service]\nExecStart=/usr/local/bin/etcd --data-dir=/var/lib/etcd \\\n --name=m1\n")
	if _, ok := m.File("/var/lib/etcd/member"); !ok {
		t.Error("etcd made no data directory")
	}
	start(m, master, "kube-apiserver.service", serviceText)
	start(n, node, "kubelet.service", serviceText)

	kubectl(t, master, "", "label", "node", "n1", "a=b", "c=d", "--overwrite")
	kubectl(t, master, "", "label", "node/n1", "c-")
	kubectl(t, master, "", "taint", "node", "n1", "k=v:NoSchedule", "x:NoExecute", "--overwrite")
	kubectl(t, master, "", "taint", "nodes", "n1", "x:NoExecute-")
	var got struct {
		Metadata struct{ Labels map[string]string }
		Spec     struct{ Taints []map[string]string }
	}
	if err := json.Unmarshal([]byte(kubectl(t, master, "", "get", "node", "n1", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.Labels["a"] != "b" || got.Metadata.Labels["c"] != "" {
		t.Errorf("labels %v", got.Metadata.Labels)
	}
	if d := cmp.Diff([]map[string]string{{"key": "k", "value": "v", "effect": "NoSchedule"}}, got.Spec.Taints); d != "" {
		t.Error(d)
	}
	kubectl(t, master, "kind: ConfigMap\nmetadata: {name: a, namespace: ns}\ndata: {k: v}\n---\nkind: Namespace\nmetadata: {name: ns}\n", "apply", "-f", "-")
	kubectl(t, master, `{"kind":"ConfigMap","metadata":{"name":"a","namespace":"ns"},"data":{"l":"w"}}`, "apply", "--server-side", "-f", "-")
	if text := kubectl(t, master, "", "get", "cm/a", "--ignore-not-found"); text != "" {
		t.Errorf("short names are not known, and it found %s", text)
	}
	if text := kubectl(t, master, "", "get", "configmaps", "-n", "ns", "-o=json"); !strings.Contains(text, `"data":{"k":"v","l":"w"}`) {
		t.Error(text)
	}
	kubectl(t, master, "", "delete", "node", "n1")
	kubectl(t, master, "", "delete", "node", "gone", "--ignore-not-found")

	// The node's kubelet registers it again, as long as it runs.
	for _, p := range []string{"/k", "/c"} {
		m.WriteFile(p, 0o755, "")
	}
	req := facts.Request{Kube: &facts.KubeRequest{Kubectl: "/k", Kubeconfig: "/c", EtcdData: "/var/lib/etcd/member", Nodes: true}}
	look := func() facts.Kube {
		t.Helper()
		o, err := master.Observe(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return o.Kube
	}
	if k := look(); k.State != facts.Up || k.Nodes["n1"] == nil {
		t.Errorf("got %+v", k)
	}
	m.Forbid("not yet")
	if k := look(); k.State != facts.Forbidden || k.Message != "not yet" {
		t.Errorf("got %+v", k)
	}
	m.KillUnit("kube-apiserver.service")
	if k := look(); k.State != facts.Down {
		t.Errorf("got %+v", k)
	}
}

func TestUnitStates(t *testing.T) {
	m := NewMachine("m1")
	s := m.Connect()
	m.WriteFile("/etc/systemd/system/a.service", 0o644, serviceText)
	m.BreakUnit("a.service", true)
	if err := s.Unit(t.Context(), "a.service", host.Start); err == nil {
		t.Fatal("a broken unit started")
	}
	look := func() facts.Unit { return m.Snapshot().Units["a.service"] }
	if u := look(); u.Active != "failed" || u.Result != "exit-code" {
		t.Errorf("got %+v", u)
	}
	m.BreakUnit("a.service", false)
	m.MaskUnit("a.service")
	if err := s.Unit(t.Context(), "a.service", host.Start); err == nil || look().Load != "masked" {
		t.Errorf("a masked unit: %+v, %v", look(), err)
	}
	for _, action := range []host.UnitAction{host.Unmask, host.ResetFailed, host.StartNoBlock, host.Reload} {
		if err := s.Unit(t.Context(), "a.service", action); err != nil {
			t.Fatal(err)
		}
	}
	if u := look(); u.Active != "active" {
		t.Errorf("got %+v", u)
	}
}
