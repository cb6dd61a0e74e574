package certs

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTrustBundle(t *testing.T) {
	var generations []Authority
	for i := range 3 {
		a, err := NewAuthority(AuthoritySpec{Name: AuthorityKubernetes, Validity: 10 * year, Generation: i + 1, Now: testNow.Add(time.Duration(i) * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		generations = append(generations, a)
	}
	c1, c2, c3 := generations[0].CertPEM, generations[1].CertPEM, generations[2].CertPEM
	want := slices.Concat(c1, c2, c3)
	for name, texts := range map[string][][]byte{
		"in order":    {c1, c2, c3},
		"reversed":    {c3, c2, c1},
		"repeated":    {c2, c2, c1, c3, c1},
		"one text":    {slices.Concat(c3, []byte("# a comment\n"), c1, c2)},
		"from itself": {want, c2},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := NewTrustBundle(texts...)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(b.PEM())); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			var got []string
			for _, info := range b.Authorities() {
				got = append(got, info.Fingerprint)
			}
			if d := cmp.Diff([]string{generations[0].Fingerprint, generations[1].Fingerprint, generations[2].Fingerprint}, got); d != "" {
				t.Error(d)
			}
		})
	}
	one, err := NewTrustBundle(c1)
	if err != nil || !bytes.HasPrefix(want, one.PEM()) {
		t.Errorf("a new generation is not appended to the file: %v", err)
	}
	if _, err := NewSigningCertificate(want); err == nil || !strings.Contains(err.Error(), "3 certificates where exactly one may be") {
		t.Errorf("a bundle can sign: %v", err)
	}
	s, err := NewSigningCertificate(c2)
	if err != nil || !bytes.Equal(s.PEM(), c2) || s.Authority().Fingerprint != generations[1].Fingerprint {
		t.Errorf("signing certificate %+v, %v", s.Authority(), err)
	}
}

func TestBundleErrors(t *testing.T) {
	a := testAuthority(t, AuthorityKubernetes)
	leaf := testLeaf(t, a, LeafAPIServer)
	for name, tt := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":     {nil, "no CERTIFICATE block"},
		"a key":       {slices.Concat(a.CertPEM, a.KeyPEM.Reveal()), `a "EC PRIVATE KEY" block`},
		"a leaf":      {slices.Concat(a.CertPEM, leaf.CertPEM), `"kube-apiserver" is not an authority's`},
		"broken":      {bytes.Replace(a.CertPEM, []byte("\nMI"), []byte("\nAA"), 1), "reading certificate 1"},
		"far too big": {bytes.Repeat([]byte("x"), maxPEM+1), "bytes, more than"},
	} {
		if _, err := NewTrustBundle(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("trust bundle, %s: %v, want %q", name, err, tt.want)
		}
		if _, err := NewSigningCertificate(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("signing certificate, %s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := NewTrustBundle(); err == nil {
		t.Error("a trust bundle of nothing")
	}
}
