package health

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hardway/provision/addr"
	"hardway/provision/host"
)

// Hosts of the fake cluster.
var (
	m1 = addr.Host{Role: addr.Master, Name: "m1"}
	m2 = addr.Host{Role: addr.Master, Name: "m2"}
	n1 = addr.Host{Role: addr.Node, Name: "n1"}
	n2 = addr.Host{Role: addr.Node, Name: "n2"}
)

// fakeHost is a session that can only run scripts.
type fakeHost struct {
	host.Host
	run func(host.Script) (host.Result, error)
}

func (h fakeHost) Run(ctx context.Context, s host.Script) (host.Result, error) {
	if err := ctx.Err(); err != nil {
		return host.Result{}, err
	}
	return h.run(s)
}

// exit is a script that failed.
func exit(status int, stderr string) (host.Result, error) {
	return host.Result{Exit: status, Stderr: []byte(stderr)}, &host.ScriptError{Script: "x", Exit: status, Stderr: stderr}
}

func stdout(text string) (host.Result, error) { return host.Result{Stdout: []byte(text)}, nil }

// fakeCluster answers kubectl and HTTP questions as a cluster does whose pods
// become Ready after a while. It is to be used in a synctest bubble.
type fakeCluster struct {
	t          *testing.T
	components string // files of testdata
	nodes      string
	hosts      []addr.Host
	override   func(h addr.Host, s host.Script) (host.Result, error, bool) // comes first

	mu         sync.Mutex
	namespaces map[string]*corev1.Namespace
	gone       map[string]time.Time // when a namespace will have been removed
	pods       map[string]*corev1.Pod
	events     []corev1.Event
	calls      []string // of kubectl, without the connection's flags
	turn       int
}

func newFakeCluster(t *testing.T) *fakeCluster {
	return &fakeCluster{
		t: t, components: "componentstatuses.json", nodes: "nodes.json", hosts: []addr.Host{m1, n1, n2},
		namespaces: make(map[string]*corev1.Namespace), gone: make(map[string]time.Time), pods: make(map[string]*corev1.Pod),
	}
}

func (c *fakeCluster) sessions() map[addr.Host]host.Host {
	out := make(map[addr.Host]host.Host)
	for _, h := range c.hosts {
		out[h] = fakeHost{run: func(s host.Script) (host.Result, error) { return c.run(h, s) }}
	}
	return out
}

func (c *fakeCluster) spec() Spec {
	return Spec{
		Cluster: "lab", Masters: []addr.Host{m1}, Kubectl: "/usr/local/bin/kubectl", Kubeconfig: "/etc/kubernetes/admin.conf",
		Nodes: []NodeSpec{{m1, "m1"}, {n1, "n1"}, {n2, "n2"}},
		Smoke: Smoke{Image: "example.test/agnhost:1", Namespace: "hardway-smoke", Timeout: time.Minute},
	}
}

