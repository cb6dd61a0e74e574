package desired

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hardway/certs"
)

// samePKI refuses what would make another authority, or another pair of service
// account keys, of one that exists: whatever trusts it would stop doing so at
// once. All that concerns leaf certificates is a renewal, and none of this.
func (b *builder) samePKI() {
	for _, row := range certs.Authorities() {
		made, ok := b.state.Authorities[row.Name]
		if !ok {
			continue
		}
		if info, err := certs.Inspect([]byte(made.CertPEM)); err == nil { // else the comparison of certificates speaks of it
			b.sameAuthority(row.Name, info)
		}
	}
	if made, ok := b.state.KeyPairs[certs.KeyPairServiceAccount]; ok {
		b.sameKeyPair(made.PublicPEM)
	}
}

func (b *builder) sameAuthority(name string, is certs.Info) {
	want := b.cfg.PKI.Authorities[name]
	subject := b.cfg.PKI.Subject
	subject.CN = want.CommonName
	// A moment is lost between the plan and the making, and fractions of seconds.
	validity := is.NotAfter.Sub(is.NotBefore) - certs.Backdate
	switch {
	case string(is.Algorithm) != want.Algorithm:
		b.replaces(want.Range, name, "algorithm", string(is.Algorithm), want.Algorithm, `authority "`+name+`" { algorithm = "`+string(is.Algorithm)+`" } inside of pki keeps it, while leaf certificates get the new one`)
	case is.Subject.String() != subject.String():
		b.replaces(want.Range, name, "subject", is.Subject.String(), subject.String(), "Put the old names back: leaf certificates have the same")
	case (validity - want.Validity).Abs() > time.Minute:
		b.replaces(want.Range, name, "validity", validity.String(), want.Validity.String(), `authority "`+name+`" { validity = "`+validity.String()+`" } inside of pki says what it has`)
	}
}

func (b *builder) replaces(at hcl.Range, name, what, is, want, instead string) {
	if at.Filename == "" { // no pki block
		at = b.cfg.Range
	}
	b.fail("%s: the authority %s was made with the %s %s, and the configuration asks for %s: that would be another authority, which nothing trusts yet, and replacing one is not supported yet. %s",
		at, name, what, is, want, instead)
}

func (b *builder) sameKeyPair(public string) {
	block, _ := pem.Decode([]byte(public))
	if block == nil {
		return
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return
	}
	if is, want := string(certs.AlgorithmOf(key)), b.cfg.PKI.ServiceAccountAlgorithm; is != want {
		at := b.cfg.PKI.ServiceAccountRange
		if at.Filename == "" {
			at = b.cfg.Range
		}
		b.fail("%s: the keys of service accounts were made with the algorithm %s, and the configuration asks for %s: every token that was issued would be refused at once. service_account { algorithm = %q } inside of pki keeps them",
			at, is, want, is)
	}
}
