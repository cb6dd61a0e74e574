package plan

import (
	"encoding/json"
	"flag"
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
	clock   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	cluster = addr.Host{Role: addr.Cluster}
	m1      = addr.Host{Role: addr.Master, Name: "m1"}
	m2      = addr.Host{Role: addr.Master, Name: "m2"}
	m3      = addr.Host{Role: addr.Master, Name: "m3"}
	n1      = addr.Host{Role: addr.Node, Name: "n1"}
	n2      = addr.Host{Role: addr.Node, Name: "n2"}
)

// example loads a configuration of package desired's test data.
func example(t testing.TB, name string) *config.Cluster {
	t.Helper()
	return load(t, string(readFile(t, filepath.Join("..", "desired", "testdata", name+".hcl"))))
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

// at builds an address.
func at(h addr.Host, kind resource.Kind, name string) addr.Address {
	return addr.Address{Host: h, Kind: string(kind), Name: name}
}

// setOf builds a set of resources.
func setOf(t testing.TB, list ...resource.Resource) resource.Set {
	t.Helper()
	s, err := resource.NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// text is an observed file of root's with a content.
func text(content string, mode uint32) facts.File {
	return facts.File{Type: facts.Regular, Mode: mode, Owner: "root", Group: "root", Size: int64(len(content)),
		SHA256: resource.SHA256([]byte(content)), Content: []byte(content)}
}

// compute runs Compute and fails the test on an error.
func compute(t testing.TB, in Input) *Plan {
	t.Helper()
	if in.Now.IsZero() {
		in.Now = clock
	}
	if in.Mode == "" {
		in.Mode = Normal
	}
	p, err := Compute(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// one computes the change of a single resource on node n1, or of the cluster
// seen through m1.
func one(t testing.TB, spec resource.Spec, obs facts.Observation, records ...state.Record) Change {
	t.Helper()
	in := Input{Observed: map[addr.Host]facts.Observation{n1: obs, m1: obs}}
	a := at(n1, spec.Kind(), "x")
	if spec.Object != nil || spec.Node != nil {
		a.Host = cluster
	}
	in.Desired = setOf(t, resource.Resource{Addr: a, Spec: spec})
	for _, r := range records {
		if r.Spec.Kind() == "" {
			r.Spec = spec
		}
		in.State.Resources = map[addr.Address]state.Record{a: r}
	}
	p := compute(t, in)
	if len(p.Changes) != 1 {
		t.Fatalf("%d changes, want one; deferred: %v", len(p.Changes), p.Deferred)
	}
	return p.Changes[0]
}

// change returns the change of an address that must be in the plan.
func change(t testing.TB, p *Plan, a addr.Address) Change {
	t.Helper()
	for _, c := range p.Changes {
		if c.Addr == a {
			return c
		}
	}
	t.Fatalf("%s is not in the plan", a)
	return Change{}
}

// active lists what a plan does, as "symbol address: reason".
func active(p *Plan) []string {
	var out []string
	for _, c := range p.Changes {
		if c.Action != NoOp {
			line := c.Action.Symbol() + " " + c.Addr.String()
			if c.Reason != "" {
				line += ": " + c.Reason
			}
			out = append(out, line)
		}
	}
	return out
}

func encode(t testing.TB, p *Plan) []byte {
	t.Helper()
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
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
	if diff := cmp.Diff(strings.Split(string(readFile(t, path)), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
