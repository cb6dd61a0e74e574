package state

import (
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// Record is what is known about one resource that hardway owns.
type Record struct {
	// Spec is what was applied last or, with Pending, is being applied. It is
	// all that a removal needs when the HCL is gone. It holds no secret.
	Spec       resource.Spec  `json:"spec"`
	SpecDigest string         `json:"spec_digest"` // Spec.Digest() when it was applied
	DependsOn  []addr.Address `json:"depends_on,omitempty"`

	// SHA256 is the content that the last finished apply left on the host, where
	// the resource is a single file. With Pending it may no longer be there.
	SHA256 string `json:"sha256,omitempty"`
	// Certificate describes the leaf that was issued, for a certificate.
	Certificate *Certificate `json:"certificate,omitempty"`

	// Prior is what stood there before hardway came. It is taken once.
	Prior Prior `json:"prior"`

	// Applied is when the resource was last known to be as Spec says; zero if never.
	Applied time.Time `json:"applied,omitzero"`
	// Changed is when Spec or SHA256 last became another. What is only put right
	// again, such as a mode, is applied anew and not changed.
	Changed time.Time `json:"changed,omitzero"`
	// Pending: an operation was begun and is not known to be done.
	Pending bool `json:"pending,omitempty"`
	// Removing: the pending operation is the removal.
	Removing bool `json:"removing,omitempty"`
	// RestartOwed: written, but the unit that reads it was not yet restarted.
	RestartOwed bool `json:"restart_owed,omitempty"`
	// Tainted is why the last operation failed; empty when it did not.
	Tainted string `json:"tainted,omitempty"`
	// Last is what was in force before a change that is not settled yet: the unit
	// that it is about, or that reads it, was not seen healthy since. However often
	// an apply is interrupted in between, it stays what can be gone back to.
	Last *Last `json:"last,omitempty"`
}

// Last is what a resource was before a change, and where its host keeps it.
type Last struct {
	Spec        resource.Spec `json:"spec"` // empty: it was not hardway's
	SHA256      string        `json:"sha256,omitempty"`
	Certificate *Certificate  `json:"certificate,omitempty"`
	// Generation is the number under which the host keeps the files.
	Generation uint64 `json:"generation"`
}

// Was returns the record as it was before the unsettled change; false when there
// was none of hardway's.
func (r Record) Was() (Record, bool) {
	if r.Last == nil {
		return r, true
	}
	if r.Last.Spec.Kind() == "" {
		return Record{}, false
	}
	was := r
	was.Spec, was.SpecDigest = r.Last.Spec, r.Last.Spec.Digest()
	was.SHA256, was.Certificate = r.Last.SHA256, r.Last.Certificate
	was.Last, was.Pending, was.RestartOwed, was.Tainted = nil, false, false, ""
	return was, true
}

// Kind returns the kind of the resource.
func (r Record) Kind() resource.Kind { return r.Spec.Kind() }

// Path returns the path that the resource owns, if it owns one.
func (r Record) Path() string { return r.Spec.Path() }

// Certificate is an issued leaf as it stands on a host. The key itself is
// nowhere but there.
type Certificate struct {
	PEM string `json:"pem"` // the leaf alone
	// CertSHA256 and KeySHA256 are the digests of the two files; of a combined
	// file both are the same.
	CertSHA256 string `json:"cert_sha256"`
	KeySHA256  string `json:"key_sha256"`
	Serial     string `json:"serial"` // lower-case hex
	// Authority and Generation say which authority signed it.
	Authority  string    `json:"authority"`
	Generation int       `json:"generation"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
}

// Prior is what stood in a resource's place before hardway touched it, so that
// destroy can put it back. Only the fields of the resource's kind are set.
type Prior struct {
	// Exists: something was there. When false the removal leaves nothing.
	Exists bool `json:"exists"`

	// Of a path:
	Type   facts.FileType `json:"type,omitempty"`
	Mode   uint32         `json:"mode,omitempty"` // permission bits
	Owner  string         `json:"owner,omitempty"`
	Group  string         `json:"group,omitempty"`
	Size   int64          `json:"size,omitempty"`
	SHA256 string         `json:"sha256,omitempty"` // of a regular file
	Target string         `json:"target,omitempty"` // of a symlink
	Empty  bool           `json:"empty,omitempty"`  // a directory without entries
	// SavedOnHost: a copy of the content lies on the host, under its SHA-256.
	// Content is never kept here, because it may be a secret.
	SavedOnHost bool `json:"saved_on_host,omitempty"`

	Value string     `json:"value,omitempty"` // of a sysctl
	Swaps []string   `json:"swaps,omitempty"` // active swap devices and files
	Unit  *PriorUnit `json:"unit,omitempty"`
	// Labels and Taints are those keys of a Node that hardway's own replaced.
	Labels map[string]string `json:"labels,omitempty"`
	Taints []string          `json:"taints,omitempty"`
}

// PriorUnit is a unit's state, in systemd's words.
type PriorUnit struct {
	Load    string `json:"load"`
	Enabled string `json:"enabled"`
	Active  string `json:"active"`
}

// PriorFile takes the part of an observed path that is worth remembering.
func PriorFile(f facts.File) Prior {
	if !f.Exists() {
		return Prior{}
	}
	return Prior{Exists: true, Type: f.Type, Mode: f.Mode, Owner: f.Owner, Group: f.Group,
		Size: f.Size, SHA256: f.SHA256, Target: f.Target, Empty: f.Empty}
}
