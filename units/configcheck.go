package units

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	proxyconfig "k8s.io/kube-proxy/config/v1alpha1"
	schedulerconfig "k8s.io/kube-scheduler/config/v1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
)

// configType is the upstream type of a component's config object.
func configType(component string) (reflect.Type, bool) {
	switch component {
	case ComponentKubelet:
		return reflect.TypeFor[kubeletconfig.KubeletConfiguration](), true
	case ComponentKubeProxy:
		return reflect.TypeFor[proxyconfig.KubeProxyConfiguration](), true
	case ComponentScheduler:
		return reflect.TypeFor[schedulerconfig.KubeSchedulerConfiguration](), true
	}
	return nil, false
}

// pluginArgs is the type of a scheduler plugin's args. The scheduler decodes
// them strictly by the plugin's name; plugins from outside have none here.
func pluginArgs(plugin string) (reflect.Type, bool) {
	switch plugin {
	case "DefaultPreemption":
		return reflect.TypeFor[schedulerconfig.DefaultPreemptionArgs](), true
	case "DynamicResources":
		return reflect.TypeFor[schedulerconfig.DynamicResourcesArgs](), true
	case "InterPodAffinity":
		return reflect.TypeFor[schedulerconfig.InterPodAffinityArgs](), true
	case "NodeAffinity":
		return reflect.TypeFor[schedulerconfig.NodeAffinityArgs](), true
	case "NodeResourcesBalancedAllocation":
		return reflect.TypeFor[schedulerconfig.NodeResourcesBalancedAllocationArgs](), true
	case "NodeResourcesFit":
		return reflect.TypeFor[schedulerconfig.NodeResourcesFitArgs](), true
	case "PodTopologySpread":
		return reflect.TypeFor[schedulerconfig.PodTopologySpreadArgs](), true
	case "VolumeBinding":
		return reflect.TypeFor[schedulerconfig.VolumeBindingArgs](), true
	}
	return nil, false
}

// fieldRow is when a config field came and went. A field without a row is as
// old as the table and still there.
type fieldRow struct{ since, removed, source string }

var fieldRows = sync.OnceValue(func() map[ownedKey]fieldRow {
	out := map[ownedKey]fieldRow{}
	for _, r := range mustRows("tables/fields.tsv", "component", "field", "since", "removed", "source") {
		out[ownedKey{r[0], r[1]}] = fieldRow{r[2], r[3], r[4]}
	}
	return out
})

// hasField reports whether the config object of a version has a field that some
// version has. Its parents are asked too.
func hasField(component, version, field string) bool {
	for path := field; ; {
		row := fieldRows()[ownedKey{component, path}]
		if !atLeast(version, row.since) || row.removed != "" && atLeast(version, row.removed) {
			return false
		}
		i := strings.LastIndex(path, ".")
		if i < 0 {
			return true
		}
		path = path[:i]
	}
}

// CheckConfig returns what is wrong with the config fields that a user set on a
// component: fields that its config object does not have, that hardway owns,
// that are newer than the version, or whose value has not the field's type.
//
// The kubelet and kube-proxy fall back to lenient decoding with no more than a
// line in the log, so that a misspelt field would be ignored silently: this
// check is the only one. Field names are matched exactly.
func CheckConfig(component, version string, cfg map[string]any) []Problem {
	if len(cfg) == 0 {
		return nil
	}
	t, ok := configType(component)
	if !ok {
		var problems []Problem
		for _, name := range slices.Sorted(maps.Keys(cfg)) {
			problems = append(problems, Problem{Flag: name, Kind: KindUnknown, Replacement: "flags",
				Message: component + " has no config object; use flags."})
		}
		return problems
	}
	if _, err := minorOf(version); err != nil {
		return []Problem{{Kind: KindBadValue, Message: err.Error() + "."}}
	}
	plain, err := normalize(cfg)
	if err != nil {
		return []Problem{{Kind: KindBadValue, Message: err.Error() + "."}}
	}
	c := configChecker{component: component, version: version}
	c.check("", "", plain, t)
	return sortProblems(c.problems)
}

type configChecker struct {
	component, version string
	problems           []Problem
}

