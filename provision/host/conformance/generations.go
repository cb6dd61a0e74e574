package conformance

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// locked takes the lock, which makes hardway's directory.
func (s *suite) locked() {
	s.Helper()
	if err := s.h.Lock(s.Context(), "conformance"); err != nil {
		s.Fatal(err)
	}
}

// fails runs a script that has to fail.
func (s *suite) fails(exit int, name string, args ...string) {
	s.Helper()
	_, err := s.h.Run(s.Context(), host.Script{Name: name, Args: args})
	s.refused(err, exit)
}

func (s *suite) is(want, got string) {
	s.Helper()
	if got != want {
		s.Fatalf("got %q, want %q", got, want)
	}
}

func mark(t *testing.T, s *suite) {
	s.locked()
	observed := func(want facts.Mark) {
		t.Helper()
		if got := s.observe(facts.Request{}).Mark; got != want {
			t.Fatalf("the mark is %+v, want %+v", got, want)
		}
	}
	observed(facts.Mark{})
	s.is("", s.run("mark", "", "l-1", "7", "my cluster", ""))
	observed(facts.Mark{Lineage: "l-1", Serial: 7, Cluster: "my cluster"})
	s.run("mark", "", "l-1", "7", "my cluster", sum("copy"))
	s.run("mark", "", "l-1", "999999999999999999", " renamed\\ ü ", sum("copy"))
	highest := facts.Mark{Lineage: "l-1", Serial: 999999999999999999, Cluster: " renamed\\ ü ", Copy: sum("copy")}
	observed(highest)
	for _, c := range []struct{ lineage, serial, says string }{
		{"l-1", "999999999999999998", "this host was last changed by a newer state (serial 999999999999999999); run `hardway state recover`"},
		{"l-1", "8", "newer state"},
		{"l-2", "999999999999999999", "this host belongs to another cluster (lineage l-1); run `hardway state recover`"},
	} {
		r, err := s.h.Run(t.Context(), host.Script{Name: "mark", Args: []string{c.lineage, c.serial, "c", ""}})
		e, ok := errors.AsType[*host.MarkedError](err)
		if !ok || *e != (host.MarkedError{Lineage: "l-1", Serial: 999999999999999999, Expected: c.lineage}) || !strings.Contains(err.Error(), c.says) {
			t.Fatalf("got %v", err)
		}
		if r.Exit != 74 || string(r.Stdout) != "l-1\n999999999999999999\n" {
			t.Fatalf("the result beside the error: %+v", r)
		}
		observed(highest)
	}
	for _, bad := range [][]string{
		{"", "1", "c", ""}, {"a\nb", "1", "c", ""}, {"l-1", "1", "c\nd", ""}, {"l-1", "", "c", ""}, {"l-1", "-1", "c", ""}, {"l-1", "010", "c", ""},
		{"l-1", "1000000000000000000", "c", ""}, {"l-1", "1", "c", "x"}, {"l-1", "1", "c", strings.Repeat("4", 6)}, {"l-1", "1", "c", strings.Repeat("A", 64)},
		{"l-1", "1", "c", strings.Repeat("0", 640)},
	} {
		s.fails(64, "mark", bad...)
	}
	observed(highest)
	s.run("state-clear", "")
	observed(facts.Mark{})
}

