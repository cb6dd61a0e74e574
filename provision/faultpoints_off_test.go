package provision_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The product is built without the tag, and has no way to make something go wrong.
func TestProductHasNoFaultPoints(t *testing.T) {
	files := func(tags string) []string {
		out, err := exec.Command("go", "list", "-tags", tags, "-f", `{{join .GoFiles " "}}`, "hardway/provision").Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		return strings.Fields(string(out))
	}
	const on, off = "faultpoints_on.go", "faultpoints_off.go"
	if list := files(""); slices.Contains(list, on) || !slices.Contains(list, off) {
		t.Errorf("a build without tags has %q", list)
	}
	if list := files("faultpoints"); !slices.Contains(list, on) || slices.Contains(list, off) {
		t.Errorf("a build with the tag has %q", list)
	}
}
