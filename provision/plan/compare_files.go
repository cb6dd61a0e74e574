package plan

import (
	"fmt"
	"regexp"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/resource"
)

// absent is the Expect of a path where nothing may stand.
const absent = "absent"

func value(s string) Value { return Value{Text: s} }

func mode(m uint32) Value { return Value{Text: fmt.Sprintf("%04o", m)} }

func owner(o, g string) Value { return Value{Text: o + ":" + g} }

// expect returns the digest that a Put must find.
func expect(f facts.File) string {
	if !f.Exists() {
		return absent
	}
	return f.SHA256
}

// describe fills path, mode and owner on both sides and reports whether the
// path exists with exactly that meta.
func describe(ch *Change, path string, m resource.Meta, f facts.File, want facts.FileType) (exists, same bool) {
	ch.After = Attrs{"path": value(path), "mode": mode(m.Mode), "owner": owner(m.Owner, m.Group)}
	if !f.Exists() {
		return false, false
	}
	ch.Before = Attrs{"path": value(path), "mode": mode(f.Mode), "owner": owner(f.Owner, f.Group)}
	if f.Type != want {
		ch.Before["type"], ch.After["type"] = value(string(f.Type)), value(string(want))
		ch.note(Update, fmt.Sprintf("a %s stands there", f.Type))
		return true, false
	}
	return true, f.Mode == m.Mode && f.Owner == m.Owner && f.Group == m.Group
}

func compareDirectory(ch *Change, d *resource.Directory, obs facts.Observation) {
	switch exists, same := describe(ch, d.Path, d.Meta, obs.Files[d.Path], facts.Directory); {
	case !exists:
		ch.note(Create, "")
	case !same:
		ch.note(Update, "mode or owner differ")
	}
}

func compareFile(ch *Change, f *resource.File, obs facts.Observation, owned bool) {
	seen := obs.Files[f.Path]
	exists, same := describe(ch, f.Path, f.Meta, seen, facts.Regular)
	if f.Once && exists && owned {
		ch.Before, ch.After = nil, nil
		return
	}
	ch.Expect = expect(seen)
	want := f.Digest
	switch {
	case f.Material == "":
		want = resource.SHA256([]byte(f.Content))
		ch.After["content"] = Value{Text: f.Content, Block: true}
	case f.Content != "":
		ch.After["content"] = Value{Text: f.Content, Block: true}
	case want == "":
		ch.After["content"] = Value{Unknown: true, Sensitive: private(f.Material)}
	default:
		ch.After["content"] = Value{Text: short(want), Sensitive: true}
	}
	if !exists {
		ch.note(Create, "")
		return
	}
	if private(f.Material) {
		ch.Before["content"] = Value{Text: short(seen.SHA256), Sensitive: true}
	} else {
		ch.Before["content"] = shown(seen, want, owned)
	}
	switch {
	case seen.Type != facts.Regular:
	case want == "" || seen.SHA256 != want:
		reason := "content differs"
		if !owned {
			reason = "a file that hardway did not write stands there; it is kept and put back by destroy"
		}
		ch.note(Update, reason)
	case !same:
		ch.note(Update, "mode or owner differ")
	}
}

// private reports whether the material is a key, which no plan may show.
func private(material string) bool {
	return strings.HasPrefix(material, "key/") || strings.HasPrefix(material, "private/")
}

// secretive finds what may be a credential in a text: a PEM key, or the fields
// of a kubeconfig and their like.
var secretive = regexp.MustCompile(`PRIVATE KEY-----|(?im)^[\s"'-]*(client-key-data|id-token|refresh-token|client-secret|token|password|secret)["']?\s*[:=]`)

// shown is the content of a host's file as a plan may have it, beside the digest
// of what it should be. What somebody else wrote and not everybody may read is
// shown by its digest alone, and so is what looks like a credential (a kubeconfig
// of another installation holds one).
func shown(f facts.File, want string, owned bool) Value {
	if f.SHA256 != want && (!owned && f.Mode&0o004 == 0 || secretive.Match(f.Content)) {
		return Value{Text: short(f.SHA256), Sensitive: true}
	}
	return Value{Text: string(f.Content), Block: true}
}

func short(digest string) string {
	if len(digest) > 12 {
		digest = digest[:12]
	}
	return "sha256:" + digest
}

func compareBinary(ch *Change, b *resource.Binary, obs facts.Observation) {
	seen := obs.Files[b.Path]
	exists, same := describe(ch, b.Path, b.Meta, seen, facts.Regular)
	ch.Expect = expect(seen)
	ch.After["version"], ch.After["sha256"] = value(b.Version), value(short(b.SHA256))
	ch.After["size"] = value(fmt.Sprintf("%.1f MB", float64(b.Size)/1e6))
	if !exists {
		ch.note(Create, "")
		return
	}
	ch.Before["sha256"] = value(short(seen.SHA256))
	ch.Before["size"] = value(fmt.Sprintf("%.1f MB", float64(seen.Size)/1e6))
	switch {
	case seen.Type != facts.Regular:
	case seen.SHA256 != b.SHA256:
		ch.note(Update, "another binary stands there")
	case !same:
		ch.note(Update, "mode or owner differ")
	}
}

func compareBlock(ch *Change, b *resource.Block, obs facts.Observation) {
	seen := obs.Files[b.Path]
	text, found := Block(string(seen.Content))
	ch.Expect = expect(seen)
	ch.After = Attrs{"path": value(b.Path), "block": {Text: b.Content, Block: true}}
	if !found {
		ch.note(Create, "")
		return
	}
	ch.Before = Attrs{"path": value(b.Path), "block": {Text: text, Block: true}}
	if text != b.Content {
		ch.note(Update, "content differs")
	}
}

// Block returns the text between hardway's marks in a file.
func Block(content string) (text string, found bool) {
	_, rest, ok := strings.Cut("\n"+content, "\n"+resource.BlockBegin+"\n")
	if !ok {
		return "", false
	}
	if strings.HasPrefix(rest, resource.BlockEnd) {
		return "", true
	}
	text, _, ok = strings.Cut(rest, "\n"+resource.BlockEnd)
	return text + "\n", ok
}

func compareImage(ch *Change, i *resource.Image, obs facts.Observation) {
	seen, found := obs.Images[i.Ref]
	ch.After = Attrs{"ref": value(i.Ref), "archive": value(short(i.SHA256))}
	if !found {
		ch.note(Create, "")
		return
	}
	ch.Before = Attrs{"ref": value(i.Ref), "archive": value(short(seen))}
	if seen != i.SHA256 {
		ch.note(Update, "it came from another archive")
	}
}
