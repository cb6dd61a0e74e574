package certs

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxPEM bounds what is parsed, in bytes: a certificate has a few kilobytes.
const maxPEM = 1 << 20

// ErrNoCertificate means that a text has no CERTIFICATE block.
var ErrNoCertificate = errors.New("no CERTIFICATE block in the PEM text")

// Info is what a certificate says. It holds nothing secret and no pointer, so
// that observations and states may carry it as JSON. Text in it comes from
// whoever made the certificate: quote it before showing it.
type Info struct {
	Subject Subject  `json:"subject"`
	DNS     []string `json:"dns,omitempty"` // sorted
	IPs     []string `json:"ips,omitempty"` // sorted, in normal form
	// OtherNames are mailboxes and URIs; no certificate of the catalogue has any.
	OtherNames []string `json:"other_names,omitempty"`
	// Usages are the extended key usages, sorted; one that has no name here is
	// written as "oid:" or "usage:" and its number.
	Usages          []string  `json:"usages,omitempty"`
	IssuerCN        string    `json:"issuer"`
	AuthorityKeyID  string    `json:"authority_key_id,omitempty"` // lower-case hex
	SubjectKeyID    string    `json:"subject_key_id,omitempty"`   // lower-case hex
	Serial          string    `json:"serial"`                     // lower-case hex
	NotBefore       time.Time `json:"not_before"`                 // UTC
	NotAfter        time.Time `json:"not_after"`                  // UTC; the last valid second
	Algorithm       Algorithm `json:"algorithm"`                  // of the public key
	IsCA            bool      `json:"is_ca,omitempty"`
	Fingerprint     string    `json:"fingerprint"`       // SHA-256 of the certificate, lower-case hex
	PublicKeyDigest string    `json:"public_key_digest"` // SHA-256 of the SubjectPublicKeyInfo, lower-case hex
	// PEM is the certificate alone, encoded anew: whatever else stood in the
	// text, a private key above all, is not in it.
	PEM string `json:"pem,omitempty"`
}

// Inspect reads the first CERTIFICATE block of a PEM text. Other blocks are
// passed over, so a combined file of certificate and key works, in either
// order; nothing of a key is returned. The text may be hostile: whatever it
// is, the answer is an Info or an error. ErrNoCertificate tells an empty or
// foreign file from a broken certificate.
func Inspect(text []byte) (Info, error) {
	cert, err := parseCertificate(text)
	if err != nil {
		return Info{}, err
	}
	return InspectCertificate(cert), nil
}

// InspectCertificate describes a certificate that is parsed already, such as
// one that a TLS endpoint served.
func InspectCertificate(cert *x509.Certificate) Info {
	info := Info{
		Subject:         subjectOf(cert.Subject),
		DNS:             sortedSet(cert.DNSNames),
		Usages:          usageNames(cert),
		IssuerCN:        cert.Issuer.CommonName,
		AuthorityKeyID:  hex.EncodeToString(cert.AuthorityKeyId),
		SubjectKeyID:    hex.EncodeToString(cert.SubjectKeyId),
		Serial:          fmt.Sprintf("%x", cert.SerialNumber),
		NotBefore:       cert.NotBefore.UTC(),
		NotAfter:        cert.NotAfter.UTC(),
		Algorithm:       AlgorithmOf(cert.PublicKey),
		IsCA:            cert.BasicConstraintsValid && cert.IsCA,
		Fingerprint:     digest(cert.Raw),
		PublicKeyDigest: digest(cert.RawSubjectPublicKeyInfo),
		PEM:             string(encodeCertificate(cert)),
	}
	info.IPs = addressNames(cert)
	others := slices.Clone(cert.EmailAddresses)
	for _, u := range cert.URIs {
		others = append(others, u.String())
	}
	info.OtherNames = sortedSet(others)
	return info
}

// parseCertificate reads the first CERTIFICATE block.
func parseCertificate(text []byte) (*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("the PEM text has %d bytes, more than %d", len(text), maxPEM)
	}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil, ErrNoCertificate
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		return cert, nil
	}
}

// encodeCertificate returns the certificate as PEM, without headers or
// anything that stood around it.
func encodeCertificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// addressNames returns the certificate's addresses, sorted and in normal form.
func addressNames(cert *x509.Certificate) []string {
	var s sans
	for _, ip := range cert.IPAddresses {
		s.either(ip.String())
	}
	_, ips, err := s.result()
	if err != nil { // crypto/x509 yields only whole addresses, without zones
		return nil
	}
	return ips
}

// usageNames names the extended key usages.
func usageNames(cert *x509.Certificate) []string {
	var names []string
	for _, u := range cert.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			names = append(names, UsageServerAuth)
		case x509.ExtKeyUsageClientAuth:
			names = append(names, UsageClientAuth)
		default:
			names = append(names, fmt.Sprintf("usage:%d", u))
		}
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		names = append(names, "oid:"+oid.String())
	}
	return sortedSet(names)
}
