//go:build e2e && full

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSupervisord makes a cluster on hosts where supervisord keeps the
// processes, changes a flag of it, kills a process, and takes it away again.
func TestSupervisord(t *testing.T) {
	h := newHandOn(t, supervisorImage, "m1", "n1")
	if err := os.WriteFile(filepath.Join(h.dir, "processes.hcl"), []byte("processes \"supervisord\" {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.must(0, "init")
	h.must(0, "apply", "--auto-approve")
	h.noChanges()
	h.must(0, "verify")
	if units := h.on("m1", "ls /etc/systemd/system/*.service 2>/dev/null | grep -E 'kube|etcd|containerd|hardway' || true"); units != "" {
		t.Errorf("m1 has units of systemd:\n%s", units)
	}
	status := h.on("m1", "supervisorctl status")
	if strings.Count(status, " RUNNING ") != 8 {
		t.Errorf("on m1:\n%s", status)
	}
	if routes := h.on("m1", "ip route show proto 252"); !strings.Contains(routes, h.addresses["n1"]) {
		t.Errorf("m1 has no route to n1's pods:\n%s", routes)
	}

	// A flag restarts what has it, and nothing else.
	before := h.pids("n1")
	if err := os.WriteFile(filepath.Join(h.dir, "proxy.hcl"), []byte("kubelet {\n  flags = { v = \"3\" }\n  config = var.kubelet_config\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.edit("cluster.hcl", "kubelet {\n  config = var.kubelet_config\n}\n", "")
	h.must(0, "apply", "--auto-approve")
	h.noChanges()
	after := h.pids("n1")
	for name := range before {
		if restarted := before[name] != after[name]; restarted != (name == "kubelet") {
			t.Errorf("%s: process %s, then %s", name, before[name], after[name])
		}
	}

	// One that was stopped is a change; one that dies is supervisord's to start.
	h.on("n1", "supervisorctl stop kube-proxy")
	h.must(2, "plan", "--detailed-exitcode")
	h.must(0, "apply", "--auto-approve")
	h.noChanges()

	h.must(0, "destroy", "--destroy-data", "--auto-approve")
	for _, host := range []string{"m1", "n1"} {
		if left := h.on(host, "supervisorctl status; ls /etc/supervisor/conf.d; ip route show proto 252; ps -eo args= | grep -E '^/(usr/local|opt/cni)/bin/' || true"); left != "" {
			t.Errorf("%s has this left:\n%s", host, left)
		}
	}
}

// pids are the processes of a host's programs.
func (h *hand) pids(host string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(h.on(host, "supervisorctl status"), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[2] == "pid" {
			out[f[0]] = f[3]
		}
	}
	return out
}

// supervisorImage is the lab's image with Debian's supervisor, from the package
// mirror that the image has from this machine.
func supervisorImage(h *hand, base string) string {
	h.t.Helper()
	image := "hardway-hand:supervisor-" + base[strings.LastIndexByte(base, ':')+1:]
	if exec.Command("docker", "image", "inspect", image).Run() == nil {
		return image
	}
	name := h.prefix + "install"
	_ = exec.Command("docker", "rm", "-fv", name).Run()
	h.t.Cleanup(func() { _ = exec.Command("docker", "rm", "-fv", name).Run() })
	h.command1("docker", "run", "--name", name, "--entrypoint", "sh", base, "-euc",
		"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends supervisor >/dev/null && apt-get clean && rm -rf /var/lib/apt/lists/*")
	h.command1("docker", "commit", "--change", `ENTRYPOINT ["/usr/local/sbin/container-init"]`, name, image)
	return image
}
