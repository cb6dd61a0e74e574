package ssh

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host/ssh/sshtest"
)

// The real script on the machine that tests run on: file systems of directories
// that do not exist yet, who holds a port, and which packages are installed.
func TestObserveFitness(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	absent := filepath.Join(dir, "not", "there yet")
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	o, err := h.Observe(t.Context(), facts.Request{Ports: []int{port}, Packages: []string{"coreutils", "no-such-package"},
		Preflight: &facts.PreflightRequest{Spaces: []string{absent, "/proc/sys"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := o.System.Spaces[absent]
	if !o.System.Asked || s.Path != dir || s.Total == 0 || s.Free > s.Total || !strings.HasPrefix(dir, s.Mount) || !slices.Contains(s.Options, "rw") {
		t.Errorf("%s stands in %+v", absent, s)
	}
	if p := o.System.Spaces["/proc/sys"]; !strings.HasPrefix(p.Mount, "/proc") || p.Type != "proc" {
		t.Errorf("/proc/sys stands in %+v", p)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Holders[port]; got.PID != os.Getpid() || got.Program != filepath.Base(self) {
		t.Errorf("port %d is held by %+v", port, got)
	}
	if d := cmp.Diff(map[string]bool{"coreutils": true}, o.Packages); d != "" {
		t.Errorf("packages (-want +got):\n%s", d)
	}
	plain, err := h.Observe(t.Context(), facts.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(facts.System{}, plain.System); d != "" || plain.Packages != nil {
		t.Errorf("what nobody asked for:\n%s%v", d, plain.Packages)
	}
}

func TestParseFitness(t *testing.T) {
	req := facts.Request{Ports: []int{6443}, Packages: []string{"nft", "ip"},
		Preflight: &facts.PreflightRequest{Spaces: []string{"/var/lib/etcd", "/opt/cni/bin", "/usr/local/bin"}}}
	whole := func(more ...[]string) string {
		var b strings.Builder
		for _, r := range append([][]string{{"clock", "1.0"}, {"mark", "/m", "absent", ""}}, append(more, []string{"clock", "1.0"}, []string{"Z"})...) {
			b.WriteString(strings.Join(r, "\x00") + "\x00")
		}
		return b.String()
	}
	got, err := parseObservation(req, whole(
		[]string{"listen", "192B", "77"}, []string{"socket", "77", "kube-apiserver"}, []string{"holder", "77", "4711", "/system.slice/k3s.service/x"},
		[]string{"fit", "systemd", "252.38-1.fc40.so"}, []string{"fit", "selinux", "1"}, []string{"fit", "selinux-boot", "enforcing"}, []string{"fit", "apparmor", "Y"},
		[]string{"spaces", "4096 100 200 30 40 ext2/ext3 /\n1024 7 9 0 0 btrfs /var/lib\n"},
		[]string{"system", "/proc/self/mountinfo:1 0 8:1 / / rw,relatime - ext4 /dev/vda1 ro,discard\n/proc/self/mountinfo:2 1 8:2 / /var rw - ext4 /dev/vdb rw\n" +
			"/proc/self/mountinfo:3 1 8:2 / /var/lib rw,noexec shared:1 - btrfs /dev/vdc rw\n/proc/self/mountinfo:broken\n/etc/os-release:ID_LIKE=\"rhel fedora\"\n"},
		[]string{"packages", "nft installed\nip config-files\nother installed\npackage x is not installed\n"},
	), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	root := facts.Space{Path: "/", Mount: "/", Type: "ext4", Options: []string{"rw", "relatime", "ro"}, Free: 409600, Total: 819200, FreeInodes: 30, Inodes: 40}
	want := facts.System{Asked: true, Systemd: 252, SELinux: "enforcing", SELinuxBoot: "enforcing", AppArmor: true, Spaces: map[string]facts.Space{
		"/opt/cni/bin": root, "/usr/local/bin": root,
		"/var/lib/etcd": {Path: "/var/lib", Mount: "/var/lib", Type: "btrfs", Options: []string{"rw", "noexec"}, Free: 7168, Total: 9216}}}
	if d := cmp.Diff(want, got.System); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[int]facts.Holder{6443: {Program: "kube-apiserver", PID: 4711, Unit: "k3s.service"}}, got.Holders); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"rhel", "fedora"}, got.OS.Like); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]bool{"nft": true}, got.Packages); d != "" {
		t.Error(d)
	}
	for name, bad := range map[string][]string{
		"a PID that is none": {"holder", "77", "x", ""}, "an unknown word": {"fit", "mood", "good"}, "a line too short": {"spaces", "1 2 3\n"},
		"a number that is none": {"spaces", "4096 -1 200 30 40 ext4 /\n"},
	} {
		if _, err := parseObservation(req, whole(bad), time.Time{}, time.Time{}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := parseObservation(facts.Request{}, whole([]string{"fit", "apparmor", "Y"}), time.Time{}, time.Time{}); err == nil {
		t.Error("what nobody asked for was taken")
	}
}
