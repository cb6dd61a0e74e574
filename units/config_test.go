package units

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode"

	plain "go.yaml.in/yaml/v2"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// anyValue draws what a configuration may hold, normalized.
func anyValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		switch {
		case kind == 0:
			return rapid.Bool().Draw(t, "bool")
		case kind == 1:
			return json.Number(rapid.SampledFrom([]string{"0", "-1", "10", "1.5", "1e3", "18446744073709551615", "9223372036854775808", "123456789012345678901234567890", "0.1"}).Draw(t, "number"))
		case kind == 2:
			return rapid.SampledFrom([]string{"", "true", "null", "~", "10", "0x1f", "1e3", "a: b", "- a", "#", "yes", "2026-11-21", "a\nb\n", " a ", "%", "'", "\"", "é", "5m0s", "!!x", "&a", "*a"}).Draw(t, "odd string")
		case kind == 3 || depth == 0:
			// The language refuses control characters; YAML's readers do, too.
			return strings.Map(func(r rune) rune {
				if unicode.IsControl(r) {
					return -1
				}
				return r
			}, rapid.String().Draw(t, "string"))
		case kind == 4:
			return nil
		case kind == 5:
			return rapid.SliceOfN(anyValue(depth-1), 0, 3).Draw(t, "list")
		}
		return map[string]any(maps.Collect(maps.All(rapid.MapOfN(rapid.StringMatching(`[a-zA-Z0-9.]{1,5}`), anyValue(depth-1), 0, 3).Draw(t, "map"))))
	})
}

// TestScalars holds what is written directly against the way through JSON, which
// is how Kubernetes' own types are written.
func TestScalars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := anyValue(3).Draw(t, "value")
		want, err := yaml.Marshal(value)
		if err != nil {
			t.Skip("the way through JSON refuses control characters that YAML can escape")
		}
		got, err := plain.Marshal(scalars(value))
		if err != nil || string(got) != string(want) {
			t.Fatalf("got\n%s\nwant\n%s\n%v", got, want, err)
		}
	})
}
