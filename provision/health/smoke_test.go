package health

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"hardway/provision/addr"
	"hardway/provision/host"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSmokeObjects(t *testing.T) {
	places := []place{{pod: "smoke-1", node: NodeSpec{m1, "m1"}}, {pod: "smoke-2", node: NodeSpec{n1, "n1"}}}
	var got []byte
	for _, object := range []any{namespaceObject("hardway-smoke"), smokeObjects("hardway-smoke-x", "example.test/agnhost:1", places, 8*time.Minute)} {
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got = append(append(got, "---\n"...), text...)
	}
	golden := filepath.Join("testdata", "smoke.golden.yaml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(read(t, "smoke.golden.yaml"), string(got)); d != "" {
		t.Errorf("objects (-want +got); with -update they are rewritten:\n%s", d)
	}
}

// verifySmoke runs a verification over c in the bubble and returns the lines of
// the smoke test that are not healthy.
func verifySmoke(t *testing.T, ctx context.Context, c *fakeCluster, spec Spec) []string {
	t.Helper()
	report := Verify(ctx, spec, c.sessions(), nil, nil)
	var bad []string
	for _, check := range report.Checks {
		if check.Component == componentSmoke && check.Status != Healthy {
			bad = append(bad, lines([]Check{check})...)
		}
	}
	return bad
}

// on answers the scripts whose arguments, joined, contain text.
func on(text string, answer func() (host.Result, error)) func(addr.Host, host.Script) (host.Result, error, bool) {
	return func(_ addr.Host, s host.Script) (host.Result, error, bool) {
		if !strings.Contains(strings.Join(s.Args, " "), text) {
			return host.Result{}, nil, false
		}
		r, err := answer()
		return r, err, true
	}
}

