package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestForEach(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"base_hosts.hcl": `
master "m" {
  for_each = { m3 = 23, m1 = 21, m2 = 22 }
  address  = "192.168.10.${each.value}"
}
node "rack" {
  for_each = toset(["n2", "n1"])
  address  = "192.168.11.${trimprefix(each.key, "n")}"
  labels   = { name = each.key, same = each.key == each.value }
}
node "single" {
  address = "192.168.12.1"
  arch    = "arm64"
}
node "pool" {
  for_each = { for i in range(2) : "p${i}" => { ip = cidrhost("192.168.13.0/24", i + 1), tier = "gold" } }
  address  = each.value.ip
  labels   = { tier = each.value.tier }
  taints   = ["dedicated=${each.value.tier}:NoSchedule", "solo:NoExecute"]
}
node "none" {
  for_each = {}
  address  = each.value
}
api "external" { host = master["m2"].address }
`}, Options{})
	type host struct {
		Addr, Address string
		Labels        map[string]string
		Taints        []string
	}
	var got []host
	for _, h := range c.Hosts {
		x := host{Addr: h.Addr.String(), Address: h.Address.String(), Labels: h.Labels}
		for _, taint := range h.Taints {
			x.Taints = append(x.Taints, taint.String())
		}
		got = append(got, x)
	}
	gold := map[string]string{"tier": "gold"}
	taints := []string{"dedicated=gold:NoSchedule", "solo:NoExecute"}
	want := []host{
		{`master["m1"]`, "192.168.10.21", nil, nil},
		{`master["m2"]`, "192.168.10.22", nil, nil},
		{`master["m3"]`, "192.168.10.23", nil, nil},
		{`node["n1"]`, "192.168.11.1", map[string]string{"name": "n1", "same": "true"}, nil},
		{`node["n2"]`, "192.168.11.2", map[string]string{"name": "n2", "same": "true"}, nil},
		{`node["p0"]`, "192.168.13.1", gold, taints},
		{`node["p1"]`, "192.168.13.2", gold, taints},
		{`node["single"]`, "192.168.12.1", nil, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if arch := c.Hosts[7].Arch; arch != "arm64" {
		t.Errorf("arch of %s: %q", c.Hosts[7].Addr, arch)
	}
	if len(c.Masters()) != 3 || c.API.Host != "192.168.10.22" {
		t.Errorf("masters %d, API %q", len(c.Masters()), c.API.Host)
	}
}

func TestSSHOverride(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"other_key": "x", "more_hosts": "# none\n",
		"base_ssh.hcl": `
variable "pw" {
  sensitive = true
  default   = "hunter2"
}
ssh {
  user            = "ubuntu"
  private_key     = "id_ed25519"
  known_hosts     = "known_hosts"
  port            = 2222
  connect_timeout = "3s"
  become { password = var.pw }
}
node "plain" { address = "192.168.10.31" }
node "special" {
  address = "192.168.10.32"
  ssh {
    host        = "127.0.0.1"
    port        = 2200
    user        = "root"
    private_key = "other_key"
    known_hosts = ["known_hosts", "more_hosts"]
    become { method = "none" }
  }
}
node "dynamic" {
  address = "192.168.10.33"
  dynamic "ssh" {
    for_each = { a = 2201 }
    iterator = it
    content { port = it.value }
  }
}
`}, Options{})
	file := func(name string) string { return filepath.Join(c.Dir, name) }
	common := SSH{Login: Login{Host: "192.168.10.31", Port: 2222, User: "ubuntu", PrivateKeys: []string{file("id_ed25519")},
		KnownHosts: []string{file("known_hosts")}, ConnectTimeout: 3 * time.Second}, Become: Become{Method: "sudo", Password: NewSecret("hunter2")}}
	dynamic := common
	dynamic.Host, dynamic.Port = "192.168.10.33", 2201
	want := map[string]SSH{
		"plain":   common,
		"dynamic": dynamic,
		"special": {Login: Login{Host: "127.0.0.1", Port: 2200, User: "root", PrivateKeys: []string{file("other_key")},
			KnownHosts: []string{file("known_hosts"), file("more_hosts")}, ConnectTimeout: 3 * time.Second}, Become: Become{Method: "none"}},
	}
	got := map[string]SSH{}
	for _, h := range c.Hosts[1:] {
		got[h.Name] = h.SSH
	}
	if diff := cmp.Diff(want, got, ignoreRanges()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.Hosts[1].SSH.Range.Filename == c.Hosts[2].SSH.Range.Filename && c.Hosts[1].SSH.Range == c.Hosts[3].SSH.Range {
		t.Error("a host's own ssh block has the range of the cluster's")
	}
}
