package certs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// sans collects subject alternative names.
type sans struct {
	dns []string
	ips []netip.Addr
	err error
}

// name adds a DNS name.
func (s *sans) name(n string) {
	d, err := normalDNS(n)
	if err != nil {
		s.fail(err)
		return
	}
	s.dns = append(s.dns, d)
}

// addr adds an address.
func (s *sans) addr(a netip.Addr) {
	n, err := normalIP(a)
	if err != nil {
		s.fail(err)
		return
	}
	s.ips = append(s.ips, n)
}

// either adds what a person wrote: an address if it reads as one, else a name.
// Nodes may be named by their address, so host names come through here too.
func (s *sans) either(text string) {
	if a, ok := asAddress(text); ok {
		s.addr(a)
		return
	}
	s.name(text)
}

// asAddress reads an address, also one in the brackets of a URL.
func asAddress(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(text), "[]"))
	return a, err == nil
}

// nodeName brings a node's name to the form in which the kubelet registers it.
func nodeName(name string) (string, error) {
	if a, ok := asAddress(name); ok {
		a, err := normalIP(a)
		return a.String(), err
	}
	return normalDNS(name)
}

func (s *sans) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// result returns both lists sorted and without repeats; nil when empty.
func (s *sans) result() (dns, ips []string, err error) {
	if s.err != nil {
		return nil, nil, s.err
	}
	slices.SortFunc(s.ips, netip.Addr.Compare)
	for _, a := range slices.Compact(s.ips) {
		ips = append(ips, a.String())
	}
	return sortedSet(s.dns), ips, nil
}

// sortedSet returns a sorted copy without repeats, nil when empty.
func sortedSet(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	c := slices.Clone(list)
	slices.Sort(c)
	return slices.Compact(c)
}

// normalIP brings an address to the one form in which it is compared: an
// IPv4-mapped IPv6 address is the IPv4 one, and a zone cannot be in a certificate.
func normalIP(a netip.Addr) (netip.Addr, error) {
	switch {
	case !a.IsValid():
		return netip.Addr{}, fmt.Errorf("an address is empty")
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("address %s: a zone cannot stand in a certificate; leave out %q", a, "%"+a.Zone())
	}
	return a.Unmap(), nil
}

// normalDNS checks a DNS name, and returns it in lower case without the dot at
// its end. The check matters beyond good manners: cfssl guesses what a SAN is,
// and takes "a@b" for a mailbox, "x:y" for a URI and "1.2.3.4" for an address.
func normalDNS(name string) (string, error) {
	n := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if n == "" {
		return "", fmt.Errorf("a DNS name is empty")
	}
	if len(n) > 253 {
		return "", fmt.Errorf("DNS name %.40q…: longer than 253 characters", n)
	}
	if _, ok := asAddress(n); ok {
		return "", fmt.Errorf("%q is an address, not a DNS name", name)
	}
	labels := strings.Split(n, ".")
	for i, l := range labels {
		if i == 0 && l == "*" && len(labels) > 1 {
			continue
		}
		if err := checkLabel(l); err != nil {
			return "", fmt.Errorf("DNS name %q: %w", name, err)
		}
	}
	return n, nil
}

// checkLabel checks one label of a lower-case DNS name. The underscore is no
// host name's, but occurs in internal zones, and crypto/x509 verifies it.
func checkLabel(l string) error {
	switch {
	case l == "":
		return fmt.Errorf("a part is empty")
	case len(l) > 63:
		return fmt.Errorf("the part %.20q… is longer than 63 characters", l)
	case l[0] == '-' || l[len(l)-1] == '-':
		return fmt.Errorf("the part %q starts or ends with a hyphen", l)
	}
	for _, c := range l {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return fmt.Errorf("%q is not allowed; use letters, digits, hyphens and dots (punycode for other scripts)", c)
		}
	}
	return nil
}