func TestSmokeFailures(t *testing.T) {
	const refused = "Error from server (Forbidden): pods is forbidden"
	tests := map[string]struct {
		text   string // of the scripts that are answered so
		answer func() (host.Result, error)
		want   []string
		once   bool // only the first line is looked at, up to the length of want[0]
	}{
		"namespace refused": {
			text: "create --raw", answer: func() (host.Result, error) { return exit(1, refused) },
			want: []string{"cluster smoke namespace: unhealthy kubectl create --raw /api/v1/namespaces -f -: " + refused},
		},
		"namespace with a name that is a path": {
			text: "create --raw", answer: func() (host.Result, error) { return stdout(`{"metadata":{"name":"hardway-smoke-/../default"}}`) },
			want: []string{"cluster smoke namespace: unhealthy making a namespace hardway-smoke-…: the API server calls it hardway-smoke-/../default"},
		},
		"another namespace than asked for": {
			text: "create --raw", answer: func() (host.Result, error) { return stdout(`{"metadata":{"name":"kube-system"}}`) },
			want: []string{"cluster smoke namespace: unhealthy making a namespace hardway-smoke-…: the API server calls it kube-system"},
		},
		"no ca.crt": {
			text: "kube-root-ca.crt", answer: func() (host.Result, error) { return notFound("configmaps", "kube-root-ca.crt") },
			want: []string{`cluster smoke service account and ca.crt: unhealthy kubectl get --raw /api/v1/namespaces/hardway-smoke-x0/configmaps/kube-root-ca.crt: ` +
				`Error from server (NotFound): configmaps "kube-root-ca.crt" not found (the controller-manager publishes it when it has --root-ca-file)`},
		},
		"empty ca.crt": {
			text: "kube-root-ca.crt", answer: func() (host.Result, error) { return stdout(`{"data":{"ca.crt":""}}`) },
			want: []string{`cluster smoke service account and ca.crt: unhealthy configmap kube-root-ca.crt: ca.crt holds no certificate`},
		},
		"pods refused": {
			text: "--validate=false", answer: func() (host.Result, error) { return exit(1, refused) },
			want: []string{"cluster smoke pods and Service are accepted: unhealthy kubectl create -f -: " + refused},
		},
		"no logs": {
			text: "smoke-2/log", answer: func() (host.Result, error) { return exit(1, "Error from server: tls: unknown authority") },
			want: []string{`node["n1"] smoke logs of n1 through the kubelet: unhealthy kubectl get --raw ` +
				`/api/v1/namespaces/hardway-smoke-x0/pods/smoke-2/log?tailLines=5: Error from server: tls: unknown authority`},
		},
		"no exec": {
			text: "exec --cache-dir=/dev/null --namespace=hardway-smoke-x0 smoke-2", answer: func() (host.Result, error) { return exit(1, "error: unable to upgrade connection: Forbidden") },
			want: []string{`node["n1"] smoke exec on n1 through the kubelet: unhealthy kubectl exec --namespace=hardway-smoke-x0 smoke-2 ` +
				`-- /proc/1/exe --help: error: unable to upgrade connection: Forbidden`},
		},
		"exec without a program": {
			text: " smoke-2 -- /proc/1/exe", answer: func() (host.Result, error) {
				return exit(1, "error: Internal error occurred: OCI runtime exec failed: no")
			},
			want: []string{`node["n1"] smoke exec on n1 through the kubelet: skipped the kubelet and the runtime were reached, but the image has nothing to start: ` +
				`error: Internal error occurred: OCI runtime exec failed: no`},
		},
		"exec whose program succeeds": {
			text: " smoke-2 -- /proc/1/exe", answer: func() (host.Result, error) { return stdout("usage") },
		},
		"Service without an address": {
			text: "services/smoke", answer: func() (host.Result, error) { return stdout(`{"spec":{"clusterIP":"None"}}`) },
			want: []string{
				`master["m1"] smoke Service reached through kube-proxy from m1: unhealthy service smoke: has no cluster IP: None`,
				`node["n1"] smoke Service reached through kube-proxy from n1: unhealthy service smoke: has no cluster IP: None`,
				`node["n2"] smoke Service reached through kube-proxy from n2: unhealthy service smoke: has no cluster IP: None`,
			},
		},
		"Service answered by something else": {
			text: "10.96.0.7", answer: func() (host.Result, error) { return stdout("200\nnginx") },
			want: []string{
				`master["m1"] smoke Service reached through kube-proxy from m1: unhealthy GET http://10.96.0.7:80/hostname: none of the test's pods, but: nginx`,
				`node["n1"] smoke Service reached through kube-proxy from n1: unhealthy GET http://10.96.0.7:80/hostname: none of the test's pods, but: nginx`,
				`node["n2"] smoke Service reached through kube-proxy from n2: unhealthy GET http://10.96.0.7:80/hostname: none of the test's pods, but: nginx`,
			},
		},
		"no way from a pod": {
			text: "http://10.244.3.2:8080/dial?host=10.244.1.2", answer: func() (host.Result, error) {
				return stdout("200\n" + `{"responses":["smoke-1"],"errors":["i/o timeout","x"]}`)
			},
			want: []string{`node["n2"] smoke pod to pod n2 → m1: unhealthy dialling 10.244.1.2:8080: 2 of 3 tries failed: i/o timeout`},
		},
		"a pod behind the wrong address": {
			text: "http://10.244.3.2:8080/dial?host=10.244.1.2", answer: func() (host.Result, error) { return stdout("200\n" + `{"responses":["smoke-9"]}`) },
			want: []string{`node["n2"] smoke pod to pod n2 → m1: unhealthy dialling 10.244.1.2:8080: another pod answered: smoke-9`},
		},
		"an image that is something else": {
			text: "http://10.244.3.2:8080/dial?host=10.244.1.2", answer: func() (host.Result, error) { return stdout("200\n<html>") },
			want: []string{`node["n2"] smoke pod to pod n2 → m1: unhealthy dialling 10.244.1.2:8080: not the JSON of netexec: <html>`},
		},
		"silent": {
			text: "http://10.244.3.2:8080/dial?host=10.244.1.2", answer: func() (host.Result, error) { return stdout("200\n{}") },
			want: []string{`node["n2"] smoke pod to pod n2 → m1: unhealthy dialling 10.244.1.2:8080: no answer`},
		},
		"pod not reached by the API server": {
			text: "http:smoke-3:8080/proxy/hostname", answer: func() (host.Result, error) { return exit(1, "Error from server (ServiceUnavailable): i/o timeout") },
			want: []string{`node["n2"] smoke API server to pod on n2: unhealthy kubectl get --raw ` +
				`/api/v1/namespaces/hardway-smoke-x0/pods/http:smoke-3:8080/proxy/hostname: Error from server (ServiceUnavailable): i/o timeout`},
		},
		"namespace that stays": {
			text: "delete --raw", answer: func() (host.Result, error) { return stdout("{}") },
			want: []string{"cluster smoke clean-up: unhealthy namespace hardway-smoke-x0: still there: the controller-manager has not finished removing it; " +
				"remove it by hand: kubectl delete namespace hardway-smoke-x0"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFakeCluster(t)
				c.override = on(tt.text, tt.answer)
				got := verifySmoke(t, t.Context(), c, c.spec())
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("checks (-want +got):\n%s", d)
				}
				if left := c.leftNamespaces(); len(left) > 0 && tt.text != "delete --raw" {
					t.Errorf("left behind: %q", left)
				}
			})
		})
	}
}

