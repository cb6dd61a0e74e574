package flagtable

import (
	"errors"
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
	Scanned bool // read out of the source, not said by the compiled constructor
}

// minor of a version, "1.37".
func minor(version string) string { return strings.TrimPrefix(semver.MajorMinor("v"+version), "v") }

// Merge lays versions of a component over each other and the hand-entered rows over that. A hand-entered row adds a flag
// that no version has any more, or knows better when a flag came and fell out of favour; it is an error when it says
// that a flag is gone which the versions still have. So is a flag that goes and comes back: then one of the versions was
// read wrongly.
func Merge(component string, versions []Version, legacy []Row) ([]Row, error) {
	versions = slices.Clone(versions)
	slices.SortFunc(versions, func(a, b Version) int { return semver.Compare("v"+a.Version, "v"+b.Version) })
	rows := map[string]Row{}
	seen := map[string]*sightings{}
	var problems []error
	for i, v := range versions {
		present := map[string]bool{}
		for _, flag := range v.Flags {
			present[flag.Name] = true
			row, known := rows[flag.Name]
			if !known && i > 0 {
				row.Since = minor(v.Version)
			}
			if row.Removed != "" {
				problems = append(problems, fmt.Errorf("%s --%s is in %s, and was gone in %s", component, flag.Name, v.Version, row.Removed))
			}
			row.Name = flag.Name
			if flag.Type != "" {
				row.Type = flag.Type
			}
			if flag.Deprecated != "" && row.Deprecated == "" {
				row.Deprecated = minor(v.Version)
			}
			if flag.Deprecated == "" {
				row.Deprecated = ""
			} else {
				row.Replacement = replacement(flag)
			}
			rows[flag.Name] = row
			if seen[flag.Name] == nil {
				seen[flag.Name] = &sightings{}
			}
			seen[flag.Name].add(v)
		}
		for name, row := range rows {
			if !present[name] && row.Removed == "" {
				row.Removed = minor(v.Version)
				rows[name] = row
			}
		}
	}
	for name, row := range rows {
		row.Source = seen[name].String()
		rows[name] = row
	}
	for _, old := range legacy {
		merged, err := overlay(component, rows, old)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		rows[old.Name] = merged
	}
	table := slices.Collect(maps.Values(rows))
	sortRows(table)
	for _, row := range table {
		if row.Type == "" {
			problems = append(problems, fmt.Errorf("%s --%s has no type; enter it by hand", component, row.Name))
		}
	}
	return table, errors.Join(problems...)
}

// sightings are the versions that have a flag, oldest first.
type sightings struct{ built, scanned []string }

func (s *sightings) add(v Version) {
	if v.Scanned {
		s.scanned = append(s.scanned, v.Version)
	} else {
		s.built = append(s.built, v.Version)
	}
}

// String is the source of a row: in which versions' constructors and sources the flag was seen.
func (s *sightings) String() string {
	var parts []string
	for _, kind := range []struct {
		name     string
		versions []string
	}{{"source", s.scanned}, {"constructor", s.built}} {
		switch n := len(kind.versions); n {
		case 0:
		case 1:
			parts = append(parts, kind.name+" "+kind.versions[0])
		default:
			parts = append(parts, kind.name+" "+kind.versions[0]+"-"+kind.versions[n-1])
		}
	}
	return strings.Join(parts, ", ")
}

// overlay lays a hand-entered row over what the versions say.
func overlay(component string, rows map[string]Row, old Row) (Row, error) {
	row, generated := rows[old.Name]
	if generated && row.Type == "" {
		row.Type = old.Type
	}
	if !generated {
		if old.Removed == "" {
			return Row{}, fmt.Errorf("%s --%s: the hand-entered row does not say when it was removed, and no version has it", component, old.Name)
		}
		if old.Type == "" {
			return Row{}, fmt.Errorf("%s --%s: the hand-entered row has no type, and no version has the flag", component, old.Name)
		}
		return old, nil
	}
	if old.Removed != "" && old.Removed != row.Removed {
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
	row.Source += ", " + old.Source
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
