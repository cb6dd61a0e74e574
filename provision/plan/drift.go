package plan

import (
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