// A rule or a route that follows the pod a little later is no failure, and one
// that works only now and then is.
func TestSmokeServiceSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		start := time.Now()
		c.override = func(h addr.Host, s host.Script) (host.Result, error, bool) {
			if h == n1 && strings.Contains(s.Args[0], "10.96.0.7") && time.Since(start) < 20*time.Second {
				r, err := exit(1, "no answer")
				return r, err, true
			}
			return host.Result{}, nil, false
		}
		if bad := verifySmoke(t, t.Context(), c, c.spec()); len(bad) > 0 {
			t.Errorf("not healthy: %q", bad)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		asked := 0
		c.override = func(h addr.Host, s host.Script) (r host.Result, err error, done bool) {
			if h != n1 || !strings.Contains(s.Args[0], "10.96.0.7") {
				return r, err, false
			}
			if asked++; asked%2 == 0 {
				r, err = exit(1, "no answer")
			} else {
				r, err = stdout("200\nsmoke-1")
			}
			return r, err, true
		}
		want := []string{`node["n1"] smoke Service reached through kube-proxy from n1: unhealthy 3 of 6 requests failed, ` +
			`1 of 3 pods answered: GET http://10.96.0.7:80/hostname: exit status 1: no answer`}
		if d := cmp.Diff(want, verifySmoke(t, t.Context(), c, c.spec())); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
	})
}

func TestSmokePodThatDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		c.events = []corev1.Event{
			{Type: "Warning", Reason: "Failed", Message: "new", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "smoke-2"}, LastTimestamp: metav1.NewTime(time.Now())},
			{Type: "Warning", Reason: "Failed", Message: "old", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "smoke-2"}, LastTimestamp: metav1.NewTime(time.Now().Add(-time.Hour))},
		}
		pods := func() (host.Result, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			var list corev1.PodList
			for name, p := range c.pods {
				live := c.live(p)
				switch name {
				case "smoke-1":
					live.Spec.Containers[0].VolumeMounts = nil
				case "smoke-2":
					live.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
						State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}},
					}}}
				case "smoke-3":
					live.Spec.NodeName = "n1"
				}
				list.Items = append(list.Items, live)
			}
			return object(&list)
		}
		c.override = func(h addr.Host, s host.Script) (host.Result, error, bool) {
			if strings.HasSuffix(s.Args[len(s.Args)-1], "/pods") {
				r, err := pods()
				return r, err, true
			}
			return host.Result{}, nil, false
		}
		want := []string{
			`master["m1"] smoke pod on m1 runs: unhealthy pod smoke-1: has no /var/run/secrets/kubernetes.io/serviceaccount; is the admission plugin ServiceAccount off?`,
			`node["n1"] smoke pod on n1 runs: unhealthy pod smoke-2: Pending; ImagePullBackOff Back-off pulling image; last event: Failed new`,
			`node["n2"] smoke pod on n2 runs: unhealthy pod smoke-3: runs on n1`,
		}
		if d := cmp.Diff(want, verifySmoke(t, t.Context(), c, c.spec())); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
	})
}

