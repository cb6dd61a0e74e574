package health

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	tests := map[string]string{
		"":                                 "",
		"ok\n":                             "ok",
		" a\n\tb  c ":                      "a b c",
		"\x1b[2J\x07evil\u202egpj":         "[2J evil gpj",
		"bad \xff byte":                    "bad \uFFFD byte",
		strings.Repeat("x", lineLimit):     strings.Repeat("x", lineLimit),
		strings.Repeat("é", lineLimit+100): strings.Repeat("é", 120) + " … " + strings.Repeat("é", 237),
	}
	for in, want := range tests {
		if got := clean(in); got != want {
			t.Errorf("clean(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("ok\n")
	f.Add("\x1b]0;title\x07\r\n" + strings.Repeat("long ", 200))
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if n := utf8.RuneCountInString(got); n > lineLimit {
			t.Errorf("%d runes", n)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not printable: %q", got)
		}
		if again := clean(got); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
	})
}
