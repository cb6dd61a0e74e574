package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hardway/provision/config"
)

// TestExamples opens a copy of every example, as `hardway validate` does, and
// wants its files in canonical form. The copy has the dummies beside it; where
// an example has values for other surroundings (*.hclvars), it is opened with
// each of them, too.
func TestExamples(t *testing.T) {
	dirs, err := os.ReadDir(filepath.Join("..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		found++
		t.Run(d.Name(), func(t *testing.T) {
			s := newSandbox(t)
			vars := copyExample(t, filepath.Join("..", "examples", d.Name()), s.dir)
			if _, diags := s.open(); len(diags) > 0 {
				t.Errorf("errors or warnings:\n%s", diags)
			}
			for _, file := range vars {
				if _, diags := s.open(config.VarInput{File: file}); len(diags) > 0 {
					t.Errorf("errors or warnings with %s:\n%s", filepath.Base(file), diags)
				}
			}
		})
	}
	if found < 3 {
		t.Errorf("only %d examples were found", found)
	}
}

// copyExample copies the configuration of an example and returns its files of
// values. What belongs to a running lab stays behind.
func copyExample(t *testing.T, from, to string) (vars []string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		isVars := strings.HasSuffix(name, ".hclvars") && !strings.HasSuffix(name, ".auto.hclvars")
		if e.Type() != fs.FileMode(0) || !isVars && (!strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".lock.hcl")) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if formatted, diags := config.FormatSource(name, text); diags.HasErrors() || string(formatted) != string(text) {
			t.Errorf("%s is not in canonical form; run hardway fmt %s", name, from)
		}
		write(t, filepath.Join(to, name), string(text))
		if isVars {
			vars = append(vars, filepath.Join(to, name))
		}
	}
	return vars
}