func TestWhyNotReady(t *testing.T) {
	tests := map[string]struct {
		pod  corev1.Pod
		want string
	}{
		"unseen by the scheduler": {corev1.Pod{Status: corev1.PodStatus{Phase: "Pending"}}, "Pending; not scheduled; is the scheduler running?"},
		"unschedulable": {
			corev1.Pod{Status: corev1.PodStatus{Phase: "Pending", Conditions: []corev1.PodCondition{
				{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory."},
			}}},
			"Pending; Unschedulable 0/3 nodes are available: 3 Insufficient memory.",
		},
		"evicted": {
			corev1.Pod{Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: "Failed", Reason: "Evicted", Message: "low on memory"}},
			"Failed; Evicted low on memory",
		},
		"not answering": {
			corev1.Pod{Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: "Running", ContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}}},
			"Running; runs, but its readiness probe fails",
		},
		"ended": {
			corev1.Pod{Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: "Running", ContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", Message: "usage"}}},
			}}},
			"Running; Error usage",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, whyNotReady(tt.pod, "")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// No pod is sent to a node that is not Ready, and a pod whose host has no session
// is asked through the API server.
func TestSmokeWithAMissingNodeAndHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		c.hosts = []addr.Host{m1, n1}
		c.override = on("/nodes?", func() (host.Result, error) {
			return stdout(strings.Replace(read(t, "nodes.json"), `"name": "n1",`, `"name": "n0",`, 1))
		})
		want := []string{
			`node["n1"] smoke pod on n1 runs: unknown no pod was sent to a node that is not Ready`,
			`node["n2"] smoke Service reached through kube-proxy from n2: unknown there is no connection to this host`,
		}
		if d := cmp.Diff(want, verifySmoke(t, t.Context(), c, c.spec())); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
		if !slices.ContainsFunc(c.calls, func(s string) bool { return strings.Contains(s, "http:smoke-3:8080/proxy/dial?host=10.244.1.2&") }) {
			t.Errorf("pod on n2 was not asked through the API server: %q", c.calls)
		}
	})
}

// The API server of a master that is no node need not reach pods.
func TestSmokeMasterThatIsNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		c.override = on("/proxy/hostname", func() (host.Result, error) { return exit(1, "Error from server (ServiceUnavailable): no route") })
		spec := c.spec()
		spec.Nodes = spec.Nodes[1:]
		got := verifySmoke(t, t.Context(), c, spec)
		if len(got) != 2 || !strings.HasPrefix(got[0], `node["n1"] smoke API server to pod on n1: skipped the API server's host is no node`) {
			t.Errorf("got %q", got)
		}
	})
}

// However the test ends, its namespace is asked to go; and when somebody waits
// for the prompt, only for a short time.
func TestSmokeCleansUpAfterCancel(t *testing.T) {
	for _, after := range []time.Duration{200 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFakeCluster(t)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(after, cancel)
				c.override = on("10.96.0.7", func() (host.Result, error) { return exit(1, "no answer") })
				start := time.Now()
				report := Verify(ctx, c.spec(), c.sessions(), nil, nil)
				if report.Healthy {
					t.Error("healthy")
				}
				if left := c.leftNamespaces(); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
				if len(c.namespaces) > 0 || time.Since(start) > after+interruptedRemovalTimeout {
					t.Errorf("%d namespaces after %s", len(c.namespaces), time.Since(start))
				}
			})
		})
	}
}

