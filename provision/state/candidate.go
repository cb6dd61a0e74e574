package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
)

// Candidate is something that could be the state: a snapshot, perhaps with a
// journal on it, wherever it was found.
type Candidate struct {
	// Source says to people what it is made of.
	Source  string
	Cluster string
	Lineage string
	Serial  uint64
	Updated time.Time
	Run     *Run // that led to it; nil when it is not known
	// Entries are the records of a journal that are in it, Lost those that are in
	// the journal and not in it. Torn are bytes of a last write that nobody was
	// told is safe.
	Entries, Lost, Torn int
	// Present: it is the state as it is now, and nothing is wrong with it.
	Present bool
	// Err is why it cannot be used; what is not known then is zero.
	Err error
	// Stored is its stored form; nil with Err.
	Stored []byte
}

// NewCandidate describes a snapshot that can be used.
func NewCandidate(source string, s Snapshot, stored []byte) Candidate {
	return Candidate{Source: source, Cluster: s.Cluster, Lineage: s.Lineage, Serial: s.Serial, Updated: s.Updated, Run: s.Run, Stored: stored}
}

// Evidence is what is known about the state beside the candidates.
type Evidence struct {
	Cluster string // its name in the configuration
	// Marks are what the hosts that answered carry; a zero one says nothing.
	Marks map[addr.Host]facts.Mark
}

// Choice is which candidate to take.
type Choice struct {
	Best int    // index of the candidate, -1 when none can be taken
	Why  string // for people
	// Lineage is the one that the evidence speaks for; empty when there is none.
	Lineage string
	// Highest is the highest serial that a host carries with that lineage, and
	// Host the first that does; 0 when none does.
	Highest uint64
	Host    addr.Host
}

// Choose returns the candidate to take: of the lineage that most hosts carry, or
// else of the present state's; of those with the highest serial; and of those
// the one of which the least is lost. When there is none, the error says why.
func Choose(list []Candidate, ev Evidence) (Choice, error) {
	c := Choice{Best: -1}
	var why string
	c.Lineage, why = lineageOf(list, ev)
	for _, h := range slices.SortedFunc(maps.Keys(ev.Marks), addr.Host.Compare) {
		if m := ev.Marks[h]; m.Lineage == c.Lineage && m.Serial > c.Highest {
			c.Highest, c.Host = m.Serial, h
		}
	}
	for _, k := range list {
		if newer, ok := errors.AsType[*NewerError](k.Err); ok {
			return c, newer
		}
	}
	for i, k := range list {
		if k.Err == nil && k.Cluster == ev.Cluster && k.Lineage == c.Lineage && (c.Best < 0 || better(k, list[c.Best])) {
			c.Best = i
		}
	}
	if c.Best < 0 {
		return c, noCandidate(list, ev, c.Lineage, why)
	}
	c.Why = "it has the highest serial of the lineage " + c.Lineage + ", " + why
	return c, nil
}

// better reports whether a is to be taken rather than b, which stands before it.
func better(a, b Candidate) bool {
	whole := func(k Candidate) int {
		if k.Lost == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.Serial, b.Serial), whole(a)-whole(b), a.Updated.Compare(b.Updated), cmp.Compare(a.Entries, b.Entries)) > 0
}

// lineageOf returns the lineage that most of the evidence is for, and what that
// evidence is.
func lineageOf(list []Candidate, ev Evidence) (lineage, why string) {
	hosts := map[string]int{}
	total := 0
	for _, m := range ev.Marks {
		if m.Lineage != "" && m.Cluster == ev.Cluster {
			hosts[m.Lineage]++
			total++
		}
	}
	found := map[string]int{}
	present := ""
	for _, k := range list {
		if k.Err == nil && k.Cluster == ev.Cluster {
			found[k.Lineage]++
			if present == "" || k.Present {
				present = k.Lineage // the first is nearest to the present state
			}
		}
	}
	if total > 0 {
		best := slices.MaxFunc(slices.Sorted(maps.Keys(hosts)), func(a, b string) int {
			isPresent := func(l string) int {
				if l == present {
					return 1
				}
				return 0
			}
			return cmp.Or(hosts[a]-hosts[b], isPresent(a)-isPresent(b), found[a]-found[b])
		})
		return best, fmt.Sprintf("which %d of the %d marked hosts carry", hosts[best], total)
	}
	for _, k := range list {
		if k.Present && k.Err == nil && k.Cluster == ev.Cluster {
			return k.Lineage, "which is the present state's"
		}
	}
	// No host speaks, and what is there is not sound: what most copies say counts
	// then, and among equals what is nearest to the present state.
	best := present
	for _, l := range slices.Sorted(maps.Keys(found)) {
		if found[l] > found[best] {
			best = l
		}
	}
	if best == "" {
		return "", ""
	}
	return best, fmt.Sprintf("which %d of what was found have", found[best])
}

func noCandidate(list []Candidate, ev Evidence, lineage, why string) error {
	other, usable := "", ""
	for _, k := range list {
		if k.Err == nil && k.Cluster != ev.Cluster {
			other = k.Cluster
		} else if k.Err == nil {
			usable = k.Lineage
		}
	}
	switch {
	case usable != "":
		return fmt.Errorf("nothing was found of the lineage %s, %s; what was found has the lineage %s, and the hosts would refuse it", lineage, why, usable)
	case other != "":
		return fmt.Errorf("what was found is of the cluster %q, and this configuration is of %q", other, ev.Cluster)
	}
	return errors.New("nothing that can be used was found, neither here nor on a master")
}
