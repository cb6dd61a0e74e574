// Package flagscan reads the flags of a Kubernetes component out of its source, without compiling it: for minors whose
// dependencies no longer build with today's Go, or that are not worth the minutes that it takes.
//
// It type-checks the few packages that register flags (everything else they import is an empty package, and the errors
// that follow from that are ignored), starts at the component's constructor and follows every call that hands a flag set
// on. What flags a constructor really has is what package flagtable asks the compiled constructor; a test holds the two
// against each other for the minors that have both.
package flagscan

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Locate gives the directory of a package by its import path; ok is false for one that is not to be read.
type Locate func(importPath string) (dir string, ok bool)

// stubs are what the scanned code needs to know of libraries: the types, for everything else is matched by name.
var stubs = map[string]string{
	"flag": `package flag
type Flag struct { Name, Usage, DefValue string }
type FlagSet struct{}
func NewFlagSet(name string, e int) *FlagSet { return nil }
const ExitOnError = 1
const ContinueOnError = 2
var CommandLine *FlagSet
func Lookup(name string) *Flag { return nil }`,
	"github.com/spf13/pflag": `package pflag
import "flag"
type Flag struct { Name, Usage, DefValue, Deprecated, Shorthand string; Hidden bool; NoOptDefVal string }
type FlagSet struct{}
type Value interface{ String() string; Set(string) error; Type() string }
func (f *FlagSet) Lookup(name string) *Flag { return nil }
func (f *FlagSet) VisitAll(fn func(*Flag)) {}
func NewFlagSet(name string, e int) *FlagSet { return nil }
const ExitOnError = 1
const ContinueOnError = 2
var CommandLine *FlagSet
func Lookup(name string) *Flag { return nil }
func PFlagFromGoFlag(f *flag.Flag) *Flag { return nil }`,
	"github.com/spf13/cobra": `package cobra
import "github.com/spf13/pflag"
type Command struct{}
func (c *Command) Flags() *pflag.FlagSet { return nil }`,
}

// pkg is one package that was read.
type pkg struct {
	types *types.Package
	files []*ast.File
	info  *types.Info
}

// function is a function with the package that it stands in.
type function struct {
	pkg  *pkg
	decl *ast.FuncDecl
}

// loader type-checks packages on demand.
type loader struct {
	locate    Locate
	files     *token.FileSet
	packages  map[string]*pkg
	functions map[*types.Func]function
}

func newLoader(locate Locate) *loader {
	return &loader{locate: locate, files: token.NewFileSet(), packages: map[string]*pkg{}, functions: map[*types.Func]function{}}
}

// Import gives the type checker a package: a stub, one that is read, or an empty one.
func (l *loader) Import(importPath string) (*types.Package, error) {
	p, err := l.load(importPath)
	if err != nil {
		return nil, err
	}
	return p.types, nil
}

func (l *loader) load(importPath string) (*pkg, error) {
	if p := l.packages[importPath]; p != nil {
		return p, nil
	}
	if text, ok := stubs[importPath]; ok {
		file, err := parser.ParseFile(l.files, importPath, text, 0)
		if err != nil {
			return nil, err
		}
		return l.check(importPath, []*ast.File{file}), nil
	}
	if dir, ok := l.locate(importPath); ok {
		files, err := l.parse(dir)
		if err != nil {
			return nil, err
		}
		if len(files) > 0 {
			return l.check(importPath, files), nil
		}
	}
	empty := types.NewPackage(importPath, packageName(importPath))
	empty.MarkComplete()
	p := &pkg{types: empty}
	l.packages[importPath] = p
	return p, nil
}

// parse reads the files of a directory that are built for linux.
func (l *loader) parse(dir string) ([]*ast.File, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil // a package that this minor does not have
	} else if err != nil {
		return nil, fmt.Errorf("reading the package: %w", err)
	}
	linux := build.Default
	linux.GOOS, linux.GOARCH, linux.CgoEnabled = "linux", "amd64", false
	var files []*ast.File
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if match, err := linux.MatchFile(dir, name); err != nil || !match {
			continue
		}
		file, err := parser.ParseFile(l.files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("reading the package: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

func (l *loader) check(importPath string, files []*ast.File) *pkg {
	p := &pkg{files: files, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
		Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	config := types.Config{
		Importer: l, FakeImportC: true, DisableUnusedImportCheck: true,
		Error: func(error) {}, // what comes from empty packages is unknown, and so be it
	}
	l.packages[importPath] = &pkg{types: types.NewPackage(importPath, packageName(importPath))} // an import cycle through a stub
	p.types, _ = config.Check(importPath, l.files, files, p.info)
	l.packages[importPath] = p
	for _, file := range files {
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				if object, ok := p.info.Defs[fn.Name].(*types.Func); ok {
					l.functions[object] = function{p, fn}
				}
			}
		}
	}
	return p
}

// lookup finds "Function" or "Type.Method" of a package.
func (l *loader) lookup(importPath, name string) (function, bool, error) {
	p, err := l.load(importPath)
	if err != nil {
		return function{}, false, err
	}
	receiver, method, isMethod := strings.Cut(name, ".")
	for _, file := range p.files {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			switch {
			case !isMethod && fn.Recv == nil && fn.Name.Name == name,
				isMethod && fn.Recv != nil && fn.Name.Name == method && receiverName(fn) == receiver:
				return function{p, fn}, true, nil
			}
		}
	}
	return function{}, false, nil
}

// receiverName is the type of a method's receiver, without its star.
func receiverName(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if ident, ok := t.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// packageName guesses the name of a package that is not read.
func packageName(importPath string) string {
	name := path.Base(importPath)
	if majorVersion.MatchString(name) && strings.Contains(importPath, ".") && !strings.HasPrefix(importPath, "k8s.io/") {
		name = path.Base(path.Dir(importPath))
	}
	name = strings.TrimPrefix(name, "go-")
	return strings.ReplaceAll(name, "-", "")
}

// constantText is the value of a constant string expression.
func constantText(tv types.TypeAndValue) (string, bool) {
	if tv.Value == nil || tv.Value.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(tv.Value), true
}
