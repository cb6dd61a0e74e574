package units

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// named is a feature gate or an admission plugin: a name that a version of
// Kubernetes knows or refuses to start with. A gate may be deprecated, and from
// the minor locked on it can only have one value.
type named struct{ name, since, deprecated, locked, value, removed, source string }

var admissionPlugins = sync.OnceValue(func() []named {
	var out []named
	for _, r := range mustRows("tables/admission.tsv", "name", "since", "removed", "source") {
		out = append(out, named{name: r[0], since: r[1], removed: r[2], source: r[3]})
	}
	return out
})

var featureGates = sync.OnceValue(func() []named {
	var out []named
	for _, r := range mustRows("tables/gates.tsv", "name", "since", "deprecated", "locked", "value", "removed", "source") {
		out = append(out, named{r[0], r[1], r[2], r[3], r[4], r[5], r[6]})
	}
	return out
})

// suiteNames writes cipher suites as the version names them.
func suiteNames(version string, suites []string) []string {
	for i, suite := range suites {
		for _, r := range mustRows("tables/ciphers.tsv", "name", "since", "before", "source") {
			if r[0] == suite && !atLeast(version, r[1]) {
				suites[i] = r[2]
			}
		}
	}
	return suites
}

// knownPlugins are those of the names that the version has.
func knownPlugins(version string, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return len(checkNamed(version, "", "", name, admissionPlugins())) > 0
	})
}

// replacements are what to use instead of a plugin ("admission plugin") or a
// field ("kubelet field") that is gone.
var replacements = sync.OnceValue(func() map[ownedKey]string {
	out := map[ownedKey]string{}
	for _, r := range mustRows("tables/replacements.tsv", "kind", "name", "instead", "source") {
		out[ownedKey{r[0], r[1]}] = r[2]
	}
	return out
})

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
		problems = append(problems, checkGate(version, flag, name, setting)...)
	}
	return problems
}

// checkGate judges one gate and its value. A component that is told to change a
// locked gate refuses to start, as one does that does not know the gate.
func checkGate(version, place, name, setting string) []Problem {
	if problems := checkNamed(version, place, "feature gate", name, featureGates()); len(problems) > 0 {
		return problems
	}
	i := slices.IndexFunc(featureGates(), func(g named) bool { return g.name == name })
	gate := featureGates()[i]
	switch {
	case gate.locked != "" && atLeast(version, gate.locked) && !strings.EqualFold(setting, gate.value):
		return []Problem{{Flag: place, Kind: KindBadValue, Source: gate.source,
			Message: fmt.Sprintf("The feature gate %s is locked to %s since Kubernetes %s; remove it.", name, gate.value, gate.locked)}}
	case gate.deprecated != "" && atLeast(version, gate.deprecated):
		return []Problem{{Flag: place, Kind: KindDeprecated, Source: gate.source,
			Message: fmt.Sprintf("The feature gate %s is deprecated since Kubernetes %s.", name, gate.deprecated)}}
	}
	return nil
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
			return []Problem{{Flag: place, Kind: KindRemoved, Since: k.since, Removed: k.removed, Source: k.source, Replacement: replacements()[ownedKey{what, name}],
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
