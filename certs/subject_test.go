package certs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhoGetsTheOrganization: an O is a group where Kubernetes authenticates the
// holder, and must never be added there.
func TestWhoGetsTheOrganization(t *testing.T) {
	for _, row := range Catalogue() {
		p := testParams()
		p.Validity, p.Names = year, articleNames()
		req, err := NewRequest(row.Name, p)
		if err != nil {
			t.Fatal(err)
		}
		want := sortedSet(row.O)
		if row.Name == LeafAPIServer || row.Name == LeafControllerManagerServing || row.Name == LeafSchedulerServing || row.Authority != AuthorityKubernetes {
			want = []string{"k8s"}
		}
		if diff := cmp.Diff(want, req.Subject.O); diff != "" {
			t.Errorf("%s: %s", row.Name, diff)
		}
		rest := req.Subject
		rest.CN, rest.O = "", nil
		if diff := cmp.Diff(Subject{C: []string{"CN"}, ST: []string{"Beijing"}, L: []string{"Chaoyang"}, OU: []string{"System"}}, rest); diff != "" {
			t.Errorf("%s: %s", row.Name, diff)
		}
	}
}

// TestSubjectChangeIsARenewal: each part that differs is a reason, by its name.
func TestSubjectChangeIsARenewal(t *testing.T) {
	a := testAuthority(t, AuthorityKubernetes)
	p := testParams()
	p.Validity, p.Names = year, articleNames()
	old, err := NewRequest(LeafAPIServer, p)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := Issue(a, old, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if reasons := Matches(leaf.Info, old, a.CertPEM, testNow, 0); len(reasons) > 0 {
		t.Errorf("what was asked for does not match: %v", reasons)
	}
	p.Names = Subject{C: []string{"DE"}, ST: []string{"Bayern"}, L: []string{"München"}, O: []string{"k8s"}}
	now, err := NewRequest(LeafAPIServer, p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range Matches(leaf.Info, now, a.CertPEM, testNow, 0) {
		got = append(got, string(r.Code)+": "+r.Detail)
	}
	want := []string{
		`subject: organizational units differ: not wanted "System"`,
		`subject: localities differ: missing "München"; not wanted "Chaoyang"`,
		`subject: provinces differ: missing "Bayern"; not wanted "Beijing"`,
		`subject: countries differ: missing "DE"; not wanted "CN"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSubjectCheck(t *testing.T) {
	for name, s := range map[string]Subject{
		"country name":  {C: []string{"China"}},
		"small letters": {C: []string{"cn"}},
		"empty":         {OU: []string{" "}},
		"line break":    {L: []string{"a\nb"}},
		"NUL":           {ST: []string{"a\x00"}},
		"not UTF-8":     {O: []string{"\xff"}},
		"long":          {O: []string{strings.Repeat("o", 65)}},
		"long province": {ST: []string{strings.Repeat("o", 129)}},
		"second is bad": {OU: []string{"a", ""}},
	} {
		if s.Check() == nil {
			t.Errorf("%s was taken", name)
		}
		if _, err := NewAuthority(AuthoritySpec{Name: AuthorityEtcd, Names: s, Validity: year, Generation: 1, Now: testNow}); err == nil {
			t.Errorf("%s: an authority was made", name)
		}
	}
	long := Subject{CN: "system:node:" + strings.Repeat("n", 63) + ".example.com", L: []string{strings.Repeat("ü", 128)}}
	if err := long.Check(); err != nil {
		t.Error(err)
	}
}
