//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCluster takes the lab from bare hosts to a verified cluster, through
// drift, deaths of the controller, broken settings, a rollback, two controllers at
// once, a dead host, a lost state, another proxy mode and a renewal, and back to
// bare hosts, twice. The steps build on each other, so the first failure ends it.
func TestCluster(t *testing.T) {
	l := newLab(t)
	t.Cleanup(func() {
		if !t.Failed() && os.Getenv(keepVariable) == "" {
			l.script("down")
		}
	})
	bare := l.snapshot()
	for _, step := range []struct {
		name string
		run  func(*lab)
	}{
		{"init", testInit},
		{"bad input changes nothing", testBadInput},
		{"plan", testPlan},
		{"apply", testApply},
		{"verify", testVerify},
		{"kubeconfig", testKubeconfig},
		{"drift", testDrift},
		{"drift command", testDriftCommand},
		{"audit", testAudit},
		{"killed change resumes", testChangeKilled},
		{"broken settings are put back", func(l *lab) { testBroken(l, brokenSettings[:brokenInPlain]) }},
		{"rollback", testRollback},
		{"hosts lose their power", func(l *lab) {
			l.addKnobs()
			l.turn(`kubelet_flags = { v = "3" }`)
			testRestarted(l, 8, 4, 3)
			l.turn()
			l.must(0, "apply", "--auto-approve", "--verify=false")
		}},
		{"two controllers", testTwoControllers},
		{"unreachable", testUnreachable},
		{"recovery", testRecovery},
		{"nftables", testNftables},
		{"proxy modes", testProxyModes},
		{"certificates", testCertificates},
		{"secrets", testSecrets},
	} {
		ok := t.Run(step.name, func(t *testing.T) {
			sub := *l
			sub.t = t
			step.run(&sub)
		})
		if !ok {
			t.FailNow()
		}
	}
	t.Run("destroy", func(t *testing.T) {
		l.t = t
		l.must(0, "destroy", "--destroy-data", "--auto-approve")
		l.same("after destroy", bare, l.snapshot())
		if r := l.must(0, "destroy", "--destroy-data", "--auto-approve"); !strings.Contains(r.all(), "No changes") {
			t.Errorf("a second destroy finds something to do:\n%s", tail(r.all(), 2000))
		}
	})
	t.Run("killed creation", func(t *testing.T) {
		l.t = t
		testCreationKilled(l)
	})
	t.Run("killed destruction", func(t *testing.T) {
		l.t = t
		f := newFaults(l, "kill", killEvery, 3)
		f.removal = true
		f.untilDone("destruction", "destroy", "--destroy-data", "--auto-approve")
		l.same("after a killed destroy", bare, l.snapshot())
	})
	l.t = t
}

func testInit(l *lab) {
	l.must(0, "validate")
	l.must(0, "init")
	if r := l.must(0, "init"); strings.Contains(r.all(), "re-pinned") {
		l.t.Errorf("a second init pins anew:\n%s", r.all())
	}
}

func testPlan(l *lab) {
	before := l.snapshot()
	r := l.must(2, "plan", "--detailed-exitcode")
	for _, want := range []string{"Plan: ", " to add, ", " 0 to destroy.", `node["n1"].unit["kubelet"]`} {
		if !strings.Contains(r.out, want) {
			l.t.Errorf("the plan does not say %q", want)
		}
	}
	l.same("after plan", before, l.snapshot())
}

func testApply(l *lab) {
	l.must(0, "apply", "--auto-approve")
	l.noChanges()
	for _, h := range names { // without the link the kubelet could never rotate it
		l.on(h, "test -L /var/lib/kubelet/pki/kubelet-client-current.pem && test -s /var/lib/kubelet/pki/kubelet-client-current.pem")
	}
}

// noChanges wants a plan that finds nothing to do.
func (l *lab) noChanges() {
	l.t.Helper()
	if r := l.must(0, "plan", "--detailed-exitcode"); !strings.Contains(r.out, "No changes.") {
		l.t.Errorf("plan does not say that there are no changes:\n%s", tail(r.out, 2000))
	}
}

