package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func evaluator(t *testing.T, files map[string]string, opts Options) *Evaluator {
	t.Helper()
	opts.Dir = writeFiles(t, with(files))
	e, f, diags := NewEvaluator(opts)
	if e == nil {
		t.Fatalf("the configuration does not load:\n%s", render(t, f, diags))
	}
	return e
}

func consoleFiles() map[string]string {
	return map[string]string{"main.hcl": `
variable "user" { default = "root" }
variable "pw" {
  sensitive = true
  default   = null
}
locals {
  up   = upper(var.user)
  list = [for h in node : h.name]
}
node "n1" { address = "192.168.10.31" }
`}
}

func TestEvaluate(t *testing.T) {
	e := evaluator(t, consoleFiles(), Options{})
	for _, tt := range []struct{ expr, want string }{
		{`1 + 2`, `3`}, {`var.user`, `"root"`}, {`local.up`, `"ROOT"`}, {`local.list`, `["n1"]`}, {`node["n1"].address`, `"192.168.10.31"`},
		{`keys(master)`, `["m1"]`}, {`cluster.pod_cidr`, `"10.244.0.0/16"`}, {"[\n  1,\n  2,\n]", `[1,2]`}, {`"${var.user}@${node["n1"].name}"`, `"root@n1"`},
		{`type(local.list)`, `"tuple([string])"`}, {`type({ a = 1 })`, `"object({a=number})"`}, {`type(1 + 1)`, `"number"`},
		{`1 + 2 # why`, `3`}, {"<<-EOT\n  a\n  b\n  EOT\n", `"a\nb\n"`},
	} {
		v, f, diags := e.Evaluate(tt.expr)
		if diags.HasErrors() {
			t.Errorf("%s:\n%s", tt.expr, render(t, f, diags))
			continue
		}
		got, err := ctyjson.Marshal(v, v.Type())
		if err != nil || string(got) != tt.want {
			t.Errorf("%s = %s (%v), want %s", tt.expr, got, err, tt.want)
		}
	}
}

// A wrong line is told with its place, and the next one is not the worse for it.
func TestEvaluateErrors(t *testing.T) {
	e := evaluator(t, consoleFiles(), Options{})
	for _, tt := range []struct{ expr, want string }{
		{`var.usr`, `Did you mean "user"?`}, {`var`, `Write var with a name behind it`}, {`each.key`, `exist only inside`},
		{`node["n2"].name`, `There is no node "n2". Did you mean "n1"?`}, {`uper("x")`, `There is no function "uper". Did you mean "upper"?`},
		{`1 +`, `<console>`}, {`"a" + 1`, "<console>:1:1"}, {`type()`, `There is no function "type"`},
		{`range(1e9)`, ""}, {`[for a in range(1000) : [for b in range(1000) : b]]`, "too expensive"}, {strings.Repeat("(", 200), "nested"},
	} {
		v, f, diags := e.Evaluate(tt.expr)
		if text := render(t, f, diags); !diags.HasErrors() || !strings.Contains(text, tt.want) {
			t.Errorf("%.40s: value %#v, want an error with %q:\n%s", tt.expr, v, tt.want, text)
		}
		if v, _, diags := e.Evaluate(`1 + 1`); diags.HasErrors() || !v.RawEquals(cty.NumberIntVal(2)) {
			t.Fatalf("behind %.40s: 1 + 1 = %#v: %v", tt.expr, v, diags)
		}
	}
}

// Whatever is asked about a sensitive value: it is marked, or withheld.
func TestEvaluateSensitive(t *testing.T) {
	const secret = "hunter2-correct-horse"
	e := evaluator(t, consoleFiles(), Options{Environ: []string{"HW_VAR_pw=" + secret}})
	for _, expr := range []string{`var.pw`, `"x-${var.pw}"`, `{ a = [var.pw] }`, `[for x in [var.pw] : upper(x)]`} {
		if v, _, diags := e.Evaluate(expr); diags.HasErrors() || !v.ContainsMarked() {
			t.Errorf("%s = %#v: %v", expr, v, diags)
		}
	}
	for _, expr := range []string{`parseint(var.pw, 10)`, `var.pw + 1`, `{ a = 1 }[var.pw]`, `jsondecode(var.pw)`, `sensitive("` + secret + `") + 1`} {
		_, f, diags := e.Evaluate(expr)
		if !diags.HasErrors() {
			t.Errorf("no error for %s", expr)
		}
		checkNoLeak(t, secret, expr, f, diags)
	}
}

func TestLineOf(t *testing.T) {
	for text, want := range map[string]Line{
		"": BlankLine, "  \t": BlankLine, "# nothing": BlankLine, "// nothing\n": BlankLine, "/* a */": BlankLine,
		"1": WholeLine, "[1": OpenLine, "[1,\n2": OpenLine, "[1,\n2]": WholeLine, "f(": OpenLine, "{ a = [1, }": OpenLine,
		"<<EOT\na": OpenLine, "<<EOT\na\nEOT\n": WholeLine, `"["`: WholeLine, `"`: WholeLine, ")": WholeLine,
	} {
		if got := LineOf(text); got != want {
			t.Errorf("LineOf(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	names := evaluator(t, consoleFiles(), Options{}).Names()
	for _, want := range []string{"var.pw", "local.up", "cluster.name", `node["n1"]`, `master["m1"]`, "cidrhost(", "path.module"} {
		if !strings.Contains("\n"+strings.Join(names, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("%q is not among the names: %v", want, names)
		}
	}
}

// The names of variables are known although a value is missing.
func TestVariableNames(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.hcl": "variable \"b\" {}\nvariable \"a\" {\n  type = string\n}\n", "broken.hcl": "variable \"c\" {", "x.lock.hcl": "variable \"d\" {}\n"})
	if d := cmp.Diff([]string{"a", "b"}, VariableNames(Options{Dir: dir})); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
	if got := VariableNames(Options{Dir: dir + "/nowhere"}); got != nil {
		t.Errorf("names of nothing: %v", got)
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{`1 + 2`, `var.pw`, `type(node)`, "[\n1", `"${local.up}"`, "<<EOT\n${var.user}\nEOT\n", `{for k, v in node : k => v...}`} {
		f.Add(seed)
	}
	e, _, diags := NewEvaluator(Options{Dir: writeFiles(f, with(consoleFiles())), Environ: []string{"HW_VAR_pw=hunter2-correct-horse"}})
	if e == nil {
		f.Fatal(diags)
	}
	f.Fuzz(func(t *testing.T, text string) {
		LineOf(text)
		if v, _, diags := e.Evaluate(text); !diags.HasErrors() && v == cty.NilVal {
			t.Errorf("%q has neither a value nor an error", text)
		}
	})
}
