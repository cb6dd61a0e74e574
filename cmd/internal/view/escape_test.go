package view

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain":            "plain",
		"Grüße, 世界":        "Grüße, 世界",
		"a\nb\tc":          `a\nb\tc`,
		"\x1b[31mred\x1b":  `\x1b[31mred\x1b`,
		"c1 \u009b31m":     `c1 \u009b31m`,
		"abc\u202edef":     `abc\u202edef`,
		"zero\u200bwidth":  `zero\u200bwidth`,
		"nul\x00 del\x7f":  `nul\x00 del\x7f`,
		"bad \xff\xfe end": `bad \xff\xfe end`,
		"real \ufffd rune": "real \ufffd rune",
		`back\slash "q"`:   `back\slash "q"`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := EscapeBlock("a\n\tb\r\n"), "a\n\tb\\r\n"; got != want {
		t.Errorf("EscapeBlock = %q, want %q", got, want)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b]0;x\a", "\u2066x", "\xc3\x28", "\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if !utf8.ValidString(got) {
			t.Errorf("Escape(%q) is not UTF-8: %q", s, got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("Escape(%q) = %q lets something unprintable through", s, got)
		}
		if again := Escape(got); again != got {
			t.Errorf("Escape(%q) is not stable: %q, then %q", s, got, again)
		}
	})
}
