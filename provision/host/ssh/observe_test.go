package ssh

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// A file that changes while it is read is read again, a few times.
func TestObserveAgain(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct {
		name  string
		times string
		says  string
	}{
		{"once", "1", ""},
		{"always", "99", "changed while it was read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			// Between its digest and its content, the file becomes longer.
			fake := "#!/bin/sh\n/usr/bin/sha256sum \"$@\" || exit\n" +
				"[ $(stat -c %s " + path + ") -gt " + c.times + " ] || printf x >>" + path + "\n"
			if err := os.WriteFile(filepath.Join(dir, "sha256sum"), []byte(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			h := dial(t, config(t, sshtest.Start(t, sshtest.Options{Path: dir})))
			o, err := h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{{Path: path, Content: true}}})
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || string(o.Files[path].Content) != "xx" {
				t.Fatalf("%q, %v", o.Files[path].Content, err)
			}
		})
	}
}

// A file of the kernel does not tell its size, known or not.
func TestObserveKnownKernelFile(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	const path = "/proc/sys/kernel/ostype"
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
	observe := func(known *facts.Known) facts.File {
		o, err := h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{{Path: path, Content: true, Known: known}}})
		if err != nil {
			t.Fatal(err)
		}
		return o.Files[path]
	}
	want := observe(nil)
	if len(want.Content) == 0 || want.Size != int64(len(want.Content)) {
		t.Fatalf("got %+v", want)
	}
	for _, text := range []string{string(want.Content), "", "other\n"} {
		if d := cmp.Diff(want, observe(facts.Knowing(text))); d != "" {
			t.Errorf("%q is known:\n%s", text, d)
		}
	}
}

// A content that changes between its digest and its reading is read again, and
// what is known is not taken for it.
func TestObserveKnownChanges(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, p := range []string{a, b} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Between its digest and the comparison, each file becomes longer, once.
	fake := "#!/bin/sh\n/usr/bin/sha256sum \"$@\" || exit\n" +
		"[ $(stat -c %s " + a + ") -gt 1 ] || { printf x >>" + a + "; printf y >>" + b + "; }\n"
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sha256sum"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	h := dial(t, config(t, sshtest.Start(t, sshtest.Options{Path: bin})))
	o, err := h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{
		{Path: a, Content: true, Known: facts.Knowing("x")}, {Path: b, Content: true, Known: facts.Knowing("z")}}})
	if err != nil {
		t.Fatal(err)
	}
	// b was read a second time; a is as known the first time, or longer the second.
	for path, want := range map[string]string{a: "xx", b: "xy"} {
		if f := o.Files[path]; string(f.Content) != want || f.SHA256 != sha256Hex(want) || f.Size != 2 {
			t.Errorf("%s: %+v", path, f)
		}
	}
}

// A mark that cannot be read is never taken for none.
func TestDamagedMark(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	c := config(t, sshtest.Start(t, sshtest.Options{}))
	h := dial(t, c)
	if err := h.Lock(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	run := func() error {
		_, err := h.Run(t.Context(), host.Script{Name: "mark", Args: []string{"l", "3", "c", ""}})
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.StateDir, "mark")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	good, err := os.ReadFile(path)
	if err != nil || string(good) != "l\n3\nc\n\n" {
		t.Fatalf("%q, %v", good, err)
	}
	for _, text := range []string{"", "\n", "l", "l\n", "l\n3\nc\n", "l\nx\nc\n\n", "\n3\nc\n\n", "l\n\x00\n\n\n", strings.Repeat("\x00", 100), strings.Repeat("l", 5000) + "\n3\nc\n\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := h.Observe(t.Context(), facts.Request{})
		if err == nil || o.Reachable() || !strings.Contains(err.Error(), path+" is damaged") {
			t.Fatalf("%.20q: %v", text, err)
		}
	}
	if err := os.WriteFile(path, []byte("\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), path+" is damaged") {
		t.Fatalf("got %v", err)
	}
	for name, make := range map[string]func() error{
		"a directory":       func() error { return os.Mkdir(path, 0o700) },
		"a link to nowhere": func() error { return os.Symlink("/nonexistent", path) },
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Observe(t.Context(), facts.Request{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := run(); err == nil {
			t.Fatalf("%s was overwritten", name)
		}
	}
}
