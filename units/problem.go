package units

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Kind says what is wrong with a flag or field.
type Kind string

// Every kind of problem. Only KindDeprecated is a warning.
const (
	KindUnknown    Kind = "unknown"
	KindRemoved    Kind = "removed"
	KindNotYet     Kind = "not-yet"
	KindDeprecated Kind = "deprecated"
	KindOwned      Kind = "owned" // hardway sets it; Replacement names the block or attribute to use
	KindBadValue   Kind = "bad-value"
)

// Problem is one thing wrong with what a user set on a component.
type Problem struct {
	// Flag is the flag without dashes, or the dotted path of the config field
	// with list positions as [0]; a list's own position is part of the path.
	Flag string
	Kind Kind
	// Message is a sentence without the place: the caller has the source range.
	Message string
	// Replacement is what to write instead: a flag, or an attribute such as
	// cluster.pod_cidr. Empty when there is none.
	Replacement string
	// Since and Removed are minors, where the kind has them.
	Since, Removed string
	// Source is where the fact was read.
	Source string
	// Suggestion is the nearest known name of an unknown one, or "".
	Suggestion string
}

// Warning reports whether the problem leaves the configuration usable.
func (p Problem) Warning() bool { return p.Kind == KindDeprecated }

// sortProblems orders by place, so that the same input gives the same list.
func sortProblems(list []Problem) []Problem {
	slices.SortStableFunc(list, func(a, b Problem) int { return strings.Compare(a.Flag, b.Flag) })
	return list
}

// nearest returns the known name that a misspelt one most likely means, or "".
func nearest(name string, known []string) string {
	best, bestDistance := "", len(name)/3+2 // a third of the letters may be wrong
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(k), nil); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}
