package preflight_test

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/firewall"
	"hardway/provision/packages"
	"hardway/provision/preflight"
)

var update = flag.Bool("update", false, "rewrite golden files")

var (
	m1 = addr.Host{Role: addr.Master, Name: "m1"}
	n1 = addr.Host{Role: addr.Node, Name: "n1"}
)

const cluster = `cluster "lab" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.244.0.0/16"
  service_cidr       = "10.96.0.0/16"
}
ssh {
  user        = "root"
  private_key = "id"
  known_hosts = "known_hosts"
}
master "m1" { address = "10.0.0.1" }
node "n1" { address = "10.0.0.2" }
`

func load(t testing.TB, more string) *config.Cluster {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"cluster.hcl": cluster + more, "id": "", "known_hosts": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, files, diags := config.Load(config.Options{Dir: dir, UserHome: dir})
	if diags.HasErrors() {
		var b strings.Builder
		_ = config.WriteDiagnostics(&b, files, diags, 100, false)
		t.Fatal(b.String())
	}
	return cfg
}

// fit are observations in which nothing is wrong, as Ask would have them.
func fit(cfg *config.Cluster) map[addr.Host]facts.Observation {
	out := map[addr.Host]facts.Observation{}
	for i, h := range cfg.Hosts {
		o := facts.Observation{
			OS: facts.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"}, Arch: "amd64", Hostname: h.Name, Machine: fmt.Sprintf("%032d", i),
			Kernel: "6.1.0-18-amd64", Cgroup: 2, CPUs: 2, MemoryKB: 4 << 20, Addresses: []string{h.Address.String()},
			Commands: map[string]string{}, Files: map[string]facts.File{"/etc/resolv.conf": {Type: facts.Regular, Content: []byte("nameserver 10.0.0.53\n")}},
			Units: map[string]facts.Unit{}, Listeners: map[int]string{}, Holders: map[int]facts.Holder{},
			System: facts.System{Asked: true, Systemd: 252, Spaces: map[string]facts.Space{}},
		}
		for _, c := range strings.Fields("iptables nft ip modprobe conntrack socat ipset swapoff systemctl flock mount umount losetup nsenter apt-get") {
			o.Commands[c] = "/usr/sbin/" + c
		}
		for _, dir := range preflight.Ask(cfg, h, facts.Request{}).Preflight.Spaces {
			o.System.Spaces[dir] = facts.Space{Path: "/", Mount: "/", Type: "ext4", Options: []string{"rw"}, Free: 40 << 30, Total: 50 << 30, FreeInodes: 3e6, Inodes: 4e6}
		}
		out[h.Addr] = o
	}
	return out
}

// input is what the façade makes of a configuration.
func input(cfg *config.Cluster, observed map[addr.Host]facts.Observation) preflight.Input {
	judge := map[addr.Host]bool{}
	for _, h := range cfg.Hosts {
		judge[h.Addr] = true
	}
	return preflight.Input{Config: cfg, Observed: observed, Judge: judge, Needs: packages.Needed(desired.PackageSettings(cfg)),
		Rules: func(h config.Host) []firewall.Rule { return desired.FirewallRules(cfg, h) }}
}

