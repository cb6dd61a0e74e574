package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Files are the sources that diagnostics can quote, by the name in their
// ranges. What must not be shown in them is masked already.
type Files map[string]*hcl.File

// Diagnostics writes errors and warnings of the configuration with the lines
// they speak of:
//
//	Error: Unsupported argument
//
//	  on cluster.hcl line 3, column 3, in cluster "lab":
//	   3:   pod_cird = "10.244.0.0/16"
//	        ^^^^^^^^
//
//	There is no argument "pod_cird" here. Did you mean "pod_cidr"?
//
// hcl's own writer names no column and shows the source unescaped.
func Diagnostics(w io.Writer, diags hcl.Diagnostics, files Files, s Style) error {
	_, err := io.WriteString(w, diagnosticsText(diags, files, s))
	return err
}

func diagnosticsText(diags hcl.Diagnostics, files Files, s Style) string {
	var b strings.Builder
	c := s.palette()
	for i, d := range diags {
		if i > 0 {
			b.WriteString("\n")
		}
		label := c.red("Error:")
		if d.Severity == hcl.DiagWarning {
			label = c.yellow("Warning:")
		}
		b.WriteString(c.bold(label) + " " + c.bold(wrap(Escape(d.Summary), s.Width-9, "  ")) + "\n")
		if d.Subject != nil {
			b.WriteString("\n" + place(d.Subject, files) + snippet(d.Subject, files[d.Subject.Filename], c))
		}
		if d.Detail != "" {
			b.WriteString("\n" + paragraphs(EscapeBlock(d.Detail), s.Width) + "\n")
		}
	}
	return b.String()
}

// place writes "  on FILE line 3, column 5, in cluster "lab":".
func place(at *hcl.Range, files Files) string {
	text := fmt.Sprintf("  on %s line %d, column %d", Escape(at.Filename), at.Start.Line, at.Start.Column)
	if in := contextOf(at, files); in != "" {
		text += ", in " + Escape(in)
	}
	return text + ":\n"
}

// contextOf names the outermost block around a place: `node "n1"`.
func contextOf(at *hcl.Range, files Files) string {
	f := files[at.Filename]
	if f == nil {
		return ""
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok || body == nil {
		return ""
	}
	for _, b := range body.Blocks {
		if b.OpenBraceRange.End.Byte <= at.Start.Byte && at.Start.Byte < b.CloseBraceRange.End.Byte {
			name := b.Type
			for _, l := range b.Labels {
				name += " " + quote(l)
			}
			return name
		}
	}
	return ""
}

const (
	// maxSnippet is the number of lines of source that a diagnostic quotes,
	// maxLine the number of characters of one line.
	maxSnippet = 8
	maxLine    = 200
)

// snippet quotes the lines of a range and marks it.
func snippet(at *hcl.Range, f *hcl.File, c palette) string {
	if f == nil || len(f.Bytes) == 0 || at.Start.Line < 1 {
		return ""
	}
	lines := strings.Split(string(f.Bytes), "\n")
	first, last := at.Start.Line, at.End.Line
	if at.End.Column == 1 && last > first {
		last-- // the range ends with a line feed
	}
	end := min(last, first+maxSnippet-1, len(lines))
	var b strings.Builder
	for n := first; n <= end; n++ {
		line := strings.TrimRight(lines[n-1], "\r")
		from, to := 0, len(line)
		if n == at.Start.Line {
			from = byteColumn(line, at.Start.Column)
		}
		if n == at.End.Line {
			to = max(from, byteColumn(line, at.End.Column))
		}
		before, mark, after := source(line[:from]), source(line[from:to]), source(line[to:])
		if columns(before)+columns(mark)+columns(after) > maxLine {
			fmt.Fprintf(&b, "%4d: %s\n", n, cut(before+mark+after, maxLine))
			continue
		}
		fmt.Fprintf(&b, "%4d: %s%s%s\n", n, before, c.bold(mark), after)
		if first == last {
			fmt.Fprintf(&b, "      %s%s\n", strings.Repeat(" ", columns(before)), c.red(strings.Repeat("^", max(columns(mark), 1))))
		}
	}
	if end < last {
		b.WriteString("      ...\n")
	}
	return b.String()
}

// source escapes a piece of a source line; a tab becomes spaces, so that the
// mark below stands where it should.
func source(s string) string { return Escape(strings.ReplaceAll(s, "\t", "    ")) }

// byteColumn returns the byte offset of a column, which counts characters from 1.
func byteColumn(line string, column int) int {
	n := 1
	for i := range line {
		if n >= column {
			return i
		}
		n++
	}
	return len(line)
}
