package provision_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// The arrows of docs/architecture.md: what each room may import of ours. A
// package that is not listed may import nothing; a prefix ending in "/..." stands
// for a whole folder.
var arrows = map[string][]string{
	"hardway/docs":                 {},
	"hardway/certs":                {},
	"hardway/units":                {"hardway/units/unitfile", "hardway/versions"},
	"hardway/versions":             {},
	"hardway/units/unitfile":       {},
	"hardway/templates":            {},
	"hardway/templates/scripts":    {},
	"hardway/provision/addr":       {},
	"hardway/provision/resource":   {"hardway/provision/addr"},
	"hardway/provision/facts":      {},
	"hardway/provision/config":     {"hardway/provision/addr", "hardway/certs", "hardway/versions"},
	"hardway/provision/binaries":   {"hardway/provision/addr"},
	"hardway/provision/packages":   {},
	"hardway/provision/firewall":   {},
	"hardway/provision/preflight":  {"hardway/provision/addr", "hardway/provision/facts", "hardway/provision/config", "hardway/provision/packages", "hardway/provision/firewall"},
	"hardway/provision/host":       {"hardway/provision/facts"},
	"hardway/provision/host/...":   {"hardway/provision/host", "hardway/provision/host/...", "hardway/provision/facts", "hardway/templates/scripts", "hardway/units/unitfile"},
	"hardway/provision/state":      {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/facts"},
	"hardway/provision/state/...":  {"hardway/provision/state", "hardway/provision/addr", "hardway/provision/resource", "hardway/provision/facts"},
	"hardway/provision/health":     {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/host"},
	"hardway/provision/desired":    {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/facts", "hardway/provision/config", "hardway/provision/binaries", "hardway/provision/state", "hardway/provision/health", "hardway/provision/packages", "hardway/provision/firewall", "hardway/certs", "hardway/units", "hardway/units/unitfile", "hardway/templates"},
	"hardway/provision/plan":       {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/facts", "hardway/provision/state", "hardway/provision/firewall", "hardway/certs", "hardway/units/unitfile"},
	"hardway/provision/graph":      {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/plan"},
	"hardway/provision/audit":      {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/facts", "hardway/provision/plan", "hardway/units", "hardway/units/unitfile", "hardway/templates"},
	"hardway/provision/apply":      {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/facts", "hardway/provision/plan", "hardway/provision/host", "hardway/provision/health", "hardway/provision/state", "hardway/certs"},
	"hardway/provision/render":     {"hardway/provision/addr", "hardway/provision/resource", "hardway/certs"},
	"hardway/provision/runbook":    {"hardway/provision/addr", "hardway/provision/resource", "hardway/certs"},
	"hardway/provision":            {"hardway/provision/...", "hardway/certs", "hardway/units", "hardway/templates"},
	"hardway/cmd/internal/view":    {"hardway/provision/addr", "hardway/provision/resource", "hardway/provision/plan", "hardway/provision/graph", "hardway/provision/runbook", "hardway/provision/apply", "hardway/provision/audit", "hardway/provision/health", "hardway/certs"},
	"hardway/cmd/internal/command": {"hardway/provision", "hardway/provision/...", "hardway/cmd/internal/view", "hardway/certs"},
	"hardway/cmd/hardway":          {"hardway/cmd/internal/command", "hardway/cmd/internal/view"},
	"hardway/cmd/manpages":         {"hardway/cmd/internal/command"},
}

// never are imports, ours or others', that a room must not even reach.
var never = map[string][]string{
	"hardway/provision/plan":    {"hardway/provision/host", "hardway/provision/config", "golang.org/x/crypto/ssh", "github.com/spf13/cobra", "hardway/provision/state/local"},
	"hardway/provision/desired": {"golang.org/x/crypto/ssh", "hardway/provision/host/ssh", "hardway/cmd/internal/command"},
	"hardway/provision/audit":   {"hardway/provision/config", "hardway/provision/host", "golang.org/x/crypto/ssh"},
	"hardway/provision/apply":   {"hardway/provision/config", "github.com/hashicorp/hcl/v2", "github.com/spf13/cobra", "golang.org/x/crypto/ssh"},
	"hardway/provision/config":  {"hardway/provision/facts", "hardway/provision/resource"},
	"hardway/cmd/internal/view": {"golang.org/x/crypto/ssh", "hardway/provision/config"},
	"hardway/provision/graph":   {"hardway/provision/host", "hardway/provision/config", "hardway/provision/desired"},
	"hardway/cmd/hardway":       {"github.com/spf13/cobra/doc", "github.com/cpuguy83/go-md2man/v2/md2man", "github.com/invopop/jsonschema"},
	"hardway/certs":             {"github.com/hashicorp/hcl/v2", "golang.org/x/crypto/ssh"},
	"hardway/units":             {"golang.org/x/crypto/ssh", "hardway/certs"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestArrows(t *testing.T) {
	seen := map[string]pkg{}
	for _, p := range list(t) {
		seen[p.ImportPath] = p
	}
	for path, p := range seen {
		if path == "hardway" || strings.HasPrefix(path, "hardway/e2e") || strings.HasPrefix(path, "hardway/examples") || strings.HasPrefix(path, "hardway/bench") {
			continue
		}
		allowed, ok := lookup(path)
		if !ok {
			t.Errorf("%s has no place in docs/architecture.md: give it one, and a row here", path)
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "hardway/") && !matches(allowed, imp) {
				t.Errorf("%s imports %s: an arrow that docs/architecture.md does not have", path, imp)
			}
		}
		for _, bad := range never[path] {
			for _, dep := range p.Deps {
				if dep == bad {
					t.Errorf("%s reaches %s, which it must never know", path, bad)
				}
			}
		}
	}
	for path := range arrows {
		if _, ok := seen[path]; !ok && !strings.HasSuffix(path, "/...") {
			t.Errorf("the row of %s speaks of no package", path)
		}
	}
}

// lookup finds the row of a package, the most particular first.
func lookup(path string) ([]string, bool) {
	if row, ok := arrows[path]; ok {
		return row, true
	}
	for at := path; ; {
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			return nil, false
		}
		at = at[:i]
		if row, ok := arrows[at+"/..."]; ok {
			return row, true
		}
	}
}

func matches(allowed []string, imp string) bool {
	for _, a := range allowed {
		if folder, ok := strings.CutSuffix(a, "/..."); a == imp || ok && strings.HasPrefix(imp, folder+"/") {
			return true
		}
	}
	return false
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps", "hardway/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, "hardway/") || p.ImportPath == "hardway" {
			all = append(all, p)
		}
	}
}
