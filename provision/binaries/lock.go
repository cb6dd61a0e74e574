package binaries

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// LockName is the lock file's name in the configuration directory.
const LockName = "hardway.lock.hcl"

// Lock is the content of the lock file: the one set of bytes that may be
// installed for each component and architecture, and for each image.
type Lock struct {
	Binaries map[Key]Pin
	Images   map[string]ImagePin // by reference
}

// Key names a pinned binary.
type Key struct {
	Component, Arch string
}

// Pin is one file's identity.
type Pin struct {
	Version string
	SHA256  string // lower-case hex
	Size    int64  // bytes
	// Source is where the file was first obtained, for people; an archive's
	// member is named behind "!".
	Source string
	Range  hcl.Range // in the lock file; zero for a pin not read from one
}

// ImagePin is an image archive's identity.
type ImagePin struct {
	SHA256 string
	Size   int64
	Source string
	Range  hcl.Range
}

// Binary returns the pin of a component.
func (l Lock) Binary(component, arch string) (Pin, bool) {
	p, ok := l.Binaries[Key{component, arch}]
	return p, ok
}

// Image returns the pin of an image's archive.
func (l Lock) Image(ref string) (ImagePin, bool) {
	p, ok := l.Images[ref]
	return p, ok
}

// Missing returns those of the wanted artifacts that are not pinned in their
// version: what `hardway init` has still to do.
func (l Lock) Missing(wanted []Artifact) []Artifact {
	var out []Artifact
	for _, a := range wanted {
		if p, ok := l.Binary(a.Component, a.Arch); !ok || p.Version != a.Version {
			out = append(out, a)
		}
	}
	return out
}

// Keys returns the keys of all binaries, by component and architecture.
func (l Lock) Keys() []Key {
	return slices.SortedFunc(maps.Keys(l.Binaries), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Arch, b.Arch))
	})
}
