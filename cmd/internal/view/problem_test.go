package view

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestErrorGolden(t *testing.T) {
	locked := &Problem{Summary: "The state is locked", Detail: "Another hardway holds the lock since 10 minutes:\n\n  ID   4711\n  Who  alice@laptop",
		Next: "Wait for it, or give --lock-timeout=5m. If it is dead, run:\n  hardway force-unlock 4711"}
	for name, err := range map[string]error{
		"plain":   errors.New("reading plan.json: no such file or directory"),
		"problem": fmt.Errorf("planning: %w", locked),
		"several": fmt.Errorf("planning: %w", errors.Join(errors.New("one"), errors.New("two"))),
		"joined":  errors.Join(locked, errors.New("node[\"n1\"]: dial tcp: \x1b[31mi/o timeout"), &Problem{Summary: "x"}),
	} {
		var b bytes.Buffer
		if err := Error(&b, err, nil, Style{Width: 60}); err != nil {
			t.Fatal(err)
		}
		golden(t, "problem/"+name+".txt", b.String())
	}
	var b bytes.Buffer
	if err := Error(&b, locked, nil, Style{Width: 60, Color: true}); err != nil {
		t.Fatal(err)
	}
	b.WriteString(Question("Do you want to perform these actions?", "One.\nTwo, which is a long sentence that must be wrapped.", Style{Width: 40, Color: true}))
	golden(t, "problem/color.txt", b.String())
}

const badHCL = `cluster "lab" {
  kubernetes_version = "1.37.1"
	pod_cird           = "10.244.0.0/16" # grün
}

node "n1" {
  labels = {
    a = 1
  }
}
`

// bad returns diagnostics about badHCL: one inside a line, one over several
// lines, one without a place and one of a file that nobody has.
func bad(t *testing.T) (hcl.Diagnostics, Files) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(badHCL), "cluster.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	blocks := f.Body.(*hclsyntax.Body).Blocks
	name := blocks[0].Body.Attributes["pod_cird"].NameRange
	labels := blocks[1].Body.Attributes["labels"].Expr.Range()
	return hcl.Diagnostics{
		{Severity: hcl.DiagError, Summary: "Unsupported argument", Detail: `There is no argument "pod_cird" here. Did you mean "pod_cidr"?`, Subject: &name},
		{Severity: hcl.DiagWarning, Summary: "Odd labels", Detail: "The labels\x1b[1m are odd.", Subject: &labels},
		{Severity: hcl.DiagError, Summary: "No value for required variable", Detail: "Set it with --var or HW_VAR_x."},
		{Severity: hcl.DiagError, Summary: "Bad value", Subject: &hcl.Range{Filename: "elsewhere", Start: hcl.InitialPos, End: hcl.InitialPos}},
	}, Files{"cluster.hcl": f}
}

func TestDiagnosticsGolden(t *testing.T) {
	diags, files := bad(t)
	for name, s := range map[string]Style{"80": {Width: 80}, "80-color": {Width: 80, Color: true}} {
		var b bytes.Buffer
		if err := Error(&b, fmt.Errorf("loading: %w", diags), files, s); err != nil {
			t.Fatal(err)
		}
		golden(t, "diagnostics/"+name+".txt", b.String())
	}
	var b bytes.Buffer
	if err := DiagnosticsJSON(&b, diags, files); err != nil {
		t.Fatal(err)
	}
	golden(t, "diagnostics/validate.json", b.String())
	b.Reset()
	if err := DiagnosticsJSON(&b, nil, nil); err != nil {
		t.Fatal(err)
	}
	golden(t, "diagnostics/valid.json", b.String())
}

// A range may be anything: what is shown must not depend on it being sane.
func TestSnippetOfOddRanges(t *testing.T) {
	_, files := bad(t)
	f := files["cluster.hcl"]
	for _, at := range []hcl.Range{
		{Start: hcl.Pos{Line: 1, Column: 1}, End: hcl.Pos{Line: 99, Column: 1}},
		{Start: hcl.Pos{Line: 99, Column: 1}, End: hcl.Pos{Line: 99, Column: 5}},
		{Start: hcl.Pos{Line: 2, Column: 99}, End: hcl.Pos{Line: 2, Column: 1}},
		{Start: hcl.Pos{Line: 5, Column: 1}, End: hcl.Pos{Line: 3, Column: 1}},
		{},
	} {
		at.Filename = "cluster.hcl"
		if got := lineCount(snippet(&at, f, Style{}.palette())); got > maxSnippet+1 {
			t.Errorf("%v quotes %d lines", at, got)
		}
	}
	wide := &hcl.File{Bytes: []byte("x = \"" + strings.Repeat("w", 5000) + "\"")}
	at := hcl.Range{Start: hcl.Pos{Line: 1, Column: 1}, End: hcl.Pos{Line: 1, Column: 2}}
	if got := snippet(&at, wide, Style{}.palette()); len(got) > 2*maxLine {
		t.Errorf("a line of 5000 characters is quoted with %d bytes", len(got))
	}
}

func TestByteColumn(t *testing.T) {
	for _, c := range []struct {
		line   string
		column int
		want   int
	}{{"abc", 1, 0}, {"abc", 3, 2}, {"abc", 4, 3}, {"abc", 9, 3}, {"ü=1", 2, 2}, {"", 1, 0}} {
		if got := byteColumn(c.line, c.column); got != c.want {
			t.Errorf("byteColumn(%q, %d) = %d, want %d", c.line, c.column, got, c.want)
		}
	}
}

func TestErrorDiagnostics(t *testing.T) {
	got := ErrorDiagnostics(errors.Join(errors.New("a: b"), &Problem{Summary: "S", Detail: "D", Next: "N"}), nil)
	want := []Diagnostic{{Severity: "error", Summary: "a: b"}, {Severity: "error", Summary: "S", Detail: "D\nN"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
