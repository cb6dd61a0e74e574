package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAlgorithm(t *testing.T) {
	for _, a := range Algorithms() {
		if got, err := ParseAlgorithm(string(a)); err != nil || got != a {
			t.Errorf("ParseAlgorithm(%q) = %q, %v", a, got, err)
		}
	}
	if got, err := ParseAlgorithm(""); err != nil || got != ECDSAP256 {
		t.Errorf("the default is %q, %v", got, err)
	}
	for name, want := range map[string]string{
		"ed25519":    "ed25519 is refused",
		"rsa-1024":   "choose one of ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096",
		"ECDSA-P256": "unknown key algorithm",
	} {
		if _, err := ParseAlgorithm(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAlgorithm(%q): %v, want %q", name, err, want)
		}
	}
}

// TestNewKeyPair signs with the private half and verifies with the public one,
// both read the way Kubernetes reads them.
func TestNewKeyPair(t *testing.T) {
	for alg, blockType := range map[Algorithm]string{
		ECDSAP256: "EC PRIVATE KEY", ECDSAP384: "EC PRIVATE KEY", RSA2048: "RSA PRIVATE KEY",
	} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			pair, err := NewKeyPair(alg)
			if err != nil {
				t.Fatal(err)
			}
			private, rest := pem.Decode(pair.PrivatePEM.Reveal())
			if private == nil || private.Type != blockType || len(rest) != 0 {
				t.Fatalf("the private key is not one %q block", blockType)
			}
			public, rest := pem.Decode(pair.PublicPEM)
			if public == nil || public.Type != "PUBLIC KEY" || len(rest) != 0 {
				t.Fatalf("the public key is not one PUBLIC KEY block: %q", pair.PublicPEM)
			}
			key, err := x509.ParsePKIXPublicKey(public.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := parseKey(pair.PrivatePEM)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256([]byte("token"))
			sig, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			switch k := key.(type) {
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(k, sum[:], sig) {
					t.Error("the halves do not belong together")
				}
			case *rsa.PublicKey:
				if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig); err != nil {
					t.Error(err)
				}
			default:
				t.Errorf("a %T", k)
			}
			again, err := LoadKeyPair(pair.PrivatePEM)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(pair, again); d != "" {
				t.Errorf("loaded another pair:\n%s", d)
			}
			if pair.Algorithm != alg || pair.PublicKeyDigest != digest(public.Bytes) {
				t.Errorf("described as %s %s", pair.Algorithm, pair.PublicKeyDigest)
			}
		})
	}
}

func TestKeyPairErrors(t *testing.T) {
	if _, err := NewKeyPair("ed25519"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("ed25519: %v", err)
	}
	if _, err := NewKeyPair(""); err == nil {
		t.Error("an empty algorithm passed")
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	ed := NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for name, tt := range map[string]struct {
		in   Secret
		want string
	}{
		"empty":   {Secret{}, "there is no private key"},
		"garbage": {NewSecret([]byte("hunter2")), "not readable"},
		"ed25519": {ed, "refused"},
	} {
		_, err := LoadKeyPair(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
}
