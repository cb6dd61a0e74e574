package certs

import (
	"crypto/x509"
	"fmt"
	"time"
)

// authorityUsages are an authority's key usages: kubeadm's three, and the
// signing of revocation lists.
func authorityUsages() []string {
	return []string{"digital signature", "key encipherment", "cert sign", "crl sign"}
}

// AuthoritySpec describes an authority to make.
type AuthoritySpec struct {
	Name string // of the catalogue, such as "etcd"
	CN   string // empty: the catalogue's
	// Names are what else the subject says; their CN is ignored.
	Names      Subject
	Algorithm  Algorithm
	Validity   time.Duration
	Generation int // counts the rotations; the first is 1
	Now        time.Time
}

// Authority is a certificate authority with its key. Only KeyPEM is secret.
type Authority struct {
	Name        string
	Generation  int
	CertPEM     []byte
	KeyPEM      Secret
	Fingerprint string // SHA-256 of the certificate, lower-case hex
	NotBefore   time.Time
	NotAfter    time.Time
}

// NewAuthority makes a self-signed authority: a key, and a certificate valid
// from five minutes before spec.Now until spec.Now plus spec.Validity.
func NewAuthority(spec AuthoritySpec) (Authority, error) {
	a, err := newAuthority(spec)
	if err != nil {
		return Authority{}, fmt.Errorf("making the authority %s: %w", spec.Name, err)
	}
	return a, nil
}

func newAuthority(spec AuthoritySpec) (Authority, error) {
	if spec.CN == "" {
		row, ok := LookupAuthority(spec.Name)
		if !ok {
			return Authority{}, fmt.Errorf("no such authority in the catalogue, and no common name given")
		}
		spec.CN = row.CN
	}
	if spec.Generation < 1 {
		return Authority{}, fmt.Errorf("generation %d: the first one is 1", spec.Generation)
	}
	subject := spec.Names
	subject.CN = spec.CN
	if err := subject.Check(); err != nil {
		return Authority{}, err
	}
	alg, err := ParseAlgorithm(string(spec.Algorithm))
	if err != nil {
		return Authority{}, err
	}
	window, err := NewWindow(spec.Now, spec.Validity)
	if err != nil {
		return Authority{}, err
	}
	key, keyPEM, err := generateKey(alg)
	if err != nil {
		return Authority{}, err
	}
	cert, err := signing{
		key:       key,
		subject:   subject,
		usages:    authorityUsages(),
		window:    window,
		subjectBy: key,
	}.sign()
	if err != nil {
		return Authority{}, fmt.Errorf("signing its certificate: %w", err)
	}
	return loadAuthority(spec.Name, spec.Generation, cert, keyPEM)
}

// LoadAuthority puts an authority together from what was stored, or from what
// a user brings along. The certificate must be that of an authority, and the
// key must be its key.
func LoadAuthority(name string, generation int, certPEM []byte, key Secret) (Authority, error) {
	a, err := loadAuthority(name, generation, certPEM, key)
	if err != nil {
		return Authority{}, fmt.Errorf("loading the authority %s: %w", name, err)
	}
	return a, nil
}

func loadAuthority(name string, generation int, certPEM []byte, key Secret) (Authority, error) {
	single, err := NewSigningCertificate(certPEM)
	if err != nil {
		return Authority{}, err
	}
	signer, err := parseKey(key)
	if err != nil {
		return Authority{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return Authority{}, fmt.Errorf("encoding the public key: %w", err)
	}
	info := single.info
	if info.Algorithm == "ed25519" {
		return Authority{}, fmt.Errorf("its key is ed25519, which kube-controller-manager's signer does not take; use RSA or ECDSA")
	}
	if digest(der) != info.PublicKeyDigest {
		return Authority{}, fmt.Errorf("the key is not that of the certificate %q (serial %s)", info.Subject.CN, info.Serial)
	}
	return Authority{
		Name:        name,
		Generation:  generation,
		CertPEM:     single.PEM(),
		KeyPEM:      key,
		Fingerprint: info.Fingerprint,
		NotBefore:   info.NotBefore,
		NotAfter:    info.NotAfter,
	}, nil
}
