package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/desired"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

const filesPage = "docs/reference/files.md"

// defaults is a cluster of two hosts in which nothing is moved.
const defaults = "node \"n1\" {\n  address = \"192.168.10.31\"\n}\n"

// pathRow is the beginning of a row that gives a path its mode.
var pathRow = regexp.MustCompile("(?m)^\\| `(/[^`]+)` \\| [0-7]{4} \\|")

// resources compiles a configuration, with pins that only have the right form.
func resources(t *testing.T, text string) resource.Set {
	t.Helper()
	cfg, diags := newSandbox(t).load(t, text)
	if diags.HasErrors() {
		t.Fatal(errorsOf(diags))
	}
	wanted, err := binaries.Wanted(binaries.Versions{
		binaries.Kubernetes: cfg.Version, binaries.Etcd: cfg.Etcd.Version, binaries.Containerd: cfg.Runtime.Version,
		binaries.Runc: cfg.Runtime.RuncVersion, binaries.CNIPlugins: cfg.Runtime.CNIPluginsVersion,
	}, map[addr.Role][]string{addr.Master: {"amd64"}, addr.Node: {"amd64"}})
	if err != nil {
		t.Fatal(err)
	}
	lock := binaries.Lock{Binaries: map[binaries.Key]binaries.Pin{}, Images: map[string]binaries.ImagePin{}}
	for _, a := range wanted {
		lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{Version: a.Version, SHA256: strings.Repeat("0", 64), Size: 1}
	}
	r, err := desired.Build(desired.Input{Config: cfg, Lock: lock})
	if err != nil {
		t.Fatal(err)
	}
	return r.Set
}

// modes are the paths that a resource makes, with their permission bits.
func modes(s resource.Spec) map[string]uint32 {
	switch {
	case s.File != nil:
		return map[string]uint32{s.File.Path: s.File.Mode}
	case s.Directory != nil:
		return map[string]uint32{s.Directory.Path: s.Directory.Mode}
	case s.Binary != nil:
		return map[string]uint32{s.Binary.Path: s.Binary.Mode}
	case s.Unit != nil:
		return map[string]uint32{s.Unit.Path: s.Unit.Mode}
	case s.Certificate != nil:
		cert, key := plan.CertificateModes(s.Certificate)
		return map[string]uint32{s.Certificate.CertPath: cert, s.Certificate.KeyPath: key}
	}
	return nil
}

// TestFiles wants every path of the default cluster in the tables of the
// section of its kind of host, with its mode, and no path that is not made.
func TestFiles(t *testing.T) {
	every, master := section(t, filesPage, "## On every host"), section(t, filesPage, "## On masters")
	paths := map[string]bool{}
	for _, r := range resources(t, defaults).All() {
		for path, mode := range modes(r.Spec) {
			paths[path] = true
			line := fmt.Sprintf("| `%s` | %04o |", path, mode)
			switch in := every + master; {
			case r.Addr.Host.Role == addr.Node && !strings.Contains(every, line):
				t.Errorf("%s: no row that begins with %s below \"On every host\"", filesPage, line)
			case !strings.Contains(in, line):
				t.Errorf("%s: no row that begins with %s below \"On masters\"", filesPage, line)
			}
		}
	}
	for _, m := range pathRow.FindAllStringSubmatch(every+master, -1) {
		if !paths[m[1]] {
			t.Errorf("%s: %s is not made by hardway", filesPage, m[1])
		}
	}
}

// TestKernelSettings wants every kernel parameter and module by its name.
func TestKernelSettings(t *testing.T) {
	text := section(t, filesPage, "## Kernel settings")
	for _, r := range resources(t, defaults).All() {
		switch {
		case r.Spec.Sysctl != nil:
			if want := fmt.Sprintf("| `%s` | %s |", r.Spec.Sysctl.Key, r.Spec.Sysctl.Value); !strings.Contains(text, want) {
				t.Errorf("%s: no row %s", filesPage, want)
			}
		case r.Spec.Module != nil:
			if !strings.Contains(text, "`"+r.Spec.Module.Name+"`") {
				t.Errorf("%s: the module %s is not named", filesPage, r.Spec.Module.Name)
			}
		}
	}
}

// TestDirectoriesMove moves every directory and wants no file left behind but
// those that the page says do not move.
func TestDirectoriesMove(t *testing.T) {
	moved := defaults + "directories {\n  bin  = \"/m/bin\"\n  cert = \"/m/conf/pki\"\n  conf = \"/m/conf\"\n  log  = \"/m/log\"\n  data = \"/m/data\"\n  cni  = \"/m/cni\"\n}\n"
	text := section(t, filesPage, "## On every host") + section(t, filesPage, "## On masters")
	for _, r := range resources(t, moved).All() {
		for path := range modes(r.Spec) {
			if path == "/m" || strings.HasPrefix(path, "/m/") {
				continue
			}
			found := false
			for _, line := range strings.Split(text, "\n") {
				found = found || strings.HasPrefix(line, "| `"+path+"` |") && strings.HasSuffix(line, "| fixed |")
			}
			if !found {
				t.Errorf("%s: %s does not move with any directory; its row must end in \"| fixed |\"", filesPage, path)
			}
		}
	}
}
