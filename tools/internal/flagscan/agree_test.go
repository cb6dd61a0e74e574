package flagscan

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/tools/internal/flagtable"
)

// TestScanAgreesWithConstructors holds the scan against what the compiled constructors said, for every version whose
// answers the flagtable command left in the cache: the same flags, and the same of them deprecated.
func TestScanAgreesWithConstructors(t *testing.T) {
	cache := os.Getenv("HARDWAY_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Skip(err)
		}
		cache = filepath.Join(home, ".cache/hardway")
	}
	tried := 0
	for _, version := range Versions {
		kept, err := filepath.Glob(filepath.Join(cache, "build/flags-kubernetes-"+version, "*/flags-*.json"))
		if err != nil || len(kept) == 0 {
			continue
		}
		scanned, lost, err := Kubernetes(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		if len(lost) > 0 && version != "1.37.1" { // there the kubelet registers one flag by a variable name
			t.Errorf("%s: %q", version, lost)
		}
		for _, file := range kept {
			component := filepath.Base(filepath.Dir(file))
			if component == "kubelet" && version == "1.37.1" {
				continue
			}
			tried++
			want := names(readKept(t, file))
			got := names(scanned[component].Flags)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s: the source against the constructor (-constructor +source):\n%s", component, version, diff)
			}
		}
	}
	if tried == 0 {
		t.Skipf("no constructor's answer below %s: go run ./cmd/flagtable makes them", cache)
	}
	t.Logf("%d components agree", tried)
}

// names are the flags, with a mark on the deprecated ones.
func names(flags []flagtable.Flag) []string {
	var out []string
	for _, flag := range flags {
		name := flag.Name
		if flag.Deprecated != "" {
			name += " (deprecated)"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func readKept(t *testing.T, file string) []flagtable.Flag {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var flags []flagtable.Flag
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var flag flagtable.Flag
		if err := json.Unmarshal(lines.Bytes(), &flag); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag)
	}
	return flags
}
