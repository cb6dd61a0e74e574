package docs_test

import (
	"os"
	"path/filepath"
	"testing"

	"hardway/provision/audit"
)

// TestCIS compares reference/cis.md with the table of checks.
func TestCIS(t *testing.T) {
	path := filepath.Join("reference", "cis.md")
	want := audit.Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, "docs/reference/cis.md"); got != want {
		t.Errorf("docs/%s is not what the table says; run go test ./docs -update and read the diff", path)
	}
}
