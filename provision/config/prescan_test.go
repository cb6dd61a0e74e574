package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPrescan(t *testing.T) {
	rep := strings.Repeat
	for _, tt := range []struct {
		name, src, want string // want is part of the summary; empty for none
	}{
		{"empty", "", ""},
		{"brackets 99", "a = " + rep("[", 99) + rep("]", 99), ""},
		{"brackets 101", "a = " + rep("[", 101) + rep("]", 101), "Nested"},
		{"parentheses", "a = " + rep("(", 5000) + "1" + rep(")", 5000), "Nested"},
		{"never closed", "a = " + rep("(", 5000), "Nested"},
		{"closed wrongly", "a = " + rep("(]", 5000), "Nested"},
		{"braces closed wrongly", rep("a { (", 200) + rep("}", 200), "Nested"},
		{"blocks", rep("a {\n", 101) + rep("}\n", 101), "Nested"},
		{"objects", "a = " + rep("{ a = ", 101) + "1" + rep("}", 101), "Nested"},
		{"templates", "a = " + rep(`"${`, 60) + "1" + rep(`}"`, 60), "Nested"},
		{"templates in heredoc", "a = <<EOT\n" + rep(`${"`, 60) + rep(`"}`, 60) + "\nEOT\n", "Nested"},
		{"directives", `a = "` + rep("%{ if true }", 101) + rep("%{ endif }", 101) + `"`, "Nested"},
		{"directives in a row", `a = "` + rep("%{ if true }x%{ endif }", 3000) + `"`, ""},
		{"for directives", `a = "` + rep("%{ for x in y }", 101) + `"`, "Nested"},
		{"brackets in a string", `a = "` + rep("[{(", 1000) + `"`, ""},
		{"brackets in a comment", "# " + rep("[{(", 1000) + "\n/* " + rep("[{(\n", 1000) + " */\n// " + rep("(", 1000), ""},
		{"brackets in a heredoc", "a = <<EOT\n" + rep("[{(", 1000) + "\nEOT\n", ""},
		{"escaped templates", `a = "` + rep("$${", 1000) + rep("%%{", 1000) + `"`, ""},
		{"quotes in templates", `a = "` + rep(`${"("}`, 1000) + `"`, ""},
		{"many lines", rep("a = 1 + 1\n", 5000), ""},
		{"many elements", "a = [" + rep("1 + 1, ", 5000) + "]", ""},
		{"many indexes", "a = [" + rep("[1], ", 5000) + "]", ""},
		{"object lines", "a = {\n" + rep("x = 1 + 1\n", 5000) + "}\n", ""},
		{"long sum", "a = 1" + rep(" + 1", 5000), "Expression"},
		{"long sum over lines", "a = (1" + rep("\n+ 1", 5000) + ")", "Expression"},
		{"long sum in a for object", "a = { for x in y : x => 1" + rep("\n+ 1", 5000) + "}", "Expression"},
		{"long sum, operators at the ends", "a = {\nb = 1" + rep(" +\n1", 5000) + "}", "Expression"},
		{"bangs", "a = " + rep("!", 5000) + "true", "Expression"},
		{"minuses", "a = " + rep("-", 5000) + "1", "Expression"},
		{"conditions", "a = " + rep("b ? c : ", 5000) + "d", "Expression"},
		{"attributes", "a = b" + rep(".c", 5000), "Expression"},
		{"indexes", "a = b" + rep("[0]", 5000), "Expression"},
		{"splats", "a = b" + rep("[*]", 5000), "Expression"},
		{"attribute splats", "a = b" + rep(".*", 5000), "Expression"},
		{"comments between", "a = (1" + rep(" /* x */ + 1 # y\n", 5000) + ")", "Expression"},
		{"number", "a = 1e999999999", "Number"},
		{"small number", "a = 1E-00009999", "Number"},
		{"digits", "a = " + rep("1", 1000), "Number"},
		{"fine number", "a = 1.5e+3", ""},
		{"too large", rep(" ", maxFileSize+1), "File too large"},
		{"just fits", rep(" ", maxFileSize), ""},
		{"bad UTF-8", "a = \"\xff\"", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			diags := prescan("x.hcl", []byte(tt.src), false)
			switch {
			case tt.want == "" && len(diags) > 0:
				t.Errorf("unexpected: %v", diags)
			case tt.want != "" && (len(diags) == 0 || !strings.Contains(diags[0].Summary, tt.want)):
				t.Errorf("want %q, got %v", tt.want, diags)
			}
		})
	}
}

