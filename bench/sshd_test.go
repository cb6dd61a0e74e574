package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshdVariable names the OpenSSH server to measure with, where it is not
// installed.
const sshdVariable = "HARDWAY_BENCH_SSHD"

// daemons are real OpenSSH servers on loopback. Each is a process in a mount
// namespace of its own, in which root's shell is /bin/sh with an empty home, so
// that nobody's login scripts are measured, and /run belongs to it alone. Nothing
// on the machine is changed.
type daemons struct {
	dir                 string
	keyFile, knownHosts string
	addresses           []string
}

// findSSHD returns the server's path, or why there is none to measure with.
func findSSHD() (string, error) {
	if os.Getuid() != 0 {
		return "", errors.New("only root can start sshd in a namespace of its own")
	}
	for _, tool := range []string{"ssh", "unshare", "mount", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("there is no %s", tool)
		}
	}
	if path := os.Getenv(sshdVariable); path != "" {
		return path, nil
	}
	for _, path := range []string{"/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no sshd: install openssh-server, or name one in " + sshdVariable)
}

// startDaemons starts n servers that end with the test.
func startDaemons(t testing.TB, sshd string, n int) *daemons {
	t.Helper()
	d := &daemons{dir: t.TempDir()}
	d.keyFile, d.knownHosts = filepath.Join(d.dir, "id_ed25519"), filepath.Join(d.dir, "known_hosts")
	user := newKey(t, d.keyFile)
	d.write(t, "authorized_keys", string(ssh.MarshalAuthorizedKey(user.PublicKey())))
	d.write(t, "home/.hushlogin", "")
	d.write(t, "passwd", "root:x:0:0:root:"+filepath.Join(d.dir, "home")+":/bin/sh\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\n")
	lines := ""
	for i := range n {
		hostKey := newKey(t, filepath.Join(d.dir, fmt.Sprintf("host_key_%d", i)))
		address := freePort(t)
		lines += knownhosts.Line([]string{address}, hostKey.PublicKey()) + "\n"
		d.addresses = append(d.addresses, address)
		d.start(t, sshd, i, address)
	}
	d.write(t, "known_hosts", lines)
	for _, address := range d.addresses {
		d.awaitBanner(t, address)
	}
	return d
}

func (d *daemons) write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (d *daemons) start(t testing.TB, sshd string, i int, address string) {
	t.Helper()
	host, port, _ := strings.Cut(address, ":")
	conf := fmt.Sprintf("sshd_config_%d", i)
	d.write(t, conf, fmt.Sprintf("ListenAddress %s\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\n"+
		"PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\nMaxStartups 200\n",
		host, port, filepath.Join(d.dir, fmt.Sprintf("host_key_%d", i)), filepath.Join(d.dir, "authorized_keys")))
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`mount --bind "$1" /etc/passwd && mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "$2" -D -e -f "$3"`,
		"sh", filepath.Join(d.dir, "passwd"), sshd, filepath.Join(d.dir, conf))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare and sh became sshd: this is its process
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s said:\n%.2000s", sshd, said.String())
		}
	})
}

func (d *daemons) awaitBanner(t testing.TB, address string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		b := make([]byte, 4)
		_, err = conn.Read(b)
		_ = conn.Close()
		if err == nil && string(b) == "SSH-" {
			return
		}
	}
	t.Fatalf("no sshd answers at %s", address)
}

// raw is what a person would type instead: ssh to all hosts at once, with the
// digests and the metadata of the same files. Key exchange and cipher are those
// that hardway gets: OpenSSH's own default exchange is slower.
func (d *daemons) raw(ctx context.Context, addresses, paths []string) (time.Duration, error) {
	script := "sha256sum -- " + strings.Join(paths, " ") + " && stat -c '%n %F %a %U %G %s' -- " + strings.Join(paths, " ")
	begun := time.Now()
	failed := make(chan error, len(addresses))
	for _, address := range addresses {
		go func() {
			host, port, _ := strings.Cut(address, ":")
			out, err := exec.CommandContext(ctx, "ssh", "-F", "none", "-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes128-gcm@openssh.com",
				"-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+d.knownHosts,
				"-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", d.keyFile, "-p", port, "root@"+host, script).Output()
			if err == nil && bytes.Count(out, []byte("\n")) != 2*len(paths) {
				err = fmt.Errorf("ssh to %s printed %d lines for %d files", address, bytes.Count(out, []byte("\n")), len(paths))
			}
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				err = fmt.Errorf("ssh to %s: %w: %s", address, err, e.Stderr)
			}
			failed <- err
		}()
	}
	var errs []error
	for range addresses {
		errs = append(errs, <-failed)
	}
	return time.Since(begun), errors.Join(errs...)
}
