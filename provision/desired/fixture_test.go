package desired

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

var update = flag.Bool("update", false, "rewrite golden files")

const lineage = "5e1f0b6c-0000-4000-8000-000000000001"

var (
	m1 = addr.Host{Role: addr.Master, Name: "m1"}
	m2 = addr.Host{Role: addr.Master, Name: "m2"}
	n1 = addr.Host{Role: addr.Node, Name: "n1"}
	n2 = addr.Host{Role: addr.Node, Name: "n2"}
)

// source returns the text of a configuration in testdata.
func source(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hcl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load loads a text as a user's directory would be, with what it names beside it.
func load(t testing.TB, text string) *config.Cluster {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"cluster.hcl": text, "id_ed25519": "not a key\n", "known_hosts": "", "pause.tar": "pause", "agnhost.tar": "agnhost",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, files, diags := config.Load(config.Options{Dir: dir, UserHome: dir})
	if diags.HasErrors() {
		var b strings.Builder
		_ = config.WriteDiagnostics(&b, files, diags, 100, false)
		t.Fatal(b.String())
	}
	return cfg
}

// changed replaces a part of a text that must be there.
func changed(t testing.TB, text string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("the configuration has no %q", oldNew[i])
		}
		text = strings.Replace(text, oldNew[i], oldNew[i+1], 1)
	}
	return text
}

// lockFor pins every binary that the hosts need, with digests made of the names.
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
	for i, a := range wanted {
		lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{
			Version: a.Version, SHA256: resource.SHA256([]byte(a.String())), Size: int64(1000000 + i),
		}
	}
	for ref := range cfg.Runtime.Images {
		lock.Images[ref] = binaries.ImagePin{SHA256: resource.SHA256([]byte(ref)), Size: 700000}
	}
	return lock
}

// input is what a first plan is compiled from: nothing was made or seen yet.
func input(t testing.TB, text string) Input {
	t.Helper()
	cfg := load(t, text)
	return Input{Config: cfg, Lock: lockFor(t, cfg), State: state.Public{Lineage: lineage, Cluster: cfg.Name}}
}

// made adds the authorities and keys that an apply would have made.
func made(in Input) Input {
	in.State.Authorities, in.State.KeyPairs = map[string]state.Authority{}, map[string]state.KeyPair{}
	for _, name := range []string{"kubernetes", "etcd", "front-proxy"} {
		in.State.Authorities[name] = state.Authority{Generation: 1, CertPEM: "certificate of " + name + "\n",
			KeySHA256: resource.SHA256([]byte("key of " + name)), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)}
	}
	in.State.KeyPairs["service-account"] = state.KeyPair{Generation: 1, PublicPEM: "public key\n", PrivateSHA256: resource.SHA256([]byte("private key"))}
	return in
}

// living adds the records of what an apply of another configuration left.
func living(t testing.TB, in Input, before string) Input {
	t.Helper()
	first := build(t, input(t, before))
	in.State.Allocations, in.State.Resources = first.Allocations, map[addr.Address]state.Record{}
	for _, r := range first.Set.All() {
		in.State.Resources[r.Addr] = state.Record{Spec: r.Spec, DependsOn: r.DependsOn}
	}
	return in
}

func build(t testing.TB, in Input) Result {
	t.Helper()
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// get returns a resource that must be there.
func get(t testing.TB, s resource.Set, h addr.Host, kind resource.Kind, name string) resource.Resource {
	t.Helper()
	r, ok := s.Get(addr.Address{Host: h, Kind: string(kind), Name: name})
	if !ok {
		t.Fatalf("there is no %s %s on %s", kind, name, h)
	}
	return r
}

// digest covers everything that a set says.
func digest(s resource.Set) string {
	var b strings.Builder
	for _, r := range s.All() {
		fmt.Fprintln(&b, r.Addr, r.Spec.Digest(), r.DependsOn)
	}
	return resource.SHA256([]byte(b.String()))
}

// seen is a host that answers.
func seen(arch, hostname string) facts.Observation {
	return facts.Observation{Arch: arch, Hostname: hostname}
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update and read what it writes", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
