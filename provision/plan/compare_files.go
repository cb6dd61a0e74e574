package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

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

// digestOf shows of what must not be shown whether it is the same.
func digestOf(sha256 string) Value { return Value{Text: short(sha256), Sensitive: true} }

func secretText(s string) Value { return digestOf(resource.SHA256([]byte(s))) }

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
		if f.Type == facts.Symlink {
			ch.Before["target"] = value(f.Target)
		}
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
		ch.After["content"] = digestOf(want)
	}
	if !exists {
		ch.note(Create, "")
		return
	}
	switch {
	case seen.Type != facts.Regular: // it has no content of its own
	case private(f.Material):
		ch.Before["content"] = digestOf(seen.SHA256)
	default:
		ch.Before["content"] = shown(seen, want, owned)
	}
	switch {
	case seen.Type != facts.Regular:
	case want == "" || seen.SHA256 != want:
		ch.note(Update, otherContent(ch.Spec.File, seen, owned))
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
// of what it should be. What looks like a credential is shown by its digest alone
// (a kubeconfig of another installation holds one).
func shown(f facts.File, want string, owned bool) Value {
	if f.SHA256 != want && (hidden(f, owned) || secretive.Match(f.Content)) {
		return digestOf(f.SHA256)
	}
	return Value{Text: string(f.Content), Block: true}
}

// hidden reports whether a file's digest is all that a plan may show, or can:
// what somebody else wrote and not everybody may read, and what is too large to
// have been read.
func hidden(f facts.File, owned bool) bool {
	return !owned && f.Mode&0o004 == 0 || len(f.Content) == 0 && f.Size > 0
}

// otherContent says how the content of a file is not what it should be.
func otherContent(f *resource.File, seen facts.File, owned bool) string {
	switch {
	case !owned:
		return "a file that hardway did not write stands there; it is kept and put back by destroy"
	case sameObject(string(seen.Content), f.Content):
		return "written differently, the same content"
	}
	return "content differs"
}

// sameObject reports whether two texts are the same YAML or JSON object: keys
// in another order, other quotes, other white space, other comments.
func sameObject(a, b string) bool {
	x, ok := object(a)
	if !ok {
		return false
	}
	y, ok := object(b)
	return ok && reflect.DeepEqual(x, y)
}

// object reads a text that is one YAML mapping or sequence, with no key twice.
// A second document would be passed over by the parser, so that none may follow.
func object(text string) (any, bool) {
	if several.MatchString(strings.TrimPrefix(text, "---\n")) {
		return nil, false
	}
	raw, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, false
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a number is compared as it is written, not as a float is rounded
	if d.Decode(&v) != nil {
		return nil, false
	}
	switch v.(type) {
	case map[string]any, []any:
		return v, true
	}
	return nil, false
}

// several begins or ends a document behind the first line.
var several = regexp.MustCompile(`(?m)^(---|\.\.\.)(\s|$)`)

// rewritten reports whether an update changes how a file is written and not what
// it says: a process that has read the old text knows what the new one says.
func rewritten(c Change) bool {
	was, is := c.Before["content"], c.After["content"]
	return c.Action == Update && c.Spec.File != nil && was.Block && is.Block && was != is && sameObject(was.Text, is.Text)
}

func short(digest string) string {
	if len(digest) > 12 {
		digest = digest[:12]
	}
	return "sha256:" + digest
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
