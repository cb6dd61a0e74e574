package certs

import (
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cloudflare/cfssl/csr"
)

// Subject is a distinguished name. Of a client certificate Kubernetes reads two
// parts: CN is the user, O are the groups. The others say nothing to it; they are
// there for people and for inventories.
type Subject struct {
	CN string   `json:"cn"`
	O  []string `json:"o,omitempty"`

	OU []string `json:"ou,omitempty"` // organizational unit
	L  []string `json:"l,omitempty"`  // locality
	ST []string `json:"st,omitempty"` // state or province
	C  []string `json:"c,omitempty"`  // country, two letters
}

// String writes the name from the most particular part to the country, as
// `openssl x509` and the articles do the other way round.
func (s Subject) String() string {
	out := "CN=" + s.CN
	for _, part := range s.parts() {
		for _, v := range part.values {
			out += ", " + part.name + "=" + v
		}
	}
	return out
}

// subjectPart is one kind of attribute of a name, with X.520's upper bound in
// characters (RFC 5280, appendix A.1).
type subjectPart struct {
	name   string
	what   string
	values []string
	bound  int
}

func (s Subject) parts() []subjectPart {
	return []subjectPart{
		{"O", "organization", s.O, 64}, {"OU", "organizational unit", s.OU, 64},
		{"L", "locality", s.L, 128}, {"ST", "province", s.ST, 128}, {"C", "country", s.C, 2},
	}
}

// Check refuses what cannot stand in a certificate: cfssl would write it, and
// parsers of others would stumble over it. The common name is not held to X.520's 64
// characters: system:node: with a long host name is longer, and kubeadm issues it.
func (s Subject) Check() error {
	for _, part := range s.parts() {
		for _, v := range part.values {
			if err := checkPart(part, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPart(part subjectPart, v string) error {
	switch {
	case strings.TrimSpace(v) == "":
		return fmt.Errorf("the %s is empty", part.what)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("the %s %q has control characters", part.what, v)
	case utf8.RuneCountInString(v) > part.bound && part.name != "C":
		return fmt.Errorf("the %s %.32q… is longer than %d characters, which is all that X.509 takes", part.what, v, part.bound)
	case part.name == "C" && (len(v) != 2 || strings.ContainsFunc(v, func(c rune) bool { return c < 'A' || c > 'Z' })):
		return fmt.Errorf("the country %q is not a code of two capital letters (ISO 3166), such as CN", v)
	}
	return nil
}

// subject is the row's identity with the names that may stand beside it. An O that
// Kubernetes would take for a group is not added: in a client certificate of the
// cluster's authority, and where the row has groups of its own.
func (r Row) subject(names Subject) Subject {
	out := Subject{CN: r.CN, O: sortedSet(r.O), OU: sortedSet(names.OU), L: sortedSet(names.L), ST: sortedSet(names.ST), C: sortedSet(names.C)}
	if len(out.O) == 0 && !r.identity() {
		out.O = sortedSet(names.O)
	}
	return out
}

// identity reports whether Kubernetes authenticates whoever shows the certificate.
func (r Row) identity() bool {
	return r.Authority == AuthorityKubernetes && slices.Contains(r.Usages, UsageClientAuth)
}

// subjectOf reads a name from a certificate; repeats and order say nothing.
func subjectOf(n pkix.Name) Subject {
	return Subject{
		CN: n.CommonName, O: sortedSet(n.Organization), OU: sortedSet(n.OrganizationalUnit),
		L: sortedSet(n.Locality), ST: sortedSet(n.Province), C: sortedSet(n.Country),
	}
}

// requestNames translates to cfssl's terms: one name for each value, which Go's
// encoder writes as one multi-valued RDN for each attribute (O=a+O=b). Kubernetes
// and Go read each O as a group.
func (s Subject) requestNames() []csr.Name {
	var names []csr.Name
	for _, part := range s.parts() {
		for _, v := range part.values {
			switch part.name {
			case "O":
				names = append(names, csr.Name{O: v})
			case "OU":
				names = append(names, csr.Name{OU: v})
			case "L":
				names = append(names, csr.Name{L: v})
			case "ST":
				names = append(names, csr.Name{ST: v})
			case "C":
				names = append(names, csr.Name{C: v})
			}
		}
	}
	return names
}

// subjectReasons says what of a certificate's name is not as it should be.
func subjectReasons(have, want Subject) []string {
	var out []string
	if have.CN != want.CN {
		out = append(out, fmt.Sprintf("common name is %q, should be %q", have.CN, want.CN))
	}
	wanted := want.parts()
	for i, part := range have.parts() {
		if d := difference(part.values, wanted[i].values); d != "" {
			out = append(out, fmt.Sprintf("%s: %s", plural(part.what), d))
		}
	}
	return out
}

func plural(what string) string {
	if noun, ok := strings.CutSuffix(what, "y"); ok {
		return noun + "ies differ"
	}
	return what + "s differ"
}
