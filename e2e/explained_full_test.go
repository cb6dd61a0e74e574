//go:build e2e && full

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// hand is a cluster that is made by hand: containers of its own, beside those of
// the lab, on which no hardway ever runs.
type hand struct {
	*lab
	prefix    string // of the containers' names
	addresses map[string]string
}

// The networks of the cluster that is made by hand; none of them is the lab's.
const (
	handNetwork = "192.168.57.0/24"
	handPods    = "10.245.0.0/16"
	handService = "10.97.0.0/16"
)

// shellBlock is a block of a runbook: a fence with "sh" and the place.
var shellBlock = regexp.MustCompile("(?ms)^```sh (\\S+)\n(.*?)^```$")

// TestExplained types what `hardway explain` prints, block by block, on hosts
// without hardway, and wants Ready nodes at the end of it.
func TestExplained(t *testing.T) {
	h := newHand(t, "m1", "n1")
	h.must(0, "init")
	h.must(0, "explain", "--out", "runbook.md")
	text, err := os.ReadFile(filepath.Join(h.dir, "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PRIVATE KEY") {
		t.Error("the runbook holds a key")
	}
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 30 {
		t.Fatalf("the runbook has only %d blocks", len(blocks))
	}
	start := time.Now()
	for i, b := range blocks {
		h.types(i+1, b[1], b[2])
	}
	t.Logf("%d blocks in %.0f s", len(blocks), time.Since(start).Seconds())
	nodes := h.on("m1", "kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes --no-headers")
	if got := strings.Count(nodes, " Ready "); got != 2 || strings.Contains(nodes, "NotReady") {
		t.Errorf("the nodes:\n%s", nodes)
	}
	for _, host := range []string{"m1", "n1"} {
		if out := h.on(host, "command -v hardway; ls -d /var/lib/hardway /run/hardway* 2>/dev/null; true"); out != "" {
			t.Errorf("%s has something of hardway, or of the break-glass credential:\n%s", host, out)
		}
		h.rendered(host)
	}
}

// types runs a block as a person would: the whole of it, in its place, stopping
// where a command fails.
func (h *hand) types(n int, place, block string) {
	h.t.Helper()
	start := time.Now()
	out, err := exec.Command("docker", "exec", h.prefix+place, "sh", "-euc", block).CombinedOutput()
	if err != nil {
		if place != "workstation" {
			logs, _ := exec.Command("docker", "exec", h.prefix+place, "journalctl", "-n", "40", "--no-pager").CombinedOutput()
			out = append(out, logs...)
		}
		h.t.Fatalf("block %d on %s: %v\n%s\n%s", n, place, err, tail(block, 3000), tail(string(out), 6000))
	}
	if d := time.Since(start); d > time.Second {
		h.t.Logf("block %d on %s: %.1f s", n, place, d.Seconds())
	}
}

// on runs a command as root on a host.
func (h *hand) on(host, command string) string {
	h.t.Helper()
	out, err := exec.Command("docker", "exec", h.prefix+host, "bash", "-c", command).CombinedOutput()
	if err != nil {
		h.t.Fatalf("on %s: %s: %v\n%s", host, command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// newHand starts a workstation and hosts, and writes a configuration for them:
// the lab's, with other addresses.
func newHand(t *testing.T, hosts ...string) *hand { return newHandOn(t, nil, hosts...) }

// newHandOn is newHand with hosts from an image that derive makes of the lab's.
func newHandOn(t *testing.T, derive func(h *hand, base string) string, hosts ...string) *hand {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{lab: labIn(t, root, t.TempDir(), t.TempDir()), prefix: "hardway-hand-", addresses: map[string]string{}}
	if p := os.Getenv("HARDWAY_E2E_PREFIX"); p != "" {
		h.prefix = p
	}
	h.machine()
	key := filepath.Join(h.dir, "id_ed25519")
	h.command1("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	image := h.image()
	if derive != nil {
		image = derive(h, image)
	}
	h.container("workstation", image, "192.168.57.2", "", "--entrypoint=sleep")
	for i, name := range hosts {
		h.addresses[name] = fmt.Sprintf("192.168.57.%d", 11+i)
		h.container(name, image, h.addresses[name], strings.TrimSpace(string(public)))
	}
	// What every person has who may log in: a key, and the hosts' keys.
	h.command1("docker", "exec", h.prefix+"workstation", "mkdir", "-m", "0700", "-p", "/root/.ssh")
	h.command1("docker", "cp", key, h.prefix+"workstation:/root/.ssh/id_ed25519")
	var known strings.Builder
	for _, name := range hosts {
		for range 100 {
			out, _ := exec.Command("docker", "exec", h.prefix+"workstation", "ssh-keyscan", "-t", "ed25519", h.addresses[name]).Output()
			if len(out) > 0 {
				known.Write(out)
				break
			}
			time.Sleep(300 * time.Millisecond)
		}
	}
	if err := os.WriteFile(filepath.Join(h.dir, "known_hosts"), []byte(known.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	h.command1("docker", "cp", filepath.Join(h.dir, "known_hosts"), h.prefix+"workstation:/root/.ssh/known_hosts")
	h.configuration()
	return h
}

// configuration is the lab's, for one master and one node elsewhere.
func (h *hand) configuration() {
	h.t.Helper()
	for from, to := range map[string]string{"cluster.hcl": "cluster.hcl", "docker.hclvars": "lab.auto.hclvars"} {
		b, err := os.ReadFile(filepath.Join(h.src, from))
		if err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.dir, to), b, 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	h.edit("cluster.hcl", "192.168.56.11", h.addresses["m1"])
	h.edit("cluster.hcl", `{ n1 = "192.168.56.21", n2 = "192.168.56.22" }`, `{ n1 = "`+h.addresses["n1"]+`" }`)
	h.edit("cluster.hcl", "10.244.0.0/16", handPods)
	h.edit("cluster.hcl", "10.96.0.0/16", handService)
	// These containers have the machine's disk, of which a kubelet wants a share free.
	h.edit("lab.auto.hclvars", "kubelet_config = {\n", "kubelet_config = {\n  evictionHard = { \"nodefs.available\" = \"1%\", \"imagefs.available\" = \"1%\" }\n")
	h.edit("cluster.hcl", ".lab/id_ed25519", "id_ed25519")
	h.edit("cluster.hcl", ".lab/known_hosts", "known_hosts")
	h.edit("cluster.hcl", `"~/.cache/hardway/mirror"`, `"`+filepath.Join(cacheDir(h.t), "mirror")+`"`)
}

// machine prepares the machine that all containers share, and puts it back.
func (h *hand) machine() {
	h.t.Helper()
	sysctls := map[string]string{} // those that a container shares with it
	for _, name := range []string{
		"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom",
	} {
		b, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err != nil {
			h.t.Fatal(err)
		}
		sysctls[name] = string(b)
	}
	h.t.Cleanup(func() {
		for name, value := range sysctls {
			_ = os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644)
		}
	})
	network := strings.TrimSuffix(h.prefix, "-")
	_ = exec.Command("docker", "network", "rm", network).Run() // of a run that was killed
	h.command1("docker", "network", "create", "--subnet", handNetwork, network)
	h.t.Cleanup(func() { _ = exec.Command("docker", "network", "rm", network).Run() })
	// A packet that nothing on a host catches yet must not leave the machine.
	for _, r := range []string{handPods, handService} {
		if exec.Command("ip", "route", "add", "blackhole", r).Run() == nil {
			h.t.Cleanup(func() { _ = exec.Command("ip", "route", "delete", "blackhole", r).Run() })
		}
	}
}

// image makes the lab's image with the lab's own script, and names it.
func (h *hand) image() string {
	h.t.Helper()
	out := h.command1("bash", "-euc", `here=$1 lab=$2
say() { :; }; step() { shift; "$@"; }; die() { echo "$*" >&2; exit 1; }
. "$here/docker/machine.sh"
make_image >&2
cat "$lab/image"`, "bash", h.src, h.t.TempDir())
	lines := strings.Fields(out)
	return lines[len(lines)-1]
}

// container starts a container as the lab's Vagrantfile does.
func (h *hand) container(name, image, address, key string, more ...string) {
	h.t.Helper()
	mirror := filepath.Join(cacheDir(h.t), "mirror")
	full := h.prefix + name
	_ = exec.Command("docker", "rm", "-fv", full).Run() // of a run that was killed
	args := []string{
		"run", "-d", "--name", full, "--hostname", name, "--network", strings.TrimSuffix(h.prefix, "-"), "--ip", address, "-e", "LAB_AUTHORIZED_KEY=" + key,
		"--cap-add=ALL", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined", "--security-opt=systempaths=unconfined",
		"--cgroupns=private", "--device=/dev/kmsg", "--tmpfs=/run", "--tmpfs=/tmp:exec,mode=1777", "--volume=/var/lib", "--stop-signal=SIGRTMIN+3",
	}
	if !h.grantsSysResource() {
		args = append(args, "--cap-drop=SYS_RESOURCE")
	}
	if slices.Contains(more, "--entrypoint=sleep") {
		args = append(args, "--volume="+mirror+":"+mirror+":ro")
	}
	args = append(append(args, more...), image)
	if slices.Contains(more, "--entrypoint=sleep") {
		args = append(args, "infinity")
	}
	h.command1("docker", args...)
	h.t.Cleanup(func() { _ = exec.Command("docker", "rm", "-fv", full).Run() })
}

// grantsSysResource reports whether this process has CAP_SYS_RESOURCE to grant.
func (h *hand) grantsSysResource() bool {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		h.t.Fatal(err)
	}
	var bits uint64
	for _, line := range strings.Split(string(b), "\n") {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			if _, err := fmt.Sscanf(strings.TrimSpace(hex), "%x", &bits); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	return bits>>24&1 == 1
}

// command1 runs a command on this machine and returns its standard output.
func (h *hand) command1(name string, args ...string) string {
	h.t.Helper()
	cmd := exec.Command(name, args...)
	var errout strings.Builder
	cmd.Stderr = &errout
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, args, err, errout.String())
	}
	return string(out)
}

// rendered holds every file, unit and directory on a host against the list that
// `hardway render` writes: kind, mode, owner, group, digest, path.
func (h *hand) rendered(host string) {
	h.t.Helper()
	h.must(0, "render", "--out", "rendered")
	list, err := os.ReadFile(filepath.Join(h.dir, "rendered", "MANIFEST"))
	if err != nil {
		h.t.Fatal(err)
	}
	checked := 0
	for _, line := range strings.Split(string(list), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 6 || !strings.HasPrefix(f[5], host+"/") || !slices.Contains([]string{"file", "unit", "directory"}, f[0]) {
			continue
		}
		checked++
		path := strings.TrimPrefix(f[5], host)
		command, want := "stat -c '%a %U %G' "+path, fmt.Sprintf("%s %s %s", strings.TrimLeft(f[1], "0"), f[2], f[3])
		if f[0] != "directory" {
			command += " && sha256sum <" + path
			want += "\n" + f[4] + "  -"
		}
		if got := h.on(host, command); got != want {
			h.t.Errorf("%s: %s is %q, and `hardway render` says %q", host, path, got, want)
		}
	}
	if checked < 20 {
		h.t.Errorf("%s: only %d paths were checked", host, checked)
	}
}
