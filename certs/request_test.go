package certs

import (
	"crypto/x509"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/signer/local"
	"github.com/google/go-cmp/cmp"
)

func TestNewRequestNormalises(t *testing.T) {
	p := testParams()
	p.Host.Addresses = append(p.Host.Addresses, netip.MustParseAddr("::ffff:192.168.10.21"))
	p.APIHosts = []string{"K8S-Master.", "k8s-master", "[FD00::22]", " 192.168.10.100 ", "192.168.10.100"}
	p.ExtraSANs = nil
	got, err := NewRequest(LeafAPIServer, p)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Name:      "apiserver",
		Authority: "kubernetes",
		Subject:   Subject{CN: "kube-apiserver"},
		DNS:       []string{"k8s-master", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost", "m1", "m2"},
		IPs:       []string{"10.96.0.1", "127.0.0.1", "192.168.10.21", "192.168.10.22", "192.168.10.100", "::1", "fd00::22"},
		Usages:    []string{"server auth"},
		Algorithm: ECDSAP256,
		Validity:  year,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestNewRequestIgnoresOrder(t *testing.T) {
	p := testParams()
	a, err := NewRequest(LeafAPIServer, p)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(p.Masters)
	slices.Reverse(p.APIHosts)
	slices.Reverse(p.ExtraSANs)
	b, err := NewRequest(LeafAPIServer, p)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the order of the input shows:\n%s", d)
	}
}

// TestHostNamedByItsAddress: some name their nodes so (hostname-override).
func TestHostNamedByItsAddress(t *testing.T) {
	p := testParams()
	p.Host.Name = "192.168.10.21"
	p.Masters = []Host{p.Host}
	got, err := NewRequest(LeafEtcdServer, p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject.CN != "192.168.10.21" || !slices.Equal(got.DNS, []string{"localhost"}) || !slices.Contains(got.IPs, "192.168.10.21") {
		t.Errorf("%+v", got)
	}
	if _, err := Issue(testAuthority(t, AuthorityEtcd), got, testNow); err != nil {
		t.Error(err)
	}
}

// FuzzNormalDNS: what passes is taken for a DNS name by cfssl too, and is in
// normal form.
func FuzzNormalDNS(f *testing.F) {
	for _, s := range []string{"m1", "K8S.Example.com.", "*.a.b", "a@b", "https://x", "x:y", "1.2.3.4", "::1", "a_b", "", ".", "/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := normalDNS(s)
		if err != nil {
			return
		}
		if again, err := normalDNS(n); err != nil || again != n {
			t.Errorf("%q becomes %q, then %q, %v", s, n, again, err)
		}
		var c x509.Certificate
		local.OverrideHosts(&c, []string{n})
		if len(c.DNSNames) != 1 || c.DNSNames[0] != n {
			t.Errorf("cfssl takes %q for something else: %v %v %v", n, c.IPAddresses, c.EmailAddresses, c.URIs)
		}
	})
}

func TestRequestRoundTripsJSON(t *testing.T) {
	want := testRequest(t, LeafKubeletServing)
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Request
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNewRequestErrors(t *testing.T) {
	tests := []struct {
		name   string
		leaf   string
		change func(*Params)
		want   string
	}{
		{"unknown row", "apisrever", func(*Params) {}, `no certificate "apisrever"`},
		{"no host name in the subject", LeafKubeletClient, func(p *Params) { p.Host.Name = "" }, "kubelet-client: host name"},
		{"no host address", LeafEtcdServer, func(p *Params) { p.Host.Addresses = nil }, `host "m1" has no address`},
		{"zero address", LeafKubeletServing, func(p *Params) { p.Host.Addresses = []netip.Addr{{}} }, "an address is empty"},
		{"no service address", LeafAPIServer, func(p *Params) { p.ServiceIP = netip.Addr{} }, "service address"},
		{"no domain", LeafAPIServer, func(p *Params) { p.DNSDomain = "" }, "DNS domain is empty"},
		{"bad domain", LeafAPIServer, func(p *Params) { p.DNSDomain = "cluster..local" }, "a part is empty"},
		{"zone", LeafKubeletServing, func(p *Params) { p.Host.Addresses = []netip.Addr{netip.MustParseAddr("fe80::1%eth0")} }, "zone"},
		{"mailbox as a name", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{"root@example.com"} }, `extra SANs: DNS name "root@example.com": '@' is not allowed`},
		{"URL as a name", LeafAPIServer, func(p *Params) { p.APIHosts = []string{"https://k8s:6443"} }, "API hosts"},
		{"host and port", LeafAPIServer, func(p *Params) { p.APIHosts = []string{"k8s:6443"} }, "':' is not allowed"},
		{"not ASCII", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{"bücher.example"} }, "punycode"},
		{"wildcard inside", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{"a.*.example"} }, "'*' is not allowed"},
		{"wildcard alone", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{"*"} }, "'*' is not allowed"},
		{"hyphen first", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{"-a.example"} }, "hyphen"},
		{"long label", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{strings.Repeat("a", 64)} }, "longer than 63"},
		{"long name", LeafAPIServer, func(p *Params) { p.ExtraSANs = []string{strings.Repeat("a.", 127) + "b"} }, "longer than 253"},
		{"algorithm", LeafAdmin, func(p *Params) { p.Algorithm = "rsa-1024" }, `unknown key algorithm "rsa-1024"`},
		{"validity", LeafAdmin, func(p *Params) { p.Validity = time.Millisecond }, "at least one second"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := testParams()
			tt.change(&p)
			if _, err := NewRequest(tt.leaf, p); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	p := testParams()
	p.ExtraSANs = []string{strings.Repeat("a.", 126) + "b"} // 253 characters
	if _, err := NewRequest(LeafAPIServer, p); err != nil {
		t.Errorf("a name of 253 characters: %v", err)
	}
}

func TestNewUserRequest(t *testing.T) {
	got, err := NewUserRequest("devuser", []string{"ops", "dev", "ops"}, "", 720*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Name: "user", Authority: "kubernetes", Subject: Subject{CN: "devuser", O: []string{"dev", "ops"}},
		Usages: []string{"client auth"}, Algorithm: ECDSAP256, Validity: 720 * time.Hour,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, tt := range []struct {
		user   string
		groups []string
		want   string
	}{
		{"", nil, "user name is empty"},
		{" ", nil, "user name is empty"},
		{"system:admin", nil, "reserved"},
		{"dev", []string{"system:masters"}, "reserved"},
		{"dev", []string{"a", ""}, "group name is empty"},
	} {
		if _, err := NewUserRequest(tt.user, tt.groups, "", year); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q %q: error %v, want one with %q", tt.user, tt.groups, err, tt.want)
		}
	}
}
