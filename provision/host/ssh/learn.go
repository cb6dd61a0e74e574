package ssh

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// HostKey is a key that a host shows of itself before anybody logs in.
type HostKey struct {
	Public ssh.PublicKey
}

// Fingerprint is the key's, as ssh-keygen and OpenSSH show it: SHA256:….
func (k HostKey) Fingerprint() string { return ssh.FingerprintSHA256(k.Public) }

// Type is the key's type in ssh-keygen's words: ED25519, ECDSA, RSA.
func (k HostKey) Type() string { return strings.ToUpper(shortType(k.Public.Type())) }

// Bits is the key's length, as ssh-keygen -l prints it first.
func (k HostKey) Bits() int {
	if c, ok := k.Public.(ssh.CryptoPublicKey); ok {
		switch p := c.CryptoPublicKey().(type) {
		case *rsa.PublicKey:
			return p.N.BitLen()
		case *ecdsa.PublicKey:
			return p.Curve.Params().BitSize
		}
	}
	return 256 // ed25519
}

// errSeen ends a handshake whose host key was seen.
var errSeen = errors.New("the host key was seen")

// HostKeys asks a host for its keys, one handshake for each type, as ssh-keyscan
// does. Nothing is verified, nobody logs in, nothing is sent that is worth anything.
func HostKeys(ctx context.Context, c Config) ([]HostKey, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, _, end := withPatience(ctx, c.ConnectTimeout, fmt.Errorf("no answer within %s", c.ConnectTimeout))
	defer end()
	var keys []HostKey
	for _, algorithms := range [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	} {
		key, err := hostKey(ctx, c, algorithms)
		if err != nil {
			return nil, err
		}
		if key != nil {
			keys = append(keys, HostKey{key})
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s (%s): the host has no key of type ed25519, ecdsa or rsa", c.Name, c.Address)
	}
	return keys, nil
}

// hostKey returns the host's key of one type, or nil if it has none.
func hostKey(ctx context.Context, c Config, algorithms []string) (ssh.PublicKey, error) {
	tcp, err := c.Dial(ctx, "tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("%s: connecting to %s: %w", c.Name, c.Address, cause(ctx, err))
	}
	defer tcp.Close()
	defer context.AfterFunc(ctx, func() { _ = tcp.Close() })()
	var seen ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(tcp, c.Address, &ssh.ClientConfig{
		User:              c.User,
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = key
			return errSeen
		},
	})
	if _, none := errors.AsType[*ssh.AlgorithmNegotiationError](err); none && strings.Contains(err.Error(), "host key") {
		return nil, nil
	}
	if seen == nil || ctx.Err() != nil {
		return nil, fmt.Errorf("%s: asking %s for its host key: %s", c.Name, c.Address, printable(cause(ctx, err).Error(), 200))
	}
	return seen, nil
}

// Check says what known_hosts has of a host with these keys: nil if one of them is
// known, an *UnknownHostError if there is nothing, else why they cannot be learned.
func (k *KnownHosts) Check(c Config, keys []HostKey) error {
	if k.db == nil {
		return k.unknown(c, keys)
	}
	c.Known = k
	check, err := newHostKeys(c)
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range keys {
		err := check.callback(check.address, &net.TCPAddr{IP: net.IPv4zero}, key.Public)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	for _, err := range errs {
		if _, unknown := errors.AsType[*UnknownHostError](err); !unknown {
			return err
		}
	}
	return k.unknown(c, keys)
}

func (k *KnownHosts) unknown(c Config, keys []HostKey) error {
	return &UnknownHostError{Host: c.Name, Address: c.Address, Files: k.files, Fingerprint: keys[0].Fingerprint(), Type: keys[0].Public.Type()}
}

// Learned is what a known_hosts file gets: the keys of one host.
type Learned struct {
	Address string // IP:PORT, or as known_hosts is asked for it
	Alias   string // HostKeyAlias, which then stands there instead
	Keys    []HostKey
}

// Learn adds keys to a known_hosts file, which is made if it is not there. It is
// replaced as a whole, or stays as it was; a file with hashed names gets hashed
// names. Whether a key may be trusted, and whether another one stands there, is the
// caller's question (KnownHosts.Check).
func Learn(file string, hosts []Learned) error {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	// What ssh_config names may be /dev/null, and it would be replaced.
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("writing %s: it is no regular file; name another in ssh.known_hosts", file)
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	// The directory's lock: the file itself is replaced. ssh takes none, so that
	// what it adds in the meantime is looked for before the end.
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("writing %s: waiting for another process that does: %w", file, err)
	}
	defer func() { _ = lock.Close() }() // which frees it
	for range 5 {
		old, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		pending, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o600), renameio.WithExistingPermissions())
		if err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
		_, err = pending.Write(append(slices.Clip(old), lines(old, hosts)...))
		if now, errNow := os.ReadFile(file); err == nil && (errNow == nil || !errors.Is(errNow, fs.ErrNotExist)) && !bytes.Equal(now, old) {
			_ = pending.Cleanup()
			continue
		}
		if err == nil {
			err = pending.CloseAtomicallyReplace()
		}
		if err != nil {
			_ = pending.Cleanup()
			return fmt.Errorf("writing %s: %w", file, err)
		}
		return nil
	}
	return fmt.Errorf("writing %s: another process keeps changing it; try again", file)
}

// lines are what is added behind the old content.
func lines(old []byte, hosts []Learned) []byte {
	var out bytes.Buffer
	if len(old) > 0 && old[len(old)-1] != '\n' {
		out.WriteByte('\n')
	}
	hashed := bytes.HasPrefix(old, []byte("|1|")) || bytes.Contains(old, []byte("\n|1|"))
	for _, h := range hosts {
		name := xknownhosts.Normalize(h.Address)
		if h.Alias != "" {
			name = h.Alias
		}
		if hashed {
			name = xknownhosts.HashHostname(name)
		}
		for _, k := range h.Keys {
			out.WriteString(name + " " + string(ssh.MarshalAuthorizedKey(k.Public)))
		}
	}
	return out.Bytes()
}
