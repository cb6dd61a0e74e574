package ssh

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hardway/provision/host/ssh/sshtest"
	"hardway/templates/scripts"
)

// replacement is a script that puts something in the place of something else.
type replacement struct {
	name, script string
	before       func(t *testing.T, h *Host, dir string)
	do           func(ctx context.Context, h *Host, dir string) error
	renames      int // how many there have to be
}

func both(all ...func(*testing.T, *Host, string)) func(*testing.T, *Host, string) {
	return func(t *testing.T, h *Host, dir string) {
		for _, f := range all {
			f(t, h, dir)
		}
	}
}

// first is an operation as a preparation of another.
func first(do func(context.Context, *Host, string) error) func(*testing.T, *Host, string) {
	return func(t *testing.T, h *Host, dir string) {
		t.Helper()
		if err := do(t.Context(), h, dir); err != nil {
			t.Fatal(err)
		}
	}
}

func linksTo(target, name string) func(*testing.T, *Host, string) {
	return func(t *testing.T, _ *Host, dir string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func mountsFile(name string) func(*testing.T, *Host, string) {
	return func(t *testing.T, _ *Host, dir string) {
		p := filepath.Join(dir, name)
		if out, err := exec.Command("mount", "--bind", p, p).CombinedOutput(); err != nil {
			t.Skipf("mounting is not possible here: %s", out)
		}
		t.Cleanup(func() { _ = exec.Command("umount", p).Run() })
	}
}

func replacements() []replacement {
	putting := func(size int, mode uint32, owner string) func(context.Context, *Host, string) error {
		return func(ctx context.Context, h *Host, dir string) error {
			p := put(filepath.Join(dir, "f"), []byte(strings.Repeat("n", size)))
			p.Mode, p.Owner = mode, owner
			return h.Put(ctx, p)
		}
	}
	keeping := script("keep", "", "7", "DIR/f", "DIR/l", "DIR/d", "DIR/none")
	kept := both(writes("f", "o", 5000), writes("big", "o", 3<<20), linksTo("x", "l"), first(script("directory", "", "DIR/d", "0750", "root", "root")))
	changed := both(writes("f", "n", 10), first(script("link", "", "y", "DIR/l")))
	fstab := "/dev/x none swap sw 0 0\n"
	return []replacement{
		{"a new file", "put", nil, putting(9000, 0o600, ""), 1},
		{"an empty file", "put", nil, putting(0, 0o600, ""), 1},
		{"another content", "put", writes("f", "o", 5000), putting(9000, 0o640, "daemon"), 1},
		{"over a link", "put", linksTo("x", "f"), putting(9000, 0o600, ""), 1},
		{"a large file", "put", writes("f", "o", 5000), putting(3<<20, 0o755, ""), 1},
		{"a new link", "link", nil, script("link", "", "x", "DIR/f"), 1},
		{"another link", "link", linksTo("y", "f"), script("link", "", "x", "DIR/f"), 1},
		{"a link over a file", "link", writes("f", "o", 10), script("link", "", "x", "DIR/f"), 1},
		{"a block", "block", writes("f", "line\n", 10), script("block", "b\n", "DIR/f"), 1},
		{"a block after a last line without an end", "block", writes("f", "line", 10), script("block", "b\n", "DIR/f"), 1},
		{"a block in a new file", "block", nil, script("block", "b\n", "DIR/f"), 1},
		{"another block", "block", both(writes("f", "line\n", 10), first(script("block", "b\n", "DIR/f"))), script("block", "c\n", "DIR/f"), 1},
		{"no block any more", "block", both(writes("f", "line", 10), first(script("block", "b\n", "DIR/f"))), script("block", "", "DIR/f"), 1},
		{"swap lines off", "swap-off", writes("f", fstab, 1), script("swap-off", "", "DIR/f"), 1},
		{"swap lines on", "swap-on", writes("f", "#hardway#"+fstab, 1), script("swap-on", "", "DIR/f"), 1},
		{"packages noted", "packages", nil, script("packages", "", "install", "apt", "tree"), 1},
		{"a rule noted", "firewall", nil, script("firewall", "port tcp 6443 any\n", "open"), 1},
		{"SELinux at boot", "selinux", writes("f", "SELINUX=enforcing\n", 1), script("selinux", "", "permissive", "DIR/f"), 1},
		{"a file kept", "prior-save", writes("f", "o", 5000), script("prior-save", "", "DIR/f"), 1},
		{"a link kept", "prior-save", linksTo("x", "f"), script("prior-save", "", "DIR/f"), 1},
		{"a directory kept", "prior-save", first(script("directory", "", "DIR/f", "0700", "root", "root")), script("prior-save", "", "DIR/f"), 1},
		{"nothing kept", "prior-save", nil, script("prior-save", "", "DIR/f"), 1},
		{"a file restored", "prior-restore", both(writes("f", "o", 5000), first(script("prior-save", "", "DIR/f")), writes("f", "n", 10)), script("prior-restore", "", "DIR/f"), 2},
		{"a link restored", "prior-restore", both(linksTo("x", "f"), first(script("prior-save", "", "DIR/f")), first(script("link", "", "y", "DIR/f"))), script("prior-restore", "", "DIR/f"), 2},
		{"a generation kept", "keep", kept, keeping, 4},
		{"a generation with a large file", "keep", kept, script("keep", "", "7", "DIR/big"), 1},
		{"a generation restored", "keep-restore", both(kept, first(keeping), changed), script("keep-restore", "", "7", "DIR/f", "DIR/l", "DIR/d", "DIR/none"), 2},
		{"generations forgotten", "keep-prune", both(kept, first(keeping), first(script("keep", "", "8", "DIR/f"))), script("keep-prune", "", "1"), 1},
		{"a mark", "mark", nil, script("mark", "", "lineage", "3", "lab", ""), 1},
		{"another mark", "mark", first(script("mark", "", "lineage", "3", "lab", "")), script("mark", "", "lineage", "4", "lab", strings.Repeat("0", 64)), 1},
		{"a file that is a mount point", "put", both(writes("f", "o", 5000), mountsFile("f")), putting(9000, 0o600, ""), 0},
		{"a block in a mount point", "block", both(writes("f", "line\n", 5), mountsFile("f")), script("block", "b\n", "DIR/f"), 0},
		{"a new directory", "directory", nil, script("directory", "", "DIR/d", "0750", "daemon", "root"), 0},
		{"a file removed", "remove", writes("f", "o", 10), script("remove", "", "DIR/f", "0", ""), 0},
		{"a tree removed", "remove", both(first(script("directory", "", "DIR/d", "0700", "root", "root")), writes("d/f", "o", 10)), script("remove", "", "DIR/d", "1", ""), 0},
		{"a directory removed", "rmdir", first(script("directory", "", "DIR/d", "0700", "root", "root")), script("rmdir", "", "DIR/d"), 0},
		{"a directory emptied", "directory-empty", both(first(script("directory", "", "DIR/d", "0700", "root", "root")), writes("d/f", "o", 10)), script("directory-empty", "", "DIR/d"), 0},
		{"the generation of the lock", "lock", nil, func(ctx context.Context, h *Host, _ string) error {
			other, err := Dial(ctx, h.config)
			if err != nil {
				return err
			}
			defer other.Close()
			return other.Lock(ctx, "test")
		}, 1},
	}
}

// Every replacement is in the order that a power cut needs: all of the content,
// fsync of it, rename, fsync of the directory; and a file has its owner and mode
// before its content.
func TestOrderOfReplacements(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	tr := newTracer(t)
	for _, name := range []string{"swapoff", "swapon"} {
		tr.program(t, name, "exit 0\n")
	}
	for name, body := range map[string]string{
		"apt-get": ">" + tr.dir + "/installed\n", "dpkg-query": "[ ! -e " + tr.dir + "/installed ] || echo installed\n",
		"ufw": "[ \"$1\" = status ] && echo Status: active || echo Rule added\n", "getenforce": "echo Enforcing\n", "setenforce": "exit 0\n",
	} {
		tr.program(t, name, body)
	}
	s := sshtest.Start(t, sshtest.Options{Path: tr.dir})
	covered, total := map[string]bool{}, 0
	for _, c := range replacements() {
		covered[c.script] = true
		cfg := config(t, s)
		h := dial(t, cfg)
		if c.script != "lock" {
			if err := h.Lock(t.Context(), "test"); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		if c.before != nil {
			c.before(t, h, dir)
		}
		tr.arm(t, c.script, "")
		err := c.do(t.Context(), h, dir)
		events := tr.disarm(t)
		if err != nil {
			t.Errorf("%s (%s): %v", c.name, c.script, err)
			continue
		}
		n, problems := checkOrder(events, c.script, dir, cfg.StateDir)
		total += n
		if n != c.renames {
			problems = append(problems, fmt.Sprintf("%d replacements, want %d", n, c.renames))
		}
		if len(problems) > 0 {
			t.Errorf("%s (%s):\n\t%s", c.name, c.script, strings.Join(problems, "\n\t"))
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d kinds of change, %d replacements, all in order", len(replacements()), total)
	// A script that comes to replace something later on must come here, too.
	replaces := regexp.MustCompile(`(?m)^[^#\n]*(\bmv -[tT] |\breplace ")`)
	for _, name := range scripts.Names() {
		text, _ := scripts.Lookup(name)
		if own := text[strings.LastIndex(text, "# "+name+".sh"):]; replaces.MatchString(own) && !covered[name] {
			t.Errorf("%s replaces files and is not looked at here", name)
		}
	}
}

// volatile are files of hardway's that may be lost or empty after a power cut:
// who holds the lock of a session that is gone, and a cache of digests.
var volatile = regexp.MustCompile(`/lock(\.info)?$|/digests(/|$)`)

// passing are files and directories that do not outlive the script, or that the
// next one clears away.
var passing = regexp.MustCompile(`/\.hardway\.|\.new(/|$)|\.gone(/|$)`)

// checkOrder goes through what a script did below the directories. It returns the
// number of renames, and what was not in order.
func checkOrder(events []syscallEvent, script string, dirs ...string) (renames int, problems []string) {
	ours := func(p string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return p == d || strings.HasPrefix(p, d+"/") })
	}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	unsynced := map[string]bool{}  // files with content that is not on the disk
	changed := map[string]string{} // directories with an entry that is not on the disk
	owned, moded, filled := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, e := range events {
		if e.failed || !slices.ContainsFunc(e.paths, ours) {
			continue
		}
		from, to := e.paths[0], e.paths[len(e.paths)-1]
		switch e.name {
		case "openat", "open", "creat":
			if strings.Contains(e.args, "O_CREAT") || strings.Contains(e.args, "O_TRUNC") {
				unsynced[to] = true
			}
		case "write", "writev", "pwrite64", "copy_file_range", "sendfile", "ftruncate", "truncate":
			unsynced[to], filled[to] = true, true
			// cp -a comes to owner and mode last; until then the file is as mktemp
			// made it, root's alone.
			restores := script == "prior-restore" || script == "keep-restore" || script == "mark"
			if strings.Contains(to, "/.hardway.") && !restores && (!moded[to] || script == "put" && !owned[to]) {
				bad("%s got content before its owner and mode", to)
			}
		case "fsync", "fdatasync":
			delete(unsynced, from)
			delete(changed, from)
		case "chown", "fchown", "lchown", "fchownat":
			owned[from] = true
		case "chmod", "fchmod", "fchmodat":
			if moded[from] = true; filled[from] && !owned[from] && strings.Contains(from, "/.hardway.") {
				bad("%s could be read by others before it was its owner's", from)
			}
		case "unlink", "unlinkat", "rmdir":
			delete(unsynced, to)
			if filepath.Dir(to) != dirs[1]+"/block" { // notes may come back: a block begins with writing its own
				changed[filepath.Dir(to)] = to
			}
		case "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat":
			changed[filepath.Dir(to)] = to
		case "rename", "renameat", "renameat2":
			renames++
			for file := range unsynced {
				if file == from || strings.HasPrefix(file, from+"/") {
					bad("%s was renamed to %s while the content of %s was not on the disk", from, to, file)
				}
			}
			changed[filepath.Dir(from)], changed[filepath.Dir(to)] = to, to
		}
	}
	there := func(p string) bool {
		_, err := os.Lstat(p)
		return err == nil && ours(p) && !volatile.MatchString(p) && !passing.MatchString(p)
	}
	for dir, entry := range changed {
		if there(dir) && !volatile.MatchString(entry) && !passing.MatchString(entry) {
			bad("the change of %s was not made durable by an fsync of %s", entry, dir)
		}
	}
	for file := range unsynced {
		if there(file) {
			bad("%s was written and not made durable", file)
		}
	}
	return renames, problems
}

// What checkOrder is for: each of these logs has one thing that is not in order.
func TestCheckOrder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	whole := []string{
		`1 openat(AT_FDCWD</>, "D/.hardway.f.x", O_RDWR|O_CREAT|O_EXCL, 0600) = 3<D/.hardway.f.x>`,
		`2 fchownat(AT_FDCWD</>, "D/.hardway.f.x", 0, 0, 0) = 0`,
		`3 fchmodat(AT_FDCWD</>, "D/.hardway.f.x", 0644) = 0`,
		`4 write(3<D/.hardway.f.x>, "n"..., 1) = 1`,
		`5 fsync(3<D/.hardway.f.x>) = 0`,
		`6 renameat2(AT_FDCWD</>, "D/.hardway.f.x", AT_FDCWD</>, "D/f", RENAME_NOREPLACE) = -1 EEXIST (File exists)`,
		`6 renameat(AT_FDCWD</>, "D/.hardway.f.x", AT_FDCWD</>, "D/f") = 0`,
		`7 fsync(3<D>) = 0`,
	}
	for _, c := range []struct {
		without int
		problem string
	}{
		{-1, ""}, {1, "before its owner and mode"}, {2, "before its owner and mode"}, {4, "was not on the disk"}, {7, "was not made durable by an fsync"},
	} {
		log := ""
		for i, line := range whole {
			if i != c.without {
				log += strings.ReplaceAll(line, "D/", dir+"/") + "\n"
			}
		}
		log = strings.ReplaceAll(log, "<D>", "<"+dir+">")
		n, problems := checkOrder(parseStrace(log), "put", dir, dir+"/state")
		if n != 1 || (c.problem == "") != (len(problems) == 0) || !strings.Contains(strings.Join(problems, "; "), c.problem) {
			t.Errorf("without line %d: %d renames, %q; want %q", c.without, n, problems, c.problem)
		}
	}
	inPlace := `1 openat(AT_FDCWD</>, "D/f", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3<D/f>` + "\n" + `1 write(3<D/f>, "n"..., 1) = 1`
	if _, problems := checkOrder(parseStrace(strings.ReplaceAll(inPlace, "D/", dir+"/")), "put", dir, dir+"/state"); len(problems) != 1 {
		t.Errorf("written in place without an fsync: %q", problems)
	}
}
