package units

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// named is a feature gate or an admission plugin: a name that a version of
// Kubernetes knows or refuses to start with.
type named struct{ name, since, removed, source string }

func readNamed(path string) []named {
	var out []named
	for _, r := range mustRows(path, "name", "since", "removed", "source") {
		out = append(out, named{r[0], r[1], r[2], r[3]})
	}
	return out
}

var (
	admissionPlugins = sync.OnceValue(func() []named { return readNamed("tables/admission.tsv") })
	featureGates     = sync.OnceValue(func() []named { return readNamed("tables/gates.tsv") })
)

// checkPlugins finds admission plugins that the version does not have; the API
// server would refuse to start.
func checkPlugins(version, flag, value string) []Problem {
	var problems []Problem
	for _, plugin := range splitList(value) {
		problems = append(problems, checkNamed(version, flag, "admission plugin", plugin, admissionPlugins())...)
	}
	return problems
}

// checkGates finds feature gates that the version does not have; any component
// would refuse to start. A gate may be qualified: "kube:Name=true".
func checkGates(version, flag, value string) []Problem {
	var problems []Problem
	for _, pair := range splitList(value) {
		name, setting, _ := strings.Cut(pair, "=")
		name = strings.TrimPrefix(name, "kube:")
		if strings.Contains(name, ":") { // a gate of another component of the process
			continue
		}
		if want := wrongType("bool", setting); want != "" {
			problems = append(problems, Problem{Flag: flag, Kind: KindBadValue,
				Message: fmt.Sprintf("The feature gate %s takes %s, not %q.", name, want, setting)})
			continue
		}
		problems = append(problems, checkNamed(version, flag, "feature gate", name, featureGates())...)
	}
	return problems
}

func checkNamed(version, place, what, name string, known []named) []Problem {
	var names []string
	for _, k := range known {
		isNew := !atLeast(version, k.since)
		isGone := k.removed != "" && atLeast(version, k.removed)
		switch {
		case !isNew && !isGone:
			names = append(names, k.name)
			if k.name == name {
				return nil
			}
		case k.name != name:
		case isGone:
			return []Problem{{Flag: place, Kind: KindRemoved, Since: k.since, Removed: k.removed, Source: k.source,
				Message: fmt.Sprintf("The %s %s was removed in Kubernetes %s.", what, name, k.removed)}}
		default:
			return []Problem{{Flag: place, Kind: KindNotYet, Since: k.since, Source: k.source,
				Message: fmt.Sprintf("The %s %s came with Kubernetes %s; the cluster runs %s.", what, name, k.since, version)}}
		}
	}
	return []Problem{{Flag: place, Kind: KindUnknown, Suggestion: nearest(name, names),
		Message: fmt.Sprintf("Kubernetes %s has no %s %s.", version, what, name)}}
}

// splitList divides a comma-separated list, without empty parts.
func splitList(value string) []string {
	var out []string
	for _, part := range strings.Split(value, ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(out, part) {
			out = append(out, part)
		}
	}
	return out
}
