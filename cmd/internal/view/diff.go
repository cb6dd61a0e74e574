package view

import (
	"fmt"
	"io"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"

	"hardway/provision/plan"
)

// diffContext is the number of unchanged lines around a hunk.
const diffContext = 3

// block writes a text attribute: a unified diff when there is a before and an
// after, else the text itself.
func (t *page) block(name string, before, after plan.Value, had, has bool) {
	switch {
	case had && has && block(before) && block(after):
		t.line("    %s %s:", t.yellow("~"), name)
		t.diff(before.Text, after.Text)
	case had && has: // a text became, or was, something that cannot be shown
		t.line("    %s %s = %s -> %s", t.yellow("~"), name, t.value(before), t.value(after))
	case has:
		t.line("    %s %s = %s", t.green("+"), name, t.value(after))
		if t.o.Verbose || lineCount(after.Text) <= shortText {
			t.text(after.Text, t.green, "+")
		}
	default:
		t.line("    %s %s = %s", t.red("-"), name, t.value(before))
		if t.o.Verbose {
			t.text(before.Text, t.red, "-")
		}
	}
}

// diff writes a unified diff. The texts are escaped before they are compared,
// so that what differs is visible also when it is an invisible character.
func (t *page) diff(before, after string) {
	lines, err := unified(EscapeBlock(before), EscapeBlock(after))
	if err != nil { // the edits come from the very same text
		t.line("        (%s -> %s)", number(lineCount(before), "line"), number(lineCount(after), "line"))
		return
	}
	cutAt := len(lines)
	if !t.o.Verbose && len(lines) > longDiff {
		cutAt = longDiff
	}
	for _, l := range lines[:cutAt] {
		t.line("        %s", diffPaint(l, t.palette)(l))
	}
	if rest := len(lines) - cutAt; rest > 0 {
		t.line("        %s", t.faint("# ("+number(rest, "more line")+"; --verbose shows them)"))
	}
}

// unified returns the hunks of a unified diff, line by line and without the
// file names, which stand in the attribute "path" already.
func unified(before, after string) ([]string, error) {
	u, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), diffContext)
	if err != nil {
		return nil, fmt.Errorf("comparing texts: %w", err)
	}
	var out []string
	for line := range strings.Lines(u.String()) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") {
			if len(out) == 0 { // the header; later such a line is content
				continue
			}
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

// Diff writes a whole unified diff of two texts, with their names.
func Diff(w io.Writer, oldName, newName, before, after string, s Style) error {
	c := s.palette()
	lines, err := unified(EscapeBlock(before), EscapeBlock(after))
	if err != nil || len(lines) == 0 {
		return err
	}
	var b strings.Builder
	b.WriteString(c.bold("--- "+Escape(oldName)) + "\n" + c.bold("+++ "+Escape(newName)) + "\n")
	for _, l := range lines {
		b.WriteString(diffPaint(l, c)(l) + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// diffPaint returns the colour of a line of a diff.
func diffPaint(line string, c palette) func(string) string {
	switch line[0] {
	case '+':
		return c.green
	case '-':
		return c.red
	case '@':
		return c.cyan
	}
	return func(s string) string { return s }
}
