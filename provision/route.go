package provision

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
	"sync"

	"hardway/provision/config"
	"hardway/provision/host"
	"hardway/provision/host/ssh"
	"hardway/provision/host/ssh/sshconfig"
)

// routes are the ways to hosts: what the configuration and, if it is read,
// ssh_config say, with everything that hosts share and that is read or opened once.
type routes struct {
	getenv func(string) string
	home   string
	keys   *ssh.Keyring
	client string // OpenSSH's, for ssh -G; empty if there is none

	mu       sync.Mutex
	known    map[string]*ssh.KnownHosts // by the names of their files
	bastions map[string]*ssh.Bastion    // by the whole way to each
	looked   map[string]sshconfig.Settings
}

func newRoutes(o Options) *routes {
	r := &routes{getenv: o.Getenv, home: o.Config.UserHome, keys: ssh.NewKeyring(o.AskSecret),
		known: map[string]*ssh.KnownHosts{}, bastions: map[string]*ssh.Bastion{}, looked: map[string]sshconfig.Settings{}}
	if path, err := exec.LookPath("ssh"); err == nil {
		r.client = path
	}
	return r
}

// maxHops bounds a chain of bastions: ssh_config may lead in a circle.
const maxHops = 8

// dialSSH connects to a host as its ssh block says.
func (s *Session) dialSSH(ctx context.Context, h config.Host) (host.Host, error) {
	c, err := s.routes.to(ctx, h)
	if err != nil {
		return nil, err
	}
	conn, err := ssh.Dial(ctx, c)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// to returns how to reach a host, through its bastions.
func (r *routes) to(ctx context.Context, h config.Host) (ssh.Config, error) {
	way, err := r.way(ctx, h)
	if err != nil {
		return ssh.Config{}, err
	}
	c := way[len(way)-1]
	c.Become = become(h.SSH.Become, c.User)
	if c.Become.Method == ssh.BecomeNone && c.User != "root" {
		return c, fmt.Errorf("%s: ssh_config says user %s, who cannot become root with become { method = \"none\" }", h.Addr, c.User)
	}
	return c, nil
}

// way returns the machines on the way to a host, which is the last of them. Each
// after the first is dialled from the one before it.
func (r *routes) way(ctx context.Context, h config.Host) ([]ssh.Config, error) {
	last, jumps, err := r.resolve(ctx, h.Addr.String(), h.SSH.Login)
	if err != nil {
		return nil, err
	}
	hops := h.SSH.Bastions
	if len(hops) == 0 && !h.SSH.Direct {
		if hops, err = r.jumped(ctx, h.SSH.Login, jumps, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Addr, err)
		}
	}
	var way []ssh.Config
	var dial ssh.DialFunc
	id := ""
	for _, hop := range hops {
		c, _, err := r.resolve(ctx, "bastion "+hop.Host, hop)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Addr, err)
		}
		c.Dial = dial
		way = append(way, c)
		id += fmt.Sprintf("%q %q %q %q %q %v %q %q\n", c.Address, c.User, c.PrivateKeys, c.Certificates, c.AgentSocket, c.IdentitiesOnly, c.KnownHosts, c.HostKeyAlias)
		dial = r.bastion(id, c).Dial
	}
	last.Dial = dial
	return append(way, last), nil
}

// bastion returns the one that hosts with the same way share.
func (r *routes) bastion(id string, c ssh.Config) *ssh.Bastion {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bastions[id] == nil {
		r.bastions[id] = ssh.NewBastion(c)
	}
	return r.bastions[id]
}

func become(b config.Become, user string) ssh.Become {
	out := ssh.Become{Method: ssh.BecomeMethod(b.Method)}
	if out.Method == "" {
		if out.Method = ssh.BecomeSudo; user == "root" {
			out.Method = ssh.BecomeNone
		}
	}
	if b.Password.IsSet() {
		out.Password = func() (string, error) { return b.Password.Reveal(), nil }
	}
	return out
}

// jumped makes hops of ssh_config's ProxyJump. What ssh_config and the directive do
// not say of them comes from the ssh block, as for a bastion block. The first one may
// have a way of its own, as with ssh -J.
func (r *routes) jumped(ctx context.Context, outer config.Login, jumps []sshconfig.Jump, depth int) ([]config.Login, error) {
	if len(jumps)+depth > maxHops {
		return nil, fmt.Errorf("more than %d bastions on the way; ProxyJump in ssh_config may lead in a circle", maxHops)
	}
	var out []config.Login
	for i, j := range jumps {
		hop := outer
		hop.Host, hop.Port, hop.User, hop.Password, hop.HostKeyAlias = j.Host, j.Port, cmp.Or(j.User, outer.User), config.Secret{}, ""
		if i == 0 {
			_, more, err := r.resolve(ctx, "bastion "+hop.Host, hop)
			if err != nil {
				return nil, err
			}
			if out, err = r.jumped(ctx, outer, more, depth+len(jumps)); err != nil {
				return nil, err
			}
		}
		out = append(out, hop)
	}
	return out, nil
}

