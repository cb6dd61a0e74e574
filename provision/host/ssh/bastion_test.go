package ssh

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// behindBastion returns how to reach a server through others, the first one nearest.
func behindBastion(t *testing.T, s *sshtest.Server, way ...*sshtest.Server) (Config, []*Bastion) {
	t.Helper()
	var bastions []*Bastion
	var dial DialFunc
	for i, w := range way {
		c := config(t, w)
		c.Name = "bastion " + string(rune('a'+i))
		c.Dial = dial
		b := NewBastion(c)
		t.Cleanup(func() { _ = b.Close() })
		bastions, dial = append(bastions, b), b.Dial
	}
	c := config(t, s)
	c.Dial = dial
	return c, bastions
}

// Any number of hosts costs one connection to the bastion, and a chain one to each.
func TestBastionIsShared(t *testing.T) {
	needsRoot(t)
	outer, inner := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	_, bastions := behindBastion(t, outer, outer, inner)
	var dialling sync.WaitGroup
	for range 8 {
		s := sshtest.Start(t, sshtest.Options{})
		c := config(t, s)
		c.Dial = bastions[1].Dial
		dialling.Go(func() {
			h, err := Dial(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}}); err != nil {
				t.Error(err)
			}
		})
	}
	dialling.Wait()
	if a, b := outer.Connections.Load(), inner.Connections.Load(); a != 1 || b != 1 {
		t.Errorf("%d connections to the outer bastion and %d to the inner one, want 1 each", a, b)
	}
	if a, b := outer.Forwarded.Load(), inner.Forwarded.Load(); a != 1 || b != 8 {
		t.Errorf("the outer bastion passed on %d connections, the inner one %d; want 1 and 8", a, b)
	}
}

func TestBastionErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		server sshtest.Options
		change func(c *Config, bastion *Config)
		says   []string
		none   bool // nothing may reach the bastion's login
	}{
		{name: "unknown key", change: func(_, b *Config) { b.KnownHosts = []string{empty(t)} }, says: []string{"its host key is not in"}, none: true},
		{name: "not let in", change: func(_, b *Config) { b.Signers = []ssh.Signer{sshtest.NewKey(t)} }, says: []string{"does not let user"}},
		{name: "dead", change: func(_, b *Config) { b.Address = "127.0.0.1:1" }, says: []string{"127.0.0.1:1", "refused"}},
		{name: "forbids forwarding", server: sshtest.Options{NoForwarding: true}, says: []string{"AllowTcpForwarding"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, way := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, c.server)
			bastion := config(t, way)
			bastion.Name, bastion.User = "bastion jump", "ops"
			cfg := config(t, target)
			if c.change != nil {
				c.change(&cfg, &bastion)
			}
			b := NewBastion(bastion)
			defer b.Close()
			cfg.Dial = b.Dial
			for range 3 { // however many hosts are behind it
				_, err := Dial(t.Context(), cfg)
				e, ok := errors.AsType[*BastionError](err)
				if !ok || e.Name != "bastion jump" {
					t.Fatalf("got %T: %v", err, err)
				}
				for _, part := range append(c.says, "m1", "bastion jump") {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error does not say %q: %v", part, err)
					}
				}
			}
			if n := way.Connections.Load(); n > 1 {
				t.Errorf("%d connections to a bastion that failed", n)
			}
			if c.none && way.Attempts.Load() > 0 {
				t.Error("somebody tried to log in on a bastion that was not known")
			}
			if n := target.Connections.Load(); n != 0 {
				t.Errorf("%d connections to the host", n)
			}
		})
	}
}

func empty(t *testing.T) string {
	t.Helper()
	return sshtest.Start(t, sshtest.Options{}).WriteKnownHosts(t, "")
}

// A host behind a bastion that cannot be reached is not the bastion's fault.
func TestHostBehindBastion(t *testing.T) {
	way := sshtest.Start(t, sshtest.Options{})
	cfg, _ := behindBastion(t, sshtest.Start(t, sshtest.Options{}), way)
	cfg.Address = "127.0.0.1:1"
	known, err := ReadKnownHosts(cfg.KnownHosts...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Known = known
	_, err = Dial(t.Context(), cfg)
	if _, bastion := errors.AsType[*BastionError](err); err == nil || bastion || !strings.Contains(err.Error(), "bastion a") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}

// The host's key is checked behind a bastion as in front of it: a bastion that puts
// itself in the place of the host learns nothing.
func TestBastionCannotBeTheHost(t *testing.T) {
	target, impostor := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	cfg, _ := behindBastion(t, target, sshtest.Start(t, sshtest.Options{}))
	cfg.KnownHosts = []string{target.WriteKnownHosts(t, strings.ReplaceAll(read(t, cfg.KnownHosts[0]), target.Address[strings.LastIndexByte(target.Address, ':'):], impostor.Address[strings.LastIndexByte(impostor.Address, ':'):]))}
	cfg.Address = impostor.Address
	if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "not the known one") {
		t.Errorf("got %v", err)
	}
	if n := impostor.Attempts.Load(); n != 0 {
		t.Errorf("%d attempts to log in at the impostor", n)
	}
}

// A bastion that dies takes the connections behind it along, and is named.
func TestBastionDies(t *testing.T) {
	needsRoot(t)
	way := sshtest.Start(t, sshtest.Options{})
	cfg, bastions := behindBastion(t, sshtest.Start(t, sshtest.Options{}), way)
	h, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	way.Cut()
	_, err = h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}})
	lost, ok := errors.AsType[*host.LostError](err)
	if !ok || !strings.Contains(lost.Error(), "bastion a") {
		t.Errorf("got %v", err)
	}
	if _, err := bastions[0].Dial(t.Context(), "tcp", cfg.Address); err == nil || !strings.Contains(err.Error(), "bastion a") {
		t.Errorf("got %v", err)
	}
}

// A bastion that hangs is found out before the host behind it is blamed, whichever
// notices first: the probe, or a kernel that gives the connection up.
func TestBastionHangs(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	p := newProxy(t, s.Address, cut{mode: cutHole, dir: toController, offset: 40 << 10})
	bastion := config(t, s)
	bastion.Name, bastion.Address, bastion.HostKeyAlias = "bastion jump", p.address, "jump"
	bastion.KnownHosts = []string{s.WriteKnownHosts(t, "jump "+strings.SplitN(read(t, bastion.KnownHosts[0]), " ", 2)[1])}
	bastion.KeepAlive, bastion.IdleTimeout = 100*time.Millisecond, 2*time.Second
	b := NewBastion(bastion)
	defer b.Close()
	cfg := config(t, sshtest.Start(t, sshtest.Options{}))
	cfg.KeepAlive, cfg.IdleTimeout, cfg.Dial = 100*time.Millisecond, 4*time.Second, b.Dial
	h, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	_, err = h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"head", "-c", "200000", "/dev/zero"}})
	if _, ok := errors.AsType[*BastionError](err); !ok || !strings.Contains(err.Error(), "bastion jump") {
		t.Errorf("got %v", err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
