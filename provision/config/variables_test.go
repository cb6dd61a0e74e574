package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// TestPrecedence adds one source after the other; each must win over those before.
func TestPrecedence(t *testing.T) {
	files := map[string]string{
		"main.hcl": "variable \"v\" {\n  type    = string\n  default = \"default\"\n}\noutput \"v\" {\n  value = var.v\n}\n",
	}
	steps := []struct {
		want string
		add  func(o *Options)
	}{
		{"default", func(*Options) {}},
		{"env", func(o *Options) { o.Environ = []string{"HW_VAR_v=env", "HW_VAR_other=x", "PATH=/bin"} }},
		{"hclvars", func(*Options) { files["hardway.hclvars"] = `v = "hclvars"` }},
		{"auto b", func(*Options) {
			files["b.auto.hclvars"] = `v = "auto b"`
			files["a.auto.hclvars"] = `v = "auto a"`
			files["z.hclvars"] = `v = "not read by itself"`
		}},
		{"file", func(o *Options) {
			path := filepath.Join(t.TempDir(), "extra.hclvars")
			if err := os.WriteFile(path, []byte(`v = "file"`), 0o644); err != nil {
				t.Fatal(err)
			}
			o.Vars = append(o.Vars, VarInput{File: path})
		}},
		{"flag", func(o *Options) { o.Vars = append(o.Vars, VarInput{Name: "v", Value: "flag"}) }},
		{"file", func(o *Options) { o.Vars = append(o.Vars, o.Vars[0]) }},
	}
	var opts Options
	for _, step := range steps {
		step.add(&opts)
		c := mustLoad(t, files, opts)
		if got := c.Outputs[0].Value.AsString(); got != step.want {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
}

func TestVariableTypes(t *testing.T) {
	for _, tt := range []struct {
		name, declaration, value string
		want                     cty.Value
	}{
		{"string stays text", `type = string`, `[1, 2]`, cty.StringVal("[1, 2]")},
		{"untyped is text", ``, `5`, cty.StringVal("5")},
		{"number", `type = number`, `5`, cty.NumberIntVal(5)},
		{"bool", `type = bool`, `true`, cty.True},
		{"list", `type = list(number)`, `[1, 2]`, cty.ListVal([]cty.Value{cty.NumberIntVal(1), cty.NumberIntVal(2)})},
		{"set", `type = set(string)`, `["b", "a", "b"]`, cty.SetVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")})},
		{"map", `type = map(string)`, `{ a = 1 }`, cty.MapVal(map[string]cty.Value{"a": cty.StringVal("1")})},
		{"optional", `type = object({ a = number, b = optional(string, "z") })`, `{ a = 1 }`,
			cty.ObjectVal(map[string]cty.Value{"a": cty.NumberIntVal(1), "b": cty.StringVal("z")})},
		{"nullable", "type = list(number)\n default = [1]", `null`, cty.NullVal(cty.List(cty.Number))},
		{"not nullable", "type = list(number)\n default = [1]\n nullable = false", `null`, cty.ListVal([]cty.Value{cty.NumberIntVal(1)})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustLoad(t, map[string]string{
				"main.hcl": "variable \"v\" {\n " + tt.declaration + "\n}\noutput \"v\" {\n  value = var.v\n}\n",
			}, Options{Vars: []VarInput{{Name: "v", Value: tt.value}}})
			if got := c.Outputs[0].Value; !got.RawEquals(tt.want) && !(got.IsNull() && tt.want.IsNull()) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestValidationPasses(t *testing.T) {
	mustLoad(t, map[string]string{"main.hcl": `
variable "n" {
  default = 4
  validation {
    condition     = var.n < var.most
    error_message = "too many"
  }
}
variable "most" { default = 5 }
`}, Options{})
}

func TestParseVar(t *testing.T) {
	for arg, want := range map[string]VarInput{
		"a=b":     {Name: "a", Value: "b"},
		"a=b=c":   {Name: "a", Value: "b=c"},
		"a=":      {Name: "a"},
		"a-b = c": {Name: "a-b", Value: " c"},
	} {
		if got, err := ParseVar(arg); err != nil || got != want {
			t.Errorf("ParseVar(%q) = %v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"", "a", "=b", "1=2", "a b=c"} {
		if got, err := ParseVar(arg); err == nil {
			t.Errorf("ParseVar(%q) = %v, want an error", arg, got)
		}
	}
}

// TestLoadWritesNothing: reading must leave the directory alone.
func TestLoadWritesNothing(t *testing.T) {
	dir := writeFiles(t, baseFiles())
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	before := names()
	Load(Options{Dir: dir})
	if diff := cmp.Diff(before, names()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
