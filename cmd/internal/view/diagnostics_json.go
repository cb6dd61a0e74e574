package view

import (
	"errors"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Validation is the document of `validate --json`, field by field what
// Terraform's has, so that editors and CI that read the one read the other.
type Validation struct {
	FormatVersion string       `json:"format_version"`
	Valid         bool         `json:"valid"`
	ErrorCount    int          `json:"error_count"`
	WarningCount  int          `json:"warning_count"`
	Diagnostics   []Diagnostic `json:"diagnostics"`
}

// Diagnostic is an error or a warning with its place.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	// Address is the resource that it is about.
	Address string   `json:"address,omitempty"`
	Range   *Range   `json:"range,omitempty"`
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Range is a place in a file; End is behind the last character.
type Range struct {
	Filename string   `json:"filename"`
	Start    Position `json:"start"`
	End      Position `json:"end"`
}

// Position counts lines and columns from 1, bytes from 0.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Snippet is the source that a diagnostic speaks of; the offsets are bytes in Code.
type Snippet struct {
	Context              *string `json:"context"`
	Code                 string  `json:"code"`
	StartLine            int     `json:"start_line"`
	HighlightStartOffset int     `json:"highlight_start_offset"`
	HighlightEndOffset   int     `json:"highlight_end_offset"`
	// Values is always empty: which values took part stands in the detail, where
	// they may be shown.
	Values []ExpressionValue `json:"values"`
}

// ExpressionValue is what Terraform says of a value in an expression.
type ExpressionValue struct {
	Traversal string `json:"traversal"`
	Statement string `json:"statement"`
}

// DiagnosticsJSON writes the document of `validate --json`.
func DiagnosticsJSON(w io.Writer, diags hcl.Diagnostics, files Files) error {
	v := Validation{FormatVersion: "1.0", Valid: true, Diagnostics: []Diagnostic{}}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			v.Valid = false
			v.ErrorCount++
		} else {
			v.WarningCount++
		}
		v.Diagnostics = append(v.Diagnostics, diagnosticOf(d, files))
	}
	return JSON(w, v)
}

// ErrorDiagnostics turns any error into diagnostics, for JSON output.
func ErrorDiagnostics(err error, files Files) []Diagnostic {
	var out []Diagnostic
	for _, e := range Split(err) {
		var diags hcl.Diagnostics
		if errors.As(e, &diags) {
			for _, d := range diags {
				out = append(out, diagnosticOf(d, files))
			}
			continue
		}
		p := problemOf(e)
		detail := strings.Trim(p.Detail+"\n"+p.Next, "\n")
		out = append(out, Diagnostic{Severity: "error", Summary: p.Summary, Detail: detail})
	}
	return out
}

func diagnosticOf(d *hcl.Diagnostic, files Files) Diagnostic {
	out := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		out.Severity = "warning"
	}
	if d.Subject == nil {
		return out
	}
	out.Range = &Range{
		Filename: d.Subject.Filename,
		Start:    Position(d.Subject.Start),
		End:      Position(d.Subject.End),
	}
	f := files[d.Subject.Filename]
	if f == nil || len(f.Bytes) == 0 || d.Subject.Start.Line < 1 {
		return out
	}
	lines := strings.Split(string(f.Bytes), "\n")
	first, last := d.Subject.Start.Line, min(d.Subject.End.Line, len(lines))
	if first > last {
		return out
	}
	s := &Snippet{Values: []ExpressionValue{}, Code: strings.Join(lines[first-1:last], "\n"), StartLine: first}
	lineStart := len(strings.Join(lines[:first-1], "\n"))
	if first > 1 {
		lineStart++
	}
	s.HighlightStartOffset = min(max(d.Subject.Start.Byte-lineStart, 0), len(s.Code))
	s.HighlightEndOffset = min(max(d.Subject.End.Byte-lineStart, s.HighlightStartOffset), len(s.Code))
	if in := contextOf(d.Subject, files); in != "" {
		s.Context = &in
	}
	out.Snippet = s
	return out
}
