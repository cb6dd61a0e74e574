package flagtable

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Flag is one flag of one version of a component, as its constructor describes it.
type Flag struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Default    string `json:"default"`
	Deprecated string `json:"deprecated"` // the message, "" for a flag in good standing
	Hidden     bool   `json:"hidden"`
	Usage      string `json:"usage"`
}

// Version is everything that one version of a component accepts.
type Version struct {
	Version string // without v
	Flags   []Flag
}

// minor of a version, "1.37".
func minor(version string) string { return strings.TrimPrefix(semver.MajorMinor("v"+version), "v") }

// Merge lays versions of a component over each other and the hand-entered rows over that. A hand-entered row adds a flag
// that no version has any more, or knows better when a flag came and fell out of favour; it is an error when it says
// that a flag is gone which the versions still have.
func Merge(component string, versions []Version, legacy []Row) ([]Row, error) {
	versions = slices.Clone(versions)
	slices.SortFunc(versions, func(a, b Version) int { return semver.Compare("v"+a.Version, "v"+b.Version) })
	rows := map[string]Row{}
	for i, v := range versions {
		present := map[string]bool{}
		for _, flag := range v.Flags {
			present[flag.Name] = true
			row, known := rows[flag.Name]
			if !known && i > 0 {
				row.Since = minor(v.Version)
			}
			row.Name, row.Type, row.Removed = flag.Name, flag.Type, ""
			if flag.Deprecated != "" && row.Deprecated == "" {
				row.Deprecated = minor(v.Version)
			}
			if flag.Deprecated == "" {
				row.Deprecated = ""
			} else {
				row.Replacement = replacement(flag)
			}
			rows[flag.Name] = row
		}
		for name, row := range rows {
			if !present[name] && row.Removed == "" {
				row.Removed = minor(v.Version)
				rows[name] = row
			}
		}
	}
	source := generatedSource(versions)
	for name, row := range rows {
		row.Source = source
		rows[name] = row
	}
	for _, old := range legacy {
		merged, err := overlay(component, rows, old)
		if err != nil {
			return nil, err
		}
		rows[old.Name] = merged
	}
	table := slices.Collect(maps.Values(rows))
	sortRows(table)
	return table, nil
}

// generatedSource says which versions a row was made from.
func generatedSource(versions []Version) string {
	var names []string
	for _, v := range versions {
		names = append(names, v.Version)
	}
	return "generated:" + strings.Join(names, ",")
}

// overlay lays a hand-entered row over what the versions say.
func overlay(component string, rows map[string]Row, old Row) (Row, error) {
	row, generated := rows[old.Name]
	if !generated {
		if old.Removed == "" {
			return Row{}, fmt.Errorf("%s --%s: the hand-entered row does not say when it was removed, and no version has it", component, old.Name)
		}
		if old.Type == "" {
			return Row{}, fmt.Errorf("%s --%s: the hand-entered row has no type, and no version has the flag", component, old.Name)
		}
		return old, nil
	}
	if old.Removed != row.Removed {
		return Row{}, fmt.Errorf("%s --%s: the hand-entered row says removed %q, the versions say %q", component, old.Name, old.Removed, row.Removed)
	}
	if old.Since != "" {
		row.Since = old.Since
	}
	if old.Deprecated != "" {
		row.Deprecated = old.Deprecated
	}
	if old.Replacement != "" {
		row.Replacement = old.Replacement
	}
	row.Source += " " + old.Source
	return row, nil
}

// useInstead finds the flag that a deprecation message points to.
var useInstead = regexp.MustCompile(`(?i)\b(?:use|please use|switch to|in favou?r of)\s+(?:the\s+)?["'` + "`" + `]?--([a-z0-9-]+)`)

// replacement is the flag to use instead of a deprecated one, where its message or usage names one. The kubelet's
// "should be set via the config file" names its --config, which replaces no single flag.
func replacement(flag Flag) string {
	for _, text := range []string{flag.Deprecated, flag.Usage} {
		if match := useInstead.FindStringSubmatch(text); match != nil && match[1] != flag.Name && match[1] != "config" {
			return match[1]
		}
	}
	return ""
}
