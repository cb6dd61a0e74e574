package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/agext/levenshtein"
	"golang.org/x/mod/semver"
)

// Problem is something wrong with a key that a user set in containerd's
// configuration.
type Problem struct {
	// Key is the dotted path as the user wrote it.
	Key     string
	Message string
	// Instead is the attribute that sets what hardway owns, Suggestion the
	// nearest known name of an unknown key; both may be empty.
	Instead, Suggestion string
}

// containerdKey is a row of files/containerd-keys.tsv. A * in the path stands
// for any name. Type "table" is a table whose keys are rows of their own,
// "any" one that is not looked into.
type containerdKey struct {
	section               string // runtime, images or server
	path                  []string
	kind                  string
	since, removed        string // of containerd
	ownedInstead, ownedBy string
}

var containerdKeys = sync.OnceValue(func() []containerdKey {
	data, err := files.ReadFile("files/containerd-keys.tsv")
	if err != nil {
		panic("templates: " + err.Error()) // embedded
	}
	var keys []containerdKey
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(line, "\t")
		for len(c) < 7 { // a table is edited by hand: trailing empty cells may be missing
			c = append(c, "")
		}
		keys = append(keys, containerdKey{c[0], strings.Split(c[1], "."), c[2], c[3], c[4], c[5], c[6]})
	}
	return keys
})

// sectionOf says where a key at the top of the user's configuration belongs:
// keys of the CRI plugins may be written without the plugin's name.
func sectionOf(key string) (section string, known bool) {
	for _, section := range []string{"runtime", "images", "server"} {
		for _, k := range containerdKeys() {
			if k.section == section && k.path[0] == key {
				return section, true
			}
		}
	}
	return "", false
}

// placeContainerdKeys moves the short keys to where containerd has them.
func placeContainerdKeys(cfg map[string]any) map[string]any {
	out := map[string]any{}
	put := func(plugin, key string, value any) {
		out = overlay(map[string]any{"plugins": map[string]any{plugin: map[string]any{key: value}}}, out)
	}
	for _, key := range slices.Sorted(maps.Keys(cfg)) {
		switch section, _ := sectionOf(key); section {
		case "runtime":
			put(pluginRuntime, key, cfg[key])
		case "images":
			put(pluginImages, key, cfg[key])
		default:
			out = overlay(out, map[string]any{key: cfg[key]})
		}
	}
	return out
}

// CheckContainerd returns what is wrong with the keys that a user set. Keys of
// the two CRI plugins are written at the top ("restrict_oom_score_adj"), as are
// containerd's own ("debug"); plugins = { "id" = {…} } reaches every other
// plugin, unchecked. containerd itself ignores an unknown key silently.
func CheckContainerd(version string, cfg map[string]any) []Problem {
	if !semver.IsValid("v"+strings.TrimPrefix(version, "v")) || !containerdKnows(version, "1.7", "3.0") {
		return []Problem{{Message: fmt.Sprintf("containerd %q is not supported; use a 2.x version, or 1.7 with Kubernetes before 1.23.", version)}}
	}
	if !containerdKnows(version, "2.0", "") {
		var problems []Problem
		for _, key := range slices.Sorted(maps.Keys(cfg)) {
			problems = append(problems, Problem{Key: key, Message: fmt.Sprintf("The keys of containerd %s are not known here.", version), Instead: "containerd 2"})
		}
		return problems
	}
	c := containerdChecker{version: version}
	for _, key := range slices.Sorted(maps.Keys(cfg)) {
		section, known := sectionOf(key)
		switch {
		case key == "plugins":
			c.plugins(cfg[key])
		case !known:
			c.unknown(key, key, func(containerdKey) bool { return true }, 0)
		default:
			c.walk(section, key, []string{key}, cfg[key])
		}
	}
	return c.problems
}

// handler is the name that a RuntimeClass can give a runtime: a DNS label.
var handler = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

type containerdChecker struct {
	version  string
	problems []Problem
}

func (c *containerdChecker) plugins(value any) {
	plugins, ok := value.(map[string]any)
	if !ok {
		c.problems = append(c.problems, Problem{Key: "plugins", Message: "plugins takes a table of plugins."})
		return
	}
	for _, id := range slices.Sorted(maps.Keys(plugins)) {
		section := map[string]string{pluginRuntime: "runtime", pluginImages: "images"}[id]
		if section == "" {
			continue
		}
		table, ok := plugins[id].(map[string]any)
		if !ok {
			c.problems = append(c.problems, Problem{Key: "plugins." + id, Message: id + " takes a table of keys."})
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(table)) {
			c.walk(section, "plugins."+id+"."+key, []string{key}, table[key])
		}
	}
}

