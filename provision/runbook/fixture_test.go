package runbook_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/resource"
	"hardway/provision/runbook"
	"hardway/provision/state"
)

// input compiles a configuration of package desired's tests, with pins that
// only have the right form.
func input(t testing.TB, name string, oldNew ...string) runbook.Input {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../desired/testdata", name+".hcl"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	hcl := string(text)
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(hcl, oldNew[i]) {
			t.Fatalf("%s.hcl has no %q", name, oldNew[i])
		}
		hcl = strings.Replace(hcl, oldNew[i], oldNew[i+1], 1)
	}
	for file, content := range map[string]string{"cluster.hcl": hcl, "id_ed25519": "not a key\n", "known_hosts": "", "pause.tar": "pause", "agnhost.tar": "agnhost"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, _, diags := config.Load(config.Options{Dir: dir, UserHome: dir})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	arches := map[addr.Role][]string{}
	in := runbook.Input{Cluster: cfg.Name, Sources: map[string]string{}}
	for _, h := range cfg.Hosts {
		arches[h.Addr.Role] = append(arches[h.Addr.Role], h.Arch)
		in.Hosts = append(in.Hosts, runbook.Host{Addr: h.Addr, User: h.SSH.User, Address: h.SSH.Host, Port: h.SSH.Port})
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
		digest := resource.SHA256([]byte(a.String()))
		lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{Version: a.Version, SHA256: digest, Size: 1}
		in.Sources[digest] = "https://mirror.example.com/" + a.Component
	}
	for ref := range cfg.Runtime.Images {
		digest := resource.SHA256([]byte(ref))
		lock.Images[ref] = binaries.ImagePin{SHA256: digest, Size: 1}
		in.Sources[digest] = "/srv/images/a b.tar"
	}
	want, err := desired.Build(desired.Input{Config: cfg, Lock: lock, State: state.Public{Lineage: "5e1f0b6c-0000-4000-8000-000000000001", Cluster: cfg.Name}})
	if err != nil {
		t.Fatal(err)
	}
	in.Want = want.Set
	return in
}

func build(t testing.TB, in runbook.Input) runbook.Runbook {
	t.Helper()
	book, err := runbook.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return book
}
