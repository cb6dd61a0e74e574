package flagscan

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hardway/tools/internal/flagtable"
)

// bindings are the constant strings that a call gave to a function's parameters.
type bindings map[types.Object]string

// walker follows flag sets from call to call.
type walker struct {
	loader  *loader
	version string
	flags   map[string]*flagtable.Flag
	seen    map[string]bool
	// isProxyCommand: the function that is read takes over flags of cAdvisor that are global.
	isProxyCommand bool
	// Lost are calls that register a flag under a name, or hand a flag set to a function, that could not be found out.
	lost []string
}

func (w *walker) lose(p *pkg, node ast.Node, format string, args ...any) {
	w.lost = append(w.lost, fmt.Sprintf("%s: ", w.loader.files.Position(node.Pos()))+fmt.Sprintf(format, args...))
}

// walk reads one function.
func (w *walker) walk(f function, given bindings) {
	key := fmt.Sprint(f.decl.Pos(), sortedValues(given))
	if w.seen[key] {
		return
	}
	w.seen[key] = true
	before := maps.Clone(w.flags)
	outer := w.isProxyCommand
	w.isProxyCommand = f.decl.Name.Name == "NewProxyCommand"
	w.read(f.pkg, f.decl.Body, given)
	w.isProxyCommand = outer
	w.deprecateAll(f, before)
}

// read judges the calls of a piece of code; the body of a loop over constant names once for each of them.
func (w *walker) read(p *pkg, code ast.Node, given bindings) {
	ast.Inspect(code, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			w.call(p, n, given)
		case *ast.RangeStmt:
			names := w.list(p, n.X)
			name, ok := n.Value.(*ast.Ident)
			if !ok || len(names) == 0 {
				return true
			}
			for _, text := range names {
				inner := maps.Clone(given)
				if inner == nil {
					inner = bindings{}
				}
				inner[p.info.Defs[name]] = text
				w.read(p, n.Body, inner)
			}
			return false
		}
		return true
	})
}

// list evaluates a list of constant strings: a literal, or a variable of the package that is made as one.
func (w *walker) list(p *pkg, expr ast.Expr) []string {
	switch e := expr.(type) {
	case *ast.CompositeLit:
		var out []string
		for _, element := range e.Elts {
			text, ok := w.text(p, element, nil)
			if !ok {
				return nil
			}
			out = append(out, text)
		}
		return out
	case *ast.Ident:
		for _, file := range p.files {
			for _, decl := range file.Decls {
				general, ok := decl.(*ast.GenDecl)
				if !ok || general.Tok != token.VAR {
					continue
				}
				for _, spec := range general.Specs {
					value := spec.(*ast.ValueSpec)
					if len(value.Names) == 1 && len(value.Values) == 1 && p.info.Defs[value.Names[0]] == p.info.Uses[e] {
						if literal, ok := value.Values[0].(*ast.CompositeLit); ok {
							return w.list(p, literal)
						}
					}
				}
			}
		}
	}
	return nil
}

// sortedValues makes a key of bindings.
func sortedValues(given bindings) []string {
	var out []string
	for object, value := range given {
		out = append(out, object.Name()+"="+value)
	}
	slices.Sort(out)
	return out
}

// registrar is a function that puts a flag of a global flag set into another one: its first string is the flag's name.
var registrar = regexp.MustCompile(`^(register|Register|pflagRegister|registerDeprecated)$`)

// call judges one call: one that registers, one that deprecates, one to follow, or none of these.
func (w *walker) call(p *pkg, call *ast.CallExpr, given bindings) {
	selector, isSelector := call.Fun.(*ast.SelectorExpr)
	if isSelector && isFlagSet(p.info.TypeOf(selector.X)) {
		w.method(p, selector.Sel.Name, call, given)
		return
	}
	if quiet[calledName(call)] {
		return
	}
	callee := w.callee(p, call)
	handsOn := slices.ContainsFunc(call.Args, func(arg ast.Expr) bool { return isFlagSet(p.info.TypeOf(arg)) })
	if name := calledName(call); registrar.MatchString(name) && handsOn {
		w.register(p, call, given)
		return
	}
	if callee == nil {
		if handsOn && isSelector {
			w.lose(p, call, "cannot find %s, which gets a flag set", selector.Sel.Name)
		}
		return
	}
	signature := callee.Type().(*types.Signature)
	returns := false
	for i := range signature.Results().Len() {
		returns = returns || isNamedFlagSets(signature.Results().At(i).Type())
	}
	if !handsOn && !returns {
		return
	}
	target, ok := w.loader.functions[callee]
	if !ok {
		target, ok = w.concrete(callee)
	}
	if !ok {
		if handsOn {
			w.lose(p, call, "no body of %s, which gets a flag set", callee.FullName())
		}
		return
	}
	w.walk(target, w.bind(p, call, target, given))
}

