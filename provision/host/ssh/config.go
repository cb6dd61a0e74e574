// Package ssh is host.Host over one SSH connection to a real machine.
//
// On the connection runs one control channel, and up to three bulk channels for
// large contents. On each of them the machine runs the same constant loop
// (templates/scripts/loop.sh) in a shell as root; requests and answers are
// framed, and values travel as data. The package knows connections, host keys,
// sudo, frames and how an observation is written down. It must never know
// resources, plans or what a file is for, and it never takes a host's answer for
// anything but data.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Config says how to reach one machine.
type Config struct {
	Name    string // of the host, for error messages
	Address string // IP:PORT
	User    string

	// One or more of these identify the user. What is tried, in which order and
	// how often, is in login.go.
	Signers      []ssh.Signer
	PrivateKeys  []string // files; one that is encrypted is taken from the agent, or its passphrase asked for
	Certificates []string // files with user certificates, beside those that lie next to a key as KEY-cert.pub
	AgentSocket  string   // usually $SSH_AUTH_SOCK
	// IdentitiesOnly keeps keys of the agent back that belong to no file above.
	IdentitiesOnly bool
	// Password is sent where the server asks for one, once.
	Password func() (string, error)
	// Keys keeps the keys of files that were opened, for all hosts of a run.
	Keys *Keyring

	// KnownHosts are known_hosts files as OpenSSH has them. A host whose key is
	// in none of them is refused.
	KnownHosts []string
	// Known, when set, is what those files say, read before.
	Known *KnownHosts
	// HostKeyAlias is looked up in known_hosts instead of the address.
	HostKeyAlias string

	Become Become

	ConnectTimeout time.Duration // to connect, authenticate and become root; 20 s
	KeepAlive      time.Duration // between signs of life, both ways; 5 s
	// IdleTimeout is how long the other side may give no sign of life, 60 s.
	// The controller then ends the operation with an error; the host ends
	// whatever runs, and frees its lock.
	IdleTimeout time.Duration

	RunDir   string // for the session, on a tmpfs; /run/hardway
	StateDir string // for good: lock, generation, what stood there before; /var/lib/hardway

	// Dial opens the TCP connection, net.Dialer's way when nil; Bastion.Dial leads
	// through another machine.
	Dial  DialFunc
	Now   func() time.Time // time.Now when nil
	Hooks Hooks
}

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Become says how the user becomes root.
type Become struct {
	Method BecomeMethod
	// Password is asked for when sudo or doas asks for one, at most once. When nil,
	// they must not ask (NOPASSWD, nopass).
	Password func() (string, error)
}

// BecomeMethod is a way to become root.
type BecomeMethod string

// BecomeNone is for a user who is root already.
const (
	BecomeNone BecomeMethod = "none"
	BecomeSudo BecomeMethod = "sudo"
	BecomeDoas BecomeMethod = "doas"
)

// Hooks are called as connections and channels open; tests count with them.
type Hooks struct {
	Connection func()
	Channel    func(kind string) // control, bulk or tcp
}

// The defaults of Config.
const (
	DefaultConnectTimeout = 20 * time.Second
	DefaultKeepAlive      = 5 * time.Second
	DefaultIdleTimeout    = 60 * time.Second
	DefaultRunDir         = "/run/hardway"
	DefaultStateDir       = "/var/lib/hardway"
)

// withDefaults fills in what is missing and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.ConnectTimeout, DefaultConnectTimeout)
	set(&c.KeepAlive, DefaultKeepAlive)
	set(&c.IdleTimeout, DefaultIdleTimeout)
	c.IdleTimeout = max(c.IdleTimeout, 2*c.KeepAlive)
	if c.RunDir == "" {
		c.RunDir = DefaultRunDir
	}
	if c.StateDir == "" {
		c.StateDir = DefaultStateDir
	}
	if c.Become.Method == "" {
		c.Become.Method = BecomeNone
	}
	if c.Name == "" {
		c.Name = c.Address
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Hooks.Connection == nil {
		c.Hooks.Connection = func() {}
	}
	if c.Hooks.Channel == nil {
		c.Hooks.Channel = func(string) {}
	}
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return c, fmt.Errorf("%s: address %q is not IP:PORT: %w", c.Name, c.Address, err)
	}
	if c.User == "" {
		return c, fmt.Errorf("%s: no user to log in as", c.Name)
	}
	for _, dir := range []string{c.RunDir, c.StateDir} {
		if !path.IsAbs(dir) || path.Clean(dir) != dir || strings.ContainsAny(dir, "\n\x00") {
			return c, fmt.Errorf("%s: %q is not a clean absolute path", c.Name, dir)
		}
	}
	switch c.Become.Method {
	case BecomeNone, BecomeSudo, BecomeDoas:
	default:
		return c, fmt.Errorf("%s: unknown way to become root: %q", c.Name, c.Become.Method)
	}
	if len(c.Signers) == 0 && len(c.PrivateKeys) == 0 && len(c.Certificates) == 0 && c.AgentSocket == "" && c.Password == nil {
		return c, errors.New(c.Name + ": no private key, no agent and no password to log in with; write ssh { private_key = … }, or start an ssh-agent")
	}
	if c.Keys == nil {
		c.Keys = NewKeyring(nil)
	}
	return c, nil
}
