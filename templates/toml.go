package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// writeTOML writes a table and the ones below it, keys in order: values first,
// then tables. It knows what a configuration can hold, which is less than TOML:
// strings, bools, numbers, lists of these, and tables.
func writeTOML(out *strings.Builder, table map[string]any, path []string) error {
	var tables []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if err := checkTOMLKey(key); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(path, "."), err)
		}
		if _, isTable := table[key].(map[string]any); isTable {
			tables = append(tables, key)
			continue
		}
		text, err := tomlValue(table[key])
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(append(path, key), "."), err)
		}
		out.WriteString(tomlKey(key) + " = " + text + "\n")
	}
	for _, key := range tables {
		below := table[key].(map[string]any)
		full := append(slices.Clone(path), key)
		if hasValues(below) || len(below) == 0 {
			quoted := make([]string, len(full))
			for i, k := range full {
				quoted[i] = tomlKey(k)
			}
			out.WriteString("\n[" + strings.Join(quoted, ".") + "]\n")
		}
		if err := writeTOML(out, below, full); err != nil {
			return err
		}
	}
	return nil
}

func hasValues(table map[string]any) bool {
	for _, v := range table {
		if _, isTable := v.(map[string]any); !isTable {
			return true
		}
	}
	return false
}

// checkTOMLKey refuses keys that readers of TOML disagree about; no program has such.
func checkTOMLKey(key string) error {
	if key == "" || !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool {
		return r == '"' || r == '\\' || !unicode.IsPrint(r)
	}) {
		return fmt.Errorf("the key %q cannot stand in a configuration", key)
	}
	return nil
}

// tomlKey quotes a key unless it is bare.
func tomlKey(key string) string {
	if key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return key
	}
	return tomlString(key)
}

// tomlString writes a basic string. TOML wants control characters as \uXXXX.
func tomlString(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

func tomlValue(value any) (string, error) {
	switch v := value.(type) {
	case string:
		if !utf8.ValidString(v) {
			return "", fmt.Errorf("%q is not valid UTF-8", v)
		}
		return tomlString(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case json.Number:
		f, ok := new(big.Float).SetString(v.String())
		if !ok {
			return "", fmt.Errorf("%q is not a number", v.String())
		}
		return tomlValue(f)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", fmt.Errorf("%v is not a number that a configuration can hold", v)
		}
		return tomlValue(big.NewFloat(v))
	case *big.Float:
		if n, exact := v.Int64(); exact == big.Exact {
			return strconv.FormatInt(n, 10), nil
		}
		f, _ := v.Float64()
		if math.IsInf(f, 0) {
			return "", fmt.Errorf("the number %s is too large", v.String())
		}
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text, nil
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return tomlValue(list)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			if _, isTable := item.(map[string]any); isTable {
				return "", fmt.Errorf("a list of tables is not supported")
			}
			text, err := tomlValue(item)
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("a value of type %T cannot stand in a configuration", value)
}
