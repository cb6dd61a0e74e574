package plan

import (
	"fmt"

	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

func compareBinary(ch *Change, b *resource.Binary, obs facts.Observation) {
	seen := obs.Files[b.Path]
	exists, same := describe(ch, b.Path, b.Meta, seen, facts.Regular)
	ch.Expect = expect(seen)
	ch.After["version"], ch.After["sha256"], ch.After["size"] = value(b.Version), value(short(b.SHA256)), megabytes(b.Size)
	if !exists {
		ch.note(Create, "")
		return
	}
	if seen.Type != facts.Regular {
		return
	}
	ch.Before["version"], ch.Before["sha256"], ch.Before["size"] = value(unknownVersion), value(short(seen.SHA256)), megabytes(seen.Size)
	if seen.SHA256 == b.SHA256 {
		ch.Before["version"] = ch.After["version"]
	}
	switch {
	case seen.SHA256 != b.SHA256:
		ch.note(Update, "another binary stands there")
	case !same:
		ch.note(Update, "mode or owner differ")
	}
}

func compareImage(ch *Change, i *resource.Image, obs facts.Observation) {
	seen, found := obs.Images[i.Ref]
	ch.After = Attrs{"ref": value(i.Ref), "archive": value(short(i.SHA256))}
	if !found {
		ch.note(Create, "")
		return
	}
	ch.Before = Attrs{"ref": value(i.Ref), "archive": value(unknownVersion)}
	if seen != "" {
		ch.Before["archive"] = value(short(seen))
	}
	if seen != i.SHA256 {
		ch.note(Update, "it came from another archive")
	}
}

// unknownVersion is said of bytes that hardway did not put there: they are not
// run to ask them.
const unknownVersion = "unknown"

func megabytes(n int64) Value { return value(fmt.Sprintf("%.1f MB", float64(n)/1e6)) }

// recall adds what the state knows of what stands on the host: the version of a
// binary that is, byte for byte, the one that was installed last.
func recall(ch *Change, record state.Record) {
	b := record.Spec.Binary
	if b == nil || ch.Spec.Binary == nil || record.Pending || ch.Before == nil || record.SHA256 == "" || ch.Expect != record.SHA256 {
		return
	}
	ch.Before["version"] = value(b.Version)
}