func TestFit(t *testing.T) {
	cfg := load(t, "")
	if got := preflight.Run(input(cfg, fit(cfg))); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// one is a case of TestFindings: what is wrong with n1 (or with m1), and what is
// to be said of it: severity, check and a part of the text.
type one struct {
	hcl  string
	at   addr.Host // n1 unless set
	of   addr.Host // of whom it is said, if of another
	make func(*facts.Observation)
	want []string
}

func space(change func(*facts.Space), dirs ...string) func(*facts.Observation) {
	return func(o *facts.Observation) {
		for _, d := range dirs {
			s := o.System.Spaces[d]
			change(&s)
			o.System.Spaces[d] = s
		}
	}
}

func TestFindings(t *testing.T) {
	seen := map[string]bool{}
	for name, c := range map[string]one{
		"hostname twice":     {make: func(o *facts.Observation) { o.Hostname = "M1" }, want: []string{`error hostname its hostname m1 is also that of master["m1"]`}},
		"localhost":          {make: func(o *facts.Observation) { o.Hostname = "localhost.localdomain" }, want: []string{"warning hostname its hostname is localhost.localdomain"}},
		"machine-id twice":   {make: func(o *facts.Observation) { o.Machine = strings.Repeat("0", 32) }, want: []string{"error machine-id its machine-id 0000"}},
		"no machine-id":      {make: func(o *facts.Observation) { o.Machine = "" }, want: []string{"error machine-id /etc/machine-id is empty"}},
		"address elsewhere":  {make: func(o *facts.Observation) { o.Addresses = []string{"192.0.2.7"} }, want: []string{"error address 10.0.0.2 is not an address of the host, which has 192.0.2.7"}},
		"address twice":      {at: m1, of: n1, make: func(o *facts.Observation) { o.Addresses = append(o.Addresses, "10.0.0.2") }, want: []string{`error address 10.0.0.2 is also an address of master["m1"]`}},
		"architecture":       {make: func(o *facts.Observation) { o.Arch = "arm64" }, want: []string{"error architecture it is arm64, and its block says amd64"}},
		"Alpine":             {make: func(o *facts.Observation) { o.OS = facts.OS{ID: "alpine", Name: "Alpine Linux v3.20"} }, want: []string{"error distribution Alpine Linux v3.20 has no systemd"}},
		"unknown, check":     {make: func(o *facts.Observation) { o.OS = facts.OS{ID: "nixos", Name: "NixOS"} }},
		"unknown, install":   {hcl: `host { packages = "install" }`, make: func(o *facts.Observation) { o.OS = facts.OS{ID: "nixos", Name: "NixOS"} }, want: []string{"error distribution no package manager of NixOS is known"}},
		"no os-release":      {make: func(o *facts.Observation) { o.OS = facts.OS{} }, want: []string{"warning distribution /etc/os-release"}},
		"one CPU, node":      {make: func(o *facts.Observation) { o.CPUs = 1 }},
		"one CPU, master":    {at: m1, make: func(o *facts.Observation) { o.CPUs = 1 }, want: []string{"error cpus it has 1 CPU; a control plane needs 2"}},
		"memory of a master": {at: m1, make: func(o *facts.Observation) { o.MemoryKB = 1_699_000 }, want: []string{"error memory it has 1699 MB of memory; a control plane needs 1700"}},
		"enough for a node":  {make: func(o *facts.Observation) { o.MemoryKB = 1_699_000 }},
		"little for pods":    {make: func(o *facts.Observation) { o.MemoryKB = 900_000 }, want: []string{"warning memory it has 900 MB"}},
		"memory of a node":   {make: func(o *facts.Observation) { o.MemoryKB = 400_000 }, want: []string{"error memory it has 400 MB of memory; a node needs 512"}},
		"full disk":          {make: space(func(s *facts.Space) { s.Free, s.Mount = 1<<30, "/var" }, "/var/lib"), want: []string{"error disk /var/lib (directories.data, on /var) has 1 GiB free of 50 GiB; 2 GiB are needed"}},
		"tight disk":         {make: space(func(s *facts.Space) { s.Free = 5 << 30 }, "/var/lib"), want: []string{"warning disk /var/lib (directories.data, on /) has 5 GiB"}},
		"inodes":             {make: space(func(s *facts.Space) { s.FreeInodes = 100 }, "/usr/local/bin"), want: []string{"error inodes /usr/local/bin (directories.bin, on /) has 100 inodes free of 4000000"}},
		"few inodes":         {make: space(func(s *facts.Space) { s.FreeInodes = 50_000 }, "/var/lib"), want: []string{"warning inodes /var/lib"}},
		"btrfs":              {make: space(func(s *facts.Space) { s.FreeInodes, s.Inodes = 0, 0 }, "/var/lib", "/usr/local/bin")},
		"noexec":             {make: space(func(s *facts.Space) { s.Options = []string{"rw", "noexec"} }, "/opt/cni/bin", "/etc/kubernetes"), want: []string{"error mounts /opt/cni/bin (directories.cni, on /) is mounted noexec"}},
		"read-only":          {make: space(func(s *facts.Space) { s.Options = []string{"ro"} }, "/etc/kubernetes"), want: []string{"error mounts /etc/kubernetes (directories.conf, on /) is mounted read-only"}},
		"old kernel":         {make: func(o *facts.Observation) { o.Kernel = "3.10.0-1160.el7" }, want: []string{"error kernel its kernel is 3.10.0-1160.el7; Kubernetes needs 4.19"}},
		"kernel, nftables":   {hcl: `kube_proxy { mode = "nftables" }`, make: func(o *facts.Observation) { o.Kernel = "5.10.0-28-amd64" }, want: []string{`error kernel its kernel is 5.10.0-28-amd64; kube-proxy's mode "nftables" needs 5.13`}},
		"kernel, cgroup 2":   {make: func(o *facts.Observation) { o.Kernel = "5.4.0" }, want: []string{"warning kernel its kernel is 5.4.0; cgroup v2 wants 5.8"}},
		"cgroup v1":          {make: func(o *facts.Observation) { o.Cgroup = 1 }, want: []string{"error cgroup it has cgroup v1"}},
		"cgroup v1, wanted":  {hcl: `kubelet { config = { failCgroupV1 = false } }`, make: func(o *facts.Observation) { o.Cgroup = 1 }},
		"swap is turned off": {make: func(o *facts.Observation) { o.Swaps = []string{"/dev/vda2"} }},
		"swap":               {hcl: `host { swap = "ignore" }`, make: func(o *facts.Observation) { o.Swaps = []string{"/dev/vda2"} }, want: []string{"error swap swap is on (/dev/vda2)"}},
		"swap, wanted": {hcl: "host { swap = \"ignore\" }\nkubelet { config = { failSwapOn = false } }",
			make: func(o *facts.Observation) { o.Swaps = []string{"/dev/vda2"} }},
		"no systemd":     {make: func(o *facts.Observation) { delete(o.Commands, "systemctl") }, want: []string{"error systemd it has no systemctl"}},
		"old systemd":    {make: func(o *facts.Observation) { o.System.Systemd = 219 }, want: []string{"error systemd its systemd is 219; 232 is needed"}},
		"SELinux":        {make: func(o *facts.Observation) { o.System.SELinux = "enforcing" }, want: []string{"warning selinux SELinux is enforcing, and nothing"}},
		"SELinux, known": {hcl: `runtime "containerd" { config = { enable_selinux = true } }`, make: func(o *facts.Observation) { o.System.SELinux = "enforcing" }},
		"no SELinux": {hcl: "host {\n  selinux = \"enforcing\"\n  preflight = { programs = \"ignore\" }\n}", at: m1, make: func(o *facts.Observation) {},
			want: []string{`warning selinux host.selinux is "enforcing", and its kernel has no SELinux`}},
		"AppArmor":         {make: func(o *facts.Observation) { o.System.AppArmor = true }, want: []string{"warning apparmor AppArmor is on without apparmor_parser"}},
		"program":          {make: func(o *facts.Observation) { delete(o.Commands, "iptables") }, want: []string{`error programs iptables is not there: kube-proxy's mode is "iptables"`}},
		"optional program": {make: func(o *facts.Observation) { delete(o.Commands, "losetup") }, want: []string{"warning programs losetup is not there"}},
		"needless program": {hcl: `kube_proxy { mode = "nftables" }`, make: func(o *facts.Observation) { delete(o.Commands, "iptables"); delete(o.Commands, "socat") }},
		"installed":        {hcl: `host { packages = "install" }`, make: func(o *facts.Observation) { delete(o.Commands, "iptables") }},
		"no apt-get": {hcl: `host { packages = "install" }`, make: func(o *facts.Observation) { delete(o.Commands, "apt-get"); delete(o.Commands, "iptables") },
			want: []string{"error packages Debian GNU/Linux 12 (bookworm) is a distribution of apt-get, which is not there", "error programs iptables"}},
		"port": {make: func(o *facts.Observation) {
			o.Listeners[10250] = "kubelet"
			o.Holders[10250] = facts.Holder{Program: "kubelet", PID: 712, Unit: "k3s.service"}
		}, want: []string{"error ports port 10250 of kubelet is held by kubelet (pid 712, k3s.service)"}},
		"port, no holder": {make: func(o *facts.Observation) { o.Listeners[10256] = "" }, want: []string{"error ports port 10256 of kube-proxy is held by a process that cannot be seen"}},
		"our own port": {make: func(o *facts.Observation) {
			o.Listeners[10250] = "kubelet"
			o.Holders[10250] = facts.Holder{Program: "kubelet", PID: 712, Unit: "kubelet.service"}
		}},
		"a master's port on a node": {make: func(o *facts.Observation) { o.Listeners[2379] = "etcd" }},
		"a port that is moved":      {hcl: `kubelet { config = { healthzPort = 0 } }`, make: func(o *facts.Observation) { o.Listeners[10248] = "x" }},
		"ufw": {make: func(o *facts.Observation) {
			o.Units["ufw.service"] = facts.Unit{Active: "active"}
			o.Files["/etc/ufw/ufw.conf"] = facts.File{Type: facts.Regular, Content: []byte("ENABLED=yes\n")}
		}, want: []string{"error firewall ufw is active and keeps out what the cluster needs: port tcp 10250 10.0.0.1, "}},
		"firewalld, another zone": {make: func(o *facts.Observation) {
			o.Units["firewalld.service"] = facts.Unit{Active: "active"}
			o.Files["/etc/firewalld/firewalld.conf"] = facts.File{Type: facts.Regular, Content: []byte("DefaultZone=home\n")}
		}, want: []string{"warning firewall firewalld is active, and what it lets in could not be told: the default zone is home"}},
		"firewalld, another zone, managed": {hcl: `host { firewall = "open" }`, make: func(o *facts.Observation) {
			o.Units["firewalld.service"] = facts.Unit{Active: "active"}
			o.Files["/etc/firewalld/firewalld.conf"] = facts.File{Type: facts.Regular, Content: []byte("DefaultZone=home\n")}
		}, want: []string{"error firewall firewalld is active, and the default zone is home, which hardway does not manage"}},
		"no resolv.conf": {make: func(o *facts.Observation) { o.Files["/etc/resolv.conf"] = facts.File{Type: facts.Absent} }, want: []string{"error dns /etc/resolv.conf does not exist"}},
		"stub": {make: func(o *facts.Observation) {
			o.Files["/etc/resolv.conf"] = facts.File{Type: facts.Symlink, Target: "../run/systemd/resolve/stub-resolv.conf"}
		}, want: []string{"error dns /etc/resolv.conf leads to systemd-resolved's stub"}},
		"stub with its upstream": {make: func(o *facts.Observation) {
			o.Files["/etc/resolv.conf"] = facts.File{Type: facts.Symlink, Target: "../run/systemd/resolve/stub-resolv.conf"}
			o.Files["/run/systemd/resolve/resolv.conf"] = facts.File{Type: facts.Regular}
		}},
		"loopback resolver": {make: func(o *facts.Observation) {
			o.Files["/etc/resolv.conf"] = facts.File{Type: facts.Regular, Content: []byte("nameserver 127.0.0.1\n")}
		}, want: []string{"warning dns /etc/resolv.conf names 127.0.0.1"}},
		"behind":      {make: func(o *facts.Observation) { o.Skew = -4 * time.Minute }, want: []string{"warning clock its clock is 4m0s behind this machine's"}},
		"far ahead":   {make: func(o *facts.Observation) { o.Skew = 6 * time.Minute }, want: []string{"error clock its clock is 6m0s ahead of this machine's, more than 5m0s"}},
		"ticks right": {make: func(o *facts.Observation) { o.Skew = -29 * time.Second }},
		"ignored":     {hcl: `host { preflight = { clock = "ignore" } }`, make: func(o *facts.Observation) { o.Skew = time.Hour }},
		"only warned": {hcl: `host { preflight = { clock = "warn" } }`, make: func(o *facts.Observation) { o.Skew = time.Hour }, want: []string{"warning clock"}},
		"made worse":  {hcl: `host { preflight = { dns = "error" } }`, make: func(o *facts.Observation) { o.Skew = time.Minute }, want: []string{"warning clock"}},
		"unreachable": {make: func(o *facts.Observation) { *o = facts.Observation{Err: "timeout"} }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := load(t, c.hcl)
			observed := fit(cfg)
			at := cmp.Or(c.at, n1)
			o := observed[at]
			c.make(&o)
			observed[at] = o
			in := input(cfg, observed)
			in.Own = func(h addr.Host, unit string) bool { return unit == "kubelet.service" }
			var got []string
			for _, f := range preflight.Run(in) {
				if seen[f.Check] = true; f.Host != cmp.Or(c.of, at) {
					continue // the same is said of the other host
				}
				if f.Do == "" || !strings.Contains(f.Place, "cluster.hcl:") {
					t.Errorf("%+v does not say what to do, or where", f)
				}
				got = append(got, fmt.Sprintf("%s %s %s", f.Severity, f.Check, f.Found))
			}
			ok := len(got) == len(c.want)
			for i := range min(len(got), len(c.want)) {
				ok = ok && strings.HasPrefix(got[i], c.want[i])
			}
			if !ok {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	var ids []string
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if d := gocmp.Diff(config.Checks(), ids); d != "" {
		t.Errorf("not every check of the language was seen, or one that it does not have (-language +seen):\n%s", d)
	}
}

// Everything at once, on all hosts, as a user sees it.
func TestAllAtOnce(t *testing.T) {
	cfg := load(t, "")
	cfg.Dir = ""
	observed := fit(cfg)
	for h, o := range observed {
		o.Machine, o.Hostname, o.Cgroup, o.Skew, o.CPUs, o.MemoryKB = strings.Repeat("a", 32), "template", 1, -time.Hour, 1, 256_000
		o.Addresses = []string{netip.MustParseAddr("10.0.2.15").String()}
		o.Listeners[10250], o.Holders[10250] = "kubelet", facts.Holder{Program: "kubelet", PID: 9, Unit: "kubelet.service"}
		delete(o.Commands, "iptables")
		observed[h] = o
	}
	err := &preflight.FailedError{Findings: preflight.Run(input(cfg, observed))}
	text := err.Error() + "\n"
	for _, h := range cfg.Hosts {
		text = strings.ReplaceAll(text, filepath.Dir(h.Range.Filename)+"/", "")
	}
	golden := filepath.Join("testdata", "all.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, ferr := os.ReadFile(golden)
	if ferr != nil {
		t.Fatal(ferr)
	}
	if d := gocmp.Diff(string(want), text); d != "" {
		t.Error(d)
	}
}

// A host that belongs to the cluster is asked for the time only.
func TestMember(t *testing.T) {
	cfg := load(t, "")
	observed := fit(cfg)
	o := observed[n1]
	o.MemoryKB, o.Skew, o.Cgroup = 1000, time.Hour, 1
	observed[n1] = o
	got := preflight.Run(preflight.Input{Config: cfg, Observed: observed, Judge: map[addr.Host]bool{m1: true}})
	if len(got) != 1 || got[0].Check != "clock" {
		t.Errorf("%+v", got)
	}
}

func TestAskKeepsWhatWasAsked(t *testing.T) {
	cfg := load(t, "")
	q := preflight.Ask(cfg, cfg.Hosts[0], facts.Request{
		Files: []facts.FileRequest{{Path: "/etc/hosts", Content: true}, {Path: "/etc/resolv.conf"}, {Path: "/z"}}, Units: []string{"kubelet.service", "ufw.service"}})
	if !slices.IsSortedFunc(q.Files, func(a, b facts.FileRequest) int { return strings.Compare(a.Path, b.Path) }) {
		t.Errorf("%v is not sorted", q.Files)
	}
	for _, want := range []facts.FileRequest{{Path: "/etc/hosts", Content: true}, {Path: "/etc/resolv.conf", Content: true}, {Path: "/z"}, {Path: "/etc/ufw/user.rules", Content: true}} {
		if !slices.Contains(q.Files, want) {
			t.Errorf("%+v is not asked for", want)
		}
	}
	if want := []string{"firewalld.service", "kubelet.service", "ufw.service"}; !slices.Equal(q.Units, want) {
		t.Errorf("units %q, want %q", q.Units, want)
	}
	if !slices.Contains(q.Ports, 2379) || !slices.Contains(q.Ports, 6443) || !slices.Contains(q.Ports, 10250) {
		t.Errorf("ports %v", q.Ports)
	}
}
