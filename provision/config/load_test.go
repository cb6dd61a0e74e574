package config

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hardway/provision/addr"
)

// ignoreRanges compares values without the places they were written at.
func ignoreRanges() cmp.Options {
	return cmp.Options{
		cmpopts.IgnoreTypes(hcl.Range{}, map[string]hcl.Range{}),
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
		cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
		cmpopts.EquateEmpty(),
	}
}

// TestDefaults pins what the smallest configuration evaluates to.
func TestDefaults(t *testing.T) {
	c := mustLoad(t, nil, Options{UserHome: "/home/u"})
	dir := c.Dir
	want := &Cluster{
		Dir: dir, Name: "lab", Version: "1.37.1",
		PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), NodePrefix: 24,
		ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
		DNSDomain:   "cluster.local", DNSAddress: netip.MustParseAddr("10.96.0.10"),
		Hosts: []Host{{
			Addr: addr.Host{Role: addr.Master, Name: "m1"}, Name: "m1", Arch: "amd64", Address: netip.MustParseAddr("192.168.10.21"),
			SSH: SSH{Login: Login{
				Host: "192.168.10.21", Port: 22, User: "root", PrivateKeys: []string{filepath.Join(dir, "id_ed25519")},
				KnownHosts: []string{filepath.Join(dir, "known_hosts")}, ConnectTimeout: 10 * time.Second,
			}, Become: Become{Method: "none"}},
		}},
		API:  API{Host: "192.168.10.21", Port: 6443},
		Etcd: Etcd{Version: "3.7.3"},
		Runtime: Runtime{Name: "containerd", Version: "2.3.7", RuncVersion: "1.4.3", CNIPluginsVersion: "1.9.1",
			SandboxImage: "registry.k8s.io/pause:3.10.2"},
		Network:   Network{Name: "bridge"},
		KubeProxy: KubeProxy{Mode: "iptables"},
		Directories: Directories{Bin: "/usr/local/bin", Cert: "/etc/kubernetes/pki", Conf: "/etc/kubernetes",
			Log: "/var/log/kubernetes", Data: "/var/lib", CNI: "/opt/cni/bin"},
		Machine:   Machine{Swap: "off", ManageSysctl: true, ManageModules: true, ManageHosts: true, Packages: "check", Firewall: "ignore", SELinux: "ignore"},
		Processes: Processes{Manager: Systemd},
		Binaries:  Binaries{Source: "https://dl.k8s.io", Cache: "/home/u/.cache/hardway/binaries"},
		PKI: whole(t, PKI{Algorithm: "ecdsa-p256", CertificateValidity: 8760 * time.Hour, CAValidity: 87600 * time.Hour,
			RenewBefore: 720 * time.Hour, CSRSigning: true}),
		State:  State{Path: filepath.Join(dir, "hardway.state")},
		Verify: Verify{Image: "registry.k8s.io/e2e-test-images/agnhost:2.53", Timeout: 5 * time.Minute},
		Digest: c.Digest,
	}
	if diff := cmp.Diff(want, c, ignoreRanges()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(c.Digest) != 64 {
		t.Errorf("digest %q is not a SHA-256", c.Digest)
	}
}