func testVerify(l *lab) {
	r := l.must(0, "verify", "--json")
	var report struct {
		Healthy bool `json:"healthy"`
		Nodes   []struct {
			Name  string `json:"name"`
			Ready bool   `json:"ready"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		l.t.Fatalf("verify --json: %v\n%s", err, tail(r.out, 2000))
	}
	if !report.Healthy || len(report.Nodes) != 3 {
		l.t.Errorf("not healthy, or not three nodes: %s", tail(r.out, 4000))
	}
}

func testKubeconfig(l *lab) {
	conf := filepath.Join(l.t.TempDir(), "admin.conf")
	l.must(0, "kubeconfig", "--out", conf)
	if info, err := os.Stat(conf); err != nil || info.Mode().Perm() != 0o600 {
		l.t.Fatalf("the kubeconfig: %v, %v", info, err)
	}
	kubectl := filepath.Join(cacheDir(l.t), "mirror/v1.37.1/bin/linux/amd64/kubectl")
	out, err := exec.Command(kubectl, "--kubeconfig", conf, "get", "nodes", "-o", "name").CombinedOutput()
	if err != nil || strings.Count(string(out), "node/") != 3 {
		l.t.Errorf("kubectl get nodes: %v\n%s", err, out)
	}
}

// testDrift changes things behind hardway's back, one of each kind, and wants
// the plan to name them and the apply to mend them.
func testDrift(l *lab) {
	l.on("n1", "sed -i 's/kubelet.conf/kubelet.cnf/' /etc/systemd/system/kubelet.service")
	l.on("n1", "chmod 0644 /etc/kubernetes/kubelet.conf")
	l.on("n2", "systemctl disable --now kube-proxy")
	l.on("n2", "sysctl -w net.ipv4.ip_forward=0")
	l.on("m1", "sed -i 's/level: Metadata/level: Request/' /etc/kubernetes/audit-policy.yaml")
	l.on("m1", "kubectl --cache-dir=/dev/null --kubeconfig /etc/kubernetes/admin.conf label node n1 node-role.kubernetes.io/worker-")
	r := l.must(2, "plan", "--detailed-exitcode")
	for _, want := range []string{
		`node["n1"].unit["kubelet"]`, `node["n1"].file["/etc/kubernetes/kubelet.conf"]`, `node["n2"].unit["kube-proxy"]`,
		`node["n2"].sysctl["net.ipv4.ip_forward"]`, `master["m1"].file["/etc/kubernetes/audit-policy.yaml"]`, `cluster.node["n1"]`,
		"level: Request", `master["m1"].unit["kube-apiserver"]`, "7 to change",
	} {
		if !strings.Contains(r.out, want) {
			l.t.Errorf("the plan does not say %q:\n%s", want, tail(r.out, 6000))
		}
	}
	l.must(0, "apply", "--auto-approve")
	l.noChanges()
}

func testNftables(l *lab) {
	l.edit("cluster.hcl", `"iptables"`, `"nftables"`)
	l.must(0, "apply", "--auto-approve")
	l.noChanges()
	if got := l.on("n1", "nft list tables"); !strings.Contains(got, "kube-proxy") {
		l.t.Errorf("kube-proxy has no table: %s", got)
	}
	testVerify(l)
}

func testCertificates(l *lab) {
	serials := func() map[string]string {
		r := l.must(0, "certs", "list", "--json")
		var list struct {
			Certificates []struct{ Name, Host, Serial string } `json:"certificates"`
		}
		if err := json.Unmarshal([]byte(r.out), &list); err != nil {
			l.t.Fatalf("certs list --json: %v\n%s", err, tail(r.out, 2000))
		}
		out := map[string]string{}
		for _, c := range list.Certificates {
			out[c.Host+" "+c.Name] = c.Serial
		}
		return out
	}
	before := serials()
	if len(before) < 20 {
		l.t.Fatalf("only %d certificates are listed", len(before))
	}
	r := l.must(0, "certs", "renew", "--auto-approve")
	after := serials()
	renewed := 0
	for name, serial := range before {
		if after[name] != serial {
			renewed++
		}
	}
	// all but the three authorities and the three that kubelets renew by themselves
	if want := len(before) - 6; renewed != want {
		l.t.Errorf("%d certificates were renewed, want %d\n%s", renewed, want, tail(r.all(), 3000))
	}
	l.noChanges()
	testVerify(l)
}
