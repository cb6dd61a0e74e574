package certs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMatches(t *testing.T) {
	a := testAuthority(t, AuthorityKubernetes)
	next, err := NewAuthority(AuthoritySpec{Name: AuthorityKubernetes, Validity: 10 * year, Generation: 2, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	etcd := testAuthority(t, AuthorityEtcd)
	leaf := testLeaf(t, a, LeafKubeletServing)
	month := 30 * 24 * time.Hour
	type input struct {
		info Info
		r    Request
		ca   []byte
		now  time.Time
	}
	tests := []struct {
		name   string
		change func(*input)
		want   []string // "code: part of the detail"
	}{
		{"fits", func(*input) {}, nil},
		{"common name", func(in *input) { in.r.Subject.CN = "system:node:m9" }, []string{`subject: common name is "system:node:m1", should be "system:node:m9"`}},
		{"group", func(in *input) { in.r.Subject.O = []string{"dev"} }, []string{`subject: organizations differ: missing "dev"; not wanted "system:nodes"`}},
		{"new DNS name", func(in *input) { in.r.DNS = []string{"a", "m1", "z"} }, []string{`names: DNS names differ: missing "a", "z"`}},
		{"address moved", func(in *input) { in.r.IPs = []string{"10.0.0.1"} }, []string{`names: addresses differ: missing "10.0.0.1"; not wanted "192.168.10.21"`}},
		{"order of names", func(in *input) { in.info.DNS = []string{"b", "a"}; in.r.DNS = []string{"a", "b"} }, nil},
		{"mailbox", func(in *input) { in.info.OtherNames = []string{"a@b"} }, []string{`names: other names differ: not wanted "a@b"`}},
		{"usages", func(in *input) { in.r.Usages = []string{"client auth"} }, []string{`usages: usages differ: missing "client auth"; not wanted "server auth"`}},
		{"algorithm", func(in *input) { in.r.Algorithm = RSA2048 }, []string{"algorithm: key algorithm is ecdsa-p256, should be rsa-2048"}},
		{"is a CA", func(in *input) { in.info.IsCA = true }, []string{"is-ca: "}},
		{"another authority", func(in *input) { in.ca = etcd.CertPEM }, []string{`authority: issued by "kubernetes", should be by "etcd-ca"`}},
		{"next generation", func(in *input) { in.ca = next.CertPEM }, []string{"authority: not signed by the present key"}},
		{"no authority", func(in *input) { in.ca = nil }, []string{"authority: the certificate of the authority kubernetes is not readable"}},
		{"no bytes", func(in *input) { in.info.PEM = "" }, []string{"unreadable: "}},
		{"last second", func(in *input) { in.now = leaf.Info.NotAfter; in.r.Validity = 0 }, []string{"renewal: "}},
		{"expired", func(in *input) { in.now = leaf.Info.NotAfter.Add(time.Second) }, []string{"expired: expired on 2032-02-29T12:00:00Z"}},
		{"clock behind", func(in *input) { in.now = testNow.Add(-time.Hour) }, []string{"not-yet-valid: "}},
		{"before the window", func(in *input) { in.now = leaf.Info.NotAfter.Add(-month - time.Second) }, nil},
		{"in the window", func(in *input) { in.now = leaf.Info.NotAfter.Add(-month) }, []string{"renewal: expires on 2032-02-29T12:00:00Z"}},
		{"longer than configured", func(in *input) { in.r.Validity = month }, []string{"lifetime: "}},
		{"shorter than configured", func(in *input) { in.r.Validity = 5 * year }, nil},
		{"several", func(in *input) {
			in.r.Subject.CN, in.r.DNS, in.now = "x", nil, leaf.Info.NotAfter.Add(time.Hour)
		}, []string{"subject: ", "names: ", "expired: "}},
		{"terminal escapes", func(in *input) { in.info.Subject.CN = "\x1b[31mred\n" }, []string{`subject: common name is "\x1b[31mred\n"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input{leaf.Info, testRequest(t, LeafKubeletServing), a.CertPEM, testNow}
			tt.change(&in)
			got := Matches(in.info, in.r, in.ca, in.now, month)
			if len(got) != len(tt.want) {
				t.Fatalf("%d reasons %q, want %q", len(got), got, tt.want)
			}
			for i, r := range got {
				code, detail, _ := strings.Cut(tt.want[i], ": ")
				if string(r.Code) != code || !strings.Contains(r.String(), detail) {
					t.Errorf("reason %d is %s: %s, want %s", i, r.Code, r.Detail, tt.want[i])
				}
			}
		})
	}
}

// TestRenewalConverges: what was just issued never asks for renewal at once,
// however the lifetimes lie to each other.
func TestRenewalConverges(t *testing.T) {
	for _, tt := range []struct{ authority, validity, renewBefore time.Duration }{
		{10 * year, year, 30 * 24 * time.Hour},
		{10 * year, time.Second, 30 * 24 * time.Hour}, // a window longer than the life
		{10 * year, 720 * time.Hour, 720 * time.Hour}, // just as long
		{10 * year, time.Hour, 59 * time.Minute},      // nearly
		{time.Hour, year, 30 * 24 * time.Hour},        // cut to the authority's end
		{time.Second, time.Second, time.Hour},         // all of it
	} {
		a, err := NewAuthority(AuthoritySpec{Name: AuthorityEtcd, Validity: tt.authority, Generation: 1, Now: testNow})
		if err != nil {
			t.Fatal(err)
		}
		r := testRequest(t, LeafEtcdPeer)
		r.Validity = tt.validity
		leaf, err := Issue(a, r, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if got := Matches(leaf.Info, r, a.CertPEM, testNow, tt.renewBefore); len(got) != 0 {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

func TestClampedLeafWaitsForItsAuthority(t *testing.T) {
	a, err := NewAuthority(AuthoritySpec{Name: AuthorityEtcd, Validity: 10 * 24 * time.Hour, Generation: 1, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	leaf := testLeaf(t, a, LeafEtcdPeer)
	if !leaf.Clamped {
		t.Fatal("not clamped")
	}
	later := a.NotAfter.Add(-time.Hour)
	if got := Matches(leaf.Info, testRequest(t, LeafEtcdPeer), a.CertPEM, later, year); len(got) != 0 {
		t.Errorf("a renewal that gains nothing: %q", got)
	}
}

func TestWindow(t *testing.T) {
	now := time.Date(2031, 3, 1, 13, 0, 0, 600_000_000, time.FixedZone("CET", 3600))
	got, err := NewWindow(now, 90*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := Window{NotBefore: testNow.Add(-Backdate), NotAfter: testNow.Add(90 * time.Minute)}
	if d := cmp.Diff(want, got); d != "" || got.NotAfter.Location() != time.UTC {
		t.Errorf("%s %s", d, got.NotAfter)
	}
	got, err = got.Within(now, testNow.Add(-time.Minute), testNow.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want = Window{NotBefore: testNow.Add(-time.Minute), NotAfter: testNow.Add(time.Hour), Clamped: true}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
