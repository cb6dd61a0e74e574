package certs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Lifetimes that kubeadm uses, for a caller that has none of its own.
const (
	DefaultLeafValidity      = 365 * 24 * time.Hour
	DefaultAuthorityValidity = 10 * 365 * 24 * time.Hour
)

// Host is what a certificate says of a host.
type Host struct {
	Name      string // the node name; compared and written in lower case
	Addresses []netip.Addr
}

// Params is everything that a request is made of, all of it configuration.
// A row uses what its SAN sources and its subject name; the rest may be empty.
type Params struct {
	Host      Host
	Masters   []Host     // all of them, this host included
	ServiceIP netip.Addr // the first address of the service CIDR
	DNSDomain string     // cluster.local
	APIHosts  []string   // DNS names or addresses
	ExtraSANs []string   // DNS names or addresses; only the API server has them
	Algorithm Algorithm  // empty: DefaultAlgorithm
	Validity  time.Duration
	// Names are what the subject says beside the identity; CN is ignored, and O
	// is left out where Kubernetes would take it for a group.
	Names Subject
}

// Request says what a leaf certificate must be. Lists are sorted, without
// repeats and in normal form, so that equal requests are equal values. A plan
// may carry it: nothing in it is secret.
type Request struct {
	Name      string        `json:"name"` // of the catalogue row, or "user"
	Authority string        `json:"authority"`
	Subject   Subject       `json:"subject"`
	DNS       []string      `json:"dns,omitempty"`
	IPs       []string      `json:"ips,omitempty"`
	Usages    []string      `json:"usages"`
	Algorithm Algorithm     `json:"algorithm"`
	Validity  time.Duration `json:"validity"`
}

// NewRequest compiles a row of the catalogue for one host. It is pure. An
// unknown row, a value that the row needs and p lacks, or a name that cannot
// stand in a certificate is an error that says which.
func NewRequest(name string, p Params) (Request, error) {
	row, ok := Lookup(name)
	if !ok {
		return Request{}, fmt.Errorf("no certificate %q in the catalogue", name)
	}
	r := Request{
		Name:      name,
		Authority: row.Authority,
		Subject:   row.subject(p.Names),
		Usages:    sortedSet(row.Usages),
		Algorithm: p.Algorithm,
		Validity:  p.Validity,
	}
	if strings.Contains(row.CN, "{host}") {
		host, err := nodeName(p.Host.Name)
		if err != nil {
			return Request{}, fmt.Errorf("certificate %s: host name: %w", name, err)
		}
		r.Subject.CN = strings.ReplaceAll(row.CN, "{host}", host)
	}
	var s sans
	for _, src := range row.SANs {
		if err := s.source(src, p); err != nil {
			return Request{}, fmt.Errorf("certificate %s: %s: %w", name, src, err)
		}
	}
	var err error
	if r.DNS, r.IPs, err = s.result(); err != nil {
		return Request{}, fmt.Errorf("certificate %s: %w", name, err)
	}
	return finish(r)
}

// NewUserRequest describes a person's or a program's client certificate: CN is
// the user, O are the groups. Names that Kubernetes keeps for its own are
// refused, above all system:masters: a certificate cannot be revoked, and that
// group is checked before any role binding.
func NewUserRequest(user string, groups []string, alg Algorithm, validity time.Duration) (Request, error) {
	if strings.TrimSpace(user) == "" {
		return Request{}, fmt.Errorf("user certificate: the user name is empty")
	}
	for _, n := range append([]string{user}, groups...) {
		if strings.HasPrefix(n, "system:") {
			return Request{}, fmt.Errorf("user certificate %q: %q is reserved: names with the prefix system: belong to Kubernetes; use a name of your own and bind a role to it", user, n)
		}
	}
	if slices.Contains(groups, "") {
		return Request{}, fmt.Errorf("user certificate %q: a group name is empty", user)
	}
	return finish(Request{
		Name:      "user",
		Authority: AuthorityKubernetes,
		Subject:   Subject{CN: user, O: sortedSet(groups)},
		Usages:    []string{UsageClientAuth},
		Algorithm: alg,
		Validity:  validity,
	})
}

// finish checks what all requests share, and fills in the default algorithm.
func finish(r Request) (Request, error) {
	alg, err := ParseAlgorithm(string(r.Algorithm))
	if err != nil {
		return Request{}, fmt.Errorf("certificate %s: %w", r.Name, err)
	}
	r.Algorithm = alg
	if r.Validity < time.Second {
		return Request{}, fmt.Errorf("certificate %s: validity %s: must be at least one second", r.Name, r.Validity)
	}
	return r, nil
}

// source adds the names of one source. What a source stands for must be there:
// a certificate that silently lacks an address fails much later, at a client.
func (s *sans) source(src SANSource, p Params) error {
	switch src {
	case SANHostName:
		s.either(p.Host.Name)
	case SANHostAddresses:
		if len(p.Host.Addresses) == 0 {
			return fmt.Errorf("host %q has no address", p.Host.Name)
		}
		for _, a := range p.Host.Addresses {
			s.addr(a)
		}
	case SANLoopback:
		s.name("localhost")
		s.addr(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		s.addr(netip.IPv6Loopback())
	case SANServiceNames:
		for _, n := range []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc"} {
			s.name(n)
		}
		if p.DNSDomain == "" {
			return fmt.Errorf("the cluster's DNS domain is empty")
		}
		s.name("kubernetes.default.svc." + p.DNSDomain)
	case SANServiceIP:
		s.addr(p.ServiceIP)
	case SANMasters:
		for _, m := range p.Masters {
			s.either(m.Name)
			for _, a := range m.Addresses {
				s.addr(a)
			}
		}
	case SANAPIHosts:
		for _, h := range p.APIHosts {
			s.either(h)
		}
	case SANExtra:
		for _, h := range p.ExtraSANs {
			s.either(h)
		}
	default:
		return fmt.Errorf("unknown source of names")
	}
	return s.err
}
