package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/helpers"
)

// Algorithm is a key algorithm with its size, as the configuration spells it.
type Algorithm string

// The algorithms that can be chosen: kubeadm's five. Ed25519 is refused:
// kube-apiserver and kube-controller-manager take only RSA and ECDSA keys for
// service account tokens (pkg/serviceaccount/jwt.go), the controller-manager's
// signer is documented for those two, and one setting rules all keys.
const (
	ECDSAP256 Algorithm = "ecdsa-p256"
	ECDSAP384 Algorithm = "ecdsa-p384"
	RSA2048   Algorithm = "rsa-2048"
	RSA3072   Algorithm = "rsa-3072"
	RSA4096   Algorithm = "rsa-4096"

	// DefaultAlgorithm makes keys some hundred times faster than RSA-2048, at
	// a higher strength.
	DefaultAlgorithm = ECDSAP256
)

// Algorithms returns all algorithms that can be chosen, the default first.
func Algorithms() []Algorithm {
	return []Algorithm{ECDSAP256, ECDSAP384, RSA2048, RSA3072, RSA4096}
}

// ParseAlgorithm checks a name; an empty one is the default.
func ParseAlgorithm(name string) (Algorithm, error) {
	if name == "" {
		return DefaultAlgorithm, nil
	}
	var names []string
	for _, a := range Algorithms() {
		if name == string(a) {
			return a, nil
		}
		names = append(names, string(a))
	}
	if name == "ed25519" {
		return "", fmt.Errorf("key algorithm ed25519 is refused: Kubernetes takes only RSA and ECDSA keys for service account tokens and for signing; use %s", DefaultAlgorithm)
	}
	return "", fmt.Errorf("unknown key algorithm %q; choose one of %s", name, strings.Join(names, ", "))
}

// keyRequest translates to cfssl's terms.
func (a Algorithm) keyRequest() (*csr.KeyRequest, error) {
	switch a {
	case ECDSAP256:
		return &csr.KeyRequest{A: "ecdsa", S: 256}, nil
	case ECDSAP384:
		return &csr.KeyRequest{A: "ecdsa", S: 384}, nil
	case RSA2048:
		return &csr.KeyRequest{A: "rsa", S: 2048}, nil
	case RSA3072:
		return &csr.KeyRequest{A: "rsa", S: 3072}, nil
	case RSA4096:
		return &csr.KeyRequest{A: "rsa", S: 4096}, nil
	}
	_, err := ParseAlgorithm(string(a))
	if err == nil {
		err = fmt.Errorf("key algorithm is empty")
	}
	return nil, err
}

// AlgorithmOf names the algorithm of any public key, also of one that cannot
// be chosen here.
func AlgorithmOf(pub crypto.PublicKey) Algorithm {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return Algorithm(fmt.Sprintf("rsa-%d", k.N.BitLen()))
	case *ecdsa.PublicKey:
		return Algorithm(fmt.Sprintf("ecdsa-p%d", k.Curve.Params().BitSize))
	case ed25519.PublicKey:
		return "ed25519"
	}
	return "unknown"
}

// generateKey makes a key and its PEM: "EC PRIVATE KEY" or "RSA PRIVATE KEY",
// the two forms that every Kubernetes component and etcd read.
func generateKey(alg Algorithm) (crypto.Signer, Secret, error) {
	req, err := alg.keyRequest()
	if err != nil {
		return nil, Secret{}, err
	}
	key, err := req.Generate()
	if err != nil {
		return nil, Secret{}, fmt.Errorf("generating an %s key: %w", alg, plain(err))
	}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, Secret{}, fmt.Errorf("encoding an %s key: %w", alg, err)
		}
		return k, NewSecret(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), nil
	case *rsa.PrivateKey:
		der := x509.MarshalPKCS1PrivateKey(k)
		return k, NewSecret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})), nil
	}
	return nil, Secret{}, fmt.Errorf("generating an %s key: got a %T", alg, key)
}

// parseKey reads a private key PEM. The error never quotes its input.
func parseKey(s Secret) (crypto.Signer, error) {
	if !s.IsSet() {
		return nil, fmt.Errorf("there is no private key")
	}
	key, err := helpers.ParsePrivateKeyPEM(s.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the private key is not readable: %w", plain(err))
	}
	return key, nil
}

// KeyPair is a bare key pair, such as the one for service account tokens.
type KeyPair struct {
	PrivatePEM Secret    // EC PRIVATE KEY or RSA PRIVATE KEY
	PublicPEM  []byte    // PUBLIC KEY
	Algorithm  Algorithm // of both
	// PublicKeyDigest identifies the pair: see Info.PublicKeyDigest.
	PublicKeyDigest string
}

// NewKeyPair makes a key pair for service account tokens: RSA or ECDSA.
func NewKeyPair(alg Algorithm) (KeyPair, error) {
	_, key, err := generateKey(alg)
	if err != nil {
		return KeyPair{}, fmt.Errorf("making a key pair: %w", err)
	}
	return LoadKeyPair(key)
}

// LoadKeyPair derives the public half from a private key PEM that was stored.
func LoadKeyPair(private Secret) (KeyPair, error) {
	key, err := parseKey(private)
	if err != nil {
		return KeyPair{}, fmt.Errorf("loading a key pair: %w", err)
	}
	alg, err := ParseAlgorithm(string(AlgorithmOf(key.Public())))
	if err != nil {
		return KeyPair{}, fmt.Errorf("loading a key pair: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return KeyPair{}, fmt.Errorf("loading a key pair: encoding the public key: %w", err)
	}
	return KeyPair{
		PrivatePEM:      private,
		PublicPEM:       pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		Algorithm:       alg,
		PublicKeyDigest: digest(der),
	}, nil
}

// digest returns the lower-case hex SHA-256 of b.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
