package config

import (
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// seeds are the configurations of all golden tests, and some of depth.
func seeds(f *testing.F) (out []string) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".hcl") && !strings.Contains(path, "billion") && !strings.Contains(path, "expensive") {
				out = append(out, string(file.Data))
			}
		}
	}
	for _, text := range baseFiles() {
		out = append(out, text)
	}
	for _, src := range leaks {
		out = append(out, src)
	}
	return append(out, componentsHCL, "a = "+strings.Repeat("(", 2000), `a = "`+strings.Repeat("%{ if x }", 300))
}

// FuzzLoad: no text, taken as the only other file of a directory, makes Load
// panic, overflow its stack, run on and on or return a cluster beside an error.
func FuzzLoad(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, "")
		f.Add("variable \"v\" {\n  type = any\n}\n", s)
	}
	debug.SetMaxStack(64 << 20)
	base := baseFiles()
	f.Fuzz(func(t *testing.T, src, vars string) {
		dir := t.TempDir()
		base["main.hcl"], base["hardway.hclvars"] = src, vars
		for name, text := range base {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		c, files, diags := Load(Options{Dir: dir, UserHome: "/nonexistent"})
		if took := time.Since(start); took > 10*time.Second { // two on an idle machine
			t.Fatalf("Load took %v", took)
		}
		if (c == nil) != diags.HasErrors() {
			t.Fatalf("cluster is nil: %v; errors: %v", c == nil, diags)
		}
		if err := WriteDiagnostics(io.Discard, files, diags, 80, true); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzPrescan: what passes the scan does not exhaust the parser's stack, and
// formatting it is stable.
func FuzzPrescan(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(s))
	}
	debug.SetMaxStack(64 << 20)
	f.Fuzz(func(t *testing.T, src []byte) {
		out, diags := FormatSource("x.hcl", src)
		if diags.HasErrors() {
			return
		}
		if _, diags := FormatSource("x.hcl", out); diags.HasErrors() {
			t.Fatalf("formatting broke the text: %v\n%s", diags, out)
		}
	})
}
