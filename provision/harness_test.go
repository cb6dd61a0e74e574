package provision_test

import (
	"context"

	"os"
	"path/filepath"

	"strings"

	"testing"
	"time"

	"filippo.io/age"
	"github.com/hashicorp/hcl/v2"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/resource"
)

// world is one controller with its configuration directory, and the machines
// that the configuration speaks of, in memory.
type world struct {
	t        testing.TB
	dir      string
	vars     []config.VarInput
	identity string
	now      func() time.Time
	machines map[addr.Host]*hosttest.Machine
	down     map[addr.Host]error // hosts that cannot be dialled, and why
	// wrap, when set, stands between a session and its hosts.
	wrap func(addr.Host, host.Host) host.Host
}

var (
	m1 = addr.Host{Role: addr.Master, Name: "m1"}
	n1 = addr.Host{Role: addr.Node, Name: "n1"}
)

// epoch is when all of it happens.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scratch returns a directory that goes with the test, on a file system in
// memory where there is one: each record of a state is synced, thousands of them
// in these tests, and it is not the disk that is tested here.
func scratch(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "hardway-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// newWorld copies the configuration in from, adds the files that it names and a
// mirror of small binaries, and initialises the state.
func newWorld(t testing.TB, from string, varFiles ...string) *world {
	t.Helper()
	w := emptyWorld(t, from, varFiles...)
	s := w.open()
	defer w.close(s)
	mirror(t, filepath.Join(w.dir, "mirror"), s.Config())
	if _, err := s.Init(t.Context(), provision.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// emptyWorld is newWorld before init.
func emptyWorld(t testing.TB, from string, varFiles ...string) *world {
	t.Helper()
	w := &world{t: t, dir: scratch(t), identity: newIdentity(t), now: func() time.Time { return epoch }, machines: map[addr.Host]*hosttest.Machine{}}
	text := w.copyConfig(from)
	if !strings.Contains(text, "\nbinaries {") {
		w.write("binaries.hcl", "binaries { source = \"mirror\" }\n")
	}
	for name, value := range map[string]string{"mirror": w.dir + "/mirror", "ssh_key": "id_ed25519", "known_hosts": "known_hosts"} {
		if strings.Contains(text, "variable \""+name+"\"") {
			w.vars = append(w.vars, config.VarInput{Name: name, Value: value})
		}
	}
	for _, name := range varFiles {
		w.vars = append(w.vars, config.VarInput{File: filepath.Join(w.dir, name)})
	}
	for _, name := range []string{"id_ed25519", "known_hosts", ".lab/id_ed25519", ".lab/known_hosts", "mirror/images/pause.tar", "mirror/images/agnhost.tar"} {
		w.write(name, "stands for "+name+"\n")
	}
	s := w.open()
	defer w.close(s)
	w.makeMachines(s.Config())
	return w
}

func newIdentity(t testing.TB) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

func (w *world) copyConfig(from string) (text string) {
	w.t.Helper()
	for _, pattern := range []string{"*.hcl", "*.hclvars"} {
		names, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, name := range names {
			base := filepath.Base(name)
			if base == binaries.LockName || strings.HasSuffix(base, ".auto.hclvars") {
				continue // of somebody who works in that directory
			}
			b, err := os.ReadFile(name)
			if err != nil {
				w.t.Fatal(err)
			}
			w.write(base, string(b))
			text += "\n" + string(b)
		}
	}
	if text == "" {
		w.t.Fatalf("there is no configuration in %s", from)
	}
	return text
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// edit replaces a part of the configuration that must be there.
func (w *world) edit(old, replacement string) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "cluster.hcl"))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		w.t.Fatalf("the configuration has no %q", old)
	}
	w.write("cluster.hcl", strings.Replace(string(b), old, replacement, 1))
}

func (w *world) makeMachines(cfg *config.Cluster) {
	var first *hosttest.Machine
	for _, h := range cfg.Hosts {
		m := hosttest.NewMachine(h.Name)
		m.SetClock(w.now)
		if first == nil {
			first = m
		} else {
			hosttest.Join(first, m)
		}
		w.machines[h.Addr] = m
	}
	for _, h := range cfg.Hosts {
		machine(w.machines[h.Addr], h, cfg)
	}
}

// mirror writes a source of binaries in the layout that init reads.
func mirror(t testing.TB, dir string, cfg *config.Cluster) {
	t.Helper()
	arches := map[addr.Role][]string{}
	for _, h := range cfg.Hosts {
		arches[h.Addr.Role] = append(arches[h.Addr.Role], h.Arch)
	}
	wanted, err := binaries.Wanted(binaries.Versions{
		binaries.Kubernetes: cfg.Version, binaries.Etcd: cfg.Etcd.Version, binaries.Containerd: cfg.Runtime.Version,
		binaries.Runc: cfg.Runtime.RuncVersion, binaries.CNIPlugins: cfg.Runtime.CNIPluginsVersion,
	}, arches)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range wanted {
		group := ""
		if a.Group != binaries.Kubernetes {
			group = string(a.Group)
		}
		path := filepath.Join(dir, group, "v"+a.Version, "bin/linux", a.Arch, a.Component)
		text := "#!/bin/sh\n# " + a.String() + "\n"
		for name, content := range map[string]string{path: text, path + ".sha256": resource.SHA256([]byte(text)) + "\n"} {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// options of a session of this world's controller.
func (w *world) options() provision.Options {
	return provision.Options{
		Config: config.Options{Dir: w.dir, UserHome: w.dir, Vars: w.vars}, Version: "0.0.0-test", Now: w.now, Settle: time.Millisecond,
		Getenv: func(name string) string { return map[string]string{"HW_IDENTITY": w.identity}[name] },
		Dial: func(_ context.Context, h config.Host) (host.Host, error) {
			if err := w.down[h.Addr]; err != nil {
				return nil, err
			}
			m := w.machines[h.Addr]
			if w.wrap != nil {
				return w.wrap(h.Addr, m.Connect()), nil
			}
			return m.Connect(), nil
		},
	}
}

func (w *world) open() *provision.Session {
	w.t.Helper()
	s, files, diags := provision.Open(w.options())
	if s == nil {
		w.t.Fatal(rendered(files, diags))
	}
	return s
}

func rendered(files *config.Files, diags hcl.Diagnostics) string {
	var b strings.Builder
	_ = config.WriteDiagnostics(&b, files, diags, 100, false)
	return b.String()
}

func (w *world) close(s *provision.Session) {
	w.t.Helper()
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
}
