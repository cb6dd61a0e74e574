package certs

import (
	"crypto/x509"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testNow is the clock of all tests. Far from today, so that a use of the
// system's clock shows.
var testNow = time.Date(2031, 3, 1, 12, 0, 0, 0, time.UTC)

const year = 365 * 24 * time.Hour

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the tests with -update)", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs, -want +got:\n%s", path, d)
	}
}

// testAuthority makes an authority of the catalogue, valid for ten years.
func testAuthority(t testing.TB, name string) Authority {
	t.Helper()
	a, err := NewAuthority(AuthoritySpec{Name: name, Validity: 10 * year, Generation: 1, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testParams() Params {
	m1 := Host{Name: "m1", Addresses: []netip.Addr{netip.MustParseAddr("192.168.10.21")}}
	m2 := Host{Name: "M2", Addresses: []netip.Addr{netip.MustParseAddr("192.168.10.22"), netip.MustParseAddr("fd00::22")}}
	return Params{
		Host:      m1,
		Masters:   []Host{m1, m2},
		ServiceIP: netip.MustParseAddr("10.96.0.1"),
		DNSDomain: "cluster.local",
		APIHosts:  []string{"k8s-master", "192.168.10.100"},
		ExtraSANs: []string{"master.k8s.example.com", "*.api.example.com"},
		Validity:  year,
	}
}

func testRequest(t testing.TB, name string) Request {
	t.Helper()
	r, err := NewRequest(name, testParams())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustParse(t testing.TB, pemText []byte) *x509.Certificate {
	t.Helper()
	c, err := parseCertificate(pemText)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
