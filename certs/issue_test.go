package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIssueCatalogue issues every leaf and verifies it as a peer would: the
// chain, each usage, and each name.
func TestIssueCatalogue(t *testing.T) {
	authorities := map[string]Authority{}
	for _, row := range Authorities() {
		authorities[row.Name] = testAuthority(t, row.Name)
	}
	for _, row := range Catalogue() {
		t.Run(row.Name, func(t *testing.T) {
			r := testRequest(t, row.Name)
			leaf, err := Issue(authorities[row.Authority], r, testNow)
			if err != nil {
				t.Fatal(err)
			}
			c := mustParse(t, leaf.CertPEM)
			verifyNames(t, c, authorities[row.Authority], r)
			for _, other := range authorities {
				if other.Name != row.Authority && verify(c, other, x509.VerifyOptions{}) == nil {
					t.Errorf("the authority %s accepts it too", other.Name)
				}
			}
			want := Subject{CN: c.Subject.CommonName, O: c.Subject.Organization}
			if d := cmp.Diff(r.Subject, want); d != "" {
				t.Errorf("subject:\n%s", d)
			}
			if c.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment || c.IsCA || !c.BasicConstraintsValid {
				t.Errorf("key usage %b, CA %v, constraints %v", c.KeyUsage, c.IsCA, c.BasicConstraintsValid)
			}
			if len(c.EmailAddresses)+len(c.URIs) != 0 {
				t.Errorf("mailboxes %q, URIs %v", c.EmailAddresses, c.URIs)
			}
			if !bytes.Equal(c.AuthorityKeyId, mustParse(t, authorities[row.Authority].CertPEM).SubjectKeyId) || len(c.SubjectKeyId) == 0 {
				t.Errorf("key ids: subject %x, authority %x", c.SubjectKeyId, c.AuthorityKeyId)
			}
			if !c.NotBefore.Equal(testNow.Add(-Backdate)) || !c.NotAfter.Equal(testNow.Add(year)) || leaf.Clamped {
				t.Errorf("valid from %s to %s, clamped %v", c.NotBefore, c.NotAfter, leaf.Clamped)
			}
			if _, err := tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM.Reveal()); err != nil {
				t.Errorf("certificate and key: %v", err)
			}
			combined := leaf.Combined().Reveal()
			if _, err := tls.X509KeyPair(combined, combined); err != nil {
				t.Errorf("the combined file: %v", err)
			}
		})
	}
}

func verify(c *x509.Certificate, a Authority, o x509.VerifyOptions) error {
	o.Roots = x509.NewCertPool()
	o.Roots.AppendCertsFromPEM(a.CertPEM)
	o.CurrentTime = testNow
	if o.KeyUsages == nil {
		o.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	_, err := c.Verify(o)
	return err
}

func verifyNames(t *testing.T, c *x509.Certificate, a Authority, r Request) {
	t.Helper()
	for usage, eku := range map[string]x509.ExtKeyUsage{UsageServerAuth: x509.ExtKeyUsageServerAuth, UsageClientAuth: x509.ExtKeyUsageClientAuth} {
		err := verify(c, a, x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{eku}})
		if (err == nil) != slices.Contains(r.Usages, usage) {
			t.Errorf("for %s: %v", usage, err)
		}
	}
	if slices.Contains(r.Usages, UsageServerAuth) {
		for _, name := range slices.Concat(r.DNS, r.IPs) {
			name = strings.Replace(name, "*", "any", 1)
			if err := verify(c, a, x509.VerifyOptions{DNSName: name}); err != nil {
				t.Errorf("as %s: %v", name, err)
			}
		}
	}
	if err := verify(c, a, x509.VerifyOptions{DNSName: "elsewhere.example"}); err == nil {
		t.Error("it is good for any name")
	}
}

