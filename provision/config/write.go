package config

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// maxSnippetLines bounds the source shown for one diagnostic, maxSnippetWidth
// the characters of one line of it.
const (
	maxSnippetLines = 6
	maxSnippetWidth = 200
)

// WriteDiagnostics writes diagnostics for people: what is wrong, the place as
// file:line:column, the source line with a marker under the part that is meant,
// and what to do. Details are wrapped at width columns; 0 does not wrap. Source
// text is shown without control characters, so that a file cannot drive the
// terminal. files may be nil; then no source is shown.
func WriteDiagnostics(w io.Writer, files *Files, diags hcl.Diagnostics, width int, color bool) error {
	out := bufio.NewWriter(w)
	for i, d := range diags {
		if i > 0 {
			fmt.Fprintln(out)
		}
		writeDiagnostic(out, files, d, width, color)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing diagnostics: %w", err)
	}
	return nil
}

func writeDiagnostic(out *bufio.Writer, files *Files, d *hcl.Diagnostic, width int, color bool) {
	start, bold, reset, word := "\x1b[31m", "\x1b[1m", "\x1b[0m", "Error"
	if d.Severity == hcl.DiagWarning {
		start, word = "\x1b[33m", "Warning"
	}
	if !color {
		start, bold, reset = "", "", ""
	}
	fmt.Fprintf(out, "%s%s:%s %s%s%s\n", start, word, reset, bold, printable(d.Summary), reset)
	if d.Subject != nil {
		fmt.Fprintf(out, "\n  on %s", printable(at(*d.Subject)))
		if in := files.blockAt(*d.Subject); in != "" {
			fmt.Fprintf(out, ", in %s", printable(in))
		}
		fmt.Fprintln(out, ":")
		writeSnippet(out, files.Source(d.Subject.Filename), *d.Subject, start, reset)
	}
	if d.Detail != "" {
		fmt.Fprintln(out)
		for line := range strings.SplitSeq(d.Detail, "\n") {
			writeWrapped(out, printable(line), width)
		}
	}
}

// writeSnippet shows the lines of src that rng covers, with carets below the
// part of each that is inside.
func writeSnippet(out *bufio.Writer, src []byte, rng hcl.Range, start, reset string) {
	if len(src) == 0 || rng.Start.Byte > len(src) {
		return
	}
	first := bytes.LastIndexByte(src[:rng.Start.Byte], '\n') + 1
	for n := 0; n < maxSnippetLines && first <= len(src); n++ {
		length := bytes.IndexByte(src[first:], '\n')
		if length < 0 {
			length = len(src) - first
		}
		line := bytes.TrimSuffix(src[first:first+length], []byte("\r"))
		text, columns := snippetLine(line)
		fmt.Fprintf(out, "%5d │ %s\n", rng.Start.Line+n, text)
		from, to := max(rng.Start.Byte-first, 0), min(rng.End.Byte-first, len(line))
		if n > 0 { // indentation is not what is wrong
			from = max(from, len(line)-len(bytes.TrimLeft(line, " \t")))
		}
		if n == 0 {
			to = max(to, from+1)
		}
		if a, b := columns(from), columns(to); a < maxSnippetWidth && to > from {
			fmt.Fprintf(out, "      │ %s%s%s%s\n", strings.Repeat(" ", a), start, strings.Repeat("^", max(b-a, 1)), reset)
		}
		if first += length + 1; first >= rng.End.Byte {
			return
		}
	}
	fmt.Fprintln(out, "      │ …")
}

// snippetLine makes a source line printable, a tab being one blank, and returns
// with it a function from byte offsets to columns.
func snippetLine(line []byte) (string, func(int) int) {
	var b strings.Builder
	columns := make([]int, len(line)+1)
	column := 0
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		for j := range size {
			columns[i+j] = column
		}
		if i += size; column == maxSnippetWidth {
			continue
		}
		if r = visible(r); unicode.In(r, unicode.Mn, unicode.Me) {
			b.WriteRune(r)
			continue
		}
		b.WriteRune(r)
		column++
	}
	columns[len(line)] = column
	return b.String(), func(offset int) int { return columns[max(0, min(offset, len(line)))] }
}

// writeWrapped breaks a line between words; a word longer than the width stays whole.
func writeWrapped(out *bufio.Writer, line string, width int) {
	column := 0
	for i, word := range strings.Split(line, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width > 0 && column+1+n > width:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += n
	}
	out.WriteByte('\n')
}

// printable replaces what a terminal would obey rather than show.
func printable(s string) string { return strings.Map(visible, s) }

func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == utf8.RuneError:
		return '�'
	}
	return r
}
