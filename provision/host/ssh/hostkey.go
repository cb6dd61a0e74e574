package ssh

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// UnknownHostError is a host whose key is in no known_hosts file.
type UnknownHostError struct {
	Host, Address string
	Files         []string
	Fingerprint   string // of the key that was offered
	Type          string
}

func (e *UnknownHostError) Error() string {
	return fmt.Sprintf("%s (%s): its host key is not in %s. It offers %s %s. "+
		"Compare that with what 'ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub' prints on the host's own console, "+
		"then have it added: hardway ssh trust",
		e.Host, e.Address, strings.Join(e.Files, ", "), e.Type, e.Fingerprint, shortType(e.Type))
}

// ChangedKeyError is a host whose key is another one than known_hosts has.
type ChangedKeyError struct {
	Host, Address string
	Name          string // that known_hosts has it by
	Place         string // FILE:LINE of the known key
	Known, Got    string // fingerprints
}

func (e *ChangedKeyError) Error() string {
	file := e.Place[:strings.LastIndexByte(e.Place, ':')]
	return fmt.Sprintf("%s (%s): the host key is not the known one: %s has %s, the host offers %s. "+
		"Somebody may be in between. If the machine was made anew, check the fingerprint on its own console, "+
		"remove the old key (ssh-keygen -f %s -R '%s') and have the new one added: hardway ssh trust",
		e.Host, e.Address, e.Place, e.Known, e.Got, file, e.Name)
}

// RevokedKeyError is a host that shows a key marked @revoked.
type RevokedKeyError struct {
	Host, Address, Place, Fingerprint string
}

func (e *RevokedKeyError) Error() string {
	return fmt.Sprintf("%s (%s): the host key %s is revoked at %s. Give the host a new key, and add that one",
		e.Host, e.Address, e.Fingerprint, e.Place)
}

// KeyTypeError is a host that has no key of a type that known_hosts has for it.
type KeyTypeError struct {
	Host, Address string
	Known         []string
	Err           error
}

func (e *KeyTypeError) Error() string {
	for _, name := range e.Known {
		if strings.Contains(name, "-cert-") {
			return fmt.Sprintf("%s (%s): known_hosts wants a certificate of this host (@cert-authority), and it shows none (%s). "+
				"Have its host key signed, and name the certificate in its sshd_config (HostCertificate)",
				e.Host, e.Address, strings.Join(e.Known, ", "))
		}
	}
	return fmt.Sprintf("%s (%s): the host has no key of a type known for it (%s). "+
		"Check on its own console which keys it should have, and add one of those to known_hosts",
		e.Host, e.Address, strings.Join(e.Known, ", "))
}

func (e *KeyTypeError) Unwrap() error { return e.Err }

// HostCertificateError is a host certificate that is not good: not of an authority
// for this host, not for its name, expired, or revoked.
type HostCertificateError struct {
	Host, Address string
	Serial        uint64
	KeyID         string // that its authority gave it
	Authority     string // fingerprint
	Err           error
}

func (e *HostCertificateError) Error() string {
	return fmt.Sprintf("%s (%s): the host's certificate (%s, serial %d, of the authority %s) is not good: %s. "+
		"Have the host key signed anew for the name or address that is dialled (ssh-keygen -s CA -h -n NAME), or check @cert-authority in known_hosts",
		e.Host, e.Address, printable(e.KeyID, 60), e.Serial, e.Authority, printable(strings.TrimPrefix(e.Err.Error(), "ssh: "), 200))
}

func (e *HostCertificateError) Unwrap() error { return e.Err }

// hostKeys verifies one host's key, and knows which kinds of keys to ask it for:
// negotiated otherwise, a host that is known by its ed25519 key would show its
// ecdsa key and look like an impostor (golang/go#29286).
type hostKeys struct {
	config     Config
	address    string // that known_hosts is asked for
	algorithms []string
	callback   ssh.HostKeyCallback
	refused    error // what the callback said
}

// KnownHosts is what known_hosts files say, read once for all hosts: a file has a
// line for each, and reading it anew for every host would cost the square of them.
// It may be used by several goroutines.
type KnownHosts struct {
	files []string
	db    *knownhosts.HostKeyDB // nil if no file is there
}

