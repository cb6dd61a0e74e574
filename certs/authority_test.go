package certs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewAuthority(t *testing.T) {
	for _, row := range Authorities() {
		t.Run(row.Name, func(t *testing.T) {
			a := testAuthority(t, row.Name)
			c := mustParse(t, a.CertPEM)
			if c.Subject.CommonName != row.CN || c.Issuer.CommonName != row.CN {
				t.Errorf("subject %s, issuer %s, want %s", c.Subject, c.Issuer, row.CN)
			}
			if !c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen != 0 || !c.MaxPathLenZero {
				t.Errorf("CA %v, constraints %v, path length %d", c.IsCA, c.BasicConstraintsValid, c.MaxPathLen)
			}
			want := x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
			if c.KeyUsage != want || len(c.ExtKeyUsage) != 0 {
				t.Errorf("usages %b %v, want %b and none", c.KeyUsage, c.ExtKeyUsage, want)
			}
			if len(c.SubjectKeyId) == 0 || !bytes.Equal(c.SubjectKeyId, c.AuthorityKeyId) {
				t.Errorf("key ids: subject %x, authority %x", c.SubjectKeyId, c.AuthorityKeyId)
			}
			for _, e := range c.Extensions {
				critical := e.Id.String() == "2.5.29.15" || e.Id.String() == "2.5.29.19" // key usage, basic constraints
				if e.Critical != critical {
					t.Errorf("extension %s: critical %v", e.Id, e.Critical)
				}
			}
			if c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() < 64 {
				t.Errorf("serial %x", c.SerialNumber)
			}
			if !c.NotBefore.Equal(testNow.Add(-5*time.Minute)) || !c.NotAfter.Equal(testNow.Add(10*year)) {
				t.Errorf("valid from %s to %s", c.NotBefore, c.NotAfter)
			}
			if !a.NotBefore.Equal(c.NotBefore) || !a.NotAfter.Equal(c.NotAfter) || a.Fingerprint != digest(c.Raw) {
				t.Errorf("described as %s %s %s", a.NotBefore, a.NotAfter, a.Fingerprint)
			}
			if err := c.CheckSignatureFrom(c); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestShortLivedAuthority is cfssl's trap: it counts the lifetime from the
// back-dated start, so an authority of a few minutes was born expired.
func TestShortLivedAuthority(t *testing.T) {
	a, err := NewAuthority(AuthoritySpec{Name: AuthorityEtcd, Validity: time.Second, Generation: 3, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	if want := testNow.Add(time.Second); !a.NotAfter.Equal(want) || a.Generation != 3 {
		t.Errorf("ends %s, want %s; generation %d", a.NotAfter, want, a.Generation)
	}
	c := mustParse(t, a.CertPEM)
	roots := x509.NewCertPool()
	roots.AddCert(c)
	for at, valid := range map[time.Time]bool{
		testNow.Add(-6 * time.Minute): false,
		testNow.Add(-4 * time.Minute): true,
		testNow:                       true,
		testNow.Add(time.Second):      true,
		testNow.Add(2 * time.Second):  false,
	} {
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if (err == nil) != valid {
			t.Errorf("at %s: %v, want valid %v", at, err, valid)
		}
	}
}

func TestNewAuthorityErrors(t *testing.T) {
	good := AuthoritySpec{Name: AuthorityEtcd, Validity: year, Generation: 1, Now: testNow}
	for name, tt := range map[string]struct {
		change func(*AuthoritySpec)
		want   string
	}{
		"unknown name":   {func(s *AuthoritySpec) { s.Name = "edct" }, "making the authority edct: no such authority"},
		"generation":     {func(s *AuthoritySpec) { s.Generation = 0 }, "the first one is 1"},
		"ed25519":        {func(s *AuthoritySpec) { s.Algorithm = "ed25519" }, "refused"},
		"validity":       {func(s *AuthoritySpec) { s.Validity = 0 }, "at least one second"},
		"end of X.509":   {func(s *AuthoritySpec) { s.Now = time.Date(9999, 12, 1, 0, 0, 0, 0, time.UTC) }, "after the year 9999"},
		"negative years": {func(s *AuthoritySpec) { s.Validity = -year }, "at least one second"},
	} {
		spec := good
		tt.change(&spec)
		if _, err := NewAuthority(spec); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	named := good
	named.Name, named.CN = "mine", "My own CA"
	if a, err := NewAuthority(named); err != nil || mustParse(t, a.CertPEM).Subject.CommonName != "My own CA" {
		t.Errorf("an authority with a name of its own: %v", err)
	}
}

func TestLoadAuthority(t *testing.T) {
	a, b := testAuthority(t, AuthorityKubernetes), testAuthority(t, AuthorityKubernetes)
	got, err := LoadAuthority(a.Name, a.Generation, a.CertPEM, a.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	leaf, err := Issue(a, testRequest(t, LeafAPIServer), testNow)
	if err != nil {
		t.Fatal(err)
	}
	edCert, edKey := ed25519Authority(t)
	for name, tt := range map[string]struct {
		cert []byte
		key  Secret
		want string
	}{
		"another's key": {a.CertPEM, b.KeyPEM, "the key is not that of the certificate"},
		"a leaf":        {leaf.CertPEM, leaf.KeyPEM, "not an authority's"},
		"two":           {append(bytes.Clone(a.CertPEM), b.CertPEM...), a.KeyPEM, "exactly one"},
		"no key":        {a.CertPEM, Secret{}, "no private key"},
		"no cert":       {nil, a.KeyPEM, "no CERTIFICATE block"},
		"ed25519":       {edCert, edKey, "use RSA or ECDSA"},
	} {
		if _, err := LoadAuthority("mine", 1, tt.cert, tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func ed25519Authority(t *testing.T) ([]byte, Secret) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ed"},
		NotBefore: testNow, NotAfter: testNow.Add(year),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