// walk looks one key up and goes down its tables.
func (c *containerdChecker) walk(section, shown string, keyPath []string, value any) {
	var row *containerdKey
	for _, k := range containerdKeys() {
		if k.section == section && matches(k.path, keyPath) {
			row = &k
			break
		}
	}
	switch {
	case row == nil:
		c.unknown(shown, keyPath[len(keyPath)-1], func(k containerdKey) bool {
			return k.section == section && len(k.path) == len(keyPath) && matches(k.path[:len(k.path)-1], keyPath[:len(keyPath)-1])
		}, len(keyPath)-1)
		return
	case !containerdKnows(c.version, row.since, ""):
		c.problems = append(c.problems, Problem{Key: shown, Message: fmt.Sprintf("%s came with containerd %s.", shown, row.since)})
		return
	case !containerdKnows(c.version, "", row.removed):
		c.problems = append(c.problems, Problem{Key: shown, Message: fmt.Sprintf("%s was removed in containerd %s.", shown, row.removed)})
		return
	case row.ownedBy != "":
		c.problems = append(c.problems, Problem{Key: shown, Instead: row.ownedInstead,
			Message: fmt.Sprintf("%s belongs to hardway: %s.", shown, row.ownedBy)})
		return
	case value == nil: // a null takes our default away
		return
	}
	if name := keyPath[len(keyPath)-1]; slices.Equal(row.path, []string{"containerd", "runtimes", "*"}) && !handler.MatchString(name) {
		c.problems = append(c.problems, Problem{Key: shown, Message: fmt.Sprintf("%q is not the name of a runtime: a RuntimeClass takes lower-case letters, digits and - only, at most 63.", name)})
		return
	}
	if want := wrongKind(row.kind, value); want != "" {
		c.problems = append(c.problems, Problem{Key: shown, Message: fmt.Sprintf("%s takes %s.", shown, want)})
		return
	}
	if table, ok := value.(map[string]any); ok && row.kind == "table" {
		for _, key := range slices.Sorted(maps.Keys(table)) {
			c.walk(section, shown+"."+key, append(slices.Clone(keyPath), key), table[key])
		}
	}
}

// unknown reports a key with the nearest name among its possible siblings.
func (c *containerdChecker) unknown(shown, name string, sibling func(containerdKey) bool, at int) {
	best, bestDistance := "", len(name)/3+2
	for _, k := range containerdKeys() {
		if !sibling(k) || k.path[at] == "*" || !containerdKnows(c.version, k.since, k.removed) {
			continue
		}
		if d := levenshtein.Distance(name, k.path[at], nil); d < bestDistance {
			best, bestDistance = k.path[at], d
		}
	}
	if best != "" {
		best = strings.TrimSuffix(shown, name) + best
	}
	c.problems = append(c.problems, Problem{Key: shown, Suggestion: best,
		Message: fmt.Sprintf("containerd %s has no key %s.", c.version, shown)})
}

func matches(pattern, keyPath []string) bool {
	return slices.EqualFunc(pattern, keyPath, func(p, k string) bool { return p == "*" || p == k })
}

// wrongKind returns what a key of the kind takes when the value is not that, else "".
func wrongKind(kind string, value any) string {
	ok, want := false, ""
	switch kind {
	case "bool":
		_, ok = value.(bool)
		want = "true or false"
	case "int":
		switch v := value.(type) {
		case int, int64:
			ok = true
		case float64:
			ok = v == float64(int64(v))
		case json.Number:
			_, err := v.Int64()
			ok = err == nil
		case *big.Float:
			ok = v.IsInt()
		}
		want = "a whole number"
	case "string":
		_, ok = value.(string)
		want = "a string"
	case "strings":
		want = "a list of strings"
		switch list := value.(type) {
		case []string:
			ok = true
		case []any:
			ok = !slices.ContainsFunc(list, func(item any) bool { _, isString := item.(string); return !isString })
		}
	case "table", "any":
		_, ok = value.(map[string]any)
		want = "a table"
	}
	if ok {
		return ""
	}
	return want
}
