package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

func TestFormatSource(t *testing.T) {
	src := "cluster   \"lab\" {\n pod_cidr=\"10.244.0.0/16\"\n      service_cidr    =   \"10.96.0.0/16\" # why\n}\n"
	want := "cluster \"lab\" {\n  pod_cidr     = \"10.244.0.0/16\"\n  service_cidr = \"10.96.0.0/16\" # why\n}\n"
	got, diags := FormatSource("x.hcl", []byte(src))
	if diags.HasErrors() || string(got) != want {
		t.Errorf("%v\n%s", diags, cmp.Diff(want, string(got)))
	}
	if again, _ := FormatSource("x.hcl", got); string(again) != want {
		t.Error("formatting twice is not formatting once")
	}
	for _, bad := range []string{"a = ", "a = " + strings.Repeat("(", 100000)} {
		got, diags := FormatSource("x.hcl", []byte(bad))
		if got != nil || !diags.HasErrors() {
			t.Errorf("%.20q was formatted", bad)
		}
		if text := render(t, NewFiles("x.hcl", []byte(bad)), diags); !strings.Contains(text, "x.hcl:1:") {
			t.Errorf("no place in:\n%.300s", text)
		}
	}
}

func TestWriteDiagnostics(t *testing.T) {
	src := "one = 1\n\ttwo  = \"häß\" # x\nthree = {\n  a = 1\n  b = 2\n}\nend"
	place := func(from, to string) *hcl.Range {
		a, b := strings.Index(src, from), strings.Index(src, to)+len(to)
		line := strings.Count(src[:a], "\n") + 1
		column := a - strings.LastIndexByte(src[:a], '\n')
		return &hcl.Range{Filename: "x.hcl", Start: hcl.Pos{Line: line, Column: column, Byte: a}, End: hcl.Pos{Byte: b}}
	}
	diags := hcl.Diagnostics{
		{Severity: hcl.DiagError, Summary: "Wide", Detail: "Long words wrap between, never inside of: supercalifragilistic.", Subject: place(`"hä`, `ß"`)},
		{Severity: hcl.DiagWarning, Summary: "Many lines", Subject: place("three", "}\nend")},
		{Severity: hcl.DiagError, Summary: "No place\x1b[2J", Detail: "a\tb\n\nc"},
		{Severity: hcl.DiagError, Summary: "Unknown file", Subject: &hcl.Range{Filename: "y.hcl", Start: hcl.Pos{Line: 3, Column: 4, Byte: 99}}},
		{Severity: hcl.DiagError, Summary: "Past the end", Subject: &hcl.Range{Filename: "x.hcl", Start: hcl.Pos{Line: 7, Column: 4, Byte: len(src)}, End: hcl.Pos{Byte: len(src)}}},
	}
	want := `Error: Wide

  on x.hcl:2:9:
    2 │  two  = "häß" # x
      │         ^^^^^

Long words wrap between, never
inside of: supercalifragilistic.

Warning: Many lines

  on x.hcl:3:1:
    3 │ three = {
      │ ^^^^^^^^^
    4 │   a = 1
      │   ^^^^^
    5 │   b = 2
      │   ^^^^^
    6 │ }
      │ ^
    7 │ end
      │ ^^^

Error: No place�[2J

a b

c

Error: Unknown file

  on y.hcl:3:4:

Error: Past the end

  on x.hcl:7:4:
    7 │ end
      │    ^
`
	var b strings.Builder
	if err := WriteDiagnostics(&b, NewFiles("x.hcl", []byte(src)), diags, 32, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Reset()
	if err := WriteDiagnostics(&b, nil, diags[:1], 0, true); err != nil || !strings.HasPrefix(b.String(), "\x1b[31mError:\x1b[0m") {
		t.Errorf("%v %q", err, b.String())
	}
}
