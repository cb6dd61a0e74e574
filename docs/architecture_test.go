package docs_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestArchitecture wants every package to be named in docs/architecture.md.
func TestArchitecture(t *testing.T) {
	out, err := exec.Command("go", "list", "hardway/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	text := read(t, "docs/architecture.md")
	packages := strings.Fields(string(out))
	for _, p := range packages {
		if name := strings.TrimPrefix(p, "hardway/"); !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
	if len(packages) < 20 {
		t.Errorf("only %d packages were found", len(packages))
	}
}
