package config

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files")

// baseFiles is a small valid configuration; tests replace or add files.
func baseFiles() map[string]string {
	return map[string]string{
		"base_cluster.hcl": "cluster \"lab\" {\n  kubernetes_version = \"1.37.1\"\n  pod_cidr           = \"10.244.0.0/16\"\n  service_cidr       = \"10.96.0.0/16\"\n}\n",
		"base_ssh.hcl":     "ssh {\n  user        = \"root\"\n  private_key = \"id_ed25519\"\n  known_hosts = \"known_hosts\"\n}\n",
		"base_hosts.hcl":   "master \"m1\" {\n  address = \"192.168.10.21\"\n}\n",
		"id_ed25519":       "not a real key\n",
		"known_hosts":      "",
	}
}

// writeFiles fills a new directory and makes it the working directory, so that
// diagnostics show bare names.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// with returns the base files with others over them; an empty text removes one.
func with(files map[string]string) map[string]string {
	out := baseFiles()
	maps.Copy(out, files)
	maps.DeleteFunc(out, func(name, text string) bool { return text == "" && name != "known_hosts" })
	return out
}

func loadFiles(t testing.TB, files map[string]string, opts Options) (*Cluster, *Files, hcl.Diagnostics) {
	t.Helper()
	opts.Dir = writeFiles(t, files)
	return Load(opts)
}

// mustLoad loads a configuration that has no problem at all.
func mustLoad(t testing.TB, files map[string]string, opts Options) *Cluster {
	t.Helper()
	c, f, diags := loadFiles(t, with(files), opts)
	if len(diags) > 0 {
		t.Fatalf("unexpected diagnostics:\n%s", render(t, f, diags))
	}
	return c
}

func render(t testing.TB, f *Files, diags hcl.Diagnostics) string {
	t.Helper()
	var b strings.Builder
	if err := WriteDiagnostics(&b, f, diags, 100, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestDiagnostics compares what a user is told with golden text. Each archive in
// testdata/diagnostics holds files over the base configuration, lines "env",
// "var" and "var-file" in its comment, and the expected text as "want".
func TestDiagnostics(t *testing.T) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			path, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			overlay, want := map[string]string{}, -1
			for i, f := range archive.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				overlay[f.Name] = string(f.Data)
			}
			opts := Options{Dir: "."}
			for line := range strings.SplitSeq(string(archive.Comment), "\n") {
				switch word, rest, _ := strings.Cut(line, " "); word {
				case "env":
					opts.Environ = append(opts.Environ, rest)
				case "var":
					in, err := ParseVar(rest)
					if err != nil {
						t.Fatal(err)
					}
					opts.Vars = append(opts.Vars, in)
				case "var-file":
					opts.Vars = append(opts.Vars, VarInput{File: rest})
				case "remove":
					overlay[rest] = ""
				}
			}
			dir := writeFiles(t, with(overlay))
			t.Chdir(dir)
			c, files, diags := Load(opts)
			if (c == nil) != diags.HasErrors() {
				t.Errorf("cluster is nil: %v, but has errors: %v", c == nil, diags.HasErrors())
			}
			for _, d := range diags { // before wrapping: the directory's name has no fixed length
				d.Detail = strings.ReplaceAll(d.Detail, dir, "$DIR")
			}
			got := render(t, files, diags)
			if *update {
				if want < 0 {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					want = len(archive.Files) - 1
				}
				archive.Files[want].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want < 0 {
				t.Fatal("no golden text; run with -update and read it")
			}
			if diff := cmp.Diff(string(bytes.TrimSpace(archive.Files[want].Data)), strings.TrimSpace(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
