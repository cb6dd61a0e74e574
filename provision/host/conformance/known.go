package conformance

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
)

// knownContents: what is known need not travel, and nobody can tell from the
// answer.
func knownContents(t *testing.T, s *suite) {
	large, largest := strings.Repeat("0123456789abcdef", facts.MaxContent/16)+"x", strings.Repeat("0123456789abcdef", facts.MaxContent/16)
	cases := []struct {
		name, text, known string
		shared            bool // the answer has the very slice of what is known
	}{
		{"equal", "one\ntwo\n", "one\ntwo\n", true},
		{"equal without a line break", "one", "one", true},
		{"equal and not text", "\x00\xff\n\x00", "\x00\xff\n\x00", true},
		{"different", "one\n", "two\n", false},
		{"longer", "one\ntwo\n", "one\n", false},
		{"empty", "", "", true},
		{"empty now", "", "one\n", false},
		{"no longer empty", "one\n", "", false},
		{"as large as travels", largest, largest, true},
		{"too large", large, large, false},
		{"too large now", large, "one\n", false},
		{"too large once", "one\n", large, false},
		{`with a \ in its name`, "one\n", "one\n", false},
		{"with  two blanks", "one\n", "one\n", true},
		{"one\ttab", "one\n", "one\n", true},
		{"[a-z]*?", "one\n", "one\n", true},
	}
	var with, without facts.Request
	ask := func(f facts.FileRequest) {
		with.Files = append(with.Files, f)
		f.Known = nil
		without.Files = append(without.Files, f)
	}
	for _, c := range cases {
		s.put(file(s.at(c.name), 0o640, c.text, ""))
		ask(facts.FileRequest{Path: s.at(c.name), Content: true, Known: facts.Knowing(c.known)})
	}
	// What one path ends with is another path.
	inner, outer := s.at("different"), s.at("d  ")+s.at("different")
	for i := len(s.at("d  ")); i >= 0; {
		s.run("directory", "", outer[:i], "0755", "root", "root")
		next := strings.IndexByte(outer[i+1:], '/')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	s.put(file(outer, 0o640, "two\n", ""))
	ask(facts.FileRequest{Path: outer, Content: true, Known: facts.Knowing("two\n")})
	ask(facts.FileRequest{Path: inner + "/below", Content: true, Known: facts.Knowing("two\n")})

	s.run("directory", "", s.at("directory"), "0755", "root", "root")
	ask(facts.FileRequest{Path: s.at("directory"), Content: true, Known: facts.Knowing("one\n")})
	ask(facts.FileRequest{Path: s.at("absent"), Content: true, Known: facts.Knowing("one\n")})
	s.put(file(s.at("unknown"), 0o640, "nobody knows it\n", ""))
	ask(facts.FileRequest{Path: s.at("unknown"), Content: true})
	s.put(file(s.at("no content"), 0o640, "one\n", ""))
	ask(facts.FileRequest{Path: s.at("no content"), Known: facts.Knowing("one\n")})
	s.put(file(s.at("combined"), 0o600, pemCertificate+pemKey, ""))
	ask(facts.FileRequest{Path: s.at("combined"), Content: true, Certificates: true, Known: facts.Knowing(pemCertificate + pemKey)})

	for _, deep := range []bool{false, true} {
		with.Deep, without.Deep = deep, deep
		got, want := s.observe(with).Files, s.observe(without).Files
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("deep %v (-without what is known +with it):\n%s", deep, d)
		}
		for i, c := range cases {
			b, k := got[s.at(c.name)].Content, with.Files[i].Known.Content
			if c.shared && len(c.text) > 0 && (len(b) == 0 || &b[0] != &k[0]) {
				t.Errorf("%s: the content is a copy of what is known", c.name)
			}
		}
		for i := range with.Files { // each by itself: then all, or none, is as it is known
			one, alone := facts.Request{Files: with.Files[i : i+1], Deep: deep}, facts.Request{Files: without.Files[i : i+1], Deep: deep}
			if d := cmp.Diff(s.observe(alone).Files, s.observe(one).Files); d != "" {
				t.Errorf("%s alone:\n%s", with.Files[i].Path, d)
			}
		}
	}
	// Asked for twice, in two ways.
	p := s.at("equal")
	for _, q := range [][]facts.FileRequest{
		{{Path: p, Content: true, Known: facts.Knowing("one\ntwo\n")}, {Path: p, Content: true}},
		{{Path: p, Content: true, Known: facts.Knowing("other\n")}, {Path: p, Content: true, Known: facts.Knowing("one\ntwo\n")}},
	} {
		if got := s.observe(facts.Request{Files: q}).Files[p]; !bytes.Equal(got.Content, []byte("one\ntwo\n")) || got.Size != 8 {
			t.Errorf("asked for twice: %+v", got)
		}
	}
	// Many, of which one differs at each end and in the middle.
	var many facts.Request
	for i := range 40 {
		path, text := s.at(fmt.Sprintf("many%02d", i)), fmt.Sprintf("text %d\n", i)
		many.Files = append(many.Files, facts.FileRequest{Path: path, Content: true, Known: facts.Knowing(text)})
		if i%20 == 0 || i == 39 {
			text += "and more\n"
		}
		s.put(file(path, 0o644, text, ""))
	}
	for path, f := range s.observe(many).Files {
		if f.SHA256 != sum(string(f.Content)) || f.Size != int64(len(f.Content)) {
			t.Errorf("%s: %q has digest %.12s and size %d", path, f.Content, f.SHA256, f.Size)
		}
	}
}
