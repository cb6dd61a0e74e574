package provision_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"hardway/provision"
	"hardway/provision/config"
	"hardway/provision/host/ssh/sshtest"
)

// ways is a configuration whose hosts are servers in this process. None of them is
// known yet.
type ways struct {
	*testing.T
	dir, home string
	key       ssh.PublicKey
}

func newWays(t *testing.T) *ways {
	t.Helper()
	w := &ways{T: t, dir: t.TempDir(), home: t.TempDir()}
	path := sshtest.NewKeyFile(t, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("no key")
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	w.key = signer.PublicKey()
	w.write("id_ed25519", string(text))
	w.write("cluster.hcl", "cluster \"c\" {\n  kubernetes_version = \"1.37.1\"\n  pod_cidr           = \"10.244.0.0/16\"\n  service_cidr       = \"10.96.0.0/16\"\n}\n")
	return w
}

func (w *ways) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *ways) server(o sshtest.Options) (*sshtest.Server, string) {
	w.Helper()
	o.Keys = append(o.Keys, w.key)
	s := sshtest.Start(w.T, o)
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		w.Fatal(err)
	}
	return s, port
}

func (w *ways) open() *provision.Session {
	w.Helper()
	s, _, diags := provision.Open(provision.Options{Config: config.Options{Dir: w.dir, UserHome: w.home}, Getenv: func(string) string { return "" }})
	if s == nil {
		w.Fatal(diags)
	}
	w.Cleanup(func() { _ = s.Close() })
	return s
}

// trusted asks and trusts until nothing is unknown, and returns the names in the
// order in which they were learned.
func (w *ways) trusted(s *provision.Session, names ...string) []string {
	w.Helper()
	var out []string
	for range 5 {
		keys, err := s.HostKeys(w.Context(), names)
		if err != nil {
			w.Fatal(err)
		}
		var fresh []provision.HostKeys
		for _, k := range keys {
			if k.Err != nil {
				w.Fatal(k.Err)
			}
			if k.Unknown() {
				fresh = append(fresh, k)
				out = append(out, k.Name)
			}
		}
		if len(fresh) == 0 {
			return out
		}
		if err := s.Trust(w.Context(), fresh); err != nil {
			w.Fatal(err)
		}
	}
	w.Fatal("there is no end of unknown hosts")
	return nil
}

// Bastions are learned before what is behind them, shared by all hosts, and each of
// the machines is known afterwards.
func TestTrustThroughBastions(t *testing.T) {
	w := newWays(t)
	outer, outerPort := w.server(sshtest.Options{})
	inner, innerPort := w.server(sshtest.Options{})
	_, m1 := w.server(sshtest.Options{})
	_, n1 := w.server(sshtest.Options{})
	_, n2 := w.server(sshtest.Options{})
	w.write("hosts.hcl", fmt.Sprintf(`
ssh {
  user        = "root"
  private_key = "id_ed25519"
  known_hosts = "known_hosts"

  bastion {
    host = "127.0.0.1"
    port = %s
    user = "ops"
  }

  bastion {
    host = "127.0.0.1"
    port = %s
  }
}

master "m1" {
  address = "192.168.10.21"

  ssh {
    host = "127.0.0.1"
    port = %s
  }
}

node "n1" {
  address = "192.168.10.31"

  ssh {
    host = "127.0.0.1"
    port = %s
  }
}

node "n2" {
  address = "192.168.10.32"

  ssh {
    host   = "127.0.0.1"
    port   = %s
    direct = true
  }
}
`, outerPort, innerPort, m1, n1, n2))
	s := w.open()
	got := w.trusted(s)
	want := []string{"bastion 127.0.0.1", `node["n2"]`, "bastion 127.0.0.1", `master["m1"]`, `node["n1"]`}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("learned %q, want %q", got, want)
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "known_hosts"))
	if err != nil || strings.Count(string(text), "\n") != 5 {
		t.Errorf("%q, %v", text, err)
	}
	before := [2]int64{outer.Connections.Load(), inner.Forwarded.Load()}
	keys, err := s.HostKeys(t.Context(), []string{"n1", `master["m1"]`})
	if err != nil || len(keys) != 4 {
		t.Errorf("%d machines, %v", len(keys), err)
	}
	for _, k := range keys {
		if !k.Known {
			t.Errorf("%s is not known: %v", k.Name, k.Err)
		}
		if k.Bastion != strings.HasPrefix(k.Name, "bastion") || k.Bastion && len(k.Hosts) != 2 {
			t.Errorf("%+v", k)
		}
	}
	// Its own keys are asked for at every look; one connection is for those behind.
	if n := outer.Connections.Load() - before[0]; n > 2*3+1 {
		t.Errorf("%d connections to the outer bastion", n)
	}
	if _, err := s.HostKeys(t.Context(), []string{"n9"}); err == nil || !strings.Contains(err.Error(), "m1, n1, n2") {
		t.Errorf("got %v", err)
	}
}

