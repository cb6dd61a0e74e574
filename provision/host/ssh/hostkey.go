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
	host, port, _ := net.SplitHostPort(e.Address)
	return fmt.Sprintf("%s (%s): its host key is not in %s. It offers %s %s. "+
		"Compare that with what 'ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub' prints on the host's own console, "+
		"then add the key: ssh-keyscan -t %s -p %s %s >> %s",
		e.Host, e.Address, strings.Join(e.Files, ", "), e.Type, e.Fingerprint,
		shortType(e.Type), shortType(e.Type), port, host, e.Files[len(e.Files)-1])
}

// ChangedKeyError is a host whose key is another one than known_hosts has.
type ChangedKeyError struct {
	Host, Address string
	Place         string // FILE:LINE of the known key
	Known, Got    string // fingerprints
}

func (e *ChangedKeyError) Error() string {
	host, port, _ := net.SplitHostPort(e.Address)
	name := xknownhosts.Normalize(net.JoinHostPort(host, port))
	file := e.Place[:strings.LastIndexByte(e.Place, ':')]
	return fmt.Sprintf("%s (%s): the host key is not the known one: %s has %s, the host offers %s. "+
		"Somebody may be in between. If the machine was made anew, check the fingerprint on its own console, "+
		"remove the old key (ssh-keygen -f %s -R '%s') and add the new one",
		e.Host, e.Address, e.Place, e.Known, e.Got, file, name)
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
	return fmt.Sprintf("%s (%s): the host has no key of a type known for it (%s). "+
		"Check on its own console which keys it should have, and add one of those to known_hosts",
		e.Host, e.Address, strings.Join(e.Known, ", "))
}

func (e *KeyTypeError) Unwrap() error { return e.Err }

// hostKeys verifies one host's key, and knows which kinds of keys to ask it for:
// negotiated otherwise, a host that is known by its ed25519 key would show its
// ecdsa key and look like an impostor (golang/go#29286).
type hostKeys struct {
	config     Config
	algorithms []string
	callback   ssh.HostKeyCallback
	refused    error // what the callback said
}

// KnownHosts is what known_hosts files say, read once for all hosts: a file has a
// line for each, and reading it anew for every host would cost the square of them.
// It may be used by several goroutines.
type KnownHosts struct {
	files []string
	db    *knownhosts.HostKeyDB
}

// ReadKnownHosts reads files as OpenSSH has them.
func ReadKnownHosts(files ...string) (*KnownHosts, error) {
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("reading known_hosts: %w; make the file with ssh-keyscan after checking "+
				"the fingerprint on the host's own console", err)
		}
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, fmt.Errorf("reading known_hosts: %w", err)
	}
	return &KnownHosts{files, db}, nil
}

func newHostKeys(c Config) (*hostKeys, error) {
	known := c.Known
	if known == nil {
		if len(c.KnownHosts) == 0 {
			return nil, fmt.Errorf("%s: no known_hosts file is given, so its host key cannot be checked; "+
				"name one, and fill it with ssh-keyscan after checking the fingerprint on the host's own console", c.Name)
		}
		var err error
		if known, err = ReadKnownHosts(c.KnownHosts...); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	k := &hostKeys{config: c, algorithms: known.db.HostKeyAlgorithms(c.Address)}
	k.config.KnownHosts = known.files
	verify := known.db.HostKeyCallback()
	k.callback = func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		k.refused = k.explain(verify(hostname, remote, key), key)
		return k.refused
	}
	return k, nil
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
	return &ChangedKeyError{Host: k.config.Name, Address: k.config.Address, Got: got,
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
