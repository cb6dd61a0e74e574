package binaries

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/google/renameio/v2"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

const lockHeader = `# Written by "hardway init". Commit it: it pins, for everyone who uses this
# configuration, the bytes that are installed. A version that the configuration
# changes is pinned anew by "hardway init"; other bytes under the same version
# are refused until "hardway init --upgrade" accepts them.
`

// maxLock bounds the lock file, in bytes.
const maxLock = 1 << 20

// lockFile is the lock file's schema.
type lockFile struct {
	Binaries []struct {
		Component string    `hcl:"component,label"`
		Arch      string    `hcl:"arch,label"`
		Version   string    `hcl:"version"`
		SHA256    string    `hcl:"sha256"`
		Size      int64     `hcl:"size"`
		Source    string    `hcl:"source"`
		Range     hcl.Range `hcl:",def_range"`
	} `hcl:"binary,block"`
	Images []struct {
		Ref    string    `hcl:"ref,label"`
		SHA256 string    `hcl:"sha256"`
		Size   int64     `hcl:"size"`
		Source string    `hcl:"source"`
		Range  hcl.Range `hcl:",def_range"`
	} `hcl:"image,block"`
}

// ReadLock reads a lock file. One that does not exist is an empty Lock. What is
// wrong inside is hcl.Diagnostics with file and line.
func ReadLock(path string) (Lock, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, nil
	}
	if err != nil {
		return Lock{}, fmt.Errorf("reading the lock file: %w", err)
	}
	l, diags := ParseLock(src, path)
	if diags.HasErrors() {
		return Lock{}, diags
	}
	return l, nil
}

// ParseLock reads a lock file's text. Only plain values are accepted: an
// expression cannot pin anything, and the parser's recursion is kept flat.
func ParseLock(src []byte, filename string) (Lock, hcl.Diagnostics) {
	if len(src) > maxLock {
		return Lock{}, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Lock file too large",
			Detail:  fmt.Sprintf("%s is larger than 1 MiB. Remove it and run `hardway init`.", filename),
			Subject: &hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}}}
	}
	if diags := onlyValues(src, filename); diags.HasErrors() {
		return Lock{}, diags
	}
	file, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return Lock{}, diags
	}
	var f lockFile
	diags = append(diags, gohcl.DecodeBody(file.Body, nil, &f)...)
	if diags.HasErrors() {
		return Lock{}, diags
	}
	l := Lock{Binaries: map[Key]Pin{}, Images: map[string]ImagePin{}}
	for _, b := range f.Binaries {
		bad := func(summary, detail string) { diags = append(diags, diagnostic(b.Range, summary, detail)) }
		key := Key{b.Component, b.Arch}
		first, twice := l.Binaries[key]
		switch {
		case twice:
			bad("Binary pinned twice", fmt.Sprintf("%s for %s is pinned at line %d already. Keep one of the blocks.", b.Component, b.Arch, first.Range.Start.Line))
		case !knownComponent(b.Component):
			bad("Unknown component", fmt.Sprintf("There is no component %q.%s", b.Component, nearest(b.Component)))
		case !plainVersion(b.Version):
			bad("Invalid version", fmt.Sprintf("%q is not a version such as 1.2.3.", b.Version))
		}
		checkDigest(bad, b.SHA256, b.Size)
		l.Binaries[key] = Pin{Version: b.Version, SHA256: b.SHA256, Size: b.Size, Source: b.Source, Range: b.Range}
	}
	for _, i := range f.Images {
		bad := func(summary, detail string) { diags = append(diags, diagnostic(i.Range, summary, detail)) }
		if first, twice := l.Images[i.Ref]; twice {
			bad("Image pinned twice", fmt.Sprintf("%s is pinned at line %d already. Keep one of the blocks.", i.Ref, first.Range.Start.Line))
		}
		checkDigest(bad, i.SHA256, i.Size)
		l.Images[i.Ref] = ImagePin{SHA256: i.SHA256, Size: i.Size, Source: i.Source, Range: i.Range}
	}
	if diags.HasErrors() {
		return Lock{}, diags
	}
	return l, diags
}

func diagnostic(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

func checkDigest(bad func(summary, detail string), sum string, size int64) {
	if !isHex(sum, 64) {
		bad("Invalid digest", fmt.Sprintf("sha256 is %q; want 64 lower-case hexadecimal digits. Remove the block and run `hardway init`.", sum))
	}
	if size <= 0 {
		bad("Invalid size", "size is the number of bytes and must be above zero. Remove the block and run `hardway init`.")
	}
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

func knownComponent(name string) bool {
	return slices.ContainsFunc(catalogue(), func(c component) bool { return c.name == name })
}

func nearest(name string) string {
	best, distance := "", 4
	for _, c := range catalogue() {
		if d := levenshtein.Distance(name, c.name, nil); d < distance {
			best, distance = c.name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// onlyValues refuses every token that a lock file has no use for. The scanner
// does not recurse, so this is safe before the parser, which does.
func onlyValues(src []byte, filename string) hcl.Diagnostics {
	tokens, diags := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace:
			depth++
		case hclsyntax.TokenCBrace:
			depth--
		case hclsyntax.TokenIdent, hclsyntax.TokenEqual, hclsyntax.TokenNumberLit, hclsyntax.TokenNewline, hclsyntax.TokenComment,
			hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote, hclsyntax.TokenEOF:
			continue
		default:
			return hcl.Diagnostics{diagnostic(t.Range, "Not a plain value", fmt.Sprintf("%q has no place in the lock file, which holds only texts and numbers. Remove the file and run `hardway init`.", t.Bytes))}
		}
		if depth > 1 {
			return hcl.Diagnostics{diagnostic(t.Range, "Block inside a block", "The lock file holds only binary and image blocks. Remove the file and run `hardway init`.")}
		}
	}
	return nil
}

// Format returns the lock file's text: the same bytes for the same pins.
func (l Lock) Format() []byte {
	f := hclwrite.NewEmptyFile()
	body := f.Body()
	block := func(kind string, labels []string, version, sha256 string, size int64, source string) {
		body.AppendNewline()
		b := body.AppendNewBlock(kind, labels).Body()
		if version != "" {
			b.SetAttributeValue("version", cty.StringVal(version))
		}
		b.SetAttributeValue("sha256", cty.StringVal(sha256))
		b.SetAttributeValue("size", cty.NumberIntVal(size))
		b.SetAttributeValue("source", cty.StringVal(source))
	}
	for _, k := range l.Keys() {
		p := l.Binaries[k]
		block("binary", []string{k.Component, k.Arch}, p.Version, p.SHA256, p.Size, p.Source)
	}
	for _, ref := range slices.Sorted(maps.Keys(l.Images)) {
		p := l.Images[ref]
		block("image", []string{ref}, "", p.SHA256, p.Size, p.Source)
	}
	return append([]byte(lockHeader), hclwrite.Format(f.Bytes())...)
}

// WriteLock replaces the lock file, as a whole or not at all. A file that says
// the same already is left alone.
func WriteLock(path string, l Lock) error {
	text := l.Format()
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	dir := filepath.Dir(path)
	if err := renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	return syncDir(dir)
}
