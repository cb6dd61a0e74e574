package flagscan

import (
	"go/ast"
	"go/types"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"

	"hardway/tools/internal/flagtable"
)

// definer is a method of a flag set that defines a flag: StringVar(&v, "name", …), StringP("name", …), Var(v, "name", …).
var definer = regexp.MustCompile(`^(Bool|String|StringSlice|StringArray|StringToString|Int|Int8|Int16|Int32|Int64|Uint|Uint16|Uint32|Uint64|Float32|Float64|Duration|IP|IPNet|IPMask|IPSlice|IntSlice|Int32Slice|Count|)(VarPF|VarP|Var|P|)$`)

// method judges a call of a flag set's method.
func (w *walker) method(p *pkg, name string, call *ast.CallExpr, given bindings) {
	switch name {
	case "MarkDeprecated", "MarkHidden":
		if len(call.Args) == 0 {
			return
		}
		flag, ok := w.text(p, call.Args[0], given)
		if !ok {
			w.lose(p, call, "the name of the flag is not constant")
			return
		}
		if f := w.flags[normalize(flag)]; f != nil && name == "MarkDeprecated" {
			f.Deprecated = "deprecated"
			if len(call.Args) > 1 {
				if text, ok := w.text(p, call.Args[1], given); ok && text != "" {
					f.Deprecated = text
				}
			}
		} else if f != nil {
			f.Hidden = true
		}
		return
	case "AddFlag":
		w.addFlag(p, call, given)
		return
	}
	if name == "AddGoFlagSet" && len(call.Args) == 1 && w.isProxyCommand {
		if semver.Compare("v"+w.version, "v1.37") < 0 { // then cAdvisor is linked no longer
			for _, leaked := range []string{"boot-id-file", "machine-id-file"} { // the only ones, says the comment beside it
				w.define(leaked, "string", "")
			}
		}
		return
	}
	match := definer.FindStringSubmatch(name)
	if match == nil || match[1] == "" && match[2] == "" || match[1] == "" && match[2] == "P" {
		return
	}
	position := 0
	if strings.HasPrefix(match[2], "Var") {
		position = 1
	}
	if len(call.Args) <= position {
		return
	}
	flag, ok := w.text(p, call.Args[position], given)
	if !ok {
		w.lose(p, call, "the name of the flag is not constant")
		return
	}
	kind := ""
	if match[1] != "" {
		kind = strings.ToLower(match[1][:1]) + match[1][1:]
		if strings.HasPrefix(match[1], "IP") {
			kind = "ip" + match[1][2:]
		}
	} else {
		kind = w.valueType(p.info.TypeOf(call.Args[0]))
	}
	usage := ""
	for _, arg := range call.Args[position+1:] {
		if text, ok := w.text(p, arg, given); ok && len(text) > len(usage) {
			usage = text
		}
	}
	w.define(flag, kind, usage)
}

// addFlag reads AddFlag(pflag.Lookup(name)) and AddFlag(&pflag.Flag{Name: name}); the flags of a loop over another set
// are found where that set is made.
func (w *walker) addFlag(p *pkg, call *ast.CallExpr, given bindings) {
	if len(call.Args) != 1 {
		return
	}
	switch arg := call.Args[0].(type) {
	case *ast.CallExpr:
		if calledName(arg) == "Lookup" && len(arg.Args) == 1 {
			if name, ok := w.text(p, arg.Args[0], given); ok {
				w.define(name, "", "")
			}
		}
	case *ast.UnaryExpr:
		literal, ok := arg.X.(*ast.CompositeLit)
		if !ok {
			return
		}
		for _, element := range literal.Elts {
			pair, ok := element.(*ast.KeyValueExpr)
			if key, isIdent := pair.Key.(*ast.Ident); !ok || !isIdent || key.Name != "Name" {
				continue
			}
			if name, ok := w.text(p, pair.Value, given); ok {
				w.define(name, "", "")
			}
		}
	}
}

// register reads register(global, local, "name") and its deprecating sister.
func (w *walker) register(p *pkg, call *ast.CallExpr, given bindings) {
	var texts []string
	for _, arg := range call.Args {
		if text, ok := w.text(p, arg, given); ok {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		w.lose(p, call, "the name of the flag is not constant")
		return
	}
	w.define(texts[0], "", "")
	if calledName(call) == "registerDeprecated" {
		w.flags[normalize(texts[0])].Deprecated = "deprecated"
	}
}

// normalize writes a name as every component does: with hyphens.
func normalize(name string) string { return strings.ReplaceAll(name, "_", "-") }

func (w *walker) define(name, kind, usage string) {
	name = normalize(name)
	if old := w.flags[name]; old != nil {
		if old.Type == "" {
			old.Type = kind
		}
		return
	}
	w.flags[name] = &flagtable.Flag{Name: name, Type: kind, Usage: usage}
}

// valueType asks a pflag.Value for its type: what its method Type returns.
func (w *walker) valueType(t types.Type) string {
	if t == nil {
		return ""
	}
	object, _, _ := types.LookupFieldOrMethod(t, true, nil, "Type")
	method, ok := object.(*types.Func)
	if !ok {
		return ""
	}
	f, ok := w.loader.functions[method]
	if !ok {
		return ""
	}
	result := ""
	ast.Inspect(f.decl.Body, func(node ast.Node) bool {
		if ret, ok := node.(*ast.ReturnStmt); ok && len(ret.Results) == 1 {
			if text, ok := w.text(f.pkg, ret.Results[0], nil); ok {
				result = text
			}
		}
		return true
	})
	return result
}

// deprecateAll reads the kubelet's sweep over all flags of its config object: every flag that the function defined is
// deprecated, but for those in its map notDeprecated.
func (w *walker) deprecateAll(f function, before map[string]*flagtable.Flag) {
	sweeps, spared := false, map[string]bool{}
	ast.Inspect(f.decl.Body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if selector, ok := left.(*ast.SelectorExpr); ok && selector.Sel.Name == "Deprecated" && typeName(f.pkg.info.TypeOf(selector.X)) == "Flag" {
					_, isIdent := selector.X.(*ast.Ident)
					sweeps = sweeps || isIdent
				}
				if ident, ok := left.(*ast.Ident); ok && ident.Name == "notDeprecated" {
					ast.Inspect(n, func(inner ast.Node) bool {
						if pair, ok := inner.(*ast.KeyValueExpr); ok {
							if name, ok := w.text(f.pkg, pair.Key, nil); ok {
								spared[name] = true
							}
						}
						return true
					})
				}
			}
		}
		return true
	})
	if !sweeps {
		return
	}
	for name, flag := range w.flags {
		if before[name] == nil && !spared[name] && flag.Deprecated == "" {
			flag.Deprecated = "deprecated"
		}
	}
}