// TestIssueAlgorithms: each algorithm as the authority's key, and as a leaf's.
func TestIssueAlgorithms(t *testing.T) {
	p256 := testAuthority(t, AuthorityKubernetes)
	for _, alg := range Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			r := testRequest(t, LeafKubeletServing)
			r.Algorithm = alg
			leaf, err := Issue(p256, r, testNow)
			if err != nil {
				t.Fatal(err)
			}
			verifyNames(t, mustParse(t, leaf.CertPEM), p256, r)

			ca, err := NewAuthority(AuthoritySpec{Name: AuthorityKubernetes, Algorithm: alg, Validity: year, Generation: 1, Now: testNow})
			if err != nil {
				t.Fatal(err)
			}
			r.Algorithm = ECDSAP256
			signed, err := Issue(ca, r, testNow)
			if err != nil {
				t.Fatal(err)
			}
			verifyNames(t, mustParse(t, signed.CertPEM), ca, r)

			got := []Algorithm{leaf.Info.Algorithm, mustInspect(t, ca.CertPEM).Algorithm, signed.Info.Algorithm}
			if d := cmp.Diff([]Algorithm{alg, alg, ECDSAP256}, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestIssueClampsToAuthority(t *testing.T) {
	a, err := NewAuthority(AuthoritySpec{Name: AuthorityEtcd, Validity: time.Hour, Generation: 1, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	r := testRequest(t, LeafEtcdPeer)
	tests := []struct {
		name      string
		now       time.Time
		validity  time.Duration
		notBefore time.Time
		notAfter  time.Time
		clamped   bool
	}{
		{"fits", testNow.Add(10 * time.Minute), time.Minute, testNow.Add(5 * time.Minute), testNow.Add(11 * time.Minute), false},
		{"too long", testNow.Add(10 * time.Minute), year, testNow.Add(5 * time.Minute), testNow.Add(time.Hour), true},
		{"starts with it", testNow.Add(-4 * time.Minute), time.Minute, testNow.Add(-5 * time.Minute), testNow.Add(-3 * time.Minute), false},
		{"just as long", testNow, time.Hour, testNow.Add(-5 * time.Minute), testNow.Add(time.Hour), false},
		{"fractions", testNow.Add(999 * time.Millisecond), 1500 * time.Millisecond, testNow.Add(-5 * time.Minute), testNow.Add(time.Second), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.Validity = tt.validity
			leaf, err := Issue(a, r, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			if !leaf.Info.NotBefore.Equal(tt.notBefore) || !leaf.Info.NotAfter.Equal(tt.notAfter) || leaf.Clamped != tt.clamped {
				t.Errorf("from %s to %s clamped %v, want from %s to %s clamped %v",
					leaf.Info.NotBefore, leaf.Info.NotAfter, leaf.Clamped, tt.notBefore, tt.notAfter, tt.clamped)
			}
		})
	}
	for want, at := range map[string]time.Time{
		"expired on 2031-03-01T13:00:00Z; rotate it": testNow.Add(2 * time.Hour),
		"check this machine's clock":                 testNow.Add(-time.Hour),
	} {
		if _, err := Issue(a, r, at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestIssueManyGroups: several O come back as several groups, whatever the
// order in which DER has to sort them.
func TestIssueManyGroups(t *testing.T) {
	a := testAuthority(t, AuthorityKubernetes)
	groups := []string{"z", "longer-group", "a", "dev:team"}
	r, err := NewUserRequest("devuser", groups, "", year)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := Issue(a, r, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sortedSet(groups), sortedSet(mustParse(t, leaf.CertPEM).Subject.Organization)); d != "" {
		t.Error(d)
	}
}

func TestIssueErrors(t *testing.T) {
	a := testAuthority(t, AuthorityKubernetes)
	other := testAuthority(t, AuthorityKubernetes)
	for name, tt := range map[string]struct {
		change func(*Authority, *Request)
		want   string
	}{
		"authority":       {func(_ *Authority, r *Request) { r.Authority = AuthorityEtcd }, "for the authority etcd"},
		"no CN":           {func(_ *Authority, r *Request) { r.Subject.CN = " " }, "common name is empty"},
		"no usage":        {func(_ *Authority, r *Request) { r.Usages = nil }, "no usage"},
		"unknown usage":   {func(_ *Authority, r *Request) { r.Usages = []string{"sever auth"} }, `unknown usage "sever auth"`},
		"usage of a CA":   {func(_ *Authority, r *Request) { r.Usages = []string{"cert sign"} }, `unknown usage "cert sign"`},
		"no names":        {func(_ *Authority, r *Request) { r.DNS, r.IPs = nil, nil }, "needs a DNS name or an address"},
		"mailbox":         {func(_ *Authority, r *Request) { r.DNS = []string{"a@b"} }, "not allowed"},
		"address as name": {func(_ *Authority, r *Request) { r.DNS = []string{"10.0.0.1"} }, "is an address, not a DNS name"},
		"no address":      {func(_ *Authority, r *Request) { r.IPs = []string{"10.0.0.256"} }, "not an IP address"},
		"zone":            {func(_ *Authority, r *Request) { r.IPs = []string{"fe80::1%eth0"} }, "zone"},
		"not normal":      {func(_ *Authority, r *Request) { r.IPs = []string{"::ffff:10.0.0.1"} }, "not what was asked for"},
		"no algorithm":    {func(_ *Authority, r *Request) { r.Algorithm = "" }, "algorithm is empty"},
		"bad algorithm":   {func(_ *Authority, r *Request) { r.Algorithm = "ed25519" }, "refused"},
		"validity":        {func(_ *Authority, r *Request) { r.Validity = 0 }, "at least one second"},
		"no key":          {func(a *Authority, _ *Request) { a.KeyPEM = Secret{} }, "no private key"},
		"another's key":   {func(a *Authority, _ *Request) { a.KeyPEM = other.KeyPEM }, "parent's"},
		"no certificate":  {func(a *Authority, _ *Request) { a.CertPEM = nil }, "no CERTIFICATE block"},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := a, testRequest(t, LeafAPIServer)
			tt.change(&a, &r)
			_, err := Issue(a, r, testNow)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "issuing the certificate apiserver") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestIssueIsSafeForConcurrentUse and never repeats a key or a serial.
func TestIssueIsSafeForConcurrentUse(t *testing.T) {
	a, r := testAuthority(t, AuthorityKubernetes), testRequest(t, LeafKubeletServing)
	leaves := make([]Leaf, 16)
	errs := make([]error, len(leaves))
	var wg sync.WaitGroup
	for i := range leaves {
		wg.Go(func() { leaves[i], errs[i] = Issue(a, r, testNow) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, l := range leaves {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		for _, id := range []string{l.Info.Serial, l.Info.PublicKeyDigest} {
			if seen[id] {
				t.Errorf("%s twice", id)
			}
			seen[id] = true
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	a, r := testAuthority(b, AuthorityKubernetes), testRequest(b, LeafAPIServer)
	for _, alg := range []Algorithm{ECDSAP256, RSA2048} {
		b.Run(fmt.Sprint(alg), func(b *testing.B) {
			r.Algorithm = alg
			for b.Loop() {
				if _, err := Issue(a, r, testNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatches(b *testing.B) {
	a, r := testAuthority(b, AuthorityKubernetes), testRequest(b, LeafAPIServer)
	leaf, err := Issue(a, r, testNow)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if reasons := Matches(leaf.Info, r, a.CertPEM, testNow, year/12); len(reasons) != 0 {
			b.Fatal(reasons)
		}
	}
}
