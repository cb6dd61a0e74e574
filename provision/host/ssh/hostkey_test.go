package ssh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"

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

func TestKnownHostsFiles(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	for _, c := range []struct {
		name  string
		files []string
		says  string
	}{
		{"none", nil, "no known_hosts file"},
		{"missing", []string{t.TempDir() + "/nope"}, "nope"},
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
