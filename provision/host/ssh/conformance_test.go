package ssh

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host"
	"hardway/provision/host/conformance"
	"hardway/provision/host/ssh/sshtest"
)

// needsRoot skips a test that runs the loop, which only runs as root.
func needsRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run the loop")
	}
}

// config reaches a test server, with short intervals.
func config(t testing.TB, s *sshtest.Server) Config {
	t.Helper()
	dir := t.TempDir()
	return Config{
		Name: "m1", Address: s.Address, User: "root", Signers: []ssh.Signer{s.User()}, KnownHosts: []string{s.KnownHosts(t)},
		ConnectTimeout: 20 * time.Second, KeepAlive: time.Second, IdleTimeout: 30 * time.Second,
		RunDir: filepath.Join(dir, "run"), StateDir: filepath.Join(dir, "state"),
	}
}

func dial(t testing.TB, c Config) *Host {
	t.Helper()
	h, err := Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestConformance(t *testing.T) {
	needsRoot(t)
	conformance.Run(t, func(t *testing.T) conformance.Target {
		f := newFakes(t)
		s := sshtest.Start(t, sshtest.Options{Path: f.dir})
		c := config(t, s)
		root := filepath.Join(t.TempDir(), "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		return conformance.Target{
			Connect: func(t *testing.T) host.Host { return dial(t, c) },
			Root:    root, State: c.StateDir, UnitDir: f.units,
			Kubectl: filepath.Join(f.dir, "kubectl"), Ctr: filepath.Join(f.dir, "ctr"), Socket: filepath.Join(f.dir, fakeSocket),
			Mount: func(t *testing.T, path string) {
				if out, err := exec.Command("mount", "--bind", path, path).CombinedOutput(); err != nil {
					t.Skipf("mounting is not possible here: %s", out)
				}
				t.Cleanup(func() { _ = exec.Command("umount", path).Run() })
			},
			Chown: func(t *testing.T, path, owner string) {
				if out, err := exec.Command("chown", owner, path).CombinedOutput(); err != nil {
					t.Fatalf("%s", out)
				}
			},
			Chmod: func(t *testing.T, path string, mode uint32) {
				special := os.FileMode(mode & 0o777)
				if mode&0o1000 != 0 {
					special |= os.ModeSticky
				}
				if err := os.Chmod(path, special); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}
