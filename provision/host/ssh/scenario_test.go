package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// site is a directory of a host that a scenario works on.
type site struct {
	root string
	cfg  Config
}

// What the scenario writes, and what stood there before; nothing for absent.
var (
	largeContent = bytes.Repeat([]byte("0123456789abcde\n"), 3<<16) // 3 MiB
	scenarioPuts = []struct{ name, old, text string }{
		{"a.conf", "old a\n", "new a\n"},
		{"b.conf", strings.Repeat("old b\n", 1000), strings.Repeat("new b\n", 2000)},
		{"c.conf", "", strings.Repeat("c", 20<<10)},
		{"d.key", "", "a key\n"},
		{"dir/e.conf", "", ""},
		{"large", "old large\n", string(largeContent)},
	}
	hostsBefore = "127.0.0.1 localhost" // without a newline at its end
	hostsAfter  = hostsBefore + "\n# BEGIN hardway\n10.0.0.1 m1\n# END hardway\n"
)

// newSite makes a host as it is before the scenario.
func newSite(t testing.TB, s *sshtest.Server, at string) site {
	t.Helper()
	c := config(t, s)
	c.RunDir, c.StateDir = filepath.Join(at, "run"), filepath.Join(at, "state")
	w := site{root: filepath.Join(at, "root"), cfg: c}
	if err := os.MkdirAll(w.root, 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"hosts": hostsBefore, "unwanted": "unwanted\n"}
	for _, p := range scenarioPuts {
		if p.old != "" {
			files[p.name] = p.old
		}
	}
	for name, text := range files {
		if err := os.WriteFile(w.at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("old-target", w.at("link")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w site) at(name string) string { return filepath.Join(w.root, name) }

// scenario does what an apply does with a host: it reads what is there, and
// brings it to what should be. It may be begun anew at any time.
func (w site) scenario(ctx context.Context, h *Host) error {
	req := facts.Request{Files: []facts.FileRequest{{Path: w.at("unwanted")}}}
	for _, p := range scenarioPuts {
		req.Files = append(req.Files, facts.FileRequest{Path: w.at(p.name)})
	}
	seen, err := h.Observe(ctx, req)
	if err != nil {
		return err
	}
	expect := func(name string) string {
		if f := seen.Files[w.at(name)]; f.Exists() {
			return f.SHA256
		}
		return "absent"
	}
	run := func(name, stdin string, args ...string) error {
		_, err := h.Run(ctx, host.Script{Name: name, Args: args, Stdin: []byte(stdin)})
		return err
	}
	if err := run("directory", "", w.at("dir"), "0750", "root", "root"); err != nil {
		return err
	}
	for _, p := range scenarioPuts {
		if err := run("prior-save", "", w.at(p.name)); err != nil {
			return err
		}
		f := put(w.at(p.name), []byte(p.text))
		f.Expect = expect(p.name)
		if err := h.Put(ctx, f); err != nil {
			return err
		}
	}
	if err := run("link", "", "new-target", w.at("link")); err != nil {
		return err
	}
	if err := run("block", "10.0.0.1 m1\n", w.at("hosts")); err != nil {
		return err
	}
	r := host.Remove{Path: w.at("unwanted")}
	if f := seen.Files[r.Path]; f.Exists() {
		r.Expect = f.SHA256
	}
	return h.Remove(ctx, r)
}

// undo puts back what the scenario kept of the time before it.
func (w site) undo(ctx context.Context, h *Host) error {
	if _, err := h.Run(ctx, host.Script{Name: "block", Args: []string{w.at("hosts")}}); err != nil {
		return err
	}
	_, err := h.Run(ctx, host.Script{Name: "prior-restore", Args: []string{w.at("b.conf")}})
	return err
}

// tree is everything below a directory: mode and content, by path.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case d.Type() == fs.ModeSymlink:
			text, err = os.Readlink(p)
		case d.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(p)
			text = string(b)
		}
		rel, _ := filepath.Rel(dir, p)
		out[rel] = info.Mode().String() + " " + text
		return err
	})
	if err != nil {
		t.Errorf("looking at %s: %v", dir, err)
	}
	return out
}

// torn names the files that have neither their old nor their new content.
func (w site) torn() []string {
	var out []string
	look := func(name string, good ...string) {
		b, err := os.ReadFile(w.at(name))
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(good, "") {
			return
		}
		if err != nil || !slices.Contains(good, string(b)) {
			out = append(out, fmt.Sprintf("%s (%d bytes, %v)", name, len(b), err))
		}
	}
	for _, p := range scenarioPuts {
		look(p.name, p.old, p.text)
	}
	look("hosts", hostsBefore, hostsAfter)
	look("unwanted", "", "unwanted\n")
	if to, err := os.Readlink(w.at("link")); err != nil || to != "old-target" && to != "new-target" {
		out = append(out, fmt.Sprintf("link (%q, %v)", to, err))
	}
	return out
}

// watch reads the files again and again, and says at the end whether one of them
// was ever torn.
func (w site) watch() (stop func() []string) {
	over, found := make(chan struct{}), make(chan []string)
	go func() {
		for {
			if torn := w.torn(); len(torn) > 0 {
				found <- torn
				return
			}
			select {
			case <-over:
				found <- nil
				return
			case <-time.After(25 * time.Millisecond):
			}
		}
	}()
	return sync.OnceValue(func() []string { close(over); return <-found })
}

// leftovers are files that no session should leave behind.
func (w site) leftovers(t *testing.T) []string {
	var out []string
	for name := range tree(t, w.root) {
		if strings.Contains(name, ".hardway.") {
			out = append(out, name)
		}
	}
	for name := range tree(t, w.cfg.StateDir) {
		if name == "lock.info" || strings.HasSuffix(name, ".new") {
			out = append(out, "state/"+name)
		}
	}
	for _, name := range entries(t, w.cfg.RunDir) {
		out = append(out, "run/"+name)
	}
	slices.Sort(out)
	return out
}
