package ssh

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hardway/provision/host/ssh/sshtest"
)

// What an attacker on the host may have laid at the target or beside it leads no
// write elsewhere: the file is written, or nothing is.
func TestTrapsAtTheTarget(t *testing.T) {
	needsRoot(t)
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		lay     func(t *testing.T, dir, outside string) (target string)
		refused bool
	}{
		{"a link to a file", func(t *testing.T, dir, outside string) string {
			must(t, os.Symlink(outside, filepath.Join(dir, "f")))
			return filepath.Join(dir, "f")
		}, false},
		{"a link to nothing", func(t *testing.T, dir, outside string) string {
			must(t, os.Symlink(outside+".new", filepath.Join(dir, "f")))
			return filepath.Join(dir, "f")
		}, false},
		{"another name of a file", func(t *testing.T, dir, outside string) string {
			must(t, os.Link(outside, filepath.Join(dir, "f")))
			return filepath.Join(dir, "f")
		}, false},
		{"a pipe", func(t *testing.T, dir, _ string) string {
			must(t, syscall.Mkfifo(filepath.Join(dir, "f"), 0o666))
			return filepath.Join(dir, "f")
		}, false},
		{"a directory", func(t *testing.T, dir, _ string) string {
			must(t, os.Mkdir(filepath.Join(dir, "f"), 0o755))
			return filepath.Join(dir, "f")
		}, true},
		{"a parent that is a link where everybody may write", func(t *testing.T, dir, outside string) string {
			must(t, os.Mkdir(filepath.Join(dir, "w"), 0o777))
			must(t, os.Chmod(filepath.Join(dir, "w"), 0o777))
			must(t, os.Symlink(filepath.Dir(outside), filepath.Join(dir, "w", "d")))
			return filepath.Join(dir, "w", "d", filepath.Base(outside))
		}, true},
		{"a parent that everybody may write", func(t *testing.T, dir, _ string) string {
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o777))
			must(t, os.Chmod(filepath.Join(dir, "d"), 0o777))
			return filepath.Join(dir, "d", "f")
		}, true},
		{"a parent of somebody else", func(t *testing.T, dir, _ string) string {
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
			must(t, os.Chown(filepath.Join(dir, "d"), 1234, 1234))
			return filepath.Join(dir, "d", "f")
		}, true},
		{"names that a temporary file might have", func(t *testing.T, dir, outside string) string {
			for _, name := range []string{".f", "f.tmp", ".f.tmp", "f.hardway", ".f.hardway", ".hardway.tmp", "f~"} {
				must(t, os.Symlink(outside, filepath.Join(dir, name)))
			}
			return filepath.Join(dir, "f")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
			must(t, os.WriteFile(outside, []byte("theirs"), 0o600))
			target := c.lay(t, dir, outside)
			err := h.Put(t.Context(), put(target, []byte("ours")))
			if got := read(t, outside); got != "theirs" {
				t.Fatalf("a file elsewhere was written: %q", got)
			}
			if _, errNew := os.Lstat(outside + ".new"); errNew == nil {
				t.Error("a file was made elsewhere")
			}
			if c.refused != (err != nil) {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			info, err := os.Lstat(target)
			if err != nil || !info.Mode().IsRegular() || read(t, target) != "ours" {
				t.Errorf("what is at the target now is not the file: %v, %v", info, err)
			}
		})
	}
}
