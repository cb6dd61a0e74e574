package view

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func TestValue(t *testing.T) {
	secret := cty.StringVal("hunter2").Mark("sensitive")
	for _, tt := range []struct {
		v    cty.Value
		want string
	}{
		{cty.StringVal(`say "hi" ${x}`), `"say \"hi\" $${x}"`},
		{cty.StringVal("one\n"), `"one\n"`},
		{cty.StringVal("a\n  b ${x}\n"), "<<-EOT\na\n  b $${x}\nEOT"},
		{cty.StringVal("a\nEOT\n"), "<<-EOT_\na\nEOT\nEOT_"},
		{cty.StringVal("\x1b[31mred\u202e\n\n"), `"\u001b[31mred\u202e\n\n"`},
		{cty.NumberFloatVal(1.5), "1.5"},
		{cty.True, "true"},
		{cty.NullVal(cty.String), "tostring(null)"},
		{cty.NullVal(cty.DynamicPseudoType), "null"},
		{cty.UnknownVal(cty.String), "(known after apply)"},
		{secret, "(sensitive value)"},
		{cty.EmptyTupleVal, "[]"},
		{cty.EmptyObjectVal, "{}"},
		{cty.MapValEmpty(cty.String), "tomap({})"},
		{cty.ListVal([]cty.Value{cty.Zero}), "tolist([\n  0,\n])"},
		{cty.SetVal([]cty.Value{cty.StringVal("b"), cty.StringVal("a")}), "toset([\n  \"a\",\n  \"b\",\n])"},
		{cty.ObjectVal(map[string]cty.Value{"a b": secret, "c": cty.TupleVal([]cty.Value{cty.True, secret})}),
			"{\n  \"a b\" = (sensitive value)\n  \"c\" = [\n    true,\n    (sensitive value),\n  ]\n}"},
		{cty.ObjectVal(map[string]cty.Value{"t": cty.StringVal("a\nb\n")}), "{\n  \"t\" = <<-EOT\n  a\n  b\n  EOT\n}"},
	} {
		if got := Value(tt.v); got != tt.want {
			t.Errorf("%#v:\n%s\nwant:\n%s", tt.v, got, tt.want)
		}
	}
}

// What is shown is HCL: read again it is the same value.
func TestValueReadsAgain(t *testing.T) {
	for _, v := range []cty.Value{
		cty.StringVal("a\n  b ${x} %{y}\n"), cty.StringVal("q\"\\ \t"),
		cty.ObjectVal(map[string]cty.Value{"t": cty.StringVal("  a\n\n b\n"), "n": cty.TupleVal([]cty.Value{cty.NumberIntVal(-3), cty.False})}),
	} {
		expr, diags := hclsyntax.ParseExpression([]byte(Value(v)+"\n"), "", hcl.InitialPos)
		if diags.HasErrors() {
			t.Errorf("%s: %v", Value(v), diags)
			continue
		}
		got, diags := expr.Value(nil)
		if diags.HasErrors() || !got.RawEquals(v) {
			t.Errorf("%s\nread again is %#v, want %#v (%v)", Value(v), got, v, diags)
		}
	}
}
