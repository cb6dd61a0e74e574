package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// articleNames are what cfssl's CSR files of the articles have in names.
func articleNames() Subject {
	return Subject{C: []string{"CN"}, ST: []string{"Beijing"}, L: []string{"Chaoyang"}, O: []string{"k8s"}, OU: []string{"System"}}
}

// TestEveryAlgorithm issues, for each algorithm of authority and leaf, a serving
// and a client certificate with a whole subject; the standard library and openssl
// verify the chain, and openssl's own words about them are pinned.
func TestEveryAlgorithm(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(err)
	}
	for _, alg := range Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			authority, err := NewAuthority(AuthoritySpec{Name: AuthorityKubernetes, CN: "kube-ca", Names: articleNames(), Algorithm: alg, Validity: 10 * year, Generation: 1, Now: testNow})
			if err != nil {
				t.Fatal(err)
			}
			dump := "authority\n" + opensslText(t, openssl, authority.CertPEM)
			dir := t.TempDir()
			write(t, dir, "ca.crt", authority.CertPEM)
			for _, name := range []string{LeafAPIServer, LeafAdmin} {
				p := testParams()
				p.Algorithm, p.Validity, p.Names = alg, 5*year, articleNames()
				req, err := NewRequest(name, p)
				if err != nil {
					t.Fatal(err)
				}
				leaf, err := Issue(authority, req, testNow)
				if err != nil {
					t.Fatal(err)
				}
				verifyChain(t, authority, leaf, req)
				cert, key := write(t, dir, name+".crt", leaf.CertPEM), write(t, dir, name+".key", leaf.KeyPEM.Reveal())
				purpose := "sslserver"
				if name == LeafAdmin {
					purpose = "sslclient"
				}
				at := fmt.Sprint(testNow.Add(time.Hour).Unix())
				if out, err := exec.Command(openssl, "verify", "-x509_strict", "-attime", at, "-purpose", purpose, "-CAfile", filepath.Join(dir, "ca.crt"), cert).CombinedOutput(); err != nil {
					t.Errorf("openssl verify: %s", out)
				}
				// The key is the certificate's, as openssl reads both.
				fromCert, err1 := exec.Command(openssl, "x509", "-in", cert, "-noout", "-pubkey").Output()
				fromKey, err2 := exec.Command(openssl, "pkey", "-in", key, "-pubout").Output()
				if err1 != nil || err2 != nil || !bytes.Equal(fromCert, fromKey) {
					t.Errorf("the key is not the certificate's: %v, %v", err1, err2)
				}
				dump += name + "\n" + opensslText(t, openssl, leaf.CertPEM)
			}
			golden(t, "openssl-"+string(alg)+".txt", []byte(dump))
		})
	}
}

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// verifyChain does what a client and a server do with the pair.
func verifyChain(t *testing.T, a Authority, leaf Leaf, req Request) {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.CertPEM) {
		t.Fatal("no authority")
	}
	pair, err := tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	opts := x509.VerifyOptions{Roots: roots, CurrentTime: testNow.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if len(req.DNS) > 0 {
		opts.KeyUsages, opts.DNSName = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, "kubernetes.default.svc"
	}
	if _, err := pair.Leaf.Verify(opts); err != nil {
		t.Error(err)
	}
}

// differing are the parts that are new in every run.
var differing = regexp.MustCompile(`(?m)^ *([0-9A-Fa-f]{2}:)*[0-9A-Fa-f]{2}:?$`)

// opensslText is what openssl says of a certificate, without what differs.
func opensslText(t *testing.T, openssl string, pem []byte) string {
	t.Helper()
	cmd := exec.Command(openssl, "x509", "-noout", "-text", "-certopt", "no_serial,no_sigdump", "-nameopt", "sep_comma_plus_space")
	cmd.Stdin = bytes.NewReader(pem)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n ")
		if differing.MatchString(line) || strings.HasSuffix(line, "Key Identifier:") || strings.Contains(line, "keyid:") || strings.Contains(line, "Signature Value") {
			continue
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n") + "\n"
}
