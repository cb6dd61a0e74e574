// Package state is what hardway remembers between two runs: which resources it
// owns and what stood in their place before, which pod ranges and etcd names it
// gave out, the certificates of its authorities, and, sealed with age, the
// private keys that exist nowhere else.
//
// It knows its own encoding, its write-ahead journal and its sealing. It must
// never know hosts, SSH, HCL or where a snapshot is kept: the hosts stay the
// truth about themselves, and each backend is a package below this one.
//
// Everything but the sealed part is public and stands in clear text. Planning
// reads only that (Public), so it needs no identity.
package state

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Snapshot is one version of the state.
type Snapshot struct {
	Public
	// Sealed is the age ciphertext of the private keys; empty while there are none.
	Sealed []byte `json:"sealed,omitempty"`
}

// Public is the part of a snapshot that anyone who may read the configuration
// may read too.
type Public struct {
	Tool    string `json:"tool"`    // version of hardway that wrote the snapshot
	Lineage string `json:"lineage"` // made once; two states with different lineages are never mixed
	Serial  uint64 `json:"serial"`  // grows by one with each snapshot
	Cluster string `json:"cluster"` // name in the cluster block

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`

	// Journal is the ID of the journal that went into this snapshot, or that this
	// snapshot was put in place of: one that a crash left behind is recognised by it
	// and not applied again.
	Journal string `json:"journal,omitempty"`

	// Recipients are the age recipients that Sealed was encrypted to.
	Recipients  []string                `json:"recipients,omitempty"`
	Authorities map[string]Authority    `json:"authorities,omitempty"`
	KeyPairs    map[string]KeyPair      `json:"keypairs,omitempty"`
	Allocations Allocations             `json:"allocations"`
	Resources   map[addr.Address]Record `json:"resources,omitempty"`

	// Run is the run that led to this snapshot; nil before the first apply. With
	// the serial as its number, the snapshot is a generation of the cluster.
	Run *Run `json:"run,omitempty"`
	// Holds keep changes back that failed, or that were rolled back.
	Holds []Hold `json:"holds,omitempty"`
}

// Authority is the public part of a certificate authority.
type Authority struct {
	// Generation counts up when the authority is replaced; the first is 1.
	Generation int    `json:"generation"`
	CertPEM    string `json:"cert_pem"` // the signing certificate, as on a host
	// BundlePEM is what relying parties trust: the signing certificate and, in
	// the middle of a rotation, its predecessor. Empty means CertPEM alone.
	BundlePEM string `json:"bundle_pem,omitempty"`
	// KeySHA256 is the digest of the sealed private key's PEM text.
	KeySHA256 string    `json:"key_sha256"`
	NotAfter  time.Time `json:"not_after"`
}

// Bundle returns the PEM text that relying parties trust.
func (a Authority) Bundle() string {
	if a.BundlePEM != "" {
		return a.BundlePEM
	}
	return a.CertPEM
}

// KeyPair is the public part of a bare key pair.
type KeyPair struct {
	Generation int    `json:"generation"`
	PublicPEM  string `json:"public_pem"`
	// PrivateSHA256 is the digest of the sealed private key's PEM text.
	PrivateSHA256 string `json:"private_sha256"`
}

// New returns the first snapshot of a cluster, with a new lineage and serial 0;
// storing it makes it serial 1. The times are kept in UTC.
func New(cluster, tool string, now time.Time) Snapshot {
	now = now.UTC().Round(0)
	return Snapshot{Public: Public{
		Tool:    tool,
		Lineage: NewLineage(),
		Cluster: cluster,
		Created: now,
		Updated: now,
	}}
}

// NewLineage returns a random identifier in the form of a version 4 UUID.
func NewLineage() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Material returns what resource.Material* names: the content of public
// material, and the digest of its text. For private material the content is
// nil, and only apply can get it from Secrets. False means that the material
// was not made yet: its value is known after apply.
func (p Public) Material(name string) (content []byte, sha256 string, ok bool) {
	for n, a := range p.Authorities {
		switch name {
		case resource.MaterialCert(n):
			return public(a.CertPEM)
		case resource.MaterialBundle(n):
			return public(a.Bundle())
		case resource.MaterialKey(n):
			return nil, a.KeySHA256, true
		}
	}
	for n, k := range p.KeyPairs {
		switch name {
		case resource.MaterialPublic(n):
			return public(k.PublicPEM)
		case resource.MaterialPrivate(n):
			return nil, k.PrivateSHA256, true
		}
	}
	return nil, "", false
}

func public(pem string) ([]byte, string, bool) {
	return []byte(pem), resource.SHA256([]byte(pem)), true
}

// Addresses returns the addresses of all resources in order.
func (p Public) Addresses() []addr.Address {
	return slices.SortedFunc(maps.Keys(p.Resources), addr.Address.Compare)
}

// Clone returns a snapshot that can be changed without changing s. The values
// inside the maps are shared; they are never written to in place.
func (s Snapshot) Clone() Snapshot {
	s.Recipients = slices.Clone(s.Recipients)
	s.Authorities = maps.Clone(s.Authorities)
	s.KeyPairs = maps.Clone(s.KeyPairs)
	s.Allocations = s.Allocations.clone()
	s.Resources = maps.Clone(s.Resources)
	s.Sealed = slices.Clone(s.Sealed)
	s.Holds = slices.Clone(s.Holds)
	return s
}

// canonical gives the two spellings of the cluster's address one form: a map
// key that went through JSON must still be found.
func canonical(a addr.Address) addr.Address {
	if a.Host.IsCluster() {
		a.Host = addr.Host{Role: addr.Cluster}
	}
	return a
}
