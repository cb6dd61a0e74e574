package certs

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Leaf is an issued certificate with its key.
type Leaf struct {
	CertPEM []byte
	KeyPEM  Secret // EC PRIVATE KEY or RSA PRIVATE KEY
	Info    Info   // what the certificate says
	// Clamped says that the certificate ends with its authority, earlier than
	// was asked for: the authority should be rotated.
	Clamped bool
}

// Combined returns the certificate and the key in one PEM text, in the order
// in which the kubelet writes its kubelet-client-current.pem.
func (l Leaf) Combined() Secret {
	return NewSecret(slices.Concat(l.CertPEM, l.KeyPEM.Reveal()))
}

// Issue makes a new key and has the authority sign a certificate for it, valid
// from five minutes before now, cut to the authority's own time. The result is
// read back and held against the request before it is returned.
func Issue(a Authority, r Request, now time.Time) (Leaf, error) {
	leaf, err := issue(a, r, now)
	if err != nil {
		return Leaf{}, fmt.Errorf("issuing the certificate %s for %q by the authority %s: %w", r.Name, r.Subject.CN, a.Name, err)
	}
	return leaf, nil
}

func issue(a Authority, r Request, now time.Time) (Leaf, error) {
	if err := r.check(a.Name); err != nil {
		return Leaf{}, err
	}
	window, err := NewWindow(now, r.Validity)
	if err != nil {
		return Leaf{}, err
	}
	if window, err = window.Within(now, a.NotBefore, a.NotAfter); err != nil {
		return Leaf{}, err
	}
	authority, err := parseCertificate(a.CertPEM)
	if err != nil {
		return Leaf{}, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	authorityKey, err := parseKey(a.KeyPEM)
	if err != nil {
		return Leaf{}, fmt.Errorf("reading the authority's key: %w", err)
	}
	key, keyPEM, err := generateKey(r.Algorithm)
	if err != nil {
		return Leaf{}, err
	}
	cert, err := signing{
		authority: authority,
		key:       authorityKey,
		subject:   r.Subject,
		hosts:     slices.Concat(r.DNS, r.IPs),
		// Key encipherment means nothing for an ECDSA key, and does no harm;
		// kubeadm sets it always.
		usages:    append([]string{"digital signature", "key encipherment"}, r.Usages...),
		window:    window,
		subjectBy: key,
	}.sign()
	if err != nil {
		return Leaf{}, err
	}
	info, err := Inspect(cert)
	if err != nil {
		return Leaf{}, fmt.Errorf("reading it back: %w", err)
	}
	if reasons := Matches(info, r, a.CertPEM, now, 0); len(reasons) > 0 {
		return Leaf{}, fmt.Errorf("the signed certificate is not what was asked for: %s", reasons[0])
	}
	return Leaf{CertPEM: bytes.Clone(cert), KeyPEM: keyPEM, Info: info, Clamped: window.Clamped}, nil
}

// check refuses a request that cfssl would sign as something else, or in which
// a client would find no name.
func (r Request) check(authority string) error {
	switch {
	case r.Authority != authority:
		return fmt.Errorf("the request is for the authority %s", r.Authority)
	case strings.TrimSpace(r.Subject.CN) == "":
		return fmt.Errorf("the common name is empty")
	case len(r.Usages) == 0:
		return fmt.Errorf("there is no usage")
	}
	if err := r.Subject.Check(); err != nil {
		return err
	}
	for _, u := range r.Usages {
		if u != UsageServerAuth && u != UsageClientAuth {
			return fmt.Errorf("unknown usage %q; known are %q and %q", u, UsageServerAuth, UsageClientAuth)
		}
	}
	if slices.Contains(r.Usages, UsageServerAuth) && len(r.DNS)+len(r.IPs) == 0 {
		return fmt.Errorf("a server certificate needs a DNS name or an address")
	}
	for _, n := range r.DNS {
		if _, err := normalDNS(n); err != nil {
			return err
		}
	}
	for _, ip := range r.IPs {
		a, err := netip.ParseAddr(ip)
		if err != nil {
			return fmt.Errorf("address %q: not an IP address", ip)
		}
		if _, err := normalIP(a); err != nil {
			return err
		}
	}
	return nil
}
