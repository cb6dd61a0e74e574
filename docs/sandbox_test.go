// Package docs_test holds the documentation to the program: every HCL block is
// loaded, every link is followed, every example is validated, and the reference
// is compared with what the code says of itself.
package docs_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hardway/provision"
	"hardway/provision/config"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documentation")

// dummies are the files that blocks and examples may name: they exist, and
// that is all that loading a configuration asks of them. Those that begin with
// "~/" are put into the user's home.
func dummies() []string {
	return []string{
		"id_ed25519", "known_hosts", "images/pause.tar", "images/agnhost.tar",
		".lab/id_ed25519", ".lab/known_hosts",
		"~/.ssh/id_ed25519", "~/.ssh/known_hosts", "~/.ssh/id_cluster", "~/.ssh/id_cluster-cert.pub",
		"~/.cache/hardway/mirror/images/pause.tar", "~/.cache/hardway/mirror/images/agnhost.tar",
	}
}

// prelude completes a block that leaves out what every configuration has.
// What the block declares itself is not taken from here.
func prelude() map[string]string {
	return map[string]string{
		"cluster": "cluster \"docs\" {\n  kubernetes_version = \"1.37.1\"\n  pod_cidr           = \"10.244.0.0/16\"\n  service_cidr       = \"10.96.0.0/16\"\n}\n",
		"ssh":     "ssh {\n  user        = \"root\"\n  private_key = \"id_ed25519\"\n  known_hosts = \"known_hosts\"\n}\n",
		"master":  "master \"m1\" {\n  address = \"192.168.10.21\"\n}\n",
	}
}

// sandbox is a configuration directory and a home with the dummies in them.
type sandbox struct{ dir, home string }

func newSandbox(t *testing.T) sandbox {
	t.Helper()
	s := sandbox{dir: t.TempDir(), home: t.TempDir()}
	for _, name := range dummies() {
		path := filepath.Join(s.dir, name)
		if rest, ok := strings.CutPrefix(name, "~/"); ok {
			path = filepath.Join(s.home, rest)
		}
		write(t, path, "a dummy\n")
	}
	return s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// load writes a block, completed by the prelude, and opens the directory.
func (s sandbox) load(t *testing.T, hclText string) (*config.Cluster, hcl.Diagnostics) {
	t.Helper()
	write(t, filepath.Join(s.dir, "block.hcl"), hclText)
	missing := ""
	have := topLevel(hclText)
	for _, name := range []string{"cluster", "ssh", "master"} {
		if !slices.Contains(have, name) {
			missing += prelude()[name]
		}
	}
	write(t, filepath.Join(s.dir, "prelude.hcl"), missing)
	return s.open()
}

// open loads the directory as every command does, up to the first host.
func (s sandbox) open(vars ...config.VarInput) (*config.Cluster, hcl.Diagnostics) {
	session, _, diags := provision.Open(provision.Options{Config: config.Options{Dir: s.dir, UserHome: s.home, Vars: vars}})
	if session == nil {
		return nil, diags
	}
	return session.Config(), diags
}

// topLevel lists the types of the blocks of a text.
func topLevel(text string) []string {
	f, diags := hclsyntax.ParseConfig([]byte(text), "block.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil // the loader says it better
	}
	var out []string
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		out = append(out, b.Type)
	}
	return out
}

// errorsOf lists the errors of diagnostics, one a line, with their places.
func errorsOf(diags hcl.Diagnostics) string {
	var out []string
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			out = append(out, d.Error())
		}
	}
	return strings.Join(out, "\n")
}