// TestTooMuch: sizes of whole configurations.
func TestTooMuch(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"blocks": {map[string]string{"a.hcl": strings.Repeat("locals {}\n", maxBlocks+1)}, "Too many blocks"},
		"hosts": {map[string]string{"a.hcl": `node "n" {
  for_each = { for i in range(8000) : "n${i}" => i }
  address  = each.value
}`}, "1024 values"},
		"more hosts": {map[string]string{"a.hcl": `node "n" {
  for_each = toset(flatten([for a in range(6) : [for b in range(1000) : "n${a}-${b}"]]))
  address  = "10.0.0.1"
}`}, "Too many hosts"},
		"problems": {map[string]string{"a.hcl": strings.Repeat("x {}\n", 500)}, "Too many problems"},
		"bytes":    {map[string]string{"a.hcl": strings.Repeat("#", maxFileSize+1)}, "File too large"},
	} {
		t.Run(name, func(t *testing.T) {
			_, f, diags := loadFiles(t, with(tt.files), Options{})
			text := render(t, f, diags)
			if !diags.HasErrors() || !strings.Contains(text, tt.want) {
				t.Errorf("want %q, got:\n%.2000s", tt.want, text)
			}
			if len(diags) > maxDiagnostics+1 {
				t.Errorf("%d diagnostics", len(diags))
			}
		})
	}
}

// TestHostileValues: small texts that would take hours or all memory.
func TestHostileValues(t *testing.T) {
	deep := "1"
	for range 95 {
		deep = "(" + deep + strings.Repeat("+1", 490) + ")"
	}
	squares := "  a0 = 1e300\n"
	for i := range 40 {
		squares += fmt.Sprintf("  a%d = local.a%d * local.a%d\n", i+1, i, i)
	}
	aliases := "a0: &a0 [x,x,x,x,x,x,x,x]\n"
	for i := range 11 {
		aliases += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 8))
	}
	for name, tt := range map[string]struct{ src, want string }{
		"deepest that is allowed": {"  a = " + deep + "\n", ""},
		"number to text":          {"  a = true ? \"1e600000000\" * 1 : \"a\"\n", "Number too large"},
		"negated number":          {"  a = \"${-\"1e600000000\"}x\"\n", "Number too large"},
		"many digits":             {"  a = \"" + strings.Repeat("1", 2000) + "\" + 1\n", "Number too large"},
		"squares":                 {squares, "Value too large"},
		"yaml aliases":            {"  a = yamldecode(<<EOT\n" + aliases + "EOT\n  )\n", "too large"},
		"some yaml aliases":       {"  a = yamldecode(\"a: &x [1]\\nb: *x\\nc: *x\\n\")\n", ""},
		"texts of texts": {"  b = join(\"\", [for i in range(1000) : format(\"%2000s\", \"x\")])\n  a = \"" +
			strings.Repeat("${local.b}", 10000) + "\"\n", "too expensive"},
		"hidden by try": {"  r = range(1000)\n  a = try([for x in local.r : [for y in local.r : x]], 1)\n", "too expensive"},
		"node names":    {"  a = \"1e12345x\" == \"b\"\n", ""},
		"dynamic": {"}\nnode \"n1\" {\n  address = \"192.168.10.31\"\n  dynamic \"kubelet\" {\n    for_each = range(1000)\n    content {\n" +
			"      dynamic \"x\" {\n        for_each = range(1000)\n        content {}\n      }\n    }\n  }\n", "kubelet"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, f, diags := loadFiles(t, with(map[string]string{"main.hcl": "locals {\n" + tt.src + "}\n"}), Options{})
			text := render(t, f, diags)
			if diags.HasErrors() != (tt.want != "") || !strings.Contains(text, tt.want) {
				t.Errorf("want %q, got:\n%.1000s", tt.want, text)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