// keep and keep-restore, of all kinds of things and in the order given.
func keep(t *testing.T, s *suite) {
	s.locked()
	text, gone, link, dir, inside := s.at("a b"), s.at("gone"), s.at("link"), s.at("dir"), s.at("dir", "inside")
	s.put(file(text, 0o640, "one\n", ""))
	s.run("link", "", text, link)
	s.run("directory", "", dir, "0750", "root", "root")
	s.put(file(inside, 0o600, "inside", ""))
	paths := []string{text, gone, link, dir, inside}
	req := facts.Request{Files: []facts.FileRequest{{Path: text, Content: true}, {Path: gone}, {Path: link}, {Path: dir}, {Path: inside, Content: true}}}
	before := s.observe(req).Files
	s.is("file\nabsent\nsymlink\ndirectory\nfile\n", s.run("keep", "", append([]string{"12"}, paths...)...))

	s.put(file(text, 0o600, "two\n", ""))
	s.put(file(gone, 0o600, "new", ""))
	if err := s.h.Remove(t.Context(), host.Remove{Path: link}); err != nil {
		t.Fatal(err)
	}
	if err := s.h.Remove(t.Context(), host.Remove{Path: dir, Recursive: true}); err != nil {
		t.Fatal(err)
	}
	// The first call wins, for a path and not for a generation; twice in one call too.
	s.is("file\nfile\n", s.run("keep", "", "12", text, text))
	s.is("file\nfile\nabsent\n", s.run("keep", "", "13", text, text, dir))
	s.is("absent\n", s.run("keep", "", "12", s.at("later")))

	want := "file " + sum("one\n") + "\nabsent -\nsymlink -\ndirectory -\nfile " + sum("inside") + "\n"
	for range 2 { // it stays kept, and doing it again changes nothing
		s.is(want, s.run("keep-restore", "", append([]string{"12"}, paths...)...))
		if d := cmp.Diff(before, s.observe(req).Files); d != "" {
			t.Fatal(d)
		}
	}
	s.is("file "+sum("two\n")+"\n", s.run("keep-restore", "", "13", text))
	s.content(text, "two\n")
	s.is("", s.run("keep", "", "12"))
	s.is("", s.run("keep-restore", "", "12"))
}

func keepChecks(t *testing.T, s *suite) {
	s.locked()
	a, b := s.at("a"), s.at("b")
	s.put(file(a, 0o600, "one", ""))
	for _, bad := range []string{"", "x", "-1", "1/2", "..", "1 2"} {
		s.fails(64, "keep", bad, a)
		s.fails(64, "keep-restore", bad, a)
	}
	for _, bad := range []string{"relative", "/", s.Root + "//x", s.Root + "/../x", s.at("a\nb")} {
		s.fails(64, "keep", "1", bad)
	}
	s.run("keep", "", "1", a)
	s.put(file(a, 0o600, "two", ""))
	// Nothing is put back when one of them cannot be.
	_, err := s.h.Run(t.Context(), host.Script{Name: "keep-restore", Args: []string{"1", a, b}})
	s.refused(err, 1)
	if !strings.Contains(err.Error(), b) {
		t.Fatalf("the error does not name %s: %v", b, err)
	}
	s.content(a, "two")
	s.fails(1, "keep-restore", "2", a)
	// What stands in the way is not swept away.
	s.run("keep", "", "1", b)
	s.run("directory", "", b, "0755", "root", "root")
	s.put(file(b+"/f", 0o600, "x", ""))
	s.fails(1, "keep-restore", "1", b)
	s.content(b+"/f", "x")
	// An unsafe parent.
	d := s.at("d")
	s.run("directory", "", d, "0755", "root", "root")
	s.put(file(d+"/f", 0o600, "x", ""))
	s.run("keep", "", "1", d+"/f")
	s.Chmod(t, d, 0o777)
	s.fails(67, "keep-restore", "1", d+"/f")
}