// ReadKnownHosts reads files as OpenSSH has them. One that does not exist knows
// nobody.
func ReadKnownHosts(files ...string) (*KnownHosts, error) {
	k := &KnownHosts{files: files}
	var there []string
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("reading known_hosts: %w", err)
		}
	}
	if len(there) == 0 {
		return k, nil
	}
	var err error
	if k.db, err = knownhosts.NewDB(there...); err != nil {
		return nil, fmt.Errorf("reading known_hosts: %w", err)
	}
	return k, nil
}

func newHostKeys(c Config) (*hostKeys, error) {
	known := c.Known
	if known == nil {
		var err error
		if known, err = ReadKnownHosts(c.KnownHosts...); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	if len(known.files) == 0 {
		return nil, fmt.Errorf("%s: no known_hosts file is given, so its host key cannot be checked; "+
			"name one (ssh { known_hosts = … }), and have the key put there: hardway ssh trust", c.Name)
	}
	if known.db == nil {
		return nil, fmt.Errorf("%s: its host key cannot be checked: %s does not exist; "+
			"run 'hardway ssh trust', which shows the key's fingerprint and asks before it writes the file",
			c.Name, strings.Join(known.files, ", "))
	}
	k := &hostKeys{config: c, address: c.Address}
	if c.HostKeyAlias != "" {
		k.address = net.JoinHostPort(c.HostKeyAlias, "22") // known_hosts has an alias without a port
	}
	if k.algorithms = known.db.HostKeyAlgorithms(k.address); len(k.algorithms) == 0 {
		k.algorithms = plainAlgorithms() // a certificate would only hide that the host is unknown
	}
	k.config.KnownHosts = known.files
	verify := known.db.HostKeyCallback()
	k.callback = func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		k.refused = k.explain(verify(hostname, remote, key), key)
		return k.refused
	}
	return k, nil
}

// plainAlgorithms are those of keys without certificates, the shortest first.
func plainAlgorithms() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
}

// explain turns what known_hosts says into an error with a next step.
func (k *hostKeys) explain(err error, key ssh.PublicKey) error {
	if err == nil {
		return nil
	}
	got := ssh.FingerprintSHA256(key)
	if revoked, ok := errors.AsType[*xknownhosts.RevokedError](err); ok {
		return &RevokedKeyError{Host: k.config.Name, Address: k.config.Address, Fingerprint: got,
			Place: fmt.Sprintf("%s:%d", revoked.Revoked.Filename, revoked.Revoked.Line)}
	}
	changed, ok := errors.AsType[*xknownhosts.KeyError](err)
	if !ok {
		if cert, ok := key.(*ssh.Certificate); ok {
			return &HostCertificateError{Host: k.config.Name, Address: k.config.Address, Serial: cert.Serial, KeyID: cert.KeyId,
				Authority: ssh.FingerprintSHA256(cert.SignatureKey), Err: err}
		}
		return fmt.Errorf("%s (%s): checking the host key: %w", k.config.Name, k.config.Address, err)
	}
	if len(changed.Want) == 0 {
		return &UnknownHostError{Host: k.config.Name, Address: k.config.Address, Files: k.config.KnownHosts,
			Fingerprint: got, Type: key.Type()}
	}
	known := changed.Want[0]
	for _, w := range changed.Want {
		if w.Key.Type() == key.Type() {
			known = w
		}
	}
	return &ChangedKeyError{Host: k.config.Name, Address: k.config.Address, Name: xknownhosts.Normalize(k.address), Got: got,
		Place: fmt.Sprintf("%s:%d", known.Filename, known.Line), Known: ssh.FingerprintSHA256(known.Key)}
}

// shortType is the word that ssh-keyscan and the names of key files use.
func shortType(keyType string) string {
	switch {
	case strings.HasPrefix(keyType, "ecdsa"):
		return "ecdsa"
	case keyType == ssh.KeyAlgoRSA:
		return "rsa"
	default:
		return "ed25519"
	}
}
