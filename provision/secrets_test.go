package provision_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
)

// watched is a host whose traffic is looked at: keys may travel only as the
// content of files that root alone may read.
type watched struct {
	host.Host
	t    *testing.T
	seen *canaries
}

func (h watched) Put(ctx context.Context, p host.Put) error {
	r, err := p.Open()
	if err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if h.seen.learn(string(b)) && (p.Mode != 0o600 || p.Owner != "root" && p.Owner != "") {
		h.t.Errorf("put %s: a key in a file of %s with mode %04o", p.Path, p.Owner, p.Mode)
	}
	return h.Host.Put(ctx, p)
}

func (h watched) Run(ctx context.Context, s host.Script) (host.Result, error) {
	if h.seen.in(strings.Join(s.Args, " ") + string(s.Stdin)) {
		h.t.Errorf("script %s gets a key", s.Name)
	}
	return h.Host.Run(ctx, s)
}

func (h watched) Observe(ctx context.Context, r facts.Request) (facts.Observation, error) {
	o, err := h.Host.Observe(ctx, r)
	for path, f := range o.Files {
		if path != misplaced && h.seen.in(string(f.Content)) {
			h.t.Errorf("the observation of %s carries a key", path)
		}
	}
	return o, err
}

// misplaced is a file with no secret in it, into which somebody copies a key. It
// is read, since its text is compared, and then not shown.
const misplaced = "/var/lib/kubelet/config.yaml"

// canaries are the first lines of private keys: those have the secret number, the
// lines behind it the public key.
type canaries struct {
	mu    sync.Mutex
	lines map[string]bool
}

// learn takes the lines of the keys in a text, and says whether it has any.
func (c *canaries) learn(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := false
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "PRIVATE KEY-----\n")
		if !ok {
			return found
		}
		line, body, _ := strings.Cut(after, "\n")
		c.lines[line], found = true, true
		_, end, _ := strings.Cut(body, "-----END ")
		_, rest, _ = strings.Cut(end, "\n")
	}
}

func (c *canaries) in(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range c.lines {
		if strings.Contains(text, line) {
			return true
		}
	}
	return strings.Contains(text, "PRIVATE KEY-----")
}

// Private keys are in files on hosts that root alone may read, and sealed in the
// state. They are in nothing else that hardway writes, sends or says.
func TestKeysStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	seen := &canaries{lines: map[string]bool{}}
	w.wrap = func(_ addr.Host, h host.Host) host.Host { return watched{h, t, seen} }
	said := map[string]string{}
	clean := func() {
		t.Helper()
		for what, text := range said {
			if seen.in(text) {
				t.Errorf("%s: there is a key in it", what)
			}
		}
	}
	show := func(what string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		said[what] += string(b)
	}
	var files sync.Once
	for _, when := range []string{"first", "failing", "second", "drifted"} {
		switch when {
		case "failing":
			w.mustConverge(removal)
			w.machines[m1].FailAt(60, hosttest.CutAfter, errInjected)
		case "drifted":
			w.machines[m1].SetFile("/etc/kubernetes/pki/sa.key", &hosttest.File{Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root", Content: "x"})
			w.machines[n1].SetFile("/etc/kubernetes/pki/kube-proxy.crt", nil)
			key, _ := w.machines[n1].File("/etc/kubernetes/pki/kube-proxy.key")
			w.machines[n1].SetFile(misplaced, &key)
		}
		p := w.plan(provision.PlanOptions{})
		show(when+" plan", p)
		r, err := w.apply(t.Context(), p, func(e apply.Event) {
			show(when+" events", e)
			if e.Phase == apply.Done && e.Addr.Kind == "unit" {
				files.Do(func() {
					b, err := os.ReadFile(filepath.Join(w.dir, "hardway.state.journal"))
					if err != nil {
						t.Error(err)
					}
					said["journal"] = string(b)
				})
			}
		})
		show(when+" result", r)
		if err != nil {
			said[when+" error"] = err.Error()
		}
		if (err != nil) != (when == "failing") {
			t.Fatalf("%s: %v", when, err)
		}
	}
	show("public state", w.state())
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		said[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.lines) < 20 || said["journal"] == "" || said[filepath.Join(w.dir, "hardway.state")] == "" {
		t.Fatalf("%d keys were seen, in %d texts", len(seen.lines), len(said))
	}
	clean()
	for h, m := range w.machines {
		for path, f := range m.Snapshot().Files {
			if seen.in(f.Content) && (f.Mode != 0o600 || f.Owner != "root") {
				t.Errorf("%s: %s has a key, mode %04o and owner %s", h, path, f.Mode, f.Owner)
			}
		}
	}
}
