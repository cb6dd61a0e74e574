package ssh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"hardway/provision/host/ssh/sshtest"
)

// threeKeys are a host key of each type.
func threeKeys(t *testing.T) []ssh.Signer {
	t.Helper()
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	ec := signer(t, ecKey, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	return []ssh.Signer{signer(t, rsaKey, err), ec, sshtest.NewKey(t)}
}

// A host's keys are seen, shown as ssh-keygen shows them, learned, and then known, by
// whichever of them.
func TestLearn(t *testing.T) {
	keys := threeKeys(t)
	s := sshtest.Start(t, sshtest.Options{HostKeys: keys})
	file := filepath.Join(t.TempDir(), "new", "known_hosts")
	cfg := config(t, s)
	cfg.KnownHosts = []string{file}
	if err := logIn(t, cfg); err == nil || !strings.Contains(err.Error(), "hardway ssh trust") {
		t.Fatalf("got %v", err)
	}
	seen, err := HostKeys(t.Context(), cfg)
	if err != nil || len(seen) != 3 {
		t.Fatalf("%v, %v", seen, err)
	}
	if n := s.Attempts.Load(); n != 0 {
		t.Errorf("%d attempts to log in", n)
	}
	known, err := ReadKnownHosts(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*UnknownHostError](known.Check(cfg, seen)); !ok {
		t.Fatal("a host is known by a file that is not there")
	}
	if err := Learn(file, []Learned{{Address: s.Address, Keys: seen}}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := logIn(t, cfg); err != nil {
		t.Error(err)
	}
	if known, err = ReadKnownHosts(file); err != nil || known.Check(cfg, seen) != nil || known.Check(cfg, seen[1:2]) != nil {
		t.Errorf("what was learned is not known: %v", err)
	}
	out, err := exec.Command("ssh-keygen", "-lf", file).Output()
	if err != nil {
		t.Skipf("ssh-keygen: %v", err)
	}
	for _, k := range seen {
		want := fmt.Sprintf("%d %s %s (%s)\n", k.Bits(), k.Fingerprint(), xknownhosts.Normalize(s.Address), k.Type())
		if !strings.Contains(string(out), want) {
			t.Errorf("ssh-keygen prints\n%swithout %s", out, want)
		}
	}
}

// A key that differs from the known one, and one that is revoked, are errors that say
// where they stand.
func TestCheckRefuses(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{HostKeys: threeKeys(t)})
	cfg := config(t, s)
	seen, err := HostKeys(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	line := func(k ssh.PublicKey) string { return xknownhosts.Line([]string{s.Address}, k) + "\n" }
	stranger := sshtest.NewKey(t).PublicKey()
	for _, c := range []struct{ name, text, says string }{
		{"changed", line(stranger), ":1 has SHA256:"},
		{"changed, hashed", xknownhosts.HashHostname(xknownhosts.Normalize(s.Address)) + " " + string(ssh.MarshalAuthorizedKey(stranger)), "ssh-keygen -f"},
		{"revoked", "@revoked * " + string(ssh.MarshalAuthorizedKey(seen[0].Public)), "revoked at"},
		{"one of several changed", line(seen[0].Public) + line(stranger), ""},
	} {
		known, err := ReadKnownHosts(s.WriteKnownHosts(t, c.text))
		if err != nil {
			t.Fatal(err)
		}
		err = known.Check(cfg, seen)
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if _, unknown := errors.AsType[*UnknownHostError](err); err == nil || unknown || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// The file stays what it was but for the lines behind it: mode, link, a last line
// without its end. Hashed names stay hashed.
func TestLearnKeepsTheFile(t *testing.T) {
	key := HostKey{sshtest.NewKey(t).PublicKey()}
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	old := "# mine\nh ssh-ed25519 AAAA"
	if err := os.WriteFile(real, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Learn(link, []Learned{{Address: "10.0.0.1:22", Keys: []HostKey{key}}, {Address: "10.0.0.2:2222", Keys: []HostKey{key}}, {Address: "10.0.0.3:22", Alias: "m3", Keys: []HostKey{key}}}); err != nil {
		t.Fatal(err)
	}
	public := string(ssh.MarshalAuthorizedKey(key.Public))
	if got, want := read(t, real), old+"\n10.0.0.1 "+public+"[10.0.0.2]:2222 "+public+"m3 "+public; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if info, _ := os.Stat(real); info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
	hashed := filepath.Join(dir, "hashed")
	if err := os.WriteFile(hashed, []byte(xknownhosts.HashHostname("a")+" "+public), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Learn(hashed, []Learned{{Address: "10.0.0.1:22", Keys: []HostKey{key}}}); err != nil {
		t.Fatal(err)
	}
	if text := read(t, hashed); strings.Contains(text, "10.0.0.1") || strings.Count(text, "|1|") != 2 {
		t.Errorf("got %q", text)
	}
	if left := entries(t, dir); len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
	if err := Learn(filepath.Join(real, "below"), nil); err == nil {
		t.Error("a file below a file was written")
	}
}

// Several at once lose nothing.
func TestLearnAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	key := HostKey{sshtest.NewKey(t).PublicKey()}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := Learn(file, []Learned{{Address: fmt.Sprintf("10.0.0.%d:22", i), Keys: []HostKey{key}}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(read(t, file), "\n"); n != 20 {
		t.Errorf("%d lines, want 20", n)
	}
}
