package view

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

func outputs() []Output {
	return []Output{
		{Name: "endpoint", Value: cty.StringVal("https://192.168.10.21:6443")},
		{Name: "hosts", Value: cty.ListVal([]cty.Value{cty.StringVal("m1"), cty.StringVal("n1\x1b")})},
		{Name: "count", Value: cty.NumberIntVal(3)},
		{Name: "password", Value: cty.StringVal("hunter2").Mark("sensitive"), Sensitive: true},
	}
}

func TestOutputs(t *testing.T) {
	var b bytes.Buffer
	if err := Outputs(&b, outputs(), Style{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "outputs/list.txt", b.String())
	b.Reset()
	if err := OutputsJSON(&b, outputs()); err != nil {
		t.Fatal(err)
	}
	golden(t, "outputs/list.json", b.String())
}

func TestOutputRaw(t *testing.T) {
	for name, c := range map[string]struct {
		v    cty.Value
		want string
		err  bool
	}{
		"string":    {cty.StringVal("a b"), "a b", false},
		"number":    {cty.NumberFloatVal(1.5), "1.5", false},
		"bool":      {cty.True, "true", false},
		"sensitive": {cty.StringVal("x").Mark("sensitive"), "x", false},
		"list":      {cty.ListValEmpty(cty.String), "", true},
		"null":      {cty.NullVal(cty.String), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			err := OutputRaw(&b, Output{Name: name, Value: c.v})
			if (err != nil) != c.err {
				t.Fatalf("error %v, want one: %v", err, c.err)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneOutput(t *testing.T) {
	var b bytes.Buffer
	for _, o := range outputs() {
		if err := OutputValue(&b, o); err != nil {
			t.Fatal(err)
		}
		if err := OutputValueJSON(&b, o); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "outputs/values.txt", b.String())
}
