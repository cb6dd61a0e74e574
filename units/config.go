package units

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v2"
)

// Merge returns base with over laid on it: objects are merged field by field,
// lists and values are replaced, and a null removes the field, so that the
// component's own default holds. Neither argument is changed.
func Merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for name, value := range over {
		below, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(out, name)
		case isObject:
			old, _ := out[name].(map[string]any)
			out[name] = Merge(old, below)
		default:
			out[name] = value
		}
	}
	return out
}

// normalize turns what a configuration language gives into what encoding/json
// gives: maps, lists, strings, bools, nil and json.Number.
func normalize(value any) (any, error) {
	switch v := value.(type) {
	case nil, bool, string, json.Number:
		return v, nil
	case int:
		return json.Number(fmt.Sprint(v)), nil
	case int64:
		return json.Number(fmt.Sprint(v)), nil
	case float64:
		if math.IsNaN(v) {
			return nil, errors.New("a number is not a number")
		}
		return normalize(big.NewFloat(v))
	case *big.Float:
		if v.IsInf() {
			return nil, errors.New("a number is infinite")
		}
		return json.Number(v.Text('f', -1)), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			plain, err := normalize(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out[name] = plain
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			plain, err := normalize(item)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			out[i] = plain
		}
		return out, nil
	case []string:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item
		}
		return out, nil
	case map[string]string:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[name] = item
		}
		return out, nil
	}
	return nil, fmt.Errorf("a value of type %T cannot stand in a config object", value)
}

// renderConfig merges the user's fields over the defaults, sets the owned ones,
// and writes the object with sorted fields. What Check would refuse is refused
// here too, so that a caller who forgot to ask cannot write a broken object.
//
// Of the defaults and owned fields those are left out that the version does not
// have: what takes their place is the builder's to say.
func renderConfig(component, version, group, kind string, defaults, user, owned map[string]any) (string, error) {
	api, err := configAPI(component, version)
	if err != nil {
		return "", fmt.Errorf("rendering %s: %w", kind, err)
	}
	defaults, owned = keepKnown(component, version, "", defaults), keepKnown(component, version, "", owned)
	for _, r := range mustRows("tables/defaults.tsv", "component", "field", "since", "source") {
		if r[0] == component && !atLeast(version, r[2]) {
			delete(defaults, r[1]) // the field is older than what we would write into it
		}
	}
	for _, p := range CheckConfig(component, version, user) {
		if !p.Warning() {
			return "", fmt.Errorf("rendering %s: %s", kind, p.Message)
		}
	}
	if path := firstEmpty(owned); path != "" {
		return "", fmt.Errorf("rendering %s: no value for %s was given", kind, path)
	}
	object := Merge(Merge(defaults, user), owned)
	object["apiVersion"], object["kind"] = group+"/"+api, kind
	plain, err := normalize(object)
	if err != nil {
		return "", fmt.Errorf("rendering %s: %w", kind, err)
	}
	text, err := yaml.Marshal(scalars(plain))
	if err != nil {
		return "", fmt.Errorf("rendering %s: %w", kind, err)
	}
	return Header + "\n" + string(text), nil
}

// configAPI is the version of a config object's API, "v1beta1": the newest that
// a minor decodes.
func configAPI(component, version string) (string, error) {
	minor, err := minorOf(version)
	if err != nil {
		return "", err
	}
	api, ok := configAPIs()[ownedKey{component, minor[1:]}]
	if !ok {
		return "", fmt.Errorf("no version of its API is known for Kubernetes %s", version)
	}
	return api, nil
}

var configAPIs = sync.OnceValue(func() map[ownedKey]string {
	out := map[ownedKey]string{}
	for _, r := range mustRows("tables/config-apis.tsv", "component", "minor", "api", "source") {
		out[ownedKey{r[0], r[1]}] = r[2]
	}
	return out
})

// keepKnown returns the fields that the version has.
func keepKnown(component, version, prefix string, object map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range object {
		field := join(prefix, name)
		if !hasField(component, version, field) {
			continue
		}
		if below, ok := value.(map[string]any); ok {
			value = keepKnown(component, version, field, below)
		}
		out[name] = value
	}
	return out
}

// scalars gives the numbers of a normalized value, in place, the types by which
// YAML writes them without quotes. (To go through JSON, as sigs.k8s.io/yaml does,
// gives the same text and takes three times as long, on each of many hosts.)
func scalars(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := v.Float64(); err == nil {
			return n
		}
		return v.String()
	case map[string]any:
		for name, item := range v {
			v[name] = scalars(item)
		}
	case []any:
		for i, item := range v {
			v[i] = scalars(item)
		}
	}
	return value
}

// firstEmpty returns the path of the first empty string or list in the fields
// that hardway owns: none of them may be left out.
func firstEmpty(object map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch v := object[name].(type) {
		case map[string]any:
			if path := firstEmpty(v); path != "" {
				return join(name, path)
			}
		case string:
			if v == "" {
				return name
			}
		case []string:
			if len(v) == 0 {
				return name
			}
		}
	}
	return ""
}
