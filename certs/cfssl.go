package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/csr"
	cferr "github.com/cloudflare/cfssl/errors"
	cflog "github.com/cloudflare/cfssl/log"
	"github.com/cloudflare/cfssl/signer"
	"github.com/cloudflare/cfssl/signer/local"
)

// cfssl logs each key and signature through a logger of its own, at INFO, to
// stderr. Everything it has to say comes back as an error too, so only what
// precedes its os.Exit may speak. Set here, before any use, because the level
// is a plain variable that must not be written beside a concurrent reader.
func init() { cflog.Level = cflog.LevelFatal }

// oidAuthorityKeyID is the authority key identifier, RFC 5280 section 4.2.1.1.
var oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}

// signing is one signature to make. With a nil authority the certificate signs
// itself, and is an authority.
type signing struct {
	authority *x509.Certificate
	key       crypto.Signer // the authority's; its own when it signs itself
	subject   Subject
	hosts     []string
	usages    []string // key usages and extended ones, in cfssl's spelling
	window    Window
	subjectBy crypto.Signer // the new certificate's own key
}

// sign makes a CSR and has cfssl sign it with explicit dates: left to itself,
// cfssl takes the system's clock, and counts the lifetime from a start put back
// by five minutes, so that a short-lived authority is born expired.
func (s signing) sign() ([]byte, error) {
	request, err := csr.Generate(s.subjectBy, &csr.CertificateRequest{CN: s.subject.CN, Names: s.subject.requestNames(), Hosts: s.hosts})
	if err != nil {
		return nil, plain(err)
	}
	profile := &config.SigningProfile{
		Usage: s.usages,
		// Policies without an expiry are refused; the dates below win over it.
		Expiry: s.window.NotAfter.Sub(s.window.NotBefore),
	}
	sr := signer.SignRequest{
		Request:   string(request),
		NotBefore: s.window.NotBefore,
		NotAfter:  s.window.NotAfter,
	}
	if s.authority == nil {
		// Every leaf is signed directly: no intermediate may stand between.
		profile.CAConstraint = config.CAConstraint{IsCA: true, MaxPathLenZero: true}
		ext, err := ownKeyID(s.key.Public())
		if err != nil {
			return nil, err
		}
		profile.ExtensionWhitelist = map[string]bool{oidAuthorityKeyID.String(): true}
		sr.Extensions = []signer.Extension{ext}
	}
	ca, err := local.NewSigner(s.key, s.authority, signer.DefaultSigAlgo(s.key), &config.Signing{Default: profile})
	if err != nil {
		return nil, plain(err)
	}
	cert, err := ca.Sign(sr)
	if err != nil {
		return nil, plain(err)
	}
	return cert, nil
}

// ownKeyID is the authority key identifier of a self-signed certificate.
// crypto/x509 leaves it out there, which RFC 5280 allows; with it, two
// generations of one authority, equal in name, are told apart by every client.
func ownKeyID(pub crypto.PublicKey) (signer.Extension, error) {
	ski, err := signer.ComputeSKI(&x509.Certificate{PublicKey: pub})
	if err != nil {
		return signer.Extension{}, plain(err)
	}
	der, err := asn1.Marshal(struct {
		ID []byte `asn1:"optional,tag:0"`
	}{ski})
	if err != nil {
		return signer.Extension{}, err
	}
	return signer.Extension{ID: config.OID(oidAuthorityKeyID), Value: hex.EncodeToString(der)}, nil
}

// plain turns cfssl's error, which prints as JSON with a numeric code, into its message.
func plain(err error) error {
	if e, ok := errors.AsType[*cferr.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}