// Large files are linked, which nobody may notice.
func keepLarge(t *testing.T, s *suite) {
	s.locked()
	one, two := strings.Repeat("0123456789abcdef", 1<<17), strings.Repeat("fedcba9876543210", 1<<17)+"end"
	p := s.at("large")
	s.put(file(p, 0o755, one, "absent"))
	s.is("file\n", s.run("keep", "", "1", p))
	s.put(file(p, 0o700, two, sum(one)))
	s.is("file\n", s.run("keep", "", "2", p))
	check := func(mode uint32, text string) {
		t.Helper()
		for _, deep := range []bool{false, true} {
			got := s.observe(facts.Request{Files: []facts.FileRequest{{Path: p}}, Deep: deep}).Files[p]
			if got.SHA256 != sum(text) || got.Size != int64(len(text)) || got.Mode != mode {
				t.Fatalf("deep %v: got %+v", deep, got)
			}
		}
	}
	check(0o700, two)
	for range 2 {
		s.is("file "+sum(one)+"\n", s.run("keep-restore", "", "1", p))
		check(0o755, one)
		s.is("file "+sum(one)+"\n", s.run("keep-restore", "", "1", p))
		s.is("file "+sum(two)+"\n", s.run("keep-restore", "", "2", p))
		check(0o700, two)
	}
	s.put(file(p, 0o755, "small", sum(two)))
	s.is("file "+sum(two)+"\n", s.run("keep-restore", "", "2", p))
	s.is("2\n1\n", s.run("keep-prune", "", "0"))
	check(0o700, two)
}

func keepMount(t *testing.T, s *suite) {
	s.locked()
	p := s.at("hosts")
	s.put(file(p, 0o644, "before\n", ""))
	s.run("keep", "", "1", p)
	s.Mount(t, p)
	s.put(file(p, 0o600, "after\n", ""))
	s.is("file "+sum("before\n")+"\n", s.run("keep-restore", "", "1", p))
	got := s.look(p)
	if string(got.Content) != "before\n" || got.Mode != 0o644 || !got.Mount {
		t.Fatalf("got %+v", got)
	}
}

func keepPrune(t *testing.T, s *suite) {
	s.is("", s.run("keep-prune", "", "3"))
	s.locked()
	p := s.at("f")
	s.put(file(p, 0o600, "x", ""))
	for _, g := range []string{"2", "10", "9", "100"} {
		s.run("keep", "", g, p)
	}
	for _, bad := range []string{"", "x", "-1", "01"} {
		s.fails(64, "keep-prune", bad)
	}
	s.is("", s.run("keep-prune", "", "4"))
	s.is("9\n2\n", s.run("keep-prune", "", "2"))
	s.run("keep-restore", "", "10", p)
	s.fails(1, "keep-restore", "9", p)
	s.is("100\n10\n", s.run("keep-prune", "", "0"))
	s.is("", s.run("keep-prune", "", "0"))
}

func stateRead(t *testing.T, s *suite) {
	s.fails(3, "state-read", "0")
	s.locked()
	s.fails(3, "state-read", "0")
	// A sealed state is binary, and may be larger than what a script may print.
	const piece = 3 << 20
	text := strings.Repeat("\x00\x01\xff\nsealed", piece/5) + "the end"
	s.put(file(s.State+"/state.age", 0o600, text, ""))
	got := ""
	for n, want := range []int{piece, piece, len(text) - 2*piece, 0} {
		more := s.run("state-read", "", strconv.Itoa(len(got)))
		if len(more) != want {
			t.Fatalf("piece %d has %d bytes, want %d", n, len(more), want)
		}
		got += more
	}
	if got != text {
		t.Fatal("the pieces do not make the whole")
	}
	for _, bad := range []string{"", "x", "-1", "010"} {
		s.fails(64, "state-read", bad)
	}
}

// Deep changes how digests come about, and never what they are.
func deep(t *testing.T, s *suite) {
	s.locked()
	small, large := s.at("small"), s.at("large")
	s.put(file(small, 0o600, "small", ""))
	text := strings.Repeat("0123456789abcdef", 1<<17)
	s.put(file(large, 0o600, text, ""))
	req := facts.Request{Files: []facts.FileRequest{{Path: small, Content: true}, {Path: large}, {Path: s.at("none")}}}
	want := s.observe(req).Files
	if want[large].SHA256 != sum(text) {
		t.Fatalf("got %+v", want[large])
	}
	req.Deep = true
	if d := cmp.Diff(want, s.observe(req).Files); d != "" {
		t.Fatal(d)
	}
}
