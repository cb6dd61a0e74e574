package certs

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
)

// TrustBundle is a set of authority certificates that a verifier trusts: one in
// everyday life, two or more while an authority is rotated. It is a type of its
// own, and never the file that signs: kube-controller-manager's signer fails on
// a cluster-signing-cert-file with two certificates.
type TrustBundle struct {
	infos []Info
	text  []byte
}

// NewTrustBundle gathers the certificates of the given PEM texts, each of which
// may hold several. Repeats are dropped. The order depends on nothing but the
// certificates: the oldest first, so that a new generation is appended. Anything
// but authority certificates is an error, a private key above all.
func NewTrustBundle(texts ...[]byte) (TrustBundle, error) {
	var all []*x509.Certificate
	for _, text := range texts {
		list, err := authoritiesOf(text)
		if err != nil {
			return TrustBundle{}, fmt.Errorf("building a trust bundle: %w", err)
		}
		all = append(all, list...)
	}
	if len(all) == 0 {
		return TrustBundle{}, fmt.Errorf("building a trust bundle: %w", ErrNoCertificate)
	}
	slices.SortFunc(all, func(a, b *x509.Certificate) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), bytes.Compare(a.Raw, b.Raw))
	})
	all = slices.CompactFunc(all, (*x509.Certificate).Equal)
	var b TrustBundle
	for _, c := range all {
		b.infos = append(b.infos, InspectCertificate(c))
		b.text = append(b.text, encodeCertificate(c)...)
	}
	return b, nil
}

// PEM returns the certificates, one after the other.
func (b TrustBundle) PEM() []byte { return bytes.Clone(b.text) }

// Authorities describes the certificates, the oldest first.
func (b TrustBundle) Authorities() []Info { return slices.Clone(b.infos) }

// SigningCertificate is the certificate of the one authority that signs.
type SigningCertificate struct {
	info Info
}

// NewSigningCertificate takes a PEM text with exactly one authority certificate.
func NewSigningCertificate(text []byte) (SigningCertificate, error) {
	list, err := authoritiesOf(text)
	if err != nil {
		return SigningCertificate{}, fmt.Errorf("reading a signing certificate: %w", err)
	}
	if len(list) != 1 {
		return SigningCertificate{}, fmt.Errorf("reading a signing certificate: %d certificates where exactly one may be; a trust bundle cannot sign", len(list))
	}
	return SigningCertificate{info: InspectCertificate(list[0])}, nil
}

// PEM returns the certificate.
func (c SigningCertificate) PEM() []byte { return []byte(c.info.PEM) }

// Authority describes the certificate.
func (c SigningCertificate) Authority() Info { return c.info }

// authoritiesOf reads all blocks of a PEM text, at least one, each an authority's.
func authoritiesOf(text []byte) ([]*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("the PEM text has %d bytes, more than %d", len(text), maxPEM)
	}
	var list []*x509.Certificate
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("there is a %q block among the certificates", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %d: %w", len(list)+1, err)
		}
		if !cert.BasicConstraintsValid || !cert.IsCA {
			return nil, fmt.Errorf("certificate %q is not an authority's", cert.Subject.CommonName)
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, ErrNoCertificate
	}
	return list, nil
}
