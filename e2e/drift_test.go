//go:build e2e

package e2e

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// driftKinds are what somebody may do behind hardway's back, and what it then
// calls it.
var driftKinds = []struct{ host, command, address string }{
	{"n1", "echo '# edited' >> /etc/systemd/system/kubelet.service", `node["n1"].unit["kubelet"]`},                                // content
	{"n1", "chmod 0644 /etc/kubernetes/kubelet.conf", `node["n1"].file["/etc/kubernetes/kubelet.conf"]`},                          // mode
	{"m1", "chown nobody /etc/kubernetes/audit-policy.yaml", `master["m1"].file["/etc/kubernetes/audit-policy.yaml"]`},            // owner
	{"n2", "rm /etc/sysctl.d/99-hardway.conf", `node["n2"].file["/etc/sysctl.d/99-hardway.conf"]`},                                // gone
	{"n2", "systemctl disable --now kube-proxy", `node["n2"].unit["kube-proxy"]`},                                                 // stopped, not enabled
	{"n2", "sysctl -qw net.ipv4.ip_forward=0", `node["n2"].sysctl["net.ipv4.ip_forward"]`},                                        // kernel
	{"n1", "printf x >> /usr/local/bin/kube-proxy.new; mv /usr/local/bin/kube-proxy.new /usr/local/bin/kube-proxy", `kube-proxy`}, // binary
	{"m1", "kubectl --cache-dir=/dev/null --kubeconfig /etc/kubernetes/admin.conf label node n1 node-role.kubernetes.io/worker-", `cluster.node["n1"]`},
}

// testDriftCommand wants drift to name what was changed, to change nothing itself,
// and never to call unchanged what it could not see.
func testDriftCommand(l *lab) {
	if r := l.must(0, "drift"); !strings.Contains(r.out, "No drift.") {
		l.t.Errorf("drift does not say that there is none:\n%s", tail(r.all(), 2000))
	}
	for _, d := range driftKinds {
		l.on(d.host, d.command)
	}
	for _, h := range names {
		l.on(h, "touch /run/before-drift; sleep 0.1")
	}
	before := l.still()
	r := l.must(2, "drift", "--json", "--deep")
	var found struct {
		Drifted []struct {
			Address string `json:"address"`
		} `json:"drifted"`
		Complete bool `json:"complete"`
	}
	if err := json.Unmarshal([]byte(r.out), &found); err != nil {
		l.t.Fatalf("drift --json: %v\n%s", err, tail(r.out, 2000))
	}
	text := l.must(2, "drift", "--deep")
	l.same("after drift", before, l.still())
	for _, h := range names {
		if got := l.on(h, "find /etc /usr /opt /root /var/lib/hardway -newer /run/before-drift -type f ! -path '/var/lib/hardway/digests/*' 2>/dev/null || true"); got != "" {
			l.t.Errorf("%s: drift changed files:\n%s", h, got)
		}
	}
	for _, d := range driftKinds {
		if !slices.ContainsFunc(found.Drifted, func(f struct {
			Address string `json:"address"`
		}) bool {
			return strings.Contains(f.Address, d.address)
		}) {
			l.t.Errorf("drift --json does not name %s, of %q: %s", d.address, d.command, tail(r.out, 4000))
		}
		if !strings.Contains(text.out, d.address) {
			l.t.Errorf("drift does not name %s, of %q:\n%s", d.address, d.command, tail(text.out, 4000))
		}
	}
	if !found.Complete {
		l.t.Errorf("every host was there, and drift calls itself incomplete: %s", tail(r.out, 2000))
	}
	l.t.Logf("%d kinds of drift, %d resources named", len(driftKinds), len(found.Drifted))

	l.must(0, "apply", "--auto-approve", "--verify=false", "--deep")
	l.must(0, "drift", "--deep")

	l.stop("n2")
	if r := l.must(1, "drift"); !strings.Contains(r.all(), `node["n2"]`) || strings.Contains(r.out, "No drift.") {
		l.t.Errorf("drift with a host that is down:\n%s", tail(r.all(), 3000))
	}
	l.start("n2")
	l.must(0, "apply", "--auto-approve", "--verify=false") // what its boot took with it
	l.must(0, "drift")
}

// still is a picture of the hosts without what moves by itself on a living
// cluster: its data, its pods and their network.
func (l *lab) still() map[string]string {
	l.t.Helper()
	out := l.snapshot()
	for h, text := range out {
		var kept []string
		for line := range strings.Lines(text) {
			kind, _, _ := strings.Cut(line, " ")
			if slices.Contains([]string{"content", "file", "sysctl", "enabled"}, kind) && !strings.Contains(line, "/var/lib/etcd/") &&
				!strings.Contains(line, "/var/lib/containerd") && !strings.Contains(line, "/var/lib/kubelet/") && !strings.Contains(line, "/var/lib/cni/") &&
				!strings.Contains(line, "/var/lib/hardway/digests/") {
				kept = append(kept, line)
			}
		}
		out[h] = strings.Join(kept, "")
	}
	return out
}

// stop cuts a host's power.
func (l *lab) stop(host string) {
	l.t.Helper()
	if out, err := exec.Command("docker", "kill", "hardway-"+host).CombinedOutput(); err != nil {
		l.t.Fatalf("docker kill: %v\n%s", err, out)
	}
}

// start gives a host its power back, and waits until it lets somebody in.
func (l *lab) start(host string) {
	l.t.Helper()
	begin := time.Now()
	if err := startHost(host); err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("%s is up again after %.1f s", host, time.Since(begin).Seconds())
}