// resolve lays what the configuration says of one login over what ssh_config says.
func (r *routes) resolve(ctx context.Context, name string, l config.Login) (ssh.Config, []sshconfig.Jump, error) {
	c := ssh.Config{
		Name: name, User: l.User, PrivateKeys: l.PrivateKeys, Certificates: l.Certificates, AgentSocket: r.agent(l.Agent),
		Keys: r.keys, KnownHosts: l.KnownHosts, HostKeyAlias: l.HostKeyAlias, ConnectTimeout: l.ConnectTimeout,
		// A server counts every key as an attempt, and turns away after a few: with
		// keys named, others are not offered.
		IdentitiesOnly: len(l.PrivateKeys)+len(l.Certificates) > 0,
	}
	if l.Password.IsSet() {
		c.Password = func() (string, error) { return l.Password.Reveal(), nil }
	}
	target, port := l.Host, l.Port
	var jumps []sshconfig.Jump
	if l.SSHConfig.Read {
		s, err := r.lookup(ctx, l)
		if err != nil {
			return c, nil, fmt.Errorf("%s: %w", name, err)
		}
		target, port, c.User, jumps = s.HostName, s.Port, s.User, s.ProxyJump
		if c.PrivateKeys == nil {
			c.PrivateKeys, c.IdentitiesOnly = existing(s.IdentityFiles), s.IdentitiesOnly
		}
		if c.Certificates == nil {
			c.Certificates = existing(s.CertificateFiles)
		}
		if l.Agent == "" && s.IdentityAgent != "" {
			c.AgentSocket = r.agent(s.IdentityAgent)
		}
		if c.KnownHosts == nil {
			c.KnownHosts = s.KnownHostsFiles
		}
		c.HostKeyAlias = cmp.Or(c.HostKeyAlias, s.HostKeyAlias)
		c.ConnectTimeout = cmp.Or(c.ConnectTimeout, s.ConnectTimeout, config.DefaultConnectTimeout)
	}
	if l.IdentitiesOnly != nil {
		c.IdentitiesOnly = *l.IdentitiesOnly
	}
	c.Address = joinHostPort(target, port)
	var err error
	if c.Known, err = r.knownHosts(c.KnownHosts); err != nil {
		return c, nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, jumps, nil
}

// lookup asks ssh_config once for each name: a bastion has as many hosts behind it as
// there are.
func (r *routes) lookup(ctx context.Context, l config.Login) (sshconfig.Settings, error) {
	key := fmt.Sprintf("%q %q %q %d", l.SSHConfig.File, l.Host, l.User, l.Port)
	r.mu.Lock()
	s, ok := r.looked[key]
	r.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := r.reader(l.SSHConfig).Lookup(ctx, l.Host, l.User, l.Port)
	if err != nil {
		return s, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked[key] = s
	return s, nil
}

func (r *routes) agent(setting string) string {
	switch setting {
	case "none":
		return ""
	case "":
		return r.getenv("SSH_AUTH_SOCK")
	}
	return setting
}

func (r *routes) reader(c config.SSHConfig) sshconfig.Reader {
	out := sshconfig.Reader{File: c.File, SSH: r.client, Home: r.home, Getenv: r.getenv}
	if u, err := user.Current(); err == nil {
		out.User = u.Username
		out.Home = cmp.Or(out.Home, u.HomeDir)
	}
	return out
}

// existing leaves out files that are not there: ssh_config names keys that a person
// might have.
func existing(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		_, err := os.Stat(p)
		return err != nil
	})
}

// knownHosts reads files once in a session.
func (r *routes) knownHosts(files []string) (*ssh.KnownHosts, error) {
	if len(files) == 0 {
		return nil, nil // ssh.Dial says what to do
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := strings.Join(files, "\x00")
	if r.known[key] == nil {
		known, err := ssh.ReadKnownHosts(files...)
		if err != nil {
			return nil, err
		}
		r.known[key] = known
	}
	return r.known[key], nil
}

// forget drops what was read of known_hosts, and the bastions that were refused by it.
func (r *routes) forget() {
	r.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.known)
}

// close ends the connections to bastions.
func (r *routes) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bastions {
		_ = b.Close() // nothing is under way through it any more
	}
	clear(r.bastions)
}
