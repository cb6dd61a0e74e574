package ssh

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host/ssh/sshtest"
)

// keyFile writes a private key, its public key, and returns the path and the key.
func writeKey(t *testing.T, passphrase string) (string, ssh.Signer) {
	t.Helper()
	path := sshtest.NewKeyFile(t, passphrase)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s ssh.Signer
	if passphrase == "" {
		s, err = ssh.ParsePrivateKey(text)
	} else {
		s, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, s
}

// sign makes a certificate of a key and returns its file.
func sign(t *testing.T, ca, key ssh.Signer, file string, change func(*ssh.Certificate)) string {
	t.Helper()
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, KeyId: "test", ValidPrincipals: []string{"root"},
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix())}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func beside(path string) string { return path + "-cert.pub" }

// login only connects and logs in: what comes after needs root.
func logIn(t *testing.T, c Config) error {
	t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	ctx, wait, end := withPatience(t.Context(), c.ConnectTimeout, errors.New("no answer"))
	defer end()
	conn, _, err := connect(ctx, c, wait)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func TestLogin(t *testing.T) {
	ca, otherCA := sshtest.NewKey(t), sshtest.NewKey(t)
	plain, plainKey := writeKey(t, "")
	stranger, _ := writeKey(t, "")
	locked, lockedSigner := writeKey(t, "open sesame")
	signed, signedKey := writeKey(t, "")
	sign(t, ca, signedKey, beside(signed), nil)
	expired, expiredKey := writeKey(t, "")
	sign(t, ca, expiredKey, beside(expired), func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 1, 2 })
	early, earlyKey := writeKey(t, "")
	sign(t, ca, earlyKey, beside(early), func(c *ssh.Certificate) {
		c.ValidAfter = uint64(time.Now().Add(time.Hour).Unix())
		c.ValidBefore = ssh.CertTimeInfinity
	})
	others, othersKey := writeKey(t, "")
	sign(t, ca, othersKey, beside(others), func(c *ssh.Certificate) { c.ValidPrincipals = []string{"eve"} })
	strange, strangeKey := writeKey(t, "")
	sign(t, otherCA, strangeKey, beside(strange), nil)
	hostCert := sign(t, ca, signedKey, filepath.Join(t.TempDir(), "host-cert.pub"), func(c *ssh.Certificate) { c.CertType = ssh.HostCert })
	elsewhere := sign(t, ca, plainKey, filepath.Join(t.TempDir(), "elsewhere.pub"), nil)
	public := filepath.Join(t.TempDir(), "id.pub")
	if err := os.WriteFile(public, ssh.MarshalAuthorizedKey(plainKey.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaSigner := signer(t, rsaKey, nil)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(rsaKey, "", []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	lockedRSA := filepath.Join(t.TempDir(), "id_rsa")
	if err := os.WriteFile(lockedRSA, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	right := func(context.Context, string) (string, error) { return "open sesame", nil }
	wrong := func(context.Context, string) (string, error) { return "wrong", nil }
	nobody := func(context.Context, string) (string, error) { return "", ErrNobody }
	word := func(text string) func() (string, error) { return func() (string, error) { return text, nil } }

	for _, c := range []struct {
		name     string
		server   sshtest.Options
		client   Config
		ask      AskFunc
		agent    string // a key file that an agent holds
		attempts int64  // at most
		says     []string
	}{
		{name: "a key", client: Config{PrivateKeys: []string{plain}}, attempts: 1},
		{name: "the second of two keys", client: Config{PrivateKeys: []string{stranger, plain}}, attempts: 2},
		{name: "a key that is not let in", client: Config{PrivateKeys: []string{stranger}}, attempts: 1, says: []string{stranger, "not accepted"}},
		{name: "an agent alone", agent: plain, attempts: 1},
		{name: "a public key's private one in the agent", agent: plain, client: Config{PrivateKeys: []string{public}}, attempts: 1},
		{name: "a public key whose private one is nowhere", client: Config{PrivateKeys: []string{public}}, says: []string{"is a public key", "ssh-add"}},
		{name: "a named key before the agent's", agent: stranger, client: Config{PrivateKeys: []string{plain}}, attempts: 2},
		{name: "named keys only", agent: plain, client: Config{PrivateKeys: []string{stranger}, IdentitiesOnly: true}, attempts: 1, says: []string{"not accepted"}},
		{name: "keys of the agent beside the named", agent: plain, client: Config{PrivateKeys: []string{stranger}}, attempts: 2},

		{name: "a passphrase", client: Config{PrivateKeys: []string{locked}}, ask: right, attempts: 1},
		{name: "a passphrase of an RSA key", client: Config{PrivateKeys: []string{lockedRSA}}, ask: right, attempts: 1},
		{name: "a passphrase that is wrong", client: Config{PrivateKeys: []string{locked}}, ask: wrong, attempts: 1, says: []string{locked, "wrong 3 times"}},
		{name: "a passphrase, and nobody to ask", client: Config{PrivateKeys: []string{locked}}, says: []string{locked, "no terminal", "ssh-add " + locked}},
		{name: "a passphrase, and no terminal after all", client: Config{PrivateKeys: []string{locked}}, ask: nobody, attempts: 1, says: []string{locked, "no terminal"}},
		{name: "a passphrase that is not needed", client: Config{PrivateKeys: []string{plain, locked}}, ask: func(context.Context, string) (string, error) {
			return "", errors.New("somebody was asked")
		}, attempts: 1},
		{name: "another key after a wrong passphrase", client: Config{PrivateKeys: []string{locked, plain}}, ask: wrong, attempts: 2},

		{name: "a certificate beside the key", client: Config{PrivateKeys: []string{signed}}, attempts: 1},
		{name: "a certificate by name", client: Config{PrivateKeys: []string{signed}, Certificates: []string{beside(signed)}}, attempts: 1},
		{name: "a certificate with the agent's key", agent: signed, client: Config{Certificates: []string{beside(signed)}, IdentitiesOnly: true}, attempts: 1},
		{name: "an expired certificate", client: Config{PrivateKeys: []string{expired}}, attempts: 1, says: []string{"expired at 1970-01-01", "signed again"}},
		{name: "a certificate of tomorrow", client: Config{PrivateKeys: []string{early}}, attempts: 1, says: []string{"not valid before", "clock"}},
		{name: "a certificate of somebody else", client: Config{PrivateKeys: []string{others}}, attempts: 2, says: []string{"(for eve)", "not accepted"}},
		{name: "a certificate of another authority", client: Config{PrivateKeys: []string{strange}}, attempts: 2, says: []string{"not accepted"}},
		{name: "a host's certificate", client: Config{PrivateKeys: []string{plain}, Certificates: []string{hostCert}}, attempts: 1},
		{name: "a host's certificate alone", client: Config{Certificates: []string{hostCert}}, says: []string{"of a host, not of a user"}},
		{name: "a certificate without its key", client: Config{Certificates: []string{elsewhere}}, says: []string{elsewhere, "private key of the certificate"}},
		{name: "a public key for a certificate", client: Config{Certificates: []string{public}}, says: []string{"not a certificate", "ssh-keygen -s"}},

		{name: "a password", server: sshtest.Options{Password: "p w", NoKeys: true}, client: Config{Password: word("p w")}, attempts: 1},
		{name: "a password by method password alone", server: sshtest.Options{Password: "p w", NoKeys: true, Server: func(c *ssh.ServerConfig) { c.KeyboardInteractiveCallback = nil }},
			client: Config{Password: word("p w")}, attempts: 1},
		{name: "a key, then the password", server: sshtest.Options{Password: "p w"}, client: Config{PrivateKeys: []string{stranger}, Password: word("p w")}, attempts: 2},
		{name: "a wrong password", server: sshtest.Options{Password: "p w", NoKeys: true}, client: Config{Password: word("hunter2")}, attempts: 1,
			says: []string{"keyboard-interactive: refused", "password: not tried, since keyboard-interactive refused the same"}},
		{name: "a password where keys are wanted", client: Config{Password: word("hunter2")}, says: []string{"password: not tried, since the host takes publickey"}},
		{name: "more than a password", server: sshtest.Options{Password: "p w", NoKeys: true, Interactive: []string{"Verification code: "}, Server: func(c *ssh.ServerConfig) { c.PasswordCallback = nil }},
			client: Config{Password: word("p w")}, attempts: 1, says: []string{"more than a password", "Verification code"}},
		{name: "a password that cannot be had", server: sshtest.Options{Password: "p w", NoKeys: true}, client: Config{Password: func() (string, error) { return "", errors.New("the vault is shut") }},
			attempts: 2, says: []string{"the vault is shut"}},
		{name: "a key and a password, both wanted", server: sshtest.Options{Password: "p w", Server: func(c *ssh.ServerConfig) {
			first := c.PublicKeyCallback
			then := ssh.ServerAuthCallbacks{PasswordCallback: c.PasswordCallback}
			c.PasswordCallback, c.KeyboardInteractiveCallback = nil, nil
			c.PublicKeyCallback = func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				if _, err := first(conn, key); err != nil {
					return nil, err
				}
				return nil, &ssh.PartialSuccessError{Next: then}
			}
		}}, client: Config{PrivateKeys: []string{plain}, Password: word("p w")}, attempts: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.server.Keys = append(c.server.Keys, plainKey.PublicKey(), lockedSigner.PublicKey(), rsaSigner.PublicKey())
			c.server.UserCA = ca.PublicKey()
			s := sshtest.Start(t, c.server)
			cfg := config(t, s)
			cfg.Signers = nil
			cfg.PrivateKeys, cfg.Certificates, cfg.Password, cfg.IdentitiesOnly = c.client.PrivateKeys, c.client.Certificates, c.client.Password, c.client.IdentitiesOnly
			cfg.Keys = NewKeyring(c.ask)
			if c.agent != "" {
				cfg.AgentSocket = serveAgent(t, c.agent, "")
			}
			err := logIn(t, cfg)
			if n := s.Attempts.Load(); n > c.attempts {
				t.Errorf("%d attempts, want at most %d", n, c.attempts)
			}
			if len(c.says) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("it was let in")
			}
			for _, part := range append(c.says, "m1") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			for _, secret := range []string{"open sesame", "hunter2", "p w"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("a secret is in the error: %v", err)
				}
			}
		})
	}
}

