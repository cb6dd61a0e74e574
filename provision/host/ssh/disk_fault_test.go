package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// disk is a file system of its own, on which a test can let space run out.
type disk struct {
	*testing.T
	dir string
}

func mountDisk(t *testing.T, options string) disk {
	t.Helper()
	d := disk{t, filepath.Join(t.TempDir(), "disk")}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0755,"+options, "none", d.dir).CombinedOutput(); err != nil {
		t.Skipf("mounting is not possible here: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-R", "-l", d.dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return d
}

// remount changes the size, the number of inodes, or whether it can be written.
func (d disk) remount(options string) {
	d.Helper()
	d.mount("-o", "remount,"+options, d.dir)
}

func (d disk) mount(args ...string) {
	d.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		d.Fatalf("mount %q: %s", args, out)
	}
}

func (d disk) write(name string, size int, fill byte) string {
	d.Helper()
	p := filepath.Join(d.dir, name)
	if err := os.WriteFile(p, bytes.Repeat([]byte{fill}, size), 0o644); err != nil {
		d.Fatal(err)
	}
	return p
}

// explains fails unless an error names the host, the path and what is the matter.
func explains(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range append(parts, "m1") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

const (
	noSpace  = "No space left on device"
	readOnly = "Read-only file system"
)

// A file that does not fit leaves the old one alone, at any size of the disk, and
// fits once there is room.
func TestPutOnAFullDisk(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	const page, before = 4 << 10, 8 << 10
	d := mountDisk(t, "size=1m")
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	sizes, full := 0, 0
	for _, content := range []int{40 << 10, 300 << 10} { // on the control channel, and on a bulk channel
		text := bytes.Repeat([]byte("n"), content)
		for room := before + content - 9*page; room <= before+content+10*page; room += page {
			if !*allFaults && room/page%4 != 0 {
				continue
			}
			sizes++
			d.remount("size=16m")
			p := d.write("f", before, 'o')
			d.remount(fmt.Sprint("size=", room))
			err := h.Put(t.Context(), put(p, text))
			now, _ := os.ReadFile(p)
			if left := entries(t, d.dir); len(left) != 1 {
				t.Errorf("%d bytes of room: left behind: %v", room, left)
			}
			if room >= before+content {
				if err != nil || !bytes.Equal(now, text) {
					t.Errorf("%d bytes into %d did not fit: %v", content, room-before, err)
				}
				continue
			}
			full++
			if err == nil {
				t.Fatalf("%d bytes went into %d", content, room-before)
			}
			explains(t, err, p, noSpace)
			if !bytes.Equal(now, bytes.Repeat([]byte("o"), before)) {
				t.Errorf("%d bytes of room: the old file is not what it was", room)
			}
			d.remount("size=16m")
			if err := h.Put(t.Context(), put(p, text)); err != nil {
				t.Errorf("with room again: %v", err)
			}
		}
	}
	t.Logf("%d sizes of the disk, %d of them too small: the old file stayed each time", sizes, full)
}

// change is an operation that changes files below a directory.
type change struct {
	name string
	// before makes what it needs, with the host's disk in order.
	before func(t *testing.T, h *Host, dir string)
	do     func(ctx context.Context, h *Host, dir string) error
}

func script(name, stdin string, args ...string) func(ctx context.Context, h *Host, dir string) error {
	return func(ctx context.Context, h *Host, dir string) error {
		with := host.Script{Name: name, Stdin: []byte(stdin)}
		for _, a := range args {
			with.Args = append(with.Args, strings.ReplaceAll(a, "DIR", dir))
		}
		_, err := h.Run(ctx, with)
		return err
	}
}

func writes(name, text string, size int) func(*testing.T, *Host, string) {
	return func(t *testing.T, _ *Host, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte(text), size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// changes has every kind of change to files once.
func changes() []change {
	putting := func(name string, size int) func(context.Context, *Host, string) error {
		return func(ctx context.Context, h *Host, dir string) error {
			return h.Put(ctx, put(filepath.Join(dir, name), bytes.Repeat([]byte("n"), size)))
		}
	}
	return []change{
		{"put new", nil, putting("f", 9000)},
		{"put replace", writes("f", "o", 5000), putting("f", 9000)},
		{"put large", writes("f", "o", 5000), putting("f", 400<<10)},
		{"link", writes("f", "o", 10), script("link", "", "/nowhere", "DIR/f")},
		{"block", writes("f", "o", 5000), script("block", strings.Repeat("a line\n", 100), "DIR/f")},
		{"block new", nil, script("block", "a line\n", "DIR/f")},
		{"directory", nil, script("directory", "", "DIR/d", "0750", "root", "root")},
		{"remove", writes("f", "o", 10), func(ctx context.Context, h *Host, dir string) error {
			return h.Remove(ctx, host.Remove{Path: filepath.Join(dir, "f")})
		}},
		{"prior-save", writes("f", "o", 5000), script("prior-save", "", "DIR/f")},
		{"prior-restore", func(t *testing.T, h *Host, dir string) {
			writes("f", "o", 5000)(t, h, dir)
			if err := script("prior-save", "", "DIR/f")(t.Context(), h, dir); err != nil {
				t.Fatal(err)
			}
			writes("f", "n", 6000)(t, h, dir)
		}, script("prior-restore", "", "DIR/f")},
		{"swap-off", writes("f", "/dev/x none swap sw 0 0\n", 100), script("swap-off", "", "DIR/f")},
		{"keep", both(writes("f", "o", 5000), linksTo("x", "l")), script("keep", "", "7", "DIR/f", "DIR/l")},
		{"keep-restore", both(writes("f", "o", 5000), first(script("keep", "", "7", "DIR/f")), writes("f", "n", 6000)), script("keep-restore", "", "7", "DIR/f")},
	}
}

// script is the name of the script that does it.
func (c change) script() string { name, _, _ := strings.Cut(c.name, " "); return name }

// Whatever is wrong with the disk, a change happens wholly, or not at all and with
// an error that says what is wrong and where; it works once the disk does.
func TestChangesOnABadDisk(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	remount := func(options string) func(disk) { return func(d disk) { d.remount(options) } }
	for _, fault := range []struct {
		name       string
		begin, end func(d disk)
		message    string
	}{
		{"no blocks", func(d disk) {
			d.remount("size=1m")
			for size := 1 << 20; size >= 4<<10; { // until nothing goes in
				f, err := os.OpenFile(filepath.Join(d.dir, "filler"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
				if err != nil {
					d.Fatal(err)
				}
				if _, err := f.Write(make([]byte, size)); err != nil {
					size /= 2
				}
				_ = f.Close()
			}
		}, remount("size=16m"), noSpace},
		{"no inodes", func(d disk) {
			n := len(tree(d.T, d.dir)) + 1
			d.remount(fmt.Sprint("nr_inodes=", n))
			for i := 0; os.WriteFile(filepath.Join(d.dir, fmt.Sprint("filler", i)), nil, 0o600) == nil; i++ {
			}
			_ = os.Remove(filepath.Join(d.dir, "filler0"))
			_ = os.WriteFile(filepath.Join(d.dir, "filler0"), nil, 0o600)
		}, remount("nr_inodes=10000"), noSpace},
		{"read-only", func(d disk) { // by bind mounts: the session keeps its lock file open for writing
			for _, name := range []string{"root", "state"} {
				d.mount("--bind", filepath.Join(d.dir, name), filepath.Join(d.dir, name))
				d.mount("-o", "remount,bind,ro", filepath.Join(d.dir, name))
			}
		}, func(d disk) {
			for _, name := range []string{"root", "state"} {
				d.mount("-o", "remount,bind,rw", filepath.Join(d.dir, name))
			}
		}, readOnly},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			failed := 0
			for _, c := range changes() {
				d := mountDisk(t, "size=16m,nr_inodes=10000")
				cfg := config(t, sshtest.Start(t, sshtest.Options{}))
				cfg.StateDir = filepath.Join(d.dir, "state")
				root := filepath.Join(d.dir, "root")
				if err := os.MkdirAll(root, 0o755); err != nil {
					t.Fatal(err)
				}
				h := dial(t, cfg)
				if err := h.Lock(t.Context(), "test"); err != nil {
					t.Fatal(err)
				}
				if c.before != nil {
					c.before(t, h, root)
				}
				old := tree(t, root)
				fault.begin(d)
				err := c.do(t.Context(), h, root)
				now := tree(t, root)
				fault.end(d)
				if err != nil {
					failed++
					explains(t, fmt.Errorf("%s: %w", c.name, err), d.dir, fault.message)
					if diff := cmp.Diff(old, now); diff != "" {
						t.Errorf("%s failed, and changed (-before +after):\n%s", c.name, diff)
					}
				}
				if again := c.do(t.Context(), h, root); again != nil {
					t.Errorf("%s, once the disk was in order: %v", c.name, again)
				}
				if then := tree(t, root); err == nil && c.name != "block" && cmp.Diff(now, then) != "" {
					t.Errorf("%s was not whole, and said nothing:\n%s", c.name, cmp.Diff(then, now))
				}
				for name := range tree(t, d.dir) {
					// keep has one place to build in, which the next keep clears.
					if strings.Contains(name, ".hardway.") || strings.HasSuffix(name, ".new") && name != "state/generations/.new" {
						t.Errorf("%s left %s behind", c.name, name)
					}
				}
				_ = h.Close()
			}
			t.Logf("%d of %d kinds of change failed and were explained", failed, len(changes()))
			if failed < len(changes())/2 {
				t.Errorf("only %d failed: the fault does not work", failed)
			}
		})
	}
}

// A mount point is written in place. Where that does not fit, what stood there is
// put back.
func TestMountPointOnAFullDisk(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	d := mountDisk(t, "size=64k")
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	old := bytes.Repeat([]byte("o"), 10000)
	target := filepath.Join(t.TempDir(), "hosts") // its directory has room
	if err := os.WriteFile(target, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.mount("--bind", d.write("hosts", len(old), 'o'), target)
	t.Cleanup(func() { _ = exec.Command("umount", target).Run() })
	err := h.Put(t.Context(), put(target, bytes.Repeat([]byte("n"), 100000)))
	if err == nil {
		t.Fatal("100000 bytes went into 64 KiB")
	}
	explains(t, err, target, noSpace, "put back")
	if now, _ := os.ReadFile(target); !bytes.Equal(now, old) {
		t.Errorf("the old content is gone: %d bytes", len(now))
	}
	if left := entries(t, filepath.Dir(target)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// A system call that fails, whichever and in whatever way: the old is there or the
// new, nobody is told that all went well, and the same again ends well.
func TestInjectedErrors(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	tr := newTracer(t)
	for _, name := range []string{"swapoff", "swapon"} {
		tr.program(t, name, "exit 0\n")
	}
	cfg := config(t, sshtest.Start(t, sshtest.Options{Path: tr.dir}))
	h := dial(t, cfg)
	if err := h.Lock(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	errnos := []struct{ name, text string }{{"ENOSPC", noSpace}, {"EIO", "Input/output error"}, {"EROFS", readOnly}}
	places := []string{
		"write:1", "write:2", "write:3", "write:1+", "fsync:1", "fsync:2", "fsync:1+", "rename,renameat:1", "rename,renameat,renameat2:1+", "copy_file_range:1",
		"fchmodat:1", "fchownat:1", "unlinkat:1", "symlinkat:1", "mkdir:1", "linkat:1", "rmdir:1",
	}
	tried, hits, number := 0, 0, 0
	for _, c := range changes() {
		site := func() string {
			dir := t.TempDir()
			if c.before != nil {
				c.before(t, h, dir)
			}
			return dir
		}
		whole := site()
		if err := c.do(t.Context(), h, whole); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, place := range places {
			for _, errno := range errnos {
				if number++; !*allFaults && number%29 != 0 {
					continue
				}
				if place == "unlinkat:1" && errno.name == "EROFS" {
					continue // which rm -f takes for a file that is not there
				}
				call, when, _ := strings.Cut(place, ":")
				name := fmt.Sprintf("%s, %s at %s number %s", c.name, errno.name, call, when)
				dir := site()
				old := tree(t, dir)
				tr.arm(t, c.script(), fmt.Sprintf("%s:error=%s:when=%s", call, errno.name, when))
				err := c.do(t.Context(), h, dir)
				hit := slices.ContainsFunc(tr.disarm(t), func(e syscallEvent) bool { return e.injected && (e.touches(dir) || e.touches(cfg.StateDir)) })
				tried++
				if hit {
					hits++
				}
				switch now := tree(t, dir); {
				case hit && err == nil:
					t.Errorf("%s: nobody was told", name)
				case hit && !strings.HasSuffix(when, "+"): // else the message could not be written either
					explains(t, fmt.Errorf("%s: %w", name, err), errno.text)
				case !equalTrees(now, old) && !equalTrees(now, tree(t, whole)):
					t.Errorf("%s: neither the old nor the new (-old +now):\n%s", name, cmp.Diff(old, now))
				}
				if err := c.do(t.Context(), h, dir); err != nil {
					t.Errorf("%s: the same again: %v", name, err)
				}
				if diff := cmp.Diff(tree(t, whole), tree(t, dir)); diff != "" {
					t.Errorf("%s: the same again does not end as it should (-want +got):\n%s", name, diff)
				}
			}
		}
	}
	t.Logf("%d injections, %d hit a file", tried, hits)
	if *allFaults && hits < 60 || hits == 0 {
		t.Errorf("only %d of %d injections hit a file", hits, tried)
	}
}

// The lock needs hardway's directory. Where that cannot be written, it is the disk
// that is to blame, and not another controller.
func TestLockOnABadDisk(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	for _, c := range []struct {
		name    string
		made    bool // whether hardway's directory is there before
		begin   string
		end     string
		message string
	}{
		{"no inodes", false, "nr_inodes=1", "nr_inodes=1000", noSpace},
		{"no inodes, directory there", true, "nr_inodes=4", "nr_inodes=1000", noSpace},
		{"no blocks", true, "size=4k", "size=1m", noSpace},
		{"read-only", false, "ro", "rw", readOnly},
		{"read-only, directory there", true, "ro", "rw", readOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := mountDisk(t, "size=1m,nr_inodes=1000")
			cfg := config(t, sshtest.Start(t, sshtest.Options{}))
			cfg.StateDir = filepath.Join(d.dir, "state")
			if c.made {
				first := dial(t, cfg)
				if err := first.Lock(t.Context(), "first"); err != nil {
					t.Fatal(err)
				}
				if err := first.Close(); err != nil {
					t.Fatal(err)
				}
			}
			d.remount(c.begin)
			h := dial(t, cfg)
			err := h.Lock(t.Context(), "second")
			if err == nil {
				t.Fatal("it was given the lock")
			}
			if _, locked := errors.AsType[*host.LockedError](err); locked {
				t.Errorf("it blames somebody else: %v", err)
			}
			explains(t, err, cfg.StateDir, c.message)
			d.remount(c.end)
			if err := h.Lock(t.Context(), "second"); err != nil {
				t.Errorf("once the disk was in order: %v", err)
			}
			other := dial(t, cfg)
			if _, locked := errors.AsType[*host.LockedError](other.Lock(t.Context(), "third")); !locked {
				t.Error("two have the lock")
			}
		})
	}
}

// The session's own directory is on a file system that others fill, too. Whatever
// does not fit there, script, input or answer, must never look like success.
func TestFullRunDirectory(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	step := 4 << 10
	if !*allFaults {
		step *= 4
	}
	var rooms []string
	for room := 4 << 10; room <= 192<<10; room += step {
		rooms = append(rooms, fmt.Sprint("size=", room))
	}
	for inodes := 1; inodes <= 24; inodes += step >> 12 {
		rooms = append(rooms, fmt.Sprint("nr_inodes=", inodes))
	}
	done, refused := 0, 0
	for _, room := range rooms {
		d := mountDisk(t, room)
		cfg := config(t, sshtest.Start(t, sshtest.Options{}))
		cfg.RunDir = filepath.Join(d.dir, "run")
		root := t.TempDir()
		writes("hosts", "127.0.0.1 localhost\n", 1)(t, nil, root)
		err := func() error {
			h, err := Dial(t.Context(), cfg)
			if err != nil {
				return err
			}
			defer h.Close()
			if err := h.Lock(t.Context(), "test"); err != nil {
				return err
			}
			if err := script("directory", "", "DIR/d", "0750", "root", "root")(t.Context(), h, root); err != nil {
				return err
			}
			if info, err := os.Stat(filepath.Join(root, "d")); err != nil || info.Mode().Perm() != 0o750 {
				t.Errorf("%s: the directory: %v, %v", room, info, err)
			}
			block := strings.Repeat("10.0.0.1 somewhere\n", 800)
			if err := script("block", block, "DIR/hosts")(t.Context(), h, root); err != nil {
				return err
			}
			if text, _ := os.ReadFile(filepath.Join(root, "hosts")); !strings.Contains(string(text), block+"# END") {
				t.Errorf("%s: the block is not whole: %d bytes", room, len(text))
			}
			text := bytes.Repeat([]byte("n"), 30<<10)
			if err := h.Put(t.Context(), put(filepath.Join(root, "f"), text)); err != nil {
				return err
			}
			if now, err := os.ReadFile(filepath.Join(root, "f")); !bytes.Equal(now, text) {
				t.Errorf("%s: the file: %d bytes, %v", room, len(now), err)
			}
			r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"head", "-c", "40000", "/dev/zero"}})
			if err == nil && len(r.Stdout) != 40000 {
				t.Errorf("%s: %d bytes of output", room, len(r.Stdout))
			}
			return err
		}()
		if err == nil {
			done++
			continue
		}
		refused++
		if !strings.Contains(err.Error(), "space left below "+cfg.RunDir) {
			explains(t, fmt.Errorf("%s: %w", room, err), noSpace)
		}
	}
	t.Logf("%d sizes had room for all, %d were refused", done, refused)
	if done == 0 || refused == 0 {
		t.Errorf("%d sizes had room for all, %d were refused: the sizes are badly chosen", done, refused)
	}
}
