package audit

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

var (
	m1 = addr.Host{Role: addr.Master, Name: "m1"}
	n1 = addr.Host{Role: addr.Node, Name: "n1"}
)

// examples are the directories of the repository's examples, each with the file
// of values to load with it, where there is one.
func examples(t testing.TB) map[string][2]string {
	t.Helper()
	out := map[string][2]string{}
	dirs, err := filepath.Glob("../../examples/*/cluster.hcl")
	if err != nil || len(dirs) < 3 {
		t.Fatalf("examples: %v, %v", dirs, err)
	}
	for _, d := range dirs {
		dir := filepath.Dir(d)
		out[filepath.Base(dir)] = [2]string{dir, ""}
		files, _ := filepath.Glob(filepath.Join(dir, "*.hclvars"))
		for _, f := range files {
			if !strings.HasSuffix(f, ".auto.hclvars") {
				out[filepath.Base(dir)+" with "+filepath.Base(f)] = [2]string{dir, f}
			}
		}
	}
	return out
}

// wish is a configuration compiled: what it asks for, and the input of an audit of it.
type wish struct {
	cfg *config.Cluster
	set resource.Set
}

// compile loads the files of a directory and compiles them. more is added as a
// file of its own.
func compile(t testing.TB, dir, vars, more string) wish {
	t.Helper()
	work := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".ssh/id_ed25519", ".ssh/known_hosts", ".lab/id_ed25519", ".lab/known_hosts", ".cache/hardway/mirror/images/pause.tar", ".cache/hardway/mirror/images/agnhost.tar"} {
		write(name, "stands for "+name)
	}
	opts := config.Options{Dir: work, UserHome: work}
	sources, _ := filepath.Glob(filepath.Join(dir, "*.hcl"))
	if vars != "" {
		sources = append(sources, vars)
		opts.Vars = append(opts.Vars, config.VarInput{File: filepath.Join(work, filepath.Base(vars))})
	}
	for _, name := range sources {
		if filepath.Base(name) == binaries.LockName {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Base(name), string(text))
	}
	if more != "" {
		write("more.hcl", more)
	}
	cfg, files, diags := config.Load(opts)
	if diags.HasErrors() {
		var b strings.Builder
		_ = config.WriteDiagnostics(&b, files, diags, 100, false)
		t.Fatal(b.String())
	}
	r, err := desired.Build(desired.Input{Config: cfg, Lock: lockFor(t, cfg), State: state.Public{Lineage: "l", Cluster: cfg.Name}})
	if err != nil {
		t.Fatal(err)
	}
	return wish{cfg, r.Set}
}

// lockFor pins every binary that the hosts need.
func lockFor(t testing.TB, cfg *config.Cluster) binaries.Lock {
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
	lock := binaries.Lock{Binaries: map[binaries.Key]binaries.Pin{}, Images: map[string]binaries.ImagePin{}}
	for _, a := range wanted {
		lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{Version: a.Version, SHA256: resource.SHA256([]byte(a.String())), Size: 1}
	}
	for ref := range maps.Keys(cfg.Runtime.Images) {
		lock.Images[ref] = binaries.ImagePin{SHA256: resource.SHA256([]byte(ref)), Size: 1}
	}
	return lock
}

// audit evaluates a wish without hosts.
func (w wish) audit(checks ...string) Report {
	in := w.input()
	in.Checks = checks
	return Evaluate(in)
}

// input is that of an audit of the plan.
func (w wish) input() Input {
	in := Input{Tool: "test", Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Cluster: w.cfg.Name, Kubernetes: w.cfg.Version, Want: w.set}
	for _, h := range w.cfg.Hosts {
		m := Machine{Addr: h.Addr, Settings: map[string]Settings{}}
		for name, c := range map[string]config.Component{
			etcdServer: h.Etcd, api: h.APIServer, manager: h.ControllerManager, sched: h.Scheduler, let: h.Kubelet, proxy: h.KubeProxy,
		} {
			m.Settings[name] = Settings{c.FlagRanges, c.ConfigRanges}
		}
		in.Machines = append(in.Machines, m)
	}
	return in
}

// look audits hosts that were seen.
func (w wish) look(seen map[addr.Host]facts.Observation, only []addr.Host, checks ...string) Report {
	in := w.input()
	in.Seen, in.Hosts, in.Checks = seen, only, checks
	return Evaluate(in)
}