func (c *configChecker) report(path string, kind Kind, format string, args ...any) *Problem {
	c.problems = append(c.problems, Problem{Flag: path, Kind: kind, Message: fmt.Sprintf(format, args...)})
	return &c.problems[len(c.problems)-1]
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// check walks value along the type. path has the positions in lists, field has
// not: it is what the tables know.
func (c *configChecker) check(path, field string, value any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil { // null: the default is taken
		return
	}
	if reflect.PointerTo(t).Implements(unmarshaler) || t.Kind() == reflect.Interface {
		c.checkLeaf(path, value, t)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		object, ok := value.(map[string]any)
		if !ok {
			c.report(path, KindBadValue, "%s takes an object, not %s.", path, describe(value))
			return
		}
		c.checkStruct(path, field, object, t)
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			c.report(path, KindBadValue, "%s takes a map, not %s.", path, describe(value))
			return
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			c.check(join(path, key), join(field, key), object[key], t.Elem())
		}
		if field == "featureGates" {
			c.checkFeatureGates(path, object)
		}
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			c.report(path, KindBadValue, "%s takes a list, not %s.", path, describe(value))
			return
		}
		for i, item := range list {
			c.check(path+"["+strconv.Itoa(i)+"]", field, item, t.Elem())
		}
	default:
		c.checkLeaf(path, value, t)
	}
}

func (c *configChecker) checkStruct(path, field string, object map[string]any, t reflect.Type) {
	fields := map[string]reflect.Type{}
	collectFields(t, fields)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		childPath, childField := join(path, name), join(field, name)
		key := ownedKey{c.component, childField}
		child, known := fields[name]
		row, listed := fieldRows()[key]
		switch {
		case listed && row.removed != "" && atLeast(c.version, row.removed):
			p := c.report(childPath, KindRemoved, "%s was removed from %s in %s.", childPath, c.component, row.removed)
			p.Since, p.Removed, p.Source = row.since, row.removed, row.source
			p.Replacement = replacements()[ownedKey{c.component + " field", childField}]
			continue
		case listed && !atLeast(c.version, row.since):
			p := c.report(childPath, KindNotYet, "%s came with %s %s; the cluster runs %s.", childPath, c.component, row.since, c.version)
			p.Since, p.Source = row.since, row.source
			continue
		case listed && !known:
			continue // of an older version: the table knows its name, nothing its type
		}
		if !known {
			p := c.report(childPath, KindUnknown, "%s has no field %s.", c.objectName(path), name)
			if near := nearest(name, slices.Sorted(maps.Keys(fields))); near != "" {
				p.Suggestion = join(path, near)
			}
			continue
		}
		if owned, ok := ownedFields()[key]; ok {
			c.report(childPath, KindOwned, "%s belongs to hardway: %s.", childPath, owned.reason).Replacement = owned.instead
			continue
		}
		c.check(childPath, childField, object[name], child)
	}
	if c.component == ComponentScheduler && field == "profiles.pluginConfig" {
		plugin, _ := object["name"].(string)
		if args, ok := pluginArgs(plugin); ok && object["args"] != nil {
			c.check(join(path, "args"), join(field, "args"), object["args"], args)
		}
	}
}

// collectFields lists the JSON names of a struct, with those of embedded ones.
func collectFields(t reflect.Type, out map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			collectFields(f.Type, out)
		case name == "":
			out[f.Name] = f.Type
		default:
			out[name] = f.Type
		}
	}
}

// checkLeaf lets the type itself judge the value.
func (c *configChecker) checkLeaf(path string, value any, t reflect.Type) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err == nil {
		return
	}
	want := map[reflect.Kind]string{reflect.Bool: "true or false", reflect.String: "a string"}[t.Kind()]
	switch {
	case want != "":
	case t.Name() == "Duration":
		want = "a duration such as \"30s\""
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		want = fmt.Sprintf("a whole number of %d bits", t.Bits())
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		want = "a number"
	default:
		c.report(path, KindBadValue, "%s does not take %s: %v.", path, describe(value), err)
		return
	}
	c.report(path, KindBadValue, "%s takes %s, not %s.", path, want, describe(value))
}

func (c *configChecker) checkFeatureGates(path string, gates map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		for _, p := range checkGate(c.version, join(path, name), name, fmt.Sprint(gates[name])) {
			if p.Suggestion != "" {
				p.Suggestion = join(path, p.Suggestion)
			}
			c.problems = append(c.problems, p)
		}
	}
}

func (c *configChecker) objectName(path string) string {
	if path != "" {
		return path
	}
	t, _ := configType(c.component)
	return t.Name()
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// describe names a value for an error text.
func describe(value any) string {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("a %T", value)
	}
	return string(text)
}