// The session with the first master breaks in the middle: the second one removes
// what was made.
func TestSmokeCleansUpOnAnotherMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		c.hosts = append(c.hosts, m2)
		start := time.Now()
		c.override = func(h addr.Host, s host.Script) (host.Result, error, bool) {
			if h == m1 && time.Since(start) > 2*time.Second {
				return host.Result{}, errors.New("connection lost"), true
			}
			return host.Result{}, nil, false
		}
		spec := c.spec()
		spec.Masters = []addr.Host{m1, m2}
		verifySmoke(t, t.Context(), c, spec)
		if len(c.namespaces) > 0 {
			t.Errorf("left behind: %q", c.leftNamespaces())
		}
	})
}

func TestSmokeSweepsLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster(t)
		for name, age := range map[string]time.Duration{"hardway-smoke-old": time.Hour, "hardway-smoke-running": time.Minute} {
			c.namespaces[name] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: smokeLabels(), CreationTimestamp: metav1.NewTime(time.Now().Add(-age)),
			}}
		}
		report := Verify(t.Context(), c.spec(), c.sessions(), nil, nil)
		i := slices.IndexFunc(report.Checks, func(c Check) bool { return c.Name == checkNamespace })
		if got := report.Checks[i].Message; got != "hardway-smoke-x2; removing 1 left by earlier tests" {
			t.Errorf("message: %s", got)
		}
		if d := cmp.Diff([]string{"hardway-smoke-running"}, c.leftNamespaces()); d != "" {
			t.Errorf("left (-want +got):\n%s", d)
		}
		const query = "get --raw /api/v1/namespaces?labelSelector=app.kubernetes.io%2Fcomponent%3Dsmoke-test%2Capp.kubernetes.io%2Fmanaged-by%3Dhardway"
		if !slices.Contains(c.calls, query) {
			t.Errorf("namespaces were not selected by label: %q", c.calls)
		}
	})
}

func TestPairs(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 0, 2: 2, 3: 6, 6: 30, 7: 7 + 2*6 - 2, 100: 100 + 2*99 - 2} {
		s := &smokeTest{}
		for i := range n {
			h := addr.Host{Role: addr.Node, Name: fmt.Sprint(i)}
			if i == 2 {
				h.Role = addr.Master
			}
			s.places = append(s.places, place{node: NodeSpec{Host: h}})
		}
		pairs := s.pairs()
		if len(pairs) != want {
			t.Errorf("%d nodes: %d pairs, want %d", n, len(pairs), want)
		}
		from, to := make(map[int]bool), make(map[int]bool)
		seen := make(map[[2]int]bool)
		for _, p := range pairs {
			if p[0] == p[1] || seen[p] {
				t.Errorf("%d nodes: pair %v", n, p)
			}
			seen[p], from[p[0]], to[p[1]] = true, true, true
		}
		if n > 1 && (len(from) != n || len(to) != n) {
			t.Errorf("%d nodes: %d ask, %d are asked", n, len(from), len(to))
		}
		if n > allPairsUpTo && (!seen[[2]int{2, n - 1}] || !seen[[2]int{n - 1, 2}]) {
			t.Errorf("%d nodes: the master is not paired with all", n)
		}
	}
}

func FuzzJudgeDial(f *testing.F) {
	f.Add([]byte(`{"responses":["smoke-1","smoke-1"]}`))
	f.Add([]byte(`{"responses":["smoke-1"],"errors":["x"]}`))
	f.Add([]byte(`{"responses":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if judgeDial(text, place{pod: "smoke-1", ip: "::1"}) != nil {
			return
		}
		var answer struct{ Responses, Errors []string }
		if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 || !slices.Contains(answer.Responses, "smoke-1") {
			t.Errorf("%q passes", text)
		}
	})
}