// quiet are functions of a flag set that register nothing: printers, and klogflags.Init, which hands on -v and --vmodule:
// the logging options register them too.
var quiet = map[string]bool{"PrintFlags": true, "PrintSections": true, "Init": true}

// callee is the function that a call names; nil where the type checker does not know.
func (w *walker) callee(p *pkg, call *ast.CallExpr) *types.Func {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		fn, _ := p.info.Uses[fun].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		if selection := p.info.Selections[fun]; selection != nil {
			fn, _ := selection.Obj().(*types.Func)
			return fn
		}
		fn, _ := p.info.Uses[fun.Sel].(*types.Func)
		return fn
	}
	return nil
}

func calledName(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}

// concrete finds the one method behind an interface's: the first of the same name in the package of the interface.
func (w *walker) concrete(method *types.Func) (function, bool) {
	if method.Pkg() == nil {
		return function{}, false
	}
	p := w.loader.packages[method.Pkg().Path()]
	if p == nil {
		return function{}, false
	}
	for _, file := range p.files {
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Body != nil && fn.Name.Name == method.Name() {
				return function{p, fn}, true
			}
		}
	}
	return function{}, false
}

// bind gives the target's parameters the constant strings among the arguments.
func (w *walker) bind(p *pkg, call *ast.CallExpr, target function, given bindings) bindings {
	out := bindings{}
	i := 0
	for _, field := range target.decl.Type.Params.List {
		for _, name := range field.Names {
			if i < len(call.Args) {
				if text, ok := w.text(p, call.Args[i], given); ok {
					out[target.pkg.info.Defs[name]] = text
				}
			}
			i++
		}
	}
	return out
}

// text evaluates a string as far as it is constant.
func (w *walker) text(p *pkg, expr ast.Expr, given bindings) (string, bool) {
	if text, ok := constantText(p.info.Types[expr]); ok {
		return text, true
	}
	switch e := expr.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return strings.Trim(e.Value, "`\""), true
		}
	case *ast.Ident:
		text, ok := given[p.info.Uses[e]]
		return text, ok
	case *ast.ParenExpr:
		return w.text(p, e.X, given)
	case *ast.BinaryExpr:
		left, ok := w.text(p, e.X, given)
		right, ok2 := w.text(p, e.Y, given)
		return left + right, ok && ok2 && e.Op == token.ADD
	case *ast.CallExpr:
		if calledName(e) == "Sprintf" && len(e.Args) > 0 {
			return w.sprintf(p, e.Args, given)
		}
		if calledName(e) == "normalize" && len(e.Args) == 1 {
			return w.text(p, e.Args[0], given)
		}
	}
	return "", false
}

func (w *walker) sprintf(p *pkg, args []ast.Expr, given bindings) (string, bool) {
	format, ok := w.text(p, args[0], given)
	for _, arg := range args[1:] {
		text, known := w.text(p, arg, given)
		ok = ok && known
		format = strings.Replace(format, "%s", text, 1)
	}
	return format, ok && !strings.Contains(format, "%")
}

// isFlagSet reports whether a type is a flag set, or a collection of them.
func isFlagSet(t types.Type) bool {
	name := typeName(t)
	return strings.EqualFold(name, "FlagSet") || name == "NamedFlagSets"
}

func isNamedFlagSets(t types.Type) bool { return typeName(t) == "NamedFlagSets" }

// typeName is the name of a type or of what it points to.
func typeName(t types.Type) string {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	if named, ok := t.(interface{ Obj() *types.TypeName }); ok {
		return named.Obj().Name()
	}
	return ""
}
