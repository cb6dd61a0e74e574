package provision_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// FuzzPlan: whatever text is the only file of a directory, loading, compiling and
// planning it ends with a plan or with an error, without a panic and in time.
func FuzzPlan(f *testing.F) {
	for _, pattern := range []string{"testdata/*/cluster.hcl", "../examples/*/*.hcl", "desired/testdata/*.hcl"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil && filepath.Base(name) != binaries.LockName {
				f.Add(string(text))
			}
		}
	}
	f.Add(hostileBase().text())
	for _, field := range stringFields() {
		doc := hostileBase()
		expr := literal("a\"$(x)%i\n")
		if field.expression != nil {
			expr = field.expression(expr)
		}
		doc[field.block][field.attribute] = expr
		f.Add(doc.text())
	}
	debug.SetMaxStack(64 << 20)
	f.Fuzz(func(t *testing.T, text string) {
		dir := scratch(t)
		for name, content := range map[string]string{"cluster.hcl": text, "key": "x", "known": "", "id_ed25519": "x", "known_hosts": "", "pause.tar": "x", "agnhost.tar": "x"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		planText(t, dir)
		if took := time.Since(start); took > 20*time.Second { // a few on an idle machine
			t.Fatalf("it took %v", took)
		}
	})
}

// planText goes the whole way to a plan, as far as the text leads.
func planText(t *testing.T, dir string) {
	s, _, diags := provision.Open(provision.Options{Config: config.Options{Dir: dir, UserHome: dir}})
	if diags.HasErrors() {
		return
	}
	defer func() { _ = s.Close() }()
	cfg := s.Config()
	if len(cfg.Hosts) > 200 {
		return // hundreds of hosts are the benchmark's
	}
	lock := binaries.Lock{Binaries: map[binaries.Key]binaries.Pin{}, Images: map[string]binaries.ImagePin{}}
	wanted, err := binaries.Wanted(binaries.Versions{
		binaries.Kubernetes: cfg.Version, binaries.Etcd: cfg.Etcd.Version, binaries.Containerd: cfg.Runtime.Version,
		binaries.Runc: cfg.Runtime.RuncVersion, binaries.CNIPlugins: cfg.Runtime.CNIPluginsVersion,
	}, map[addr.Role][]string{addr.Master: {"amd64", "arm64"}, addr.Node: {"amd64", "arm64"}})
	if err != nil {
		return
	}
	for _, a := range wanted {
		lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{Version: a.Version, SHA256: resource.SHA256([]byte(a.Component)), Size: 1}
	}
	for ref := range cfg.Runtime.Images {
		lock.Images[ref] = binaries.ImagePin{SHA256: resource.SHA256([]byte(ref)), Size: 1}
	}
	public := state.Public{Lineage: "l", Cluster: cfg.Name}
	want, err := desired.Build(desired.Input{Config: cfg, Lock: lock, State: public})
	if err != nil {
		if strings.TrimSpace(err.Error()) == "" {
			t.Error("an error without a word")
		}
		return
	}
	seen := map[addr.Host]facts.Observation{}
	for i, h := range cfg.Hosts {
		seen[h.Addr] = facts.Observation{Arch: h.Arch, Hostname: h.Name}
		if i%3 == 2 {
			seen[h.Addr] = facts.Observation{Err: "no route to host"}
		}
	}
	p, err := plan.Compute(plan.Input{
		Tool: "test", Cluster: cfg.Name, ConfigDigest: cfg.Digest, Now: epoch, Recipients: cfg.State.Recipients,
		Desired: want.Set, Allocations: want.Allocations, Observed: seen, State: public,
	})
	if err != nil {
		t.Fatalf("a configuration that was compiled has no plan: %v", err)
	}
	if _, err := plan.Encode(p); err != nil {
		t.Fatalf("a plan that cannot be written: %v", err)
	}
}