// TestEverySetting reads each attribute of each block once, away from its default.
func TestEverySetting(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"base_cluster.hcl": `
cluster "prod-1" {
  kubernetes_version = "1.36.3"
  pod_cidr           = "10.200.0.0/14"
  node_prefix        = 23
  service_cidr       = "10.32.0.0/20"
  dns_domain         = "k8s.example"
  dns_address        = "10.32.0.53"
}`,
		"pause.tar": "x",
		"main.hcl": `
api "external" {
  host       = "api.example.com"
  port       = 8443
  extra_sans = ["*.example.com", "10.1.2.3"]
}
etcd { version = "3.6.10" }
network "none" {}
kube_proxy { mode = "nftables" }
runtime "containerd" {
  version             = "2.4.2"
  runc_version        = "1.5.2"
  cni_plugins_version = "1.9.0"
  sandbox_image       = "example.com:5000/pause:1"
  images              = { "example.com:5000/pause:1" = "pause.tar" }
}
directories {
  bin  = "/opt/bin"
  cert = "/srv/k8s/pki"
  conf = "/srv/k8s/conf"
  log  = "/srv/log"
  data = "/srv/data"
  cni  = "/srv/cni"
}
host {
  swap           = "ignore"
  sysctl         = { "vm.max_map_count" = 262144, "net.ipv4.conf.eth0/1.rp_filter" = "0" }
  modules        = ["br_netfilter"]
  manage_sysctl  = false
  manage_modules = false
  manage_hosts   = false

  packages        = "install"
  extra_packages  = ["open-iscsi", "nfs-common", "nfs-common"]
  remove_packages = true
  firewall        = "open"
  selinux         = "enforcing"
  preflight       = { memory = "warn", "machine-id" = "ignore" }
}
processes "supervisord" { conf_dir = "/etc/supervisord.d" }
binaries {
  source  = "dist"
  sources = { etcd = "https://example.com/etcd/" }
  cache   = "~/cache"
}
pki {
  algorithm            = "rsa-4096"
  certificate_validity = "100h"
  ca_validity          = "200h"
  renew_before         = "10h"
  csr_signing          = false
}
state {
  recipients = ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"]
  backend "local" { path = "state/file" }
}
verify {
  image   = ""
  timeout = "90s"
}
`}, Options{UserHome: "/home/u"})
	dir := c.Dir
	got := *c
	got.Hosts, got.Digest = nil, ""
	want := Cluster{
		Dir: dir, Name: "prod-1", Version: "1.36.3",
		PodCIDR: netip.MustParsePrefix("10.200.0.0/14"), NodePrefix: 23, ServiceCIDR: netip.MustParsePrefix("10.32.0.0/20"),
		DNSDomain: "k8s.example", DNSAddress: netip.MustParseAddr("10.32.0.53"),
		API:  API{Host: "api.example.com", Port: 8443, ExtraSANs: []string{"*.example.com", "10.1.2.3"}},
		Etcd: Etcd{Version: "3.6.10"},
		Runtime: Runtime{Name: "containerd", Version: "2.4.2", RuncVersion: "1.5.2", CNIPluginsVersion: "1.9.0",
			SandboxImage: "example.com:5000/pause:1", Images: map[string]string{"example.com:5000/pause:1": filepath.Join(dir, "pause.tar")}},
		Network:   Network{Name: "none"},
		KubeProxy: KubeProxy{Mode: "nftables"},
		Directories: Directories{Bin: "/opt/bin", Cert: "/srv/k8s/pki", Conf: "/srv/k8s/conf", Log: "/srv/log",
			Data: "/srv/data", CNI: "/srv/cni"},
		Machine: Machine{Swap: "ignore", Modules: []string{"br_netfilter"},
			Sysctl:   map[string]string{"vm.max_map_count": "262144", "net.ipv4.conf.eth0/1.rp_filter": "0"},
			Packages: "install", ExtraPackages: []string{"nfs-common", "open-iscsi"}, RemovePackages: true, Firewall: "open", SELinux: "enforcing",
			Preflight: map[string]string{"memory": "warn", "machine-id": "ignore"}},
		Processes: Processes{Manager: Supervisord, ConfDir: "/etc/supervisord.d"},
		Binaries:  Binaries{Source: filepath.Join(dir, "dist"), Sources: map[string]string{"etcd": "https://example.com/etcd"}, Cache: "/home/u/cache"},
		PKI:       whole(t, PKI{Algorithm: "rsa-4096", CertificateValidity: 100 * time.Hour, CAValidity: 200 * time.Hour, RenewBefore: 10 * time.Hour}),
		State: State{Path: filepath.Join(dir, "state/file"),
			Recipients: []string{"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"}},
		Verify: Verify{Timeout: 90 * time.Second},
	}
	if diff := cmp.Diff(want, got, ignoreRanges()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFilesOfADirectory: all *.hcl but lock files, dotfiles and editors' copies.
func TestFilesOfADirectory(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"hardway.lock.hcl": "this is = not ours {",
		".hidden.hcl":      "nor is {",
		"main.hcl~":        "nor {",
		"#main.hcl":        "nor {",
		"sub/other.hcl":    "nor {",
		"z.hcl":            `node "n1" { address = "192.168.10.31" }`,
	}, Options{})
	if len(c.Hosts) != 2 {
		t.Errorf("got %d hosts, want 2", len(c.Hosts))
	}
}

func TestReferences(t *testing.T) {
	c := mustLoad(t, map[string]string{"main.hcl": `
locals {
  third  = "${local.second}!"
  second = upper(local.first)
  first  = node["n1"].name
}
node "n1" {
  address = cidrhost(local.net, 31)
  labels  = { master = master["m1"].address, cluster = cluster.name, dns = cluster.dns_domain }
}
locals { net = "192.168.10.0/24" }
output "url"    { value = cluster.api_url }
output "pods"   { value = cluster.pod_cidr }
output "third"  { value = local.third }
output "role"   { value = node.n1.role }
output "minor"  { value = join(".", slice(split(".", cluster.kubernetes_version), 0, 2)) }
output "module" { value = path.module == abspath(".") }
output "all"    { value = [for name, h in merge(master, node) : "${name}=${h.address}"] }
`}, Options{})
	got := map[string]cty.Value{}
	for _, o := range c.Outputs {
		got[o.Name] = o.Value
	}
	want := map[string]cty.Value{
		"url": cty.StringVal("https://192.168.10.21:6443"), "pods": cty.StringVal("10.244.0.0/16"), "third": cty.StringVal("N1!"),
		"role": cty.StringVal("node"), "minor": cty.StringVal("1.37"), "module": cty.True,
		"all": cty.TupleVal([]cty.Value{cty.StringVal("m1=192.168.10.21"), cty.StringVal("n1=192.168.10.31")}),
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	n1 := c.Hosts[1]
	if want := map[string]string{"master": "192.168.10.21", "cluster": "lab", "dns": "cluster.local"}; !cmp.Equal(want, n1.Labels) {
		t.Errorf("labels: %v", n1.Labels)
	}
	if n1.Address.String() != "192.168.10.31" {
		t.Errorf("address: %v", n1.Address)
	}
}

func TestMissingDirectory(t *testing.T) {
	c, f, diags := Load(Options{Dir: filepath.Join(t.TempDir(), "absent")})
	if c != nil || f == nil || !diags.HasErrors() {
		t.Fatalf("Load of a missing directory: %v %v %v", c, f, diags)
	}
	if text := render(t, f, diags); !cmp.Equal(true, len(text) > 0 && filepath.Base(diags[0].Detail) != "") {
		t.Error(text)
	}
}
