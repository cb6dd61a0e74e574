// Package resource is the closed set of kinds that hardway manages, as plain
// values with stable digests.
//
// It is a leaf: it knows what should be, field by field. It must never know how
// a resource is observed, compared, written or restored.
package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"hardway/provision/addr"
)

// Kind is the second word of an address.
type Kind string

// Every kind there is. A new one needs a row in resource.Spec, and a case in
// the observation request, the comparison and the interpreter; a test holds that.
const (
	KindAuthority   Kind = "authority" // a CA; cluster scope; lives in the sealed state
	KindKeyPair     Kind = "keypair"   // service-account keys; cluster scope; sealed
	KindDirectory   Kind = "directory"
	KindFile        Kind = "file"
	KindBlock       Kind = "block" // a managed block inside a file of the system
	KindBinary      Kind = "binary"
	KindImage       Kind = "image"
	KindCertificate Kind = "cert" // a leaf and its key, on a host
	KindSysctl      Kind = "sysctl"
	KindModule      Kind = "module"
	KindSwap        Kind = "swap"
	KindPackages    Kind = "packages" // of the distribution, on a host
	KindFirewall    Kind = "firewall"
	KindSELinux     Kind = "selinux"
	KindUnit        Kind = "unit"
	KindObject      Kind = "object" // a Kubernetes object; cluster scope
	KindNode        Kind = "node"   // labels and taints of a Node; cluster scope
)

// Resource is one thing that should be. Exactly one field of Spec is set.
type Resource struct {
	Addr addr.Address `json:"address"`
	Spec Spec         `json:"spec"`
	// DependsOn are created before, and removed after, this resource.
	DependsOn []addr.Address `json:"depends_on,omitempty"`
}

// Spec is a tagged union of the kinds.
type Spec struct {
	Authority   *Authority   `json:"authority,omitempty"`
	KeyPair     *KeyPair     `json:"keypair,omitempty"`
	Directory   *Directory   `json:"directory,omitempty"`
	File        *File        `json:"file,omitempty"`
	Block       *Block       `json:"block,omitempty"`
	Binary      *Binary      `json:"binary,omitempty"`
	Image       *Image       `json:"image,omitempty"`
	Certificate *Certificate `json:"cert,omitempty"`
	Sysctl      *Sysctl      `json:"sysctl,omitempty"`
	Module      *Module      `json:"module,omitempty"`
	Swap        *Swap        `json:"swap,omitempty"`
	Packages    *Packages    `json:"packages,omitempty"`
	Firewall    *Firewall    `json:"firewall,omitempty"`
	SELinux     *SELinux     `json:"selinux,omitempty"`
	Unit        *Unit        `json:"unit,omitempty"`
	Object      *Object      `json:"object,omitempty"`
	Node        *Node        `json:"node,omitempty"`
}

// Kind returns the kind of the one field that is set.
func (s Spec) Kind() Kind {
	switch {
	case s.Authority != nil:
		return KindAuthority
	case s.KeyPair != nil:
		return KindKeyPair
	case s.Directory != nil:
		return KindDirectory
	case s.File != nil:
		return KindFile
	case s.Block != nil:
		return KindBlock
	case s.Binary != nil:
		return KindBinary
	case s.Image != nil:
		return KindImage
	case s.Certificate != nil:
		return KindCertificate
	case s.Sysctl != nil:
		return KindSysctl
	case s.Module != nil:
		return KindModule
	case s.Swap != nil:
		return KindSwap
	case s.Packages != nil:
		return KindPackages
	case s.Firewall != nil:
		return KindFirewall
	case s.SELinux != nil:
		return KindSELinux
	case s.Unit != nil:
		return KindUnit
	case s.Object != nil:
		return KindObject
	case s.Node != nil:
		return KindNode
	}
	return ""
}

// Path returns the file system path that the resource owns, if it owns one.
func (s Spec) Path() string {
	switch {
	case s.Directory != nil:
		return s.Directory.Path
	case s.File != nil:
		return s.File.Path
	case s.Block != nil:
		return s.Block.Path
	case s.Binary != nil:
		return s.Binary.Path
	case s.Certificate != nil:
		return s.Certificate.CertPath
	case s.Unit != nil:
		return s.Unit.Path
	}
	return ""
}

// Digest returns the SHA-256 of the canonical JSON of the spec: equal specs,
// equal digests, on every machine.
func (s Spec) Digest() string {
	b, err := json.Marshal(s)
	if err != nil { // only plain values are in a Spec
		panic(fmt.Sprintf("resource: encoding %s: %v", s.Kind(), err))
	}
	return SHA256(b)
}

// SHA256 returns the lower-case hex digest of b.
func SHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
