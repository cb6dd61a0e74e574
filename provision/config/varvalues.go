package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// envPrefix starts the environment variables that give variables their values.
const envPrefix = "HW_VAR_"

// variableValues finds the value of every variable. Later sources win:
// environment, hardway.hclvars, *.auto.hclvars in lexical order, then --var and
// --var-file in the order of the command line.
func (l *loader) variableValues(auto []string) map[string]cty.Value {
	given := map[string]cty.Value{}
	for _, entry := range l.opts.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if name, ok := strings.CutPrefix(name, envPrefix); ok {
			if v := l.decl.variables[name]; v != nil { // others may belong to another directory
				given[name] = l.textValue(v, value, "the environment variable "+envPrefix+name)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(l.dir, DefaultVarFile)); !errors.Is(err, fs.ErrNotExist) {
		l.varFile(filepath.Join(l.dir, DefaultVarFile), l.shown(DefaultVarFile), given)
	}
	for _, name := range auto {
		l.varFile(filepath.Join(l.dir, name), l.shown(name), given)
	}
	for _, in := range l.opts.Vars {
		if in.File != "" {
			l.varFile(in.File, in.File, given)
			continue
		}
		v := l.decl.variables[in.Name]
		if v == nil {
			l.fail("Unknown variable", "--var gives a value to %q, but there is no variable of this name.%s",
				in.Name, didYouMean(in.Name, sortedKeys(l.decl.variables)))
			continue
		}
		given[in.Name] = l.textValue(v, in.Value, "--var "+in.Name)
	}
	return l.complete(given)
}

// complete adds defaults and reports required variables that have no value.
func (l *loader) complete(given map[string]cty.Value) map[string]cty.Value {
	out := map[string]cty.Value{}
	for name, v := range l.decl.variables {
		switch val, ok := given[name]; {
		case ok:
			out[name] = val
		case v.fallback != cty.NilVal:
			out[name] = v.fallback
		default:
			out[name] = cty.DynamicVal
			l.diags.add(errorAt(v.rng, "Missing value for variable",
				"The variable %q has no default and no value. Give it one in any of three ways: a line %s = … in %s, the environment variable %s%s, or --var '%s=…'.",
				name, name, DefaultVarFile, envPrefix, name, name))
		}
	}
	return out
}

// textValue reads a value that came as text: as it stands for a string, number,
// bool or untyped variable, as an HCL expression for anything else.
func (l *loader) textValue(v *variable, text, origin string) cty.Value {
	val := cty.StringVal(text)
	if !v.constraint.IsPrimitiveType() && v.constraint != cty.DynamicPseudoType {
		shown := "the value of " + origin
		if diags := prescan(shown, []byte("x=("+text+"\n)"), false); diags.HasErrors() {
			l.addFor(v, diags)
			return cty.DynamicVal
		}
		expr, diags := hclsyntax.ParseExpression([]byte(text), shown, hcl.InitialPos)
		if !diags.HasErrors() {
			l.meter.install(expr)
			var more hcl.Diagnostics
			val, more = expr.Value(nil)
			diags = append(diags, more...)
		}
		if diags.HasErrors() {
			for _, d := range diags {
				why := d.Detail
				if v.sensitive {
					why = withheld
				}
				l.diags.add(errorAt(v.rng, "Invalid value for variable", "In %s: %s: %s", shown, d.Summary, why))
			}
			return cty.DynamicVal
		}
	}
	return l.conform(v, val, v.rng, "The value from "+origin)
}

// varFile reads name = value lines. Names that are not declared are a warning:
// one file may serve several directories.
func (l *loader) varFile(path, shown string, given map[string]cty.Value) {
	body := l.parse(path, shown)
	if body == nil {
		// Which lines hold secrets cannot be told from text that does not parse.
		l.files.hide(shown)
		return
	}
	for _, b := range body.Blocks {
		l.diags.add(errorAt(b.TypeRange, "Block in a file of values", "%s holds lines of the form name = value. Move blocks to a .hcl file.", shown))
	}
	for _, a := range sortedAttributes(body) {
		v := l.decl.variables[a.Name]
		if v == nil {
			l.files.maskRange(a.Expr.Range()) // it may be a misspelt secret
			l.diags.add(warningAt(a.NameRange, "Unknown variable", "There is no variable %q, so this line has no effect.%s",
				a.Name, didYouMean(a.Name, sortedKeys(l.decl.variables))))
			continue
		}
		if v.sensitive {
			l.files.maskRange(a.Expr.Range())
		}
		if refs := a.Expr.Variables(); len(refs) > 0 {
			hint := " If you mean a text, put it in quotes."
			if !v.sensitive {
				hint = quoteHint(refs[0])
			}
			l.diags.add(errorAt(refs[0].SourceRange(), "Value is not constant", "A file of values cannot refer to anything.%s", hint))
			given[a.Name] = cty.DynamicVal
			continue
		}
		val, diags := a.Expr.Value(nil)
		l.addFor(v, diags)
		if diags.HasErrors() {
			val = cty.DynamicVal
		}
		given[a.Name] = l.conform(v, val, a.Expr.Range(), "The value")
	}
}

// quoteHint helps with the commonest slip, a string without quotes.
func quoteHint(t hcl.Traversal) string {
	if len(t) == 1 {
		return fmt.Sprintf(" If you mean a text, put it in quotes: %q.", t.RootName())
	}
	return ""
}
