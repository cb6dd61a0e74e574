package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/state"
)

// mountDisk mounts a small file system and returns its root, and how to change it.
func mountDisk(t *testing.T, options string) (dir string, remount func(options string)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	dir = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "none", dir).CombinedOutput(); err != nil {
		t.Skipf("mounting is not possible here: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir, func(options string) {
		t.Helper()
		if out, err := exec.Command("mount", "-o", "remount,"+options, dir).CombinedOutput(); err != nil {
			t.Fatalf("remount %s: %s", options, out)
		}
	}
}

// reads returns the resources that a reader without the lock finds, and fails the
// test if there is no good state to read.
func reads(t *testing.T, path string) map[addr.Address]state.Record {
	t.Helper()
	snap, _, err := New(path, options).Load(ctx)
	if err != nil {
		t.Fatalf("the state cannot be read any more: %v", err)
	}
	return snap.Resources
}

// The disk of the controller fills up in the middle of an apply, at forty sizes of
// it: what was acknowledged is there, what was not is an error that says where and
// what to do, and with room again the next run goes on.
func TestFullDisk(t *testing.T) {
	const page = 4 << 10
	inRecord, inCommit := 0, 0
	for size := 4 * page; size < 44*page; size += page {
		dir, remount := mountDisk(t, fmt.Sprint("mode=0700,size=", 16<<20))
		s := New(filepath.Join(dir, "hardway.state"), options)
		must(t, s.Lock(ctx, "apply", 0), s.Create(ctx, state.New("lab", "0.1.0", clock)))
		remount(fmt.Sprint("size=", size))
		acknowledged := map[addr.Address]bool{}
		var err error
		for n := 0; n < 40 && err == nil; n++ {
			a, spec := file(n)
			spec.File.Content = strings.Repeat("x", 2000)
			if err = s.Begin(ctx, state.Begin{Addr: a, Spec: spec}); err != nil {
				inRecord++
				break
			}
			if err = done(s, n); err != nil {
				inRecord++
				break
			}
			acknowledged[a] = true
			if n%10 == 9 {
				if err = s.Commit(ctx); err != nil {
					inCommit++
				}
			}
		}
		now := reads(t, s.Path())
		for a := range acknowledged {
			if now[a].SHA256 == "" {
				t.Errorf("%d bytes: %s was acknowledged and is lost", size, a)
			}
		}
		if err != nil {
			for _, part := range []string{dir, "no space left", "make room"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%d bytes: the error does not say %q: %v", size, part, err)
				}
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%d bytes: %v", size, err)
			}
			// Whoever goes on all the same is told the truth, too.
			after, _ := file(50)
			if begin(s, 50) == nil && !reads(t, s.Path())[after].Pending {
				t.Errorf("%d bytes: a record after the failed one was acknowledged and is lost", size)
			}
		}
		_ = s.Unlock()
		remount(fmt.Sprint("size=", 16<<20))
		next := New(s.Path(), options)
		must(t, next.Lock(ctx, "apply", 0))
		load(t, next)
		must(t, begin(next, 100), done(next, 100), next.Commit(ctx), next.Unlock())
		then := reads(t, s.Path())
		for a := range acknowledged {
			if then[a].SHA256 == "" {
				t.Errorf("%d bytes: %s is lost once there is room", size, a)
			}
		}
		left, _ := filepath.Glob(filepath.Join(dir, ".hardway.state*"))
		if len(left) > 0 {
			t.Errorf("%d bytes: left behind: %v", size, left)
		}
	}
	t.Logf("40 sizes of the disk: %d were full at a record, %d at a commit", inRecord, inCommit)
	if inRecord == 0 || inCommit == 0 {
		t.Error("the sizes are badly chosen")
	}
}

// A state that cannot be written is still one that can be read, and the error says
// what is wrong.
func TestDiskThatCannotBeWritten(t *testing.T) {
	for _, c := range []struct{ name, begin, end, says string }{
		{"read-only", "ro", "rw", "read-only file system"},
		{"no inodes", "nr_inodes=10", "nr_inodes=1000", "no space left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, remount := mountDisk(t, "mode=0700,size=1m,nr_inodes=1000")
			s := New(filepath.Join(dir, "hardway.state"), options)
			must(t, s.Lock(ctx, "apply", 0), s.Create(ctx, state.New("lab", "0.1.0", clock)), begin(s, 1), done(s, 1), s.Commit(ctx), s.Unlock())
			remount(c.begin)
			for i := 0; i < 20 && c.name == "no inodes"; i++ {
				_ = os.WriteFile(filepath.Join(dir, fmt.Sprint("filler", i)), nil, 0o600)
			}
			err := s.Lock(ctx, "apply", 0)
			if err == nil {
				load(t, s)
				err = begin(s, 2)
			}
			if err == nil {
				t.Fatal("it was recorded")
			}
			for _, part := range []string{dir, c.says} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			if errors.As(err, new(*LockedError)) {
				t.Errorf("it blames somebody else: %v", err)
			}
			if n := len(reads(t, s.Path())); n != 1 {
				t.Errorf("%d resources, want 1", n)
			}
			_ = s.Unlock()
			remount(c.end)
			must(t, s.Lock(ctx, "apply", 0))
			load(t, s)
			must(t, begin(s, 2), done(s, 2), s.Commit(ctx), s.Unlock())
			if n := len(reads(t, s.Path())); n != 2 {
				t.Errorf("%d resources, want 2", n)
			}
		})
	}
}
