package firewall_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/firewall"
)

func texts(list []firewall.Rule) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.String())
	}
	return out
}

func TestNeeded(t *testing.T) {
	m1, n1 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	c := firewall.Cluster{Master: true, APIPort: 6443, Masters: []netip.Addr{m1}, Hosts: []netip.Addr{m1, n1},
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}, NodePorts: [2]int{30000, 32767}}
	want := []string{"port tcp 6443 any", "port tcp 2379-2380 10.0.0.1", "port tcp 10250 10.0.0.1", "port tcp 10256 10.0.0.1", "port tcp 10256 10.0.0.2",
		"port tcp 30000-32767 any", "port udp 30000-32767 any", "trust 10.244.0.0/16"}
	if d := cmp.Diff(want, texts(firewall.Needed(c))); d != "" {
		t.Error(d)
	}
	c.Master = false
	if d := cmp.Diff(want[2:], texts(firewall.Needed(c))); d != "" {
		t.Errorf("a node: %s", d)
	}
}

// The files are those of ufw 0.36 and of firewalld 1.3.
const (
	ufwRules = `*filter
### tuple ### allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 6443 -j ACCEPT
### tuple ### allow tcp 2379:2380 0.0.0.0/0 any 10.0.0.1 in comment=68617264776179
### tuple ### deny tcp 10250 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow any any 0.0.0.0/0 any 10.244.0.0/16 in
### tuple ### route:allow any any 0.0.0.0/0 any 10.1.0.0/16 in
### tuple ### allow any 53 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow tcp 80,443 192.0.2.1 any 0.0.0.0/0 in
### tuple ### allow tcp 8000,8443 0.0.0.0/0 any 0.0.0.0/0 in_eth0
`
	publicZone = `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
  <service name="ssh"/>
  <port port="6443" protocol="tcp"/>
  <port port="30000-32767" protocol="udp"/>
  <rule family="ipv4"><source address="10.0.0.1"/><port port="10250" protocol="tcp"/><accept/></rule>
  <rule family="ipv4"><source address="10.0.0.9"/><port port="10250" protocol="tcp"/><drop/></rule>
  <rule family="ipv4"><source address="10.0.0.0/8" invert="True"/><port port="1" protocol="tcp"/><accept/></rule>
  <forward/>
</zone>`
	trustedZone = `<zone target="ACCEPT"><short>Trusted</short><source address="10.244.0.0/16"/></zone>`
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		active string
		files  map[string]string
		want   firewall.State
		open   []string
	}{
		"none": {want: firewall.State{}},
		"ufw": {active: "ufw.service", files: map[string]string{"/etc/ufw/ufw.conf": "# comment\nENABLED=yes\n", "/etc/ufw/user.rules": ufwRules},
			want: firewall.State{Tool: firewall.UFW},
			open: []string{"port tcp 6443 any", "port tcp 2379-2380 10.0.0.1", "trust 10.244.0.0/16", "port tcp 53 any", "port udp 53 any", "port tcp 8000 any", "port tcp 8443 any"}},
		"ufw that is off": {active: "ufw.service", files: map[string]string{"/etc/ufw/ufw.conf": "ENABLED=no\n", "/etc/ufw/user.rules": ufwRules}},
		"firewalld": {active: "firewalld.service",
			files: map[string]string{"/etc/firewalld/firewalld.conf": "DefaultZone=public\n", "/etc/firewalld/zones/public.xml": publicZone, "/etc/firewalld/zones/trusted.xml": trustedZone},
			want:  firewall.State{Tool: firewall.Firewalld, Zone: "public"},
			open:  []string{"port tcp 6443 any", "port udp 30000-32767 any", "port tcp 10250 10.0.0.1", "trust 10.244.0.0/16"}},
		"firewalld as it came": {active: "firewalld.service", files: map[string]string{"/usr/lib/firewalld/zones/public.xml": `<zone><service name="ssh"/></zone>`},
			want: firewall.State{Tool: firewall.Firewalld, Zone: "public"}},
		"another zone": {active: "firewalld.service", files: map[string]string{"/etc/firewalld/firewalld.conf": "DefaultZone=Office\n"},
			want: firewall.State{Tool: firewall.Firewalld, Zone: "Office", Unread: "the default zone is Office"}},
		"no file": {active: "firewalld.service", want: firewall.State{Tool: firewall.Firewalld, Zone: "public", Unread: "the zone public has no file"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := firewall.Read(func(unit string) bool { return unit == c.active }, func(p string) ([]byte, bool) {
				text, ok := c.files[p]
				return []byte(text), ok
			})
			if d := cmp.Diff(c.open, texts(got.Open)); d != "" {
				t.Error(d)
			}
			if got.Open = nil; cmp.Diff(c.want, got) != "" {
				t.Error(cmp.Diff(c.want, got))
			}
		})
	}
}

func TestMissing(t *testing.T) {
	port := func(first, last int, source string) firewall.Rule {
		return firewall.Rule{Protocol: "tcp", First: first, Last: last, Source: source}
	}
	for _, c := range []struct {
		need, open firewall.Rule
		covered    bool
	}{
		{port(6443, 6443, ""), port(6443, 6443, ""), true},
		{port(6443, 6443, ""), port(6000, 7000, ""), true},
		{port(2379, 2380, "10.0.0.1"), port(2379, 2379, ""), false},
		{port(6443, 6443, ""), port(6443, 6443, "10.0.0.0/8"), false}, // wanted by anybody
		{port(10250, 10250, "10.0.0.1"), port(10250, 10250, "10.0.0.0/8"), true},
		{port(10250, 10250, "10.0.0.1"), firewall.Rule{Source: "10.0.0.1"}, true},
		{port(10250, 10250, "fd00::1"), port(10250, 10250, "10.0.0.0/8"), false},
		{firewall.Rule{Protocol: "udp", First: 1, Last: 1}, port(1, 1, ""), false},
		{firewall.Rule{Source: "10.244.0.0/16"}, firewall.Rule{Source: "10.0.0.0/8"}, true},
		{firewall.Rule{Source: "10.244.0.0/16"}, firewall.Rule{Source: "10.244.1.0/24"}, false},
		{firewall.Rule{Source: "10.244.0.0/16"}, port(1, 65535, ""), false}, // only TCP
	} {
		if got := len(firewall.Missing([]firewall.Rule{c.need}, []firewall.Rule{c.open})) == 0; got != c.covered {
			t.Errorf("%s by %s: %v", c.need, c.open, got)
		}
	}
}

// FuzzRead feeds whatever a host may have in its files.
func FuzzRead(f *testing.F) {
	f.Add(ufwRules, publicZone)
	f.Add("### tuple ### allow tcp 1:2:3 a b c in", "<zone><rule><port port='9-1'/></rule>")
	f.Fuzz(func(t *testing.T, ufw, zone string) {
		for _, unit := range firewall.Units() {
			s := firewall.Read(func(u string) bool { return u == unit }, func(p string) ([]byte, bool) {
				switch p {
				case "/etc/ufw/ufw.conf":
					return []byte("ENABLED=yes"), true
				case "/etc/ufw/user.rules":
					return []byte(ufw), true
				}
				return []byte(zone), true
			})
			for _, r := range s.Open {
				if r.Protocol != "" && (r.First > r.Last || r.Last > 65535) {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}