// A key that differs from the known one is neither learned nor replaced, and what
// stands there is named.
func TestTrustReplacesNothing(t *testing.T) {
	w := newWays(t)
	s, port := w.server(sshtest.Options{})
	old := xknownhosts.Line([]string{s.Address}, sshtest.NewKey(t).PublicKey()) + "\n"
	w.write("known_hosts", old)
	w.write("hosts.hcl", fmt.Sprintf("ssh {\n  user        = \"root\"\n  private_key = \"id_ed25519\"\n  known_hosts = \"known_hosts\"\n}\n\nmaster \"m1\" {\n  address = \"192.168.10.21\"\n\n  ssh {\n    host = \"127.0.0.1\"\n    port = %s\n  }\n}\n", port))
	session := w.open()
	keys, err := session.HostKeys(t.Context(), nil)
	if err != nil || len(keys) != 1 || keys[0].Unknown() {
		t.Fatalf("%+v, %v", keys, err)
	}
	for _, part := range []string{filepath.Join(w.dir, "known_hosts") + ":1", "ssh-keygen -f", "-R '[127.0.0.1]:" + port} {
		if !strings.Contains(keys[0].Err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, keys[0].Err)
		}
	}
	if err := session.Trust(t.Context(), keys); err == nil {
		t.Error("it was learned")
	}
	if text, _ := os.ReadFile(filepath.Join(w.dir, "known_hosts")); string(text) != old {
		t.Errorf("known_hosts is now %q", text)
	}
	if n := s.Attempts.Load(); n != 0 {
		t.Errorf("%d attempts to log in", n)
	}
}

// ssh_config fills what HCL leaves out, a chain of jumps included; what HCL says wins.
func TestSSHConfig(t *testing.T) {
	w := newWays(t)
	jump, jumpPort := w.server(sshtest.Options{})
	_, m1 := w.server(sshtest.Options{})
	_, n1 := w.server(sshtest.Options{})
	w.write("ssh_config", fmt.Sprintf(`
Host jump
  HostName 127.0.0.1
  Port %s
  User ops
Host first
  HostName 127.0.0.1
  Port %s
  User root
  ProxyJump jump
Host second
  HostName 127.0.0.1
  Port 1
  User root
Host circle
  ProxyJump circle
Host commanded
  ProxyCommand nc %%h %%p
Host *
  IdentityFile %s/id_ed25519
  UserKnownHostsFile %s/known
`, jumpPort, m1, w.dir, w.dir))
	w.write("hosts.hcl", fmt.Sprintf(`
ssh {
  ssh_config = "ssh_config"
}

master "m1" {
  address = "192.168.10.21"

  ssh {
    host = "first"
  }
}

node "n1" {
  address = "192.168.10.31"

  ssh {
    host = "second"
    port = %s
  }
}

node "n2" {
  address = "192.168.10.32"

  ssh {
    host = "circle"
  }
}

node "n3" {
  address = "192.168.10.33"

  ssh {
    host = "commanded"
  }
}
`, n1))
	s := w.open()
	if got := strings.Join(w.trusted(s, "m1", "n1"), " "); got != `bastion jump node["n1"] master["m1"]` {
		t.Errorf("learned %s", got)
	}
	if n := jump.Forwarded.Load(); n == 0 {
		t.Error("nothing went through the bastion of ssh_config")
	}
	if _, err := os.Stat(filepath.Join(w.dir, "known")); err != nil {
		t.Errorf("the keys are not where ssh_config has them: %v", err)
	}
	keys, err := s.HostKeys(context.Background(), []string{"n2", "n3"})
	if err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	for i, part := range []string{"circle", "ProxyCommand nc"} {
		if keys[i].Err == nil || !strings.Contains(keys[i].Err.Error(), part) {
			t.Errorf("%s: got %v, want it to say %q", keys[i].Name, keys[i].Err, part)
		}
	}
}
