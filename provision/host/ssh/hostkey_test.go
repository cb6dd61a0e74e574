package ssh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"hardway/provision/host/ssh/sshtest"
)

func signer(t *testing.T, key any, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHostKeys(t *testing.T) {
	ed, other := sshtest.NewKey(t), sshtest.NewKey(t)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ec := signer(t, ecKey, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	rs := signer(t, rsaKey, err)
	all := []ssh.Signer{rs, ec, ed}

	line := func(address string, k ssh.Signer) string {
		return xknownhosts.Line([]string{address}, k.PublicKey()) + "\n"
	}
	hashed := func(address string, k ssh.Signer) string {
		return xknownhosts.HashHostname(xknownhosts.Normalize(address)) + " " + k.PublicKey().Type() + " " +
			strings.Fields(line(address, k))[2] + "\n"
	}
	unknown := func(err error) bool { _, ok := errors.AsType[*UnknownHostError](err); return ok }
	changed := func(err error) bool { _, ok := errors.AsType[*ChangedKeyError](err); return ok }
	revoked := func(err error) bool { _, ok := errors.AsType[*RevokedKeyError](err); return ok }
	wrongType := func(err error) bool { _, ok := errors.AsType[*KeyTypeError](err); return ok }

	for _, c := range []struct {
		name  string
		keys  []ssh.Signer // that the host has
		known func(address string) string
		want  func(error) bool // nil if the host is let through
		says  []string
	}{
		{"known", all, func(a string) string { return line(a, rs) + line(a, ec) + line(a, ed) }, nil, nil},
		{"only ed25519 known, the host has three", all, func(a string) string { return line(a, ed) }, nil, nil},
		{"only ecdsa known, the host has three", all, func(a string) string { return line(a, ec) }, nil, nil},
		{"only rsa known, the host has three", all, func(a string) string { return line(a, rs) }, nil, nil},
		{"hashed", all, func(a string) string { return hashed(a, ed) }, nil, nil},
		{"two keys of one type, one of them right", []ssh.Signer{ed}, func(a string) string { return line(a, other) + line(a, ed) }, nil, nil},
		{"a stranger's line beside it", []ssh.Signer{ed}, func(a string) string { return line("192.0.2.1:22", other) + line(a, ed) }, nil, nil},

		{"empty file", all, func(string) string { return "" }, unknown, []string{"m1", "known_hosts", "hardway ssh trust", "SHA256:", "console"}},
		{"another host's line only", all, func(string) string { return line("192.0.2.1:22", ed) }, unknown, nil},
		{"another port's line only", all, func(string) string { return line("127.0.0.1:22", ed) }, unknown, nil},
		{"changed", []ssh.Signer{ed}, func(a string) string { return line(a, other) }, changed, []string{"m1", "known_hosts", ":1 has SHA256:", "ssh-keygen -f", "console"}},
		{"changed, hashed", []ssh.Signer{ed}, func(a string) string { return hashed(a, other) }, changed, nil},
		{"changed, other types known too", []ssh.Signer{other, ec}, func(a string) string { return line(a, ed) + line(a, rs) }, changed, nil},
		{"known type not offered", []ssh.Signer{ec, rs}, func(a string) string { return line(a, ed) }, wrongType, []string{"m1", "ssh-ed25519", "console"}},
		{"revoked", []ssh.Signer{ed}, func(a string) string { return "@revoked " + line(a, ed) }, revoked, []string{"m1", "known_hosts", ":1", "revoked"}},
		{"revoked, and known", []ssh.Signer{ed}, func(a string) string { return line(a, ed) + "@revoked * " + strings.SplitN(line(a, ed), " ", 2)[1] }, revoked, []string{":2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == nil {
				needsRoot(t)
			}
			s := sshtest.Start(t, sshtest.Options{HostKeys: c.keys})
			cfg := config(t, s)
			cfg.KnownHosts = []string{s.WriteKnownHosts(t, c.known(s.Address))}
			h, err := Dial(t.Context(), cfg)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				_ = h.Close()
				return
			}
			if err == nil || !c.want(err) {
				t.Fatalf("got %T: %v", err, err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			if strings.Contains(strings.ToLower(err.Error()), "stricthostkeychecking") {
				t.Errorf("the error suggests to switch the check off: %v", err)
			}
			if n := s.AuthAttempts.Load(); n != 0 {
				t.Errorf("%d attempts to log in after the key was refused", n)
			}
			if n := s.Channels.Load(); n != 0 {
				t.Errorf("%d channels after the key was refused", n)
			}
		})
	}
}

// certified makes a host key with a certificate.
func certified(t *testing.T, ca, key ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: "host m1", ValidPrincipals: []string{"127.0.0.1"},
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix())}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Host certificates, several files, aliases and patterns.
func TestHostCertificates(t *testing.T) {
	ca, other, key := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	good := certified(t, ca, key, nil)
	with := func(change func(*ssh.Certificate)) []ssh.Signer { return []ssh.Signer{certified(t, ca, key, change)} }
	public := func(k ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(k.PublicKey())) }
	authority := func(pattern string, k ssh.Signer) func(string) []string {
		return func(a string) []string {
			if pattern == "" {
				pattern = xknownhosts.Normalize(a)
			}
			return []string{"@cert-authority " + pattern + " " + public(k)}
		}
	}
	bad := func(err error) bool { _, ok := errors.AsType[*HostCertificateError](err); return ok }
	unknown := func(err error) bool { _, ok := errors.AsType[*UnknownHostError](err); return ok }
	revoked := func(err error) bool { _, ok := errors.AsType[*RevokedKeyError](err); return ok || bad(err) }
	changed := func(err error) bool { _, ok := errors.AsType[*ChangedKeyError](err); return ok }
	wrongType := func(err error) bool { _, ok := errors.AsType[*KeyTypeError](err); return ok }
	for _, c := range []struct {
		name  string
		keys  []ssh.Signer
		known func(address string) []string // a file each
		alias string
		want  func(error) bool
		says  []string
	}{
		{name: "certified", keys: []ssh.Signer{good}, known: authority("", ca)},
		{name: "certified, for every host", keys: []ssh.Signer{good}, known: authority("*", ca)},
		{name: "certified, beside a plain key", keys: []ssh.Signer{good, key}, known: authority("", ca)},
		{name: "plain key known, host has a certificate too", keys: []ssh.Signer{good, key}, known: func(a string) []string { return []string{xknownhosts.Line([]string{a}, key.PublicKey())} }},
		{name: "certified without principals", keys: with(func(c *ssh.Certificate) { c.ValidPrincipals = nil }), known: authority("", ca)},
		{name: "known by an alias", keys: []ssh.Signer{key}, alias: "first", known: func(string) []string { return []string{"first " + public(key)} }},
		{name: "known in the second file", keys: []ssh.Signer{key}, known: func(a string) []string {
			return []string{xknownhosts.Line([]string{"192.0.2.1:22"}, other.PublicKey()), xknownhosts.Line([]string{a}, key.PublicKey())}
		}},
		{name: "known for every host", keys: []ssh.Signer{key}, known: func(string) []string { return []string{"* " + public(key)} }},

		{name: "certified for another name", keys: with(func(c *ssh.Certificate) { c.ValidPrincipals = []string{"192.0.2.1"} }), known: authority("", ca), want: bad, says: []string{"principal", "host m1", "ssh-keygen -s"}},
		{name: "certificate expired", keys: with(func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 1, 2 }), known: authority("", ca), want: bad, says: []string{"expired"}},
		{name: "certificate of tomorrow", keys: with(func(c *ssh.Certificate) {
			c.ValidAfter, c.ValidBefore = uint64(time.Now().Add(time.Hour).Unix()), ssh.CertTimeInfinity
		}), known: authority("", ca), want: bad, says: []string{"not yet valid"}},
		{name: "another authority", keys: []ssh.Signer{certified(t, other, key, nil)}, known: authority("", ca), want: bad, says: []string{"no authorities"}},
		{name: "a user's certificate", keys: with(func(c *ssh.Certificate) { c.CertType = ssh.UserCert }), known: authority("", ca), want: bad},
		{name: "an authority of other hosts", keys: []ssh.Signer{good, key}, known: authority("192.0.2.*", ca), want: unknown},
		{name: "no certificate where one is wanted", keys: []ssh.Signer{key}, known: authority("", ca), want: wrongType, says: []string{"@cert-authority", "HostCertificate"}},
		{name: "the authority revoked", keys: []ssh.Signer{good}, known: func(a string) []string {
			return []string{"@revoked * " + public(ca) + "@cert-authority * " + public(ca)}
		}, want: revoked},
		{name: "the certified key revoked", keys: []ssh.Signer{good}, known: func(a string) []string {
			return []string{"@cert-authority * " + public(ca), "@revoked * " + public(key)}
		}, want: revoked},
		{name: "revoked in the second file", keys: []ssh.Signer{key}, known: func(a string) []string {
			return []string{xknownhosts.Line([]string{a}, key.PublicKey()), "@revoked * " + public(key)}
		}, want: revoked},
		{name: "changed, by an alias", keys: []ssh.Signer{key}, alias: "first", known: func(a string) []string {
			return []string{"first " + public(other) + xknownhosts.Line([]string{a}, key.PublicKey())}
		}, want: changed, says: []string{"-R 'first'"}},
		{name: "known by its address, not by its alias", keys: []ssh.Signer{key}, alias: "first", known: func(a string) []string {
			return []string{xknownhosts.Line([]string{a}, key.PublicKey())}
		}, want: unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{HostKeys: c.keys})
			cfg := config(t, s)
			cfg.KnownHosts, cfg.HostKeyAlias = nil, c.alias
			for _, text := range c.known(s.Address) {
				cfg.KnownHosts = append(cfg.KnownHosts, s.WriteKnownHosts(t, text))
			}
			err := logIn(t, cfg)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !c.want(err) {
				t.Fatalf("got %T: %v", err, err)
			}
			for _, part := range append(c.says, "m1") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			if a, b := s.Attempts.Load(), s.Channels.Load(); a != 0 || b != 0 {
				t.Errorf("%d attempts to log in and %d channels after the key was refused", a, b)
			}
		})
	}
}

