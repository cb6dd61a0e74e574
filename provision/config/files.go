package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on a whole directory.
const (
	maxFiles     = 1000
	maxTotalSize = 8 << 20
	maxBlocks    = 20000
)

// Files holds the source text that diagnostics point into, with the literals of
// sensitive values masked. Its zero value and nil are empty.
type Files struct {
	files map[string]*sourceFile
}

type sourceFile struct {
	shown []byte // masked; nil when nothing may be shown
	body  *hclsyntax.Body
}

// Source returns the text of a file as it may be shown, or nil. The name is the
// one that diagnostics carry.
func (f *Files) Source(name string) []byte {
	if f == nil || f.files[name] == nil {
		return nil
	}
	return f.files[name].shown
}

// HCL returns the files in the form that HCL's own diagnostic writers take.
func (f *Files) HCL() map[string]*hcl.File {
	out := map[string]*hcl.File{}
	if f != nil {
		for name, file := range f.files {
			out[name] = &hcl.File{Bytes: file.shown, Body: file.body}
		}
	}
	return out
}

// blockAt names the top-level block around a place: `node "n1"`.
func (f *Files) blockAt(rng hcl.Range) string {
	if f == nil || f.files[rng.Filename] == nil || f.files[rng.Filename].body == nil {
		return ""
	}
	for _, b := range f.files[rng.Filename].body.Blocks {
		if r := b.Range(); r.Start.Byte <= rng.Start.Byte && rng.Start.Byte < b.CloseBraceRange.End.Byte {
			return blockTitle(b)
		}
	}
	return ""
}

func (f *Files) put(name string, src []byte, body *hclsyntax.Body) {
	if f.files == nil {
		f.files = map[string]*sourceFile{}
	}
	f.files[name] = &sourceFile{shown: append([]byte(nil), src...), body: body}
}

// hide keeps all text of a file from being shown.
func (f *Files) hide(name string) {
	if file := f.files[name]; file != nil {
		file.shown = nil
	}
}

// mask replaces the literals of an expression in the text to be shown; names
// and operators stay readable.
func (f *Files) mask(expr hcl.Expression) {
	node, ok := hcl.UnwrapExpressionUntil(expr, isSyntax).(hclsyntax.Expression)
	if !ok {
		return
	}
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if _, ok := n.(*hclsyntax.LiteralValueExpr); ok {
			f.maskRange(n.Range())
		}
		return nil
	})
}

func (f *Files) maskRange(rng hcl.Range) {
	file := f.files[rng.Filename]
	if file == nil {
		return
	}
	for i := max(rng.Start.Byte, 0); i < rng.End.Byte && i < len(file.shown); i++ {
		if file.shown[i] != '\n' {
			file.shown[i] = '*'
		}
	}
}

// maskSensitiveCalls masks the arguments of sensitive("…").
func (f *Files) maskSensitiveCalls(root hclsyntax.Node) {
	_ = hclsyntax.VisitAll(root, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "sensitive" {
			for _, arg := range call.Args {
				f.mask(arg)
			}
		}
		return nil
	})
}

// configFiles lists the *.hcl files of a directory in lexical order, without
// lock files and dotfiles, and apart from them the *.auto.hclvars files.
func configFiles(dir string) (sources, auto []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."), strings.HasPrefix(name, "#"), strings.HasSuffix(name, "~"), e.IsDir():
		case strings.HasSuffix(name, ".lock.hcl"):
		case strings.HasSuffix(name, ".hcl"):
			sources = append(sources, name)
		case strings.HasSuffix(name, ".auto.hclvars"):
			auto = append(auto, name)
		}
	}
	return sources, auto, nil
}

// readFile reads a regular file of at most limit bytes. A pipe or a device would
// block or never end.
func readFile(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return b, nil
}

// parse reads, scans and parses one file. The body is nil when that failed.
func (l *loader) parse(path, shown string) *hclsyntax.Body {
	src, err := readFile(path, maxFileSize)
	if err != nil {
		l.diags.add(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot read file", Detail: sentence(fileProblem(shown, err)) + ". Check the path, and that you may read it."})
		return nil
	}
	if l.total += len(src); l.total > maxTotalSize {
		l.diags.add(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Configuration too large",
			Detail: fmt.Sprintf("The files read so far, up to %s, have more than %d bytes in all.", shown, maxTotalSize)})
		return nil
	}
	l.files.put(shown, src, nil)
	return l.parseBytes(shown, src)
}

func (l *loader) parseBytes(shown string, src []byte) *hclsyntax.Body {
	if diags := prescan(shown, src, false); diags.HasErrors() {
		l.diags.add(diags...)
		return nil
	}
	file, diags := hclsyntax.ParseConfig(src, shown, hcl.InitialPos)
	l.diags.add(diags...)
	if diags.HasErrors() {
		return nil
	}
	body := file.Body.(*hclsyntax.Body)
	if l.blocks += countBlocks(body); l.blocks > maxBlocks {
		l.diags.add(errorAt(body.Blocks[0].DefRange(), "Too many blocks",
			"The configuration has more than %d blocks. Declare hosts with for_each.", maxBlocks))
		return nil
	}
	l.files.files[shown].body = body
	l.meter.install(body)
	return body
}

func countBlocks(body *hclsyntax.Body) int {
	n := len(body.Blocks)
	for _, b := range body.Blocks {
		n += countBlocks(b.Body)
	}
	return n
}

// fileProblem words an error of the operating system, always with the path and
// never twice.
func fileProblem(path string, err error) string {
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s does not exist", path)
	case errors.As(err, &pathErr):
		return fmt.Sprintf("%s: %v", path, pathErr.Err)
	case strings.Contains(err.Error(), filepath.Base(path)):
		return err.Error()
	}
	return fmt.Sprintf("%s: %v", path, err)
}

// sentence starts a text with a capital, unless it starts with a path or a quote.
func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.ContainsAny(strings.SplitN(s, " ", 2)[0], "./_") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
