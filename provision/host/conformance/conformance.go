// Package conformance is what every host.Host has to do, as one suite.
//
// The real transport and the host in memory run the same cases, so that what a
// test above the seam sees is what a machine does. The package must never know
// which of them it runs against.
package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// Target is a fresh machine to run the suite on.
type Target struct {
	// Connect opens a session; the suite closes it.
	Connect func(t *testing.T) host.Host
	// Root is an empty directory of root's to work in, and State is hardway's own,
	// which need not be there yet. Kubectl, Ctr and Socket are where these
	// programs are on the machine.
	Root, State, Kubectl, Ctr, Socket string
	// UnitDir is where unit files go. Both are empty if the machine has no systemd.
	UnitDir string
	// Mount makes a file of root's a mount point.
	Mount func(t *testing.T, path string)
	// Chown and Chmod change a path behind the host's back.
	Chown func(t *testing.T, path string, owner string)
	Chmod func(t *testing.T, path string, mode uint32)
}

// Run runs the suite. New makes a fresh target for every case.
func Run(t *testing.T, fresh func(t *testing.T) Target) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"put and observe", putAndObserve},
		{"put checks", putChecks},
		{"put onto a mount point", putMount},
		{"put large", putLarge},
		{"unsafe parents", unsafeParents},
		{"known contents", knownContents},
		{"remove", remove},
		{"directories", directories},
		{"certificates alone", certificatesAlone},
		{"arguments are data", argumentsAreData},
		{"script failures", scriptFailures},
		{"block", block},
		{"prior", prior},
		{"mark", mark},
		{"keep", keep},
		{"keep checks", keepChecks},
		{"keep large", keepLarge},
		{"keep a mount point", keepMount},
		{"keep prune", keepPrune},
		{"state read", stateRead},
		{"deep", deep},
		{"lock", lock},
		{"units", units},
		{"oneshot", oneshot},
		{"drop-ins", dropIns},
		{"images", images},
		{"objects", objects},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			target := fresh(t)
			s := &suite{T: t, Target: target, h: target.Connect(t)}
			t.Cleanup(func() { _ = s.h.Close() })
			c.run(t, s)
		})
	}
}

type suite struct {
	*testing.T
	Target
	h host.Host
}

func (s *suite) at(parts ...string) string { return path.Join(append([]string{s.Root}, parts...)...) }

func sum(b string) string {
	d := sha256.Sum256([]byte(b))
	return hex.EncodeToString(d[:])
}

