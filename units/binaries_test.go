package units

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hardway/versions"
)

// TestBinariesAccept starts the real programs of every minor of which a mirror
// of binaries is cached, with all our flags and --version: they parse before
// they print.
func TestBinariesAccept(t *testing.T) {
	cache := os.Getenv("HARDWAY_CACHE") // as for the program that fills it
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Skip(err)
		}
		cache = filepath.Join(home, ".cache/hardway")
	}
	mirror := filepath.Join(cache, "mirror")
	tried := 0
	var missing []string
	for _, m := range versions.All() {
		kubernetes := newestIn(t, filepath.Join(mirror, "v"+m.Name+".*"))
		if kubernetes == "" {
			missing = append(missing, m.Name)
			continue
		}
		for _, u := range everyUnit(t, strings.TrimPrefix(filepath.Base(kubernetes), "v")) {
			binary := filepath.Join(kubernetes, "bin/linux/amd64", filepath.Base(u.Exec[0]))
			if u.Name == "etcd.service" {
				binary = filepath.Join(mirror, "etcd/v"+m.Etcd, "bin/linux/amd64/etcd")
			}
			if _, err := os.Stat(binary); err != nil {
				missing = append(missing, binary)
				continue
			}
			tried++
			args := append(u.Exec[1:len(u.Exec):len(u.Exec)], "--version")
			if out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", binary, err, out)
			}
			// The oracle has to be one: it must refuse what does not exist.
			if exec.CommandContext(t.Context(), binary, "--no-such-flag=x", "--version").Run() == nil {
				t.Errorf("%s takes a flag that does not exist", binary)
			}
		}
	}
	if tried == 0 {
		t.Skipf("no binaries below %s", mirror)
	}
	t.Logf("%d programs accept their flags; not there: %s", tried, strings.Join(missing, ", "))
}

// newestIn is the last of the directories that match, "" when there is none.
func newestIn(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
