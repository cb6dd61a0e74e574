package state

import (
	"time"

	"hardway/provision/addr"
)

// Run is one apply, destroy or rollback. It is recorded before the first host
// is touched, so that whatever a host carries can be told from an older state.
type Run struct {
	Operation    string    `json:"operation"` // apply, destroy, rollback, renew
	ConfigDigest string    `json:"config_digest"`
	Started      time.Time `json:"started"`
	// Ended is zero while the run goes on, and after a crash.
	Ended time.Time `json:"ended,omitzero"`
	// Complete: everything that was planned was done, and nothing was left for a
	// later step. Only such a generation is offered to go back to.
	Complete bool `json:"complete,omitempty"`
}

// Hold keeps the next plans from repeating a change: what it covers stays as
// it was applied last, until the configuration is another one or somebody says
// --retry.
type Hold struct {
	// Unit is the name of the unit that did not become healthy, on whatever host:
	// what fails on the first would fail on the next. Empty means everything: the
	// cluster was rolled back.
	Unit string `json:"unit,omitempty"`
	// ConfigDigest is that of the configuration which is held back.
	ConfigDigest string `json:"config_digest"`
	// Host is where it failed.
	Host addr.Host `json:"host,omitzero"`
	// Generation is the serial that was gone back to; 0 for a unit's hold.
	Generation uint64    `json:"generation,omitempty"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
}

// Covers reports whether the hold keeps back the unit under a configuration.
func (h Hold) Covers(unit, configDigest string) bool {
	return h.ConfigDigest == configDigest && (h.Unit == "" || h.Unit == unit)
}

// Held records a hold, and turns records back to what was applied before:
// what was begun with them is to be undone, so each is pending until it is Done.
// It must be recorded before anything is put back.
type Held struct {
	Hold    Hold                    `json:"hold"`
	Records map[addr.Address]Record `json:"records,omitempty"`
}
