package view

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		width  int
		indent string
		want   string
	}{
		"fits":         {"one two", 10, "", "one two"},
		"breaks":       {"one two three", 8, "  ", "one two\n  three"},
		"long word":    {"a verylongword b", 5, "", "a\nverylongword\nb"},
		"no width":     {"one two three", 0, "", "one two three"},
		"unicode":      {"grün grün", 9, "", "grün grün"},
		"nothing":      {"", 10, "", ""},
		"exact":        {"abc def", 7, "", "abc def"},
		"one too wide": {"abc def", 6, "", "abc\ndef"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wrap(c.text, c.width, c.indent)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrapHangingKeepsLeadingSpace(t *testing.T) {
	got := wrapHanging("  key  a value that is long", 16, "       ")
	if diff := cmp.Diff("  key  a value\n       that is\n       long", got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const word = "  averyveryveryverylongword"
	if got := wrapHanging(word, 10, "    "); got != word {
		t.Errorf("a word without a space became %q", got)
	}
}

func TestTable(t *testing.T) {
	mark := func(s string) string { return "<" + s + ">" }
	got := table([]string{"A", "LONGER", "LAST"}, [][]cell{
		{{text: "wide cell"}, {text: "x", paint: mark}, {text: "a message that is cut"}},
		{{text: "é"}, {text: ""}, {text: ""}},
	}, 40)
	want := "A           LONGER   LAST\n" +
		"wide cell   <x>        a message that is…\n" +
		"é\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSizesAndTimes(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{size(0), "0 B"}, {size(999), "999 B"}, {size(1500), "1.5 kB"}, {size(84_000_000), "84.0 MB"}, {size(2_500_000_000), "2.5 GB"},
		{seconds(9999 * time.Millisecond), "9s"}, {seconds(65 * time.Second), "1m5s"},
		{Brief(1234567), "1ms"}, {Brief(1260 * time.Millisecond), "1.3s"}, {Brief(61600 * time.Millisecond), "1m2s"},
		{number(1, "host"), "1 host"}, {number(2, "host"), "2 hosts"},
		{percent(1, 0), ""}, {percent(42_000_000, 84_000_000), "50% of 84.0 MB"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestUseColor(t *testing.T) {
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	for name, c := range map[string]struct {
		noColor, terminal bool
		env               map[string]string
		want              bool
	}{
		"terminal":      {false, true, nil, true},
		"pipe":          {false, false, nil, false},
		"--no-color":    {true, true, nil, false},
		"NO_COLOR":      {false, true, map[string]string{"NO_COLOR": "1"}, false},
		"NO_COLOR=":     {false, true, map[string]string{"NO_COLOR": ""}, true},
		"dumb terminal": {false, true, map[string]string{"TERM": "dumb"}, false},
	} {
		if got := UseColor(c.noColor, c.terminal, env(c.env)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
