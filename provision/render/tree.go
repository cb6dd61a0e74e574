// Package render lays out, as a folder, what stands on the hosts of a cluster:
// for people who copy by hand.
//
// It knows paths, modes and digests, and which of what should be is a file. It
// must never know hosts' connections, HCL or a state: the bytes that only those
// have are handed in. What is private goes into no file unless it is handed in,
// and never into the list of files.
package render

import (
	"path"
	"slices"
	"strings"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Kinds of entries, as the list of files names them.
const (
	KindFile        = "file"
	KindDirectory   = "directory"
	KindUnit        = "unit"
	KindBlock       = "block" // lines for a file that belongs to the system
	KindProgram     = "program"
	KindImage       = "image"
	KindCertificate = "certificate"
	KindKey         = "key"
	KindObject      = "object" // for kubectl apply
	KindLink        = "link"
)

// Entry is one thing that stands on a host, or is given to kubectl.
type Entry struct {
	Kind string
	// Path is where it goes in the folder: HOST/path/on/the/host.
	Path string
	resource.Meta
	Content []byte       // what everybody may see
	Private certs.Secret // instead, what nobody may
	Target  string       // of a link, relative
	// Artifact is the SHA-256 of bytes that hardway.lock.hcl pins, which stand in
	// the cache; such an entry has no content of its own.
	Artifact string
	// From says where an artifact was obtained; Missing, why the entry is not
	// written, and what would write it. An entry with Missing set has no content.
	From, Missing string
}

// Leaf is a certificate with its key, as far as they are known.
type Leaf struct {
	CertPEM []byte
	Key     certs.Secret
}

// Input is everything that a tree depends on.
type Input struct {
	Want resource.Set
	// Public and Private are the material that files are made of, by its name.
	Public  map[string][]byte
	Private map[string]certs.Secret
	// Leaves are the certificates that are known, by address.
	Leaves map[addr.Address]Leaf
	// Sources say where the artifact with a SHA-256 was obtained.
	Sources map[string]string
}

// What would write an entry that is missing.
const (
	needsKeys = "private; `hardway render --with-keys` writes it"
	needsMade = "not made yet; `hardway render --with-keys` and `hardway apply` make it"
)

// Tree lists what stands on each host, in the order of the set. It is pure.
func Tree(in Input) []Entry {
	var out []Entry
	images := map[string]bool{}
	for _, r := range in.Want.All() {
		at := func(p string) string { return path.Join(r.Addr.Host.Name, p) }
		switch s := r.Spec; s.Kind() {
		case resource.KindDirectory:
			out = append(out, Entry{Kind: KindDirectory, Path: at(s.Directory.Path), Meta: s.Directory.Meta})
		case resource.KindFile:
			out = append(out, in.file(at(s.File.Path), s.File))
		case resource.KindUnit:
			out = append(out, Entry{Kind: KindUnit, Path: at(s.Unit.Path), Meta: s.Unit.Meta, Content: []byte(s.Unit.Content)})
		case resource.KindBlock:
			// Beside the path and not at it: copied over it, it would be the whole file.
			text := resource.BlockBegin + "\n" + s.Block.Content + resource.BlockEnd + "\n"
			out = append(out, Entry{Kind: KindBlock, Path: at(s.Block.Path) + ".hardway", Meta: resource.Root(0o644), Content: []byte(text)})
		case resource.KindBinary:
			out = append(out, Entry{Kind: KindProgram, Path: at(s.Binary.Path), Meta: s.Binary.Meta, Artifact: s.Binary.SHA256, From: in.Sources[s.Binary.SHA256]})
		case resource.KindImage:
			if !images[s.Image.SHA256] { // one for all hosts
				images[s.Image.SHA256] = true
				out = append(out, Entry{Kind: KindImage, Path: "images/" + imageFile(s.Image.Ref), Meta: resource.Root(0o600), Artifact: s.Image.SHA256, From: in.Sources[s.Image.SHA256]})
			}
		case resource.KindCertificate:
			out = append(out, in.leaf(r.Addr, s.Certificate, at)...)
		case resource.KindObject:
			out = append(out, Entry{Kind: KindObject, Path: "cluster/" + strings.ReplaceAll(s.Object.Kind+"-"+s.Object.Name, ":", "-") + ".json",
				Meta: resource.Root(0o644), Content: append(slices.Clone([]byte(s.Object.Manifest)), '\n')})
		}
	}
	return out
}

// file is a file with a known text, or with material.
func (in Input) file(at string, f *resource.File) Entry {
	e := Entry{Kind: KindFile, Path: at, Meta: f.Meta}
	if f.Material == "" {
		e.Content = []byte(f.Content)
		return e
	}
	secret := strings.HasPrefix(f.Material, "key/") || strings.HasPrefix(f.Material, "private/")
	e.Kind = KindCertificate
	if secret {
		e.Kind = KindKey
	}
	switch public, ok := in.Public[f.Material]; {
	case ok:
		e.Content = public
	case in.Private[f.Material].IsSet():
		e.Private = in.Private[f.Material]
	case secret:
		e.Missing = needsKeys
	default:
		e.Missing = needsMade
	}
	return e
}

// leaf is a certificate and its key: two files, or one.
func (in Input) leaf(a addr.Address, c *resource.Certificate, at func(string) string) []Entry {
	known := in.Leaves[a]
	meta := func(mode uint32) resource.Meta { return resource.Meta{Mode: mode, Owner: c.Owner, Group: c.Group} }
	cert := Entry{Kind: KindCertificate, Path: at(c.CertPath), Meta: meta(0o644), Content: known.CertPEM}
	key := Entry{Kind: KindKey, Path: at(c.KeyPath), Meta: meta(0o600), Private: known.Key}
	if !known.Key.IsSet() {
		key.Missing = needsKeys
	}
	if known.CertPEM == nil {
		cert.Missing = needsMade
	}
	if !c.Combined {
		return []Entry{cert, key}
	}
	key.Path = at(c.CombinedFile())
	if known.Key.IsSet() {
		key.Private = certs.NewSecret(append(append([]byte(nil), known.CertPEM...), known.Key.Reveal()...))
	}
	return []Entry{key, {Kind: KindLink, Path: at(c.CertPath), Meta: meta(0o777), Target: path.Base(c.CombinedFile()), Missing: key.Missing}}
}

// imageFile makes a file name of an image's reference.
func imageFile(ref string) string {
	return strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(ref) + ".tar"
}
