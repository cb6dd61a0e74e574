package ssh

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// passphraseTries is how often a passphrase is asked for, as OpenSSH does
// (NumberOfPasswordPrompts).
const passphraseTries = 3

// AskFunc asks a person for a secret without showing what is typed. It fails with
// ErrNobody where there is no terminal.
type AskFunc func(ctx context.Context, question string) (string, error)

// ErrNobody is an AskFunc without a terminal to ask on.
var ErrNobody = errors.New("there is no terminal to ask on")

// Keyring reads files of private keys, each once, however many hosts are reached
// with it: deriving a key from a passphrase is made to take long. The passphrase of
// an encrypted one is asked for when a host first wants a signature of it, and kept
// nowhere; what was decrypted is kept for as long as the Keyring is.
type Keyring struct {
	ask AskFunc

	mu    sync.Mutex
	files map[string]*keyFile
	// asking is held while a person is asked: one question at a time.
	asking sync.Mutex
}

// NewKeyring returns an empty one. Without ask, an encrypted key has to come from an
// agent.
func NewKeyring(ask AskFunc) *Keyring { return &Keyring{ask: ask, files: map[string]*keyFile{}} }

// keyFile is one file that was read.
type keyFile struct {
	path   string
	public ssh.PublicKey // nil if the file does not say
	pem    []byte        // of a key that is still encrypted

	mu     sync.Mutex
	signer ssh.Signer // once it is open
	err    error      // why it never will be
}

// file reads a key, or what was read before.
func (k *Keyring) file(path string) *keyFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files[path] == nil {
		k.files[path] = readKeyFile(path)
	}
	return k.files[path]
}

func readKeyFile(path string) *keyFile {
	f := &keyFile{path: path}
	text, err := os.ReadFile(path)
	if err != nil {
		f.err = fmt.Errorf("reading the private key: %w", err)
		return f
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err == nil {
		f.signer, f.public = signer, signer.PublicKey()
		return f
	}
	if missing, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		f.pem, f.public = text, missing.PublicKey
		if f.public == nil { // the old PEM format does not say; the file beside it may
			if beside, err := os.ReadFile(path + ".pub"); err == nil {
				f.public, _, _, _, _ = ssh.ParseAuthorizedKey(beside)
			}
		}
		return f
	}
	// A public key may be named to say which key of the agent is meant.
	if public, _, _, _, errPublic := ssh.ParseAuthorizedKey(text); errPublic == nil {
		f.public = public
		f.err = fmt.Errorf("%s is a public key, and no ssh agent has its private one; run 'ssh-add', or name the private key", path)
		return f
	}
	f.err = fmt.Errorf("private key %s: %w", path, err)
	return f
}

// usable says whether the key can sign by itself: it is open, or somebody can be
// asked for its passphrase.
func (k *Keyring) usable(f *keyFile) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.signer != nil:
		return nil
	case f.err != nil:
		return f.err
	case k.ask == nil:
		return encrypted(f.path, "")
	case f.public == nil:
		return fmt.Errorf("private key %s is encrypted, and in a format that does not say which key it is; put its public key beside it: ssh-keygen -yf %s > %s.pub",
			f.path, f.path, f.path)
	}
	return nil
}

func encrypted(path, why string) error {
	if why == "" {
		why = "there is no terminal to ask for its passphrase"
	}
	return fmt.Errorf("private key %s is encrypted, no ssh agent has it, and %s; run 'ssh-add %s' and try again", path, why, path)
}

// open decrypts a key, asking for its passphrase if that was not done yet.
func (k *Keyring) open(ctx context.Context, f *keyFile) (ssh.Signer, error) {
	if err := k.usable(f); err != nil {
		return nil, err
	}
	k.asking.Lock()
	defer k.asking.Unlock()
	f.mu.Lock()
	signer, failed := f.signer, f.err
	f.mu.Unlock()
	if signer != nil || failed != nil {
		return signer, failed
	}
	// Not under f.mu: whoever only wants to know whether the key is of use would
	// wait for the typing, on its host's time.
	signer, failed = k.decrypt(ctx, f)
	if ctx.Err() != nil && signer == nil {
		return nil, ctx.Err() // which says nothing of the key
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signer, f.err = signer, failed
	if signer != nil {
		f.pem = nil
	}
	return signer, failed
}

// decrypt asks for the passphrase, several times if it is wrong.
func (k *Keyring) decrypt(ctx context.Context, f *keyFile) (ssh.Signer, error) {
	for range passphraseTries {
		passphrase, err := k.ask(ctx, fmt.Sprintf("Passphrase of the SSH key %s: ", f.path))
		switch {
		case errors.Is(err, ErrNobody):
			return nil, encrypted(f.path, "")
		case err != nil:
			return nil, encrypted(f.path, "asking for its passphrase failed: "+err.Error())
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(f.pem, []byte(passphrase))
		if err == nil {
			return signer, nil
		}
		if !errors.Is(err, x509.IncorrectPasswordError) {
			return nil, fmt.Errorf("private key %s: %w", f.path, err)
		}
	}
	return nil, encrypted(f.path, fmt.Sprintf("its passphrase was wrong %d times", passphraseTries))
}

// lockedKey signs with a key that is decrypted when it has to be: only a host that
// takes the key wants a signature.
type lockedKey struct {
	keys *Keyring
	file *keyFile
	// ctx and wait are of the login that asks; the time that a person takes to type
	// is not the host's.
	ctx  context.Context
	wait *patience
}

func (l lockedKey) PublicKey() ssh.PublicKey { return l.file.public }

func (l lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return l.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm implements ssh.AlgorithmSigner, so that an RSA key can sign with
// SHA-2.
func (l lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	l.wait.pause()
	signer, err := l.keys.open(l.ctx, l.file)
	l.wait.resume()
	if err != nil {
		return nil, err
	}
	if with, ok := signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return with.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

// certificate reads a file with a user certificate.
func certificate(path string) (*ssh.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", path, err)
	}
	cert, ok := public.(*ssh.Certificate)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is a public key, not a certificate; have it signed: ssh-keygen -s CA -I ID -n USER %s", path, path)
	case cert.CertType != ssh.UserCert:
		return nil, fmt.Errorf("%s is a certificate of a host, not of a user; sign the user's key without ssh-keygen's -h", path)
	}
	return cert, nil
}

func sameKey(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && bytes.Equal(a.Marshal(), b.Marshal())
}