// file is a Put of a text.
func file(p string, mode uint32, text, expect string) host.Put {
	return host.Put{
		Path: p, Mode: mode, Size: int64(len(text)), SHA256: sum(text), Expect: expect,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

func (s *suite) put(p host.Put) {
	s.Helper()
	if err := s.h.Put(s.Context(), p); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) observe(req facts.Request) facts.Observation {
	s.Helper()
	o, err := s.h.Observe(s.Context(), req)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// look observes one path, content included.
func (s *suite) look(p string) facts.File {
	s.Helper()
	return s.observe(facts.Request{Files: []facts.FileRequest{{Path: p, Content: true}}}).Files[p]
}

func (s *suite) run(name string, stdin string, args ...string) string {
	s.Helper()
	r, err := s.h.Run(s.Context(), host.Script{Name: name, Args: args, Stdin: []byte(stdin)})
	if err != nil {
		s.Fatal(err)
	}
	return string(r.Stdout)
}

// refused wants a script to fail with an exit status.
func (s *suite) refused(err error, exit int) {
	s.Helper()
	e, ok := errors.AsType[*host.ScriptError](err)
	if !ok || e.Exit != exit {
		s.Fatalf("got error %v, want exit status %d", err, exit)
	}
}

func (s *suite) content(p, want string) {
	s.Helper()
	if got := s.look(p); string(got.Content) != want {
		s.Fatalf("%s holds %q, want %q", p, got.Content, want)
	}
}

func putAndObserve(t *testing.T, s *suite) {
	a := s.at("a b")
	s.put(file(a, 0o600, "one\n", "absent"))
	want := facts.File{Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", Size: 4, SHA256: sum("one\n"), Content: []byte("one\n")}
	if d := cmp.Diff(want, s.look(a)); d != "" {
		t.Fatal(d)
	}
	binary := string(bytes.Repeat([]byte{0, 1, 0xff, '\n'}, 1000))
	s.put(file(a, 0o644, binary, sum("one\n")))
	want.Mode, want.Size, want.SHA256, want.Content = 0o644, 4000, sum(binary), []byte(binary)
	if d := cmp.Diff(want, s.look(a)); d != "" {
		t.Fatal(d)
	}
	s.put(file(s.at("empty"), 0o644, "", ""))
	got := s.observe(facts.Request{Files: []facts.FileRequest{{Path: a}, {Path: s.at("none")}, {Path: s.at("none", "deeper")}, {Path: s.at("empty"), Content: true}}}).Files
	want.Content = nil
	if d := cmp.Diff(map[string]facts.File{a: want, s.at("none"): {Type: facts.Absent}, s.at("none", "deeper"): {Type: facts.Absent},
		s.at("empty"): {Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root", SHA256: sum(""), Content: []byte{}}}, got); d != "" {
		t.Fatal(d)
	}
	o := s.observe(facts.Request{})
	if o.Arch == "" || o.OS.ID == "" || o.Hostname == "" || o.Kernel == "" || o.CPUs < 1 || o.MemoryKB < 1 || o.Clock.IsZero() {
		t.Fatalf("the machine is not described: %+v", o)
	}
}

func putChecks(t *testing.T, s *suite) {
	p := s.at("f")
	changed := func(err error, got string) {
		t.Helper()
		e, ok := errors.AsType[*host.ChangedError](err)
		if !ok || e.Path != p || e.Got != got {
			t.Fatalf("got %v, want a ChangedError with %q", err, got)
		}
	}
	changed(s.h.Put(t.Context(), file(p, 0o600, "x", sum("other"))), "absent")
	s.put(file(p, 0o600, "one", ""))
	changed(s.h.Put(t.Context(), file(p, 0o600, "two", "absent")), sum("one"))
	changed(s.h.Put(t.Context(), file(p, 0o600, "two", sum("other"))), sum("one"))
	changed(s.h.Remove(t.Context(), host.Remove{Path: p, Expect: sum("other")}), sum("one"))
	wrong := file(p, 0o600, "two", "")
	wrong.SHA256 = sum("three")
	s.refused(s.h.Put(t.Context(), wrong), 65)
	short := file(p, 0o600, "two", "")
	short.Size++
	if err := s.h.Put(t.Context(), short); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a content that is too short: %v", err)
	}
	s.content(p, "one")
	if d := s.at("d"); s.run("directory", "", d, "0755", "root", "root") == "created\n" {
		s.refused(s.h.Put(t.Context(), file(d, 0o600, "x", "")), 1)
	}
	// Nothing is left of what was refused.
	if err := s.h.Remove(t.Context(), host.Remove{Path: s.at("f")}); err != nil {
		t.Fatal(err)
	}
	if err := s.h.Remove(t.Context(), host.Remove{Path: s.at("d")}); err != nil {
		t.Fatal(err)
	}
	if got := s.look(s.Root); !got.Empty {
		t.Fatal("refused files left something behind")
	}
}

func putMount(t *testing.T, s *suite) {
	p := s.at("hosts")
	s.put(file(p, 0o644, "before\n", ""))
	s.Mount(t, p)
	s.put(file(p, 0o640, "after, and longer\n", sum("before\n")))
	got := s.look(p)
	want := facts.File{Type: facts.Regular, Mode: 0o640, Owner: "root", Group: "root", Size: 18, SHA256: sum("after, and longer\n"), Content: []byte("after, and longer\n"), Mount: true}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	s.run("block", "10.0.0.1 m1\n", p)
	s.content(p, "after, and longer\n# BEGIN hardway\n10.0.0.1 m1\n# END hardway\n")
	s.run("block", "", p)
	s.content(p, "after, and longer\n")
}

func putLarge(t *testing.T, s *suite) {
	text := strings.Repeat("0123456789abcdef", 1<<16) + "end"
	p := s.at("large")
	s.put(file(p, 0o755, text, "absent"))
	got := s.look(p)
	if got.SHA256 != sum(text) || got.Size != int64(len(text)) || got.Mode != 0o755 || got.Content != nil {
		t.Fatalf("got %+v", got)
	}
	broken := file(p, 0o755, text, "")
	broken.Size += 10 // the content ends early
	if err := s.h.Put(t.Context(), broken); err == nil {
		t.Fatal("a content that ends early was taken")
	}
	s.put(file(p, 0o755, text+"2", sum(text))) // and the session goes on
}

func unsafeParents(t *testing.T, s *suite) {
	s.refused(s.h.Put(t.Context(), file(s.at("none", "f"), 0o600, "x", "")), 67)
	for _, bad := range []string{"relative", s.Root + "/../x", s.Root + "//x", s.Root + "/"} {
		s.refused(s.h.Put(t.Context(), file(bad, 0o600, "x", "")), 64)
	}
	d := s.at("d")
	s.run("directory", "", d, "0755", "root", "root")
	s.Chmod(t, d, 0o777)
	s.refused(s.h.Put(t.Context(), file(d+"/f", 0o600, "x", "")), 67)
	s.Chmod(t, d, 0o1777)
	s.put(file(d+"/f", 0o600, "x", ""))
	s.Chmod(t, d, 0o755)
	s.Chown(t, d, "daemon")
	s.refused(s.h.Put(t.Context(), file(d+"/f", 0o600, "y", "")), 67)
	s.refused(s.h.Remove(t.Context(), host.Remove{Path: d + "/f"}), 67)
	s.content(d+"/f", "x")
}

func remove(t *testing.T, s *suite) {
	gone := func(r host.Remove) {
		t.Helper()
		if err := s.h.Remove(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if f := s.look(r.Path); f.Exists() {
			t.Fatalf("%s is still there: %+v", r.Path, f)
		}
	}
	gone(host.Remove{Path: s.at("never")})
	gone(host.Remove{Path: s.at("never", "was"), Expect: sum("x")})
	s.put(file(s.at("f"), 0o600, "x", ""))
	gone(host.Remove{Path: s.at("f"), Expect: sum("x")})
	s.run("directory", "", s.at("d"), "0755", "root", "root")
	s.run("directory", "", s.at("d", "e"), "0755", "root", "root")
	s.put(file(s.at("d", "e", "f"), 0o600, "x", ""))
	s.refused(s.h.Remove(t.Context(), host.Remove{Path: s.at("d")}), 1)
	gone(host.Remove{Path: s.at("d"), Recursive: true})
	s.refused(s.h.Remove(t.Context(), host.Remove{Path: "/", Recursive: true}), 64)
	s.refused(s.h.Remove(t.Context(), host.Remove{Path: "/usr", Recursive: true}), 64)
}

func directories(t *testing.T, s *suite) {
	d := s.at("d")
	for _, want := range []string{"created\n", "unchanged\n"} {
		if got := s.run("directory", "", d, "0750", "root", "root"); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if got := s.run("directory", "", d, "0755", "root", "root"); got != "updated\n" {
		t.Fatalf("got %q", got)
	}
	got := s.look(d)
	got.Size = 0
	if diff := cmp.Diff(facts.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root", Empty: true}, got); diff != "" {
		t.Fatal(diff)
	}
	s.put(file(d+"/f", 0o600, "x", ""))
	if s.look(d).Empty {
		t.Fatal("a directory with a file counts as empty")
	}
	_, err := s.h.Run(t.Context(), host.Script{Name: "rmdir", Args: []string{d}})
	s.refused(err, 3)
	s.run("directory-empty", "", d)
	if !s.look(d).Empty {
		t.Fatal("directory-empty left something")
	}
	s.run("rmdir", "", d)
	s.run("rmdir", "", d)
	if s.look(d).Exists() {
		t.Fatal("rmdir left it")
	}
}

func argumentsAreData(t *testing.T, s *suite) {
	canary := s.at("canary")
	values := []string{
		"", " ", "a b", "'", `"`, `\`, `\\`, `\0101`, "$(touch " + canary + ")", "`touch " + canary + "`", "; touch " + canary,
		"\n", "a\nb\n", "-n", "--", "%s%n", "*", "~", "$HOME", "\x01\x7f", "\xff\xfe", "ü ✓", "&& touch " + canary, "#", strings.Repeat("x", 20000),
	}
	// As the text of a file, and as its name.
	want := map[string]string{}
	for i, v := range values {
		p := s.at(fmt.Sprintf("v%d", i))
		s.put(file(p, 0o600, v, ""))
		want[p] = v
		if v != "" && len(v) < 200 && !strings.ContainsAny(v, "\n/") {
			p := s.at("x" + v + "y")
			s.put(file(p, 0o600, v, ""))
			want[p] = v
		}
	}
	var req facts.Request
	for p := range want {
		req.Files = append(req.Files, facts.FileRequest{Path: p, Content: true})
	}
	got := s.observe(req).Files
	for p, v := range want {
		if string(got[p].Content) != v {
			t.Errorf("%q holds %q, want %q", p, got[p].Content, v)
		}
	}
	if s.look(canary).Exists() {
		t.Fatal("a value was executed")
	}
}

func scriptFailures(t *testing.T, s *suite) {
	if _, err := s.h.Run(t.Context(), host.Script{Name: "no-such-script"}); err == nil {
		t.Fatal("an unknown script ran")
	}
	r, err := s.h.Run(t.Context(), host.Script{Name: "sysctl", Args: []string{"no.such.key", "1"}})
	s.refused(err, 1)
	if r.Exit != 1 || !strings.Contains(string(r.Stderr), "no.such.key") {
		t.Fatalf("the result beside the error: %+v", r)
	}
	_, err = s.h.Run(t.Context(), host.Script{Name: "exec"})
	s.refused(err, 64)
	s.run("exec", "", "true") // and the session goes on
}
