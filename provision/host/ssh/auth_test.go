package ssh

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"hardway/provision/host/ssh/sshtest"
)

func TestIdentity(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	plain := sshtest.NewKeyFile(t, "")
	encrypted := sshtest.NewKeyFile(t, "secret")
	damaged := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(damaged, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, agent string
		says              []string
	}{
		{"missing", "/nonexistent/key", "", []string{"m1", "/nonexistent/key"}},
		{"damaged", damaged, "", []string{"m1", damaged}},
		{"encrypted", encrypted, "", []string{"m1", encrypted, "encrypted", "ssh-add"}},
		{"encrypted, and not in the agent", encrypted, serveAgent(t, plain, ""), []string{"m1", encrypted, "ssh-add"}},
		{"no agent there", encrypted, "/nonexistent/agent", []string{"m1", "agent"}},
		{"not let in", plain, "", []string{"m1", "does not let user root in", "SHA256:", "authorized_keys"}},
		{"nothing to log in with", "", "", []string{"m1", "no private key"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := cfg
			cfg.Signers, cfg.AgentSocket = nil, c.agent
			if c.path != "" {
				cfg.PrivateKeys = []string{c.path}
			}
			_, err := Dial(t.Context(), cfg)
			if err == nil {
				t.Fatal("it was let in")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
		})
	}
}

// serveAgent serves an agent that holds one key, and returns its socket.
func serveAgent(t *testing.T, file, passphrase string) string {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var key any
	if passphrase == "" {
		key, err = ssh.ParseRawPrivateKey(pem)
	} else {
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(pem, []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
	return socket
}

func TestCiphersPreferGCM(t *testing.T) {
	list := ciphers()
	if len(list) < 3 || !strings.Contains(list[0], "gcm") {
		t.Fatalf("ciphers %q", list)
	}
}