func (c *fakeCluster) run(h addr.Host, s host.Script) (host.Result, error) {
	time.Sleep(30 * time.Millisecond)
	if c.override != nil {
		if r, err, done := c.override(h, s); done {
			return r, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.Name {
	case scriptExec:
		if s.Args[0] != "/usr/local/bin/kubectl" || s.Args[1] != "--kubeconfig=/etc/kubernetes/admin.conf" {
			return stdout("ok") // an argv probe
		}
		c.calls = append(c.calls, strings.Join(s.Args[3:], " "))
		return c.kubectl(s.Args[3:], s.Stdin)
	case scriptHTTPGet:
		return c.http(s.Args[0])
	}
	c.t.Errorf("unknown script %q", s.Name)
	return exit(64, "unknown script")
}

// http is a request from a host to a pod or to the Service.
func (c *fakeCluster) http(text string) (host.Result, error) {
	u, err := url.Parse(text)
	if err != nil {
		c.t.Errorf("URL %q: %v", text, err)
	}
	if u.Path == "/dial" {
		answer, _ := json.Marshal(map[string][]string{"responses": {c.podAt(u.Query().Get("host")), c.podAt(u.Query().Get("host"))}})
		return stdout("200\n" + string(answer))
	}
	if u.Host == "10.96.0.7:80" && len(c.pods) > 0 {
		c.turn++
		return stdout("200\n" + slices.Sorted(maps.Keys(c.pods))[c.turn%len(c.pods)])
	}
	return stdout("200\nok")
}

func (c *fakeCluster) podAt(ip string) string {
	for name, p := range c.pods {
		if c.live(p).Status.PodIP == ip {
			return name
		}
	}
	return "nobody"
}

// live is the pod with the status it has by now.
func (c *fakeCluster) live(p *corev1.Pod) corev1.Pod {
	out := *p
	out.Spec.NodeName = p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.
		NodeSelectorTerms[0].MatchFields[0].Values[0]
	out.Spec.Containers = slices.Clone(p.Spec.Containers)
	out.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "kube-api-access", MountPath: tokenMount}}
	out.Status.Phase = corev1.PodPending
	if time.Since(p.CreationTimestamp.Time) >= 3*time.Second {
		out.Status.Phase = corev1.PodRunning
		out.Status.PodIP = "10.244." + strings.TrimPrefix(p.Name, "smoke-") + ".2"
		out.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return out
}

func (c *fakeCluster) kubectl(args []string, stdin []byte) (host.Result, error) {
	c.expire()
	switch {
	case args[0] == "get" && args[1] == "--raw":
		return c.get(args[2])
	case args[0] == "create" && args[1] == "--raw" && args[2] == "/api/v1/namespaces":
		var ns corev1.Namespace
		if err := json.Unmarshal(stdin, &ns); err != nil {
			c.t.Error(err)
		}
		ns.Name = fmt.Sprintf("%sx%d", ns.GenerateName, len(c.namespaces))
		ns.CreationTimestamp = metav1.Now()
		c.namespaces[ns.Name] = &ns
		return object(&ns)
	case args[0] == "create":
		return c.create(stdin)
	case args[0] == "delete" && args[1] == "--raw":
		name := strings.TrimPrefix(args[2], "/api/v1/namespaces/")
		ns, ok := c.namespaces[name]
		if !ok {
			return notFound("namespaces", name)
		}
		ns.DeletionTimestamp = new(metav1.Now())
		c.gone[name] = time.Now().Add(5 * time.Second)
		return object(ns)
	case args[0] == "exec":
		return exit(2, "usage: agnhost netexec\ncommand terminated with exit code 2")
	}
	c.t.Errorf("unknown kubectl call %q", args)
	return exit(1, "error: unknown command")
}

func (c *fakeCluster) expire() {
	for name, when := range c.gone {
		if time.Now().After(when) {
			delete(c.namespaces, name)
			delete(c.gone, name)
		}
	}
}

func (c *fakeCluster) create(stdin []byte) (host.Result, error) {
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(stdin, &list); err != nil {
		c.t.Error(err)
	}
	for _, raw := range list.Items {
		var pod corev1.Pod
		if err := json.Unmarshal(raw, &pod); err != nil {
			c.t.Error(err)
		}
		if pod.Kind == "Pod" {
			pod.CreationTimestamp = metav1.Now()
			c.pods[pod.Name] = &pod
		}
	}
	return stdout("created")
}

func (c *fakeCluster) get(path string) (host.Result, error) {
	u, err := url.Parse(path)
	if err != nil {
		c.t.Error(err)
	}
	switch path = u.Path; path {
	case "/version":
		return stdout(`{"gitVersion":"v1.37.1"}`)
	case "/api/v1/componentstatuses":
		return file(c.t, c.components)
	case "/api/v1/nodes":
		return file(c.t, c.nodes)
	case "/api/v1/namespaces":
		var list corev1.NamespaceList
		for _, ns := range c.namespaces {
			list.Items = append(list.Items, *ns)
		}
		return object(&list)
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/namespaces/"), "/")
	ns, ok := c.namespaces[name]
	if !ok {
		return notFound("namespaces", name)
	}
	kind, object1, _ := strings.Cut(rest, "/")
	switch {
	case rest == "":
		return object(ns)
	case kind == "configmaps", kind == "serviceaccounts":
		if time.Since(ns.CreationTimestamp.Time) < time.Second {
			return notFound(kind, object1)
		}
		return object(&corev1.ConfigMap{Data: map[string]string{"ca.crt": read(c.t, "ca.crt")}})
	case rest == "pods":
		var list corev1.PodList
		for _, p := range c.pods {
			list.Items = append(list.Items, c.live(p))
		}
		return object(&list)
	case rest == "services/smoke":
		return object(&corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.7"}})
	case rest == "events":
		return object(&corev1.EventList{Items: c.events})
	case strings.HasSuffix(rest, "/log"):
		return stdout("Started HTTP server on port 8080\n")
	case strings.HasSuffix(rest, ":8080/proxy/hostname"):
		return stdout(strings.TrimSuffix(strings.TrimPrefix(rest, "pods/http:"), ":8080/proxy/hostname"))
	case strings.HasSuffix(rest, "/proxy/dial"):
		answer, _ := json.Marshal(map[string][]string{"responses": {c.podAt(u.Query().Get("host"))}})
		return stdout(string(answer))
	}
	c.t.Errorf("unknown path %q", path)
	return notFound("paths", path)
}

func notFound(kind, name string) (host.Result, error) {
	return exit(1, fmt.Sprintf("Error from server (NotFound): %s %q not found\n", kind, name))
}

func object(v any) (host.Result, error) {
	data, err := json.Marshal(v)
	return host.Result{Stdout: data}, err
}

func file(t *testing.T, name string) (host.Result, error) { return stdout(read(t, name)) }

func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// leftNamespaces are those nobody has asked to remove.
func (c *fakeCluster) leftNamespaces() []string {
	var out []string
	for name, ns := range c.namespaces {
		if ns.DeletionTimestamp == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
