package view

import (
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Problem is an error as it is told to a person: what is wrong, why and where,
// and the command or the edit that comes next. Only Summary is required.
type Problem struct {
	Summary string
	Detail  string
	// Next is what to try, as a sentence or a command line.
	Next string
	// Err is the error behind it.
	Err error
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Summary
	}
	return p.Summary + ": " + p.Detail
}

func (p *Problem) Unwrap() error { return p.Err }

// Split takes an error that errors.Join made apart. No error has no members; any
// other error, also one that has causes and words of its own, is its only member.
func Split(err error) []error {
	if err == nil {
		return nil
	}
	if reflect.TypeOf(err) != reflect.TypeOf(errors.Join(io.EOF)) {
		return []error{err}
	}
	var out []error
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		out = append(out, Split(e)...)
	}
	return out
}

// problemOf returns the Problem behind an error, or makes one of its text.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return &Problem{Summary: linesNamedOnce(p.Summary), Detail: linesNamedOnce(p.Detail), Next: p.Next, Err: p.Err}
	}
	summary, detail, _ := strings.Cut(linesNamedOnce(err.Error()), "\n")
	return &Problem{Summary: upperFirst(summary), Detail: detail, Err: err}
}

// Error writes an error to a person: diagnostics with their source, everything
// else as summary, detail and next step; a joined error one after the other.
// It is the only place that does.
func Error(w io.Writer, err error, files Files, s Style) error {
	var b strings.Builder
	for i, e := range Split(err) {
		if i > 0 {
			b.WriteString("\n")
		}
		var diags hcl.Diagnostics
		if errors.As(e, &diags) {
			b.WriteString(diagnosticsText(diags, files, s))
		} else {
			b.WriteString(problemText(problemOf(e), s))
		}
	}
	_, werr := io.WriteString(w, b.String())
	return werr
}

func problemText(p *Problem, s Style) string {
	c := s.palette()
	text := c.bold(c.red("Error:")) + " " + c.bold(wrap(EscapeBlock(p.Summary), s.Width-7, "  ")) + "\n"
	for _, more := range []string{p.Detail, p.Next} {
		if more != "" {
			text += "\n" + paragraphs(EscapeBlock(more), s.Width) + "\n"
		}
	}
	return text
}

// Question writes what is asked and what an answer means, and leaves the cursor
// behind the prompt.
func Question(ask, why string, s Style) string {
	c := s.palette()
	text := c.bold(ask) + "\n"
	for line := range strings.Lines(why) {
		text += "  " + wrap(strings.TrimRight(line, "\n"), s.Width-2, "  ") + "\n"
	}
	return text + "\n  " + c.bold("Enter a value:") + " "
}

// Valid writes the good news of validate.
func Valid(w io.Writer, warnings int, s Style) error {
	text := "The configuration is valid."
	if warnings > 0 {
		text = "The configuration is valid, with " + number(warnings, "warning") + "."
	}
	_, err := io.WriteString(w, s.palette().green(text)+"\n")
	return err
}

// paragraphs wraps the lines of a text, but leaves alone those that are
// indented: they are commands or quotations.
func paragraphs(text string, width int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		if !strings.HasPrefix(l, " ") && !strings.HasPrefix(l, "\t") {
			lines[i] = wrap(l, width, "")
		}
	}
	return strings.Join(lines, "\n")
}
