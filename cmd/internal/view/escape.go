package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a text safe to show on one line. Control characters, escape
// sequences, invisible and bidirectional characters and invalid UTF-8 are
// written as Go writes them in a string literal (\n, \x1b, \u202e): whatever a
// host answers, it can neither move the cursor nor pretend to be our own words.
func Escape(s string) string { return escape(s, "") }

// EscapeBlock is Escape for text of several lines: line feeds and tabs stay.
func EscapeBlock(s string) string { return escape(s, "\n\t") }

func escape(s, keep string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !shown(r, keep) || r == utf8.RuneError }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case shown(r, keep):
			b.WriteString(s[:size])
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// shown reports whether a rune may reach the terminal as it is. Format
// characters (category Cf: bidi overrides, zero-width joiners) are not printable.
func shown(r rune, keep string) bool {
	return unicode.IsPrint(r) || strings.ContainsRune(keep, r)
}

// quote writes a value as a string literal, with everything in it escaped.
func quote(s string) string { return strconv.Quote(s) }
