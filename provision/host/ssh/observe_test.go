package ssh

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
