package ssh

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host/ssh/sshtest"
)

// findSSHD looks for OpenSSH's server: HARDWAY_TEST_SSHD, or where packages put it.
// LD_LIBRARY_PATH may be needed for one that is not installed.
func findSSHD(t *testing.T) string {
	t.Helper()
	for _, path := range []string{os.Getenv("HARDWAY_TEST_SSHD"), "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skip("OpenSSH's server is not installed, and HARDWAY_TEST_SSHD names none")
	return ""
}

// startSSHD runs a real sshd with these lines in its configuration.
func startSSHD(t *testing.T, lines ...string) (address string, log func() string) {
	t.Helper()
	needsRoot(t)
	path := findSSHD(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd's own, for its unprivileged part
		t.Skip(err)
	}
	_, port, _ := net.SplitHostPort(address)
	file := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %s\nPidFile none\nStrictModes no\nUsePAM no\nLogLevel VERBOSE\n%s\n", port, strings.Join(lines, "\n"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out tail
	out.alive = func() {}
	out.cutOff = true
	cmd := exec.Command(path, "-D", "-e", "-f", file)
	if _, err := user.Lookup("sshd"); err != nil {
		// Where sshd is not installed its own user is missing: it gets one that
		// nobody else sees.
		users := filepath.Join(dir, "passwd")
		if err := os.WriteFile(users, []byte(read(t, "/etc/passwd")+"sshd:x:65533:65534::/run/sshd:/bin/false\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command("unshare", "-m", "sh", "-c", `mount --bind "$1" /etc/passwd && shift && exec "$@"`, "sh", users, path, "-D", "-e", "-f", file)
	}
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Skipf("%s does not start: %v", path, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 100 {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return address, out.String
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Skipf("%s does not listen: %s", path, out.String())
	return "", nil
}

func keyPair(t *testing.T, kind string, bits ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	args := append([]string{"-q", "-t", kind, "-N", "", "-f", path}, bits...)
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Skipf("ssh-keygen: %v %s", err, out)
	}
	return path
}

func keygen(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %q: %v %s", args, err, out)
	}
}

// Everything that a login is made of works with OpenSSH's server: keys of all types,
// certificates of users and of the host, forwarding, and the count of attempts.
func TestOpenSSH(t *testing.T) {
	hostKey, hostRSA, hostCA, userCA := keyPair(t, "ed25519"), keyPair(t, "rsa", "-b", "2048"), keyPair(t, "ed25519"), keyPair(t, "ed25519")
	keygen(t, "-q", "-s", hostCA, "-I", "host", "-h", "-n", "127.0.0.1", hostKey+".pub")
	users := map[string]string{"ed25519": keyPair(t, "ed25519"), "rsa": keyPair(t, "rsa", "-b", "2048"), "ecdsa": keyPair(t, "ecdsa")}
	certified := keyPair(t, "ed25519")
	certifiedRSA := keyPair(t, "rsa", "-b", "2048")
	for _, k := range []string{certified, certifiedRSA} {
		keygen(t, "-q", "-s", userCA, "-I", "me", "-n", "root", k+".pub")
	}
	authorized := ""
	for _, k := range users {
		authorized += read(t, k+".pub")
	}
	file := filepath.Join(t.TempDir(), "authorized_keys")
	if err := os.WriteFile(file, []byte(authorized), 0o644); err != nil {
		t.Fatal(err)
	}
	address, log := startSSHD(t, "HostKey "+hostKey, "HostKey "+hostRSA, "HostCertificate "+hostKey+"-cert.pub", "TrustedUserCAKeys "+userCA+".pub",
		"AuthorizedKeysFile "+file, "PermitRootLogin prohibit-password", "MaxAuthTries 6")
	known := func(text string) []string {
		path := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}
	name := "[127.0.0.1]:" + address[strings.LastIndexByte(address, ':')+1:]
	base := Config{Name: "m1", Address: address, User: "root", KnownHosts: known(name + " " + read(t, hostKey+".pub")), ConnectTimeout: 10 * time.Second}

	for kind, k := range users {
		c := base
		c.PrivateKeys = []string{k}
		if err := logIn(t, c); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for kind, k := range map[string]string{"a certificate": certified, "an RSA certificate": certifiedRSA} {
		c := base
		c.PrivateKeys = []string{k}
		if err := logIn(t, c); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, log())
		}
	}
	for what, text := range map[string]string{
		"only its RSA key known":    name + " " + read(t, hostRSA+".pub"),
		"certified by an authority": "@cert-authority " + name + " " + read(t, hostCA+".pub"),
	} {
		c := base
		c.PrivateKeys, c.KnownHosts = []string{users["ed25519"]}, known(text)
		if err := logIn(t, c); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}

	// Many keys: the last that may be tried is the right one, and one more is not tried.
	var strangers []string
	for range 6 {
		strangers = append(strangers, sshtest.NewKeyFile(t, ""))
	}
	c := base
	c.PrivateKeys = append(append([]string(nil), strangers[:5]...), users["ed25519"])
	if err := logIn(t, c); err != nil {
		t.Errorf("the sixth of six keys: %v", err)
	}
	c.PrivateKeys = append(append([]string(nil), strangers...), users["ed25519"])
	if err := logIn(t, c); err == nil || !strings.Contains(err.Error(), "after 6 failures") {
		t.Errorf("the seventh of seven keys: %v", err)
	}

	// The same sshd as a bastion in front of itself, and then the whole of a host.
	c = base
	c.Name, c.PrivateKeys = "bastion jump", []string{certified}
	b := NewBastion(c)
	defer b.Close()
	c.Name, c.Dial = "m1", b.Dial
	c.RunDir, c.StateDir = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "state")
	works(t, c)
	seen, err := HostKeys(t.Context(), base.with(users["ed25519"]))
	if err != nil || len(seen) != 2 {
		t.Errorf("%d host keys, %v", len(seen), err)
	}
}

func (c Config) with(key string) Config {
	c.PrivateKeys = []string{key}
	return c
}

// A certificate that ssh-keygen made is refused by name when its principals or its
// time do not fit, and the server's own words are not needed for it.
func TestOpenSSHCertificates(t *testing.T) {
	ca := keyPair(t, "ed25519")
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"expired":  {[]string{"-n", "root", "-V", "20200101:20200102"}, "expired at 2020-01-0"},
		"too soon": {[]string{"-n", "root", "-V", "20990101:20990102"}, "not valid before"},
		"of eve":   {[]string{"-n", "eve"}, "(for eve)"},
	} {
		key := keyPair(t, "ed25519")
		keygen(t, append(append([]string{"-q", "-s", ca, "-I", "me"}, c.args...), key+".pub")...)
		ca, err := ssh.ParsePrivateKey([]byte(read(t, ca)))
		if err != nil {
			t.Fatal(err)
		}
		s := sshtest.Start(t, sshtest.Options{UserCA: ca.PublicKey()})
		cfg := config(t, s)
		cfg.Signers, cfg.PrivateKeys = nil, []string{key}
		if err := logIn(t, cfg); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