// However many keys there are, the server is not driven to end the connection, and
// there is room for the password.
func TestAttemptsAreFew(t *testing.T) {
	var keys []string
	for range 12 {
		keys = append(keys, sshtest.NewKeyFile(t, ""))
	}
	for _, password := range []string{"", "p w"} {
		s := sshtest.Start(t, sshtest.Options{Password: password, Server: func(c *ssh.ServerConfig) { c.MaxAuthTries = 6 }})
		cfg := config(t, s)
		cfg.Signers, cfg.PrivateKeys = nil, keys
		if password != "" {
			cfg.Password = func() (string, error) { return password, nil }
		}
		err := logIn(t, cfg)
		if n := s.Attempts.Load(); n > 6 {
			t.Errorf("%d attempts", n)
		}
		if password != "" {
			if err != nil {
				t.Errorf("the password had no room: %v", err)
			}
			continue
		}
		if e, ok := errors.AsType[*LoginError](err); !ok || len(e.Tried) != 12 || !strings.Contains(e.Error(), "after 6 failures") {
			t.Errorf("got %v", err)
		}
	}
}

// A key's passphrase is asked for once, whatever number of hosts wants it, and the
// time that it takes is not theirs.
func TestPassphraseOnce(t *testing.T) {
	path, key := writeKey(t, "open sesame")
	var asked atomic.Int64
	keys := NewKeyring(func(_ context.Context, question string) (string, error) {
		asked.Add(1)
		if !strings.Contains(question, path) {
			t.Errorf("the question does not name the key: %q", question)
		}
		time.Sleep(3500 * time.Millisecond)
		return "open sesame", nil
	})
	results := make(chan error, 5)
	for range 5 {
		s := sshtest.Start(t, sshtest.Options{Keys: []ssh.PublicKey{key.PublicKey()}})
		cfg := config(t, s)
		cfg.Signers, cfg.PrivateKeys, cfg.Keys, cfg.ConnectTimeout = nil, []string{path}, keys, 3*time.Second
		go func() { results <- logIn(t, cfg) }()
	}
	for range 5 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Whoever gives up while being asked has not said anything about the key.
func TestPassphraseInterrupted(t *testing.T) {
	path, key := writeKey(t, "open sesame")
	first := true
	ctx, cancel := context.WithCancelCause(t.Context())
	keys := NewKeyring(func(ctx context.Context, _ string) (string, error) {
		if first {
			first = false
			cancel(errors.New("interrupted"))
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "open sesame", nil
	})
	s := sshtest.Start(t, sshtest.Options{Keys: []ssh.PublicKey{key.PublicKey()}})
	cfg := config(t, s)
	cfg.Signers, cfg.PrivateKeys, cfg.Keys = nil, []string{path}, keys
	if _, err := Dial(ctx, cfg); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
	if err := logIn(t, cfg); err != nil {
		t.Error(err)
	}
}
