package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/resource"
)

// cluster is a configuration directory with a state, the machines that it
// speaks of, in memory, and a farm at which they answer SSH.
type cluster struct {
	t        testing.TB
	dir      string
	identity string
	farm     *farm
	machines map[addr.Host]*hosttest.Machine
}

// epoch is when all of it happens, to the hour: certificates are issued and none
// is near its end.
var epoch = time.Now().Truncate(time.Hour)

// newCluster is a cluster of n hosts, three of them masters where there are ten
// or more, initialised, and nothing done to it.
func newCluster(t testing.TB, n int) *cluster { return newClusterWithin(t, n, 30*time.Second) }

// newClusterWithin is newCluster with a connect timeout.
func newClusterWithin(t testing.TB, n int, timeout time.Duration) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: scratch(t), farm: newFarm(t, n), machines: map[addr.Host]*hosttest.Machine{}}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	c.identity = id.String()
	addresses := make([]string, n)
	for i, h := range c.farm.hosts {
		addresses[i] = h.address
	}
	text := clusterText(n, addresses) + fmt.Sprintf("\nssh {\n  user = \"root\"\n  private_key = %q\n  known_hosts = %q\n  connect_timeout = %q\n}\nbinaries {\n  source = \"mirror\"\n  cache = \"cache\"\n}\n",
		c.farm.keyFile, c.farm.knownHosts, timeout)
	if err := os.WriteFile(filepath.Join(c.dir, "cluster.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := c.session(nil)
	defer c.close(s)
	c.connect(s.Config())
	fillMirror(t, filepath.Join(c.dir, "mirror"), s.Config())
	if _, err := s.Init(t.Context(), provision.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// scratch returns a directory that goes with the test, in memory where that is
// possible: every record of a state is synced, and it is not the disk that is
// measured here.
func scratch(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "hardway-bench-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// clusterText is the configuration of n hosts, without how to enter them and
// where binaries are. Addresses are where SSH answers, or nil.
func clusterText(n int, addresses []string) string {
	masters := 1
	if n >= 10 {
		masters = 3
	}
	var b strings.Builder
	b.WriteString(`
cluster "fleet" {
  kubernetes_version = "1.36.3"
  pod_cidr           = "10.64.0.0/12"
  service_cidr       = "10.32.0.0/20"
}
api "external" {
  host = "api.example.com"
}
network "bridge" {}
verify {
  image = ""
}
`)
	for role, count := range map[string][2]int{"master": {0, masters}, "node": {masters, n}} {
		if count[0] == count[1] {
			continue
		}
		fmt.Fprintf(&b, "%s \"h\" {\n  for_each = {\n", role)
		for i := count[0]; i < count[1]; i++ {
			ip, port := fmt.Sprintf("10.1.%d.%d", i/250, i%250+1), "22"
			if addresses != nil {
				ip, port, _ = strings.Cut(addresses[i], ":")
			}
			fmt.Fprintf(&b, "    %c%04d = { address = \"10.1.%d.%d\", ssh = %q, port = %s }\n", role[0], i, i/250, i%250+1, ip, port)
		}
		b.WriteString("  }\n  address = each.value.address\n  ssh {\n    host = each.value.ssh\n    port = each.value.port\n  }\n}\n")
	}
	return b.String()
}

// connect makes the machines and lets the farm answer for them.
func (c *cluster) connect(cfg *config.Cluster) {
	var first *hosttest.Machine
	for _, h := range cfg.Hosts {
		m := hosttest.NewMachine(h.Name)
		m.SetClock(func() time.Time { return epoch })
		m.System(func(o *facts.Observation) { o.Arch, o.Addresses = h.Arch, []string{h.Address.String()} })
		for _, dir := range []string{"/srv", "/usr/libexec"} {
			m.SetFile(dir, &hosttest.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"})
		}
		for _, key := range append(slices.Collect(maps.Keys(cfg.Machine.Sysctl)), "kernel.keys.root_maxbytes", "kernel.keys.root_maxkeys") {
			m.SetSysctl(key, "1")
		}
		for _, name := range cfg.Machine.Modules {
			m.SetModule(name, false)
		}
		if first == nil {
			first = m
		} else {
			hosttest.Join(first, m)
		}
		c.machines[h.Addr] = m
		at := fmt.Sprintf("%s:%d", h.SSH.Host, h.SSH.Port)
		i := slices.IndexFunc(c.farm.hosts, func(f *farmHost) bool { return f.address == at })
		c.farm.hosts[i].observe = func(q facts.Request) facts.Observation {
			o, err := m.Connect().Observe(context.Background(), q)
			if err != nil {
				panic(err)
			}
			return o
		}
	}
}

// session opens the configuration. Without a way to dial it uses SSH.
func (c *cluster) session(dial func(context.Context, config.Host) (host.Host, error)) *provision.Session {
	c.t.Helper()
	s, err := openSession(c.dir, c.identity, dial)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func openSession(dir, identity string, dial func(context.Context, config.Host) (host.Host, error)) (*provision.Session, error) {
	s, files, diags := provision.Open(provision.Options{
		Config: config.Options{Dir: dir, UserHome: dir}, Version: "0.0.0-bench", Now: func() time.Time { return epoch },
		Getenv: func(name string) string { return map[string]string{"HW_IDENTITY": identity}[name] }, Dial: dial,
	})
	if s == nil {
		var b strings.Builder
		_ = config.WriteDiagnostics(&b, files, diags, 100, false)
		return nil, fmt.Errorf("the configuration in %s:\n%s", dir, b.String())
	}
	return s, nil
}

func (c *cluster) close(s *provision.Session) {
	c.t.Helper()
	if err := s.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// settle applies until nothing is left to do, in memory: what is measured later
// is a plan that finds all as it should be.
func (c *cluster) settle() {
	c.t.Helper()
	s := c.session(c.inMemory)
	defer c.close(s)
	for range 5 {
		p, err := s.Plan(c.t.Context(), provision.PlanOptions{})
		if err != nil {
			c.t.Fatal(err)
		}
		if p.Complete && !p.Changed() {
			return
		}
		if _, err := s.Apply(c.t.Context(), p, provision.ApplyOptions{}); err != nil {
			c.t.Fatal(err)
		}
	}
	c.t.Fatal("no end after five steps")
}

// fillMirror writes a source of small binaries in the layout that init reads.
func fillMirror(t testing.TB, dir string, cfg *config.Cluster) {
	t.Helper()
	artifacts, err := wanted(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range artifacts {
		group := ""
		if a.Group != binaries.Kubernetes {
			group = string(a.Group)
		}
		path := filepath.Join(dir, group, "v"+a.Version, "bin/linux", a.Arch, a.Component)
		text := "#!/bin/sh\n# " + a.String() + "\n"
		for name, content := range map[string]string{path: text, path + ".sha256": resource.SHA256([]byte(text)) + "\n"} {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// wanted are the binaries that the hosts need.
func wanted(cfg *config.Cluster) ([]binaries.Artifact, error) {
	arches := map[addr.Role][]string{}
	for _, h := range cfg.Hosts {
		if !slices.Contains(arches[h.Addr.Role], h.Arch) {
			arches[h.Addr.Role] = append(arches[h.Addr.Role], h.Arch)
		}
	}
	return binaries.Wanted(binaries.Versions{
		binaries.Kubernetes: cfg.Version, binaries.Etcd: cfg.Etcd.Version, binaries.Containerd: cfg.Runtime.Version,
		binaries.Runc: cfg.Runtime.RuncVersion, binaries.CNIPlugins: cfg.Runtime.CNIPluginsVersion,
	}, arches)
}