// A relay that passes every byte on learns nothing and breaks nothing; one that
// answers for the host with a key of its own is sent nothing.
func TestRelay(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	p := newProxy(t, s.Address, cut{})
	cfg.Address, cfg.HostKeyAlias = p.address, "m1"
	cfg.KnownHosts = []string{s.WriteKnownHosts(t, "m1 "+strings.SplitN(read(t, cfg.KnownHosts[0]), " ", 2)[1])}
	if err := logIn(t, cfg); err != nil {
		t.Errorf("through a relay: %v", err)
	}
	impostor := sshtest.Start(t, sshtest.Options{Password: "p w"})
	cfg.Address = impostor.Address
	cfg.Password = func() (string, error) { t.Error("the password was asked for"); return "p w", nil }
	if err := logIn(t, cfg); err == nil || !strings.Contains(err.Error(), "Somebody may be in between") {
		t.Errorf("got %v", err)
	}
	if n := impostor.Attempts.Load(); n != 0 {
		t.Errorf("%d attempts at the impostor", n)
	}
}

func TestKnownHostsFiles(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	for _, c := range []struct {
		name  string
		files []string
		says  string
	}{
		{"none", nil, "no known_hosts file"},
		{"missing", []string{t.TempDir() + "/nope"}, "nope does not exist; run 'hardway ssh trust'"},
		{"damaged", []string{s.WriteKnownHosts(t, "host ssh-ed25519 !!!\n")}, "known_hosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, s)
			cfg.KnownHosts = c.files
			if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if n := s.Connections.Load(); n != 0 {
		t.Fatalf("%d connections although no key could be checked", n)
	}
}
