package bench

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh"
)

// inMemory connects to the machines without SSH.
func (c *cluster) inMemory(_ context.Context, h config.Host) (host.Host, error) {
	return c.machines[h.Addr].Connect(), nil
}

// dialFarm opens a session with one host of a farm, as package provision would.
func dialFarm(t testing.TB, f *farm, address string) *ssh.Host {
	t.Helper()
	h, err := ssh.Dial(t.Context(), ssh.Config{
		Name: address, Address: address, User: "root", PrivateKeys: []string{f.keyFile}, KnownHosts: []string{f.knownHosts},
		ConnectTimeout: 10 * time.Second, RunDir: filepath.Join(t.TempDir(), "run"), StateDir: filepath.Join(t.TempDir(), "state"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// requestOf is what a plan asks of one host, caught on its way.
func requestOf(t testing.TB, s *provision.Session, at addr.Host) facts.Request {
	t.Helper()
	var got facts.Request
	c, err := openSession(s.Config().Dir, "", func(_ context.Context, h config.Host) (host.Host, error) {
		return catcher{at: h.Addr == at, got: &got}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Plan(t.Context(), provision.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	return got
}

// catcher is a host that only remembers what it was asked.
type catcher struct {
	host.Host
	at  bool
	got *facts.Request
}

func (c catcher) Observe(_ context.Context, q facts.Request) (facts.Observation, error) {
	if c.at {
		*c.got = q
	}
	return facts.Unreachable(context.Canceled), nil
}

func (catcher) Close() error { return nil }
