package certs

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func mustInspect(t testing.TB, text []byte) Info {
	t.Helper()
	info, err := Inspect(text)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func testLeaf(t testing.TB, a Authority, name string) Leaf {
	t.Helper()
	leaf, err := Issue(a, testRequest(t, name), testNow)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestInspect(t *testing.T) {
	a := testAuthority(t, AuthorityEtcd)
	leaf := testLeaf(t, a, LeafEtcdServer)
	c := mustParse(t, leaf.CertPEM)
	ca := mustInspect(t, a.CertPEM)
	want := Info{
		Subject:         Subject{CN: "m1"},
		DNS:             []string{"localhost", "m1"},
		IPs:             []string{"127.0.0.1", "192.168.10.21", "::1"},
		Usages:          []string{"client auth", "server auth"},
		IssuerCN:        "etcd-ca",
		AuthorityKeyID:  ca.SubjectKeyID,
		SubjectKeyID:    leaf.Info.SubjectKeyID,
		Serial:          c.SerialNumber.Text(16),
		NotBefore:       testNow.Add(-5 * time.Minute),
		NotAfter:        testNow.Add(year),
		Algorithm:       "ecdsa-p256",
		Fingerprint:     digest(c.Raw),
		PublicKeyDigest: digest(c.RawSubjectPublicKeyInfo),
		PEM:             string(leaf.CertPEM),
	}
	key := leaf.KeyPEM.Reveal()
	for name, text := range map[string][]byte{
		"alone":           leaf.CertPEM,
		"key after":       slices.Concat(leaf.CertPEM, key),
		"key before":      slices.Concat(key, leaf.CertPEM),
		"chain":           slices.Concat(leaf.CertPEM, a.CertPEM),
		"talk around it":  slices.Concat([]byte("subject=CN = m1\n-----BEGIN nothing\n"), leaf.CertPEM, []byte("the end")),
		"Windows newline": bytes.ReplaceAll(leaf.CertPEM, []byte("\n"), []byte("\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(want, mustInspect(t, text)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
	if !ca.IsCA || ca.Subject.CN != "etcd-ca" || ca.AuthorityKeyID != ca.SubjectKeyID || ca.Usages != nil {
		t.Errorf("the authority is described as %+v", ca)
	}
}

func TestInfoRoundTripsJSON(t *testing.T) {
	want := testLeaf(t, testAuthority(t, AuthorityKubernetes), LeafKubeletClient).Info
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Info
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestInspectErrors(t *testing.T) {
	leaf := testLeaf(t, testAuthority(t, AuthorityKubernetes), LeafAdmin)
	block, _ := pem.Decode(leaf.CertPEM)
	for name, text := range map[string][]byte{
		"nil": nil, "empty": {}, "words": []byte("no such file"), "key only": leaf.KeyPEM.Reveal(),
		"cut short": leaf.CertPEM[:len(leaf.CertPEM)/2],
	} {
		if _, err := Inspect(text); !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v, want ErrNoCertificate", name, err)
		}
	}
	for name, text := range map[string][]byte{
		"broken DER":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes[:100]}),
		"trailing":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(bytes.Clone(block.Bytes), 0)}),
		"empty block": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"}),
		"huge":        append(bytes.Repeat([]byte("x"), maxPEM), leaf.CertPEM...),
	} {
		if info, err := Inspect(text); err == nil || errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v, %v, want another error", name, info, err)
		}
	}
}

// FuzzInspect: whatever the bytes, an Info or an error, the Info describes its
// own PEM, and nothing of a key comes through.
func FuzzInspect(f *testing.F) {
	a := testAuthority(f, AuthorityKubernetes)
	leaf := testLeaf(f, a, LeafAPIServer)
	f.Add([]byte(nil))
	f.Add(leaf.CertPEM)
	f.Add(leaf.Combined().Reveal())
	f.Add(slices.Concat(leaf.KeyPEM.Reveal(), a.CertPEM))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nA: b\n\nMA==\n-----END CERTIFICATE-----"))
	f.Add(mustParse(f, leaf.CertPEM).Raw)
	f.Add(mustParse(f, a.CertPEM).Raw)
	r := testRequest(f, LeafAPIServer)
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 0 && text[0] == 0x30 { // DER: mutations reach further without the base64
			text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text})
		}
		info, err := Inspect(text)
		if _, bundleErr := NewTrustBundle(text); bundleErr == nil && err != nil {
			t.Errorf("a trust bundle of what Inspect refuses: %v", err)
		}
		if err != nil {
			return
		}
		if strings.Contains(info.PEM, "PRIVATE") || strings.Count(info.PEM, "-----BEGIN") != 1 {
			t.Errorf("more than the certificate comes through: %q", info.PEM)
		}
		again, err := Inspect([]byte(info.PEM))
		if err != nil {
			t.Fatalf("its own PEM is refused: %v", err)
		}
		if d := cmp.Diff(info, again); d != "" {
			t.Errorf("its own PEM is another certificate:\n%s", d)
		}
		for _, reason := range Matches(info, r, a.CertPEM, testNow, time.Hour) {
			if reason.Detail == "" || strings.ContainsAny(reason.Detail, "\n\x1b") || !utf8.ValidString(reason.Detail) {
				t.Errorf("a reason that is not one clean line: %q", reason.Detail)
			}
		}
	})
}
