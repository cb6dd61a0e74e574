package units

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"hardway/units/unitfile"
)

// ownedKey is a component and one of its flags or fields.
type ownedKey struct{ component, name string }

// ownedRow says why hardway sets something itself, and what to write instead.
type ownedRow struct{ instead, reason string }

var ownedFlags = sync.OnceValue(func() map[ownedKey]ownedRow {
	return ownedTable("tables/owned-flags.tsv", "flag")
})

var ownedFields = sync.OnceValue(func() map[ownedKey]ownedRow {
	return ownedTable("tables/owned-fields.tsv", "field")
})

func ownedTable(path, column string) map[ownedKey]ownedRow {
	out := map[ownedKey]ownedRow{}
	for _, r := range mustRows(path, "component", column, "instead", "reason") {
		out[ownedKey{r[0], r[1]}] = ownedRow{r[2], r[3]}
	}
	return out
}

// Check returns what is wrong with the flags that a user set on a component of
// a version (of etcd's own for etcd): flags that the version does not know, that
// hardway owns, that are deprecated, or whose value has not the flag's type.
// Names are without the leading dashes. The list is in order of flag.
func Check(component, version string, flags map[string]string) []Problem {
	if len(flags) == 0 {
		return nil
	}
	table := Flags(component)
	var problems []Problem
	if _, err := minorOf(version); err != nil {
		return []Problem{{Kind: KindBadValue, Message: err.Error() + "."}}
	}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if table == nil {
			problems = append(problems, Problem{Flag: name, Kind: KindUnknown,
				Message: fmt.Sprintf("%s takes no flags here; what it can do is set in its config.", component)})
			continue
		}
		if p, bad := checkFlag(component, version, name, table); bad {
			problems = append(problems, p)
			if !p.Warning() {
				continue
			}
		}
		row, _ := table.Lookup(name)
		problems = append(problems, checkFlagValue(component, version, row, flags[name])...)
	}
	return sortProblems(problems)
}

// checkFlag judges the name alone.
func checkFlag(component, version, name string, table Table) (Problem, bool) {
	p := Problem{Flag: name}
	row, known := table.Lookup(name)
	p.Since, p.Removed, p.Replacement, p.Source = row.Since, row.Removed, row.Replacement, row.Source
	owned, isOwned := ownedFlags()[ownedKey{component, name}]
	switch {
	case !known:
		p.Kind = KindUnknown
		p.Suggestion = nearest(strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-"), table.Names(version))
		p.Message = fmt.Sprintf("%s %s has no flag --%s.", component, version, strings.TrimLeft(name, "-"))
		if strings.HasPrefix(name, "-") {
			p.Message += " Write flags without the leading dashes."
		}
	case row.Removed != "" && atLeast(version, row.Removed):
		p.Kind = KindRemoved
		p.Message = fmt.Sprintf("--%s was removed from %s in %s.", name, component, row.Removed)
	case !atLeast(version, row.Since):
		p.Kind = KindNotYet
		p.Message = fmt.Sprintf("--%s came with %s %s; the cluster runs %s.", name, component, row.Since, version)
	case isOwned:
		p.Kind = KindOwned
		p.Replacement = owned.instead
		p.Message = fmt.Sprintf("--%s belongs to hardway: %s.", name, owned.reason)
	case row.Deprecated != "" && atLeast(version, row.Deprecated):
		p.Kind = KindDeprecated
		p.Message = fmt.Sprintf("--%s is deprecated since %s %s.", name, component, row.Deprecated)
		if p.Replacement == "" { // nearly all flags of the kubelet became fields
			p.Replacement = configAttribute(component)
		}
	default:
		return Problem{}, false
	}
	return p, true
}

// checkFlagValue judges the value: its type, and for flags that are lists of
// names the names.
func checkFlagValue(component, version string, row Flag, value string) []Problem {
	if err := unitfile.CheckValue(value); err != nil {
		return []Problem{{Flag: row.Name, Kind: KindBadValue, Message: err.Error() + "."}}
	}
	if want := wrongType(row.Type, value); want != "" {
		return []Problem{{Flag: row.Name, Kind: KindBadValue, Source: row.Source,
			Message: fmt.Sprintf("--%s takes %s, not %q.", row.Name, want, value)}}
	}
	for _, r := range mustRows("tables/values.tsv", "component", "flag", "since", "only", "replacement", "source") {
		if r[0] == component && r[1] == row.Name && atLeast(version, r[2]) && value != r[3] {
			return []Problem{{Flag: row.Name, Kind: KindBadValue, Source: r[5], Replacement: r[4],
				Message: fmt.Sprintf("--%s of %s can only be %s since %s.", row.Name, component, r[3], r[2])}}
		}
	}
	switch {
	case row.Name == "feature-gates" && component != ComponentEtcd:
		return checkGates(version, row.Name, value)
	case component == ComponentAPIServer && strings.HasSuffix(row.Name, "-admission-plugins"), row.Name == "admission-control":
		return checkPlugins(version, row.Name, value)
	}
	return nil
}

// configAttribute is where a user sets the fields of a component's config
// object; "" when it has none.
func configAttribute(component string) string {
	return map[string]string{
		ComponentKubelet:   "kubelet.config",
		ComponentKubeProxy: "kube_proxy.config",
		ComponentScheduler: "scheduler.config",
	}[component]
}
