package plan

import (
	"slices"
	"time"

	"hardway/provision/addr"
)

// Drift is how the hosts differ from what was applied last: what somebody or
// something else changed. It is read off a plan of the mode ReadDrift, and is the
// JSON of `hardway drift --json`.
type Drift struct {
	FormatVersion string         `json:"format_version"`
	Tool          string         `json:"hardway_version"`
	Created       time.Time      `json:"timestamp"`
	Cluster       string         `json:"cluster"`
	Lineage       string         `json:"lineage"`
	Serial        uint64         `json:"serial"`
	Resources     []Drifted      `json:"drifted"`
	Ignored       []addr.Address `json:"ignored,omitempty"` // drifted, but asked to be left out
	Unknown       []Unknown      `json:"unknown,omitempty"`
	Warnings      []Warning      `json:"warnings,omitempty"`
	// Complete: every host was seen, and everything on it could be read.
	Complete bool `json:"complete"`
}

// Drifted is one resource that is not as it was applied.
type Drifted struct {
	Addr   addr.Address `json:"address"`
	Reason string       `json:"reason"`
	Was    Attrs        `json:"was,omitempty"` // as it was applied
	Is     Attrs        `json:"is,omitempty"`  // on the host now; empty: it is gone
}

// DriftOf reads the drift off a plan of the mode ReadDrift: whatever such a plan
// would change was changed by somebody else since it was applied. What ignore
// covers (a resource, all of a kind on a host, a host) is only listed.
func DriftOf(p *Plan, ignore []addr.Address) *Drift {
	d := &Drift{
		FormatVersion: p.FormatVersion, Tool: p.Tool, Created: p.Created, Cluster: p.Cluster, Lineage: p.Lineage, Serial: p.Serial,
		Resources: []Drifted{}, Unknown: p.Unknown, Warnings: p.Warnings,
		Complete: p.Complete && len(p.Unknown)+len(p.Deferred) == 0,
	}
	for _, c := range p.Changes {
		if c.Action == NoOp || c.Action == Read {
			continue
		}
		if slices.ContainsFunc(ignore, func(a addr.Address) bool { return a.Covers(c.Addr) }) {
			d.Ignored = append(d.Ignored, c.Addr)
			continue
		}
		d.Resources = append(d.Resources, Drifted{Addr: c.Addr, Reason: driftReason(c), Was: c.After, Is: c.Before})
	}
	slices.SortFunc(d.Resources, func(a, b Drifted) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(d.Ignored, addr.Address.Compare)
	return d
}

// driftReason says what happened where the plan had nothing to explain.
func driftReason(c Change) string {
	switch {
	case c.Reason != "":
		return c.Reason
	case c.Action == Create && !exists(c):
		return "it is gone"
	}
	return "it is not as it was applied"
}
