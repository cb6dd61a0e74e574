package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// maxFilesetVisits bounds how many names fileset looks at.
const maxFilesetVisits = 10000

// fileFunctions read files; relative paths start at the configuration directory,
// wherever the command runs. pure are the functions that templates may call.
func (l *loader) fileFunctions(pure map[string]function.Function) map[string]function.Function {
	table := map[string]function.Function{
		"file":       l.pathFunc(cty.String, func(p string) (cty.Value, error) { s, err := l.fileText(p); return cty.StringVal(s), err }),
		"filebase64": l.pathFunc(cty.String, l.fileBase64),
		"fileexists": l.pathFunc(cty.Bool, l.fileExists),
		"abspath": l.pathFunc(cty.String, func(p string) (cty.Value, error) {
			abs, err := l.path(p)
			return cty.StringVal(abs), err
		}),
		"pathexpand": l.pathFunc(cty.String, func(p string) (cty.Value, error) {
			if !strings.HasPrefix(p, "~") {
				return cty.StringVal(p), nil
			}
			abs, err := l.path(p)
			return cty.StringVal(abs), err
		}),
		"basename":     l.pathFunc(cty.String, func(p string) (cty.Value, error) { return cty.StringVal(filepath.Base(p)), nil }),
		"dirname":      l.pathFunc(cty.String, func(p string) (cty.Value, error) { return cty.StringVal(filepath.Dir(p)), nil }),
		"fileset":      l.filesetFunc(),
		"templatefile": l.templateFunc(pure),
	}
	for name, sum := range digests() {
		table["file"+name] = l.pathFunc(cty.String, func(p string) (cty.Value, error) {
			b, err := l.fileBytes(p)
			return cty.StringVal(sum(b)), err
		})
	}
	for name, f := range table {
		table[name] = l.guard(name, f)
	}
	return table
}

func (l *loader) pathFunc(ty cty.Type, impl func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: stringParams("path"),
		Type:   function.StaticReturnType(ty),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := impl(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}

func (l *loader) fileBytes(p string) ([]byte, error) {
	abs, err := l.path(p)
	if err != nil {
		return nil, err
	}
	b, err := readFile(abs, maxFileSize)
	if err != nil {
		return nil, errors.New(fileProblem(abs, err))
	}
	if len(b) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", abs, maxFileSize)
	}
	return b, nil
}

func (l *loader) fileText(p string) (string, error) {
	b, err := l.fileBytes(p)
	if err == nil && !utf8.Valid(b) {
		return "", fmt.Errorf("%s is not UTF-8 text; use filebase64", p)
	}
	return string(b), err
}

func (l *loader) fileBase64(p string) (cty.Value, error) {
	b, err := l.fileBytes(p)
	return cty.StringVal(base64.StdEncoding.EncodeToString(b)), err
}

func (l *loader) fileExists(p string) (cty.Value, error) {
	abs, err := l.path(p)
	if err != nil {
		return cty.NilVal, err
	}
	info, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return cty.False, nil
	}
	if err != nil {
		return cty.NilVal, errors.New(fileProblem(abs, err))
	}
	return cty.BoolVal(info.Mode().IsRegular()), nil
}

// filesetFunc lists the regular files below a directory whose slash-separated
// path matches a pattern; ** stands for any number of directories.
func (l *loader) filesetFunc() function.Function {
	return function.New(&function.Spec{
		Params: stringParams("path", "pattern"),
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			root, err := l.path(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			pattern := strings.Split(args[1].AsString(), "/")
			for _, part := range pattern {
				if _, err := path.Match(part, ""); err != nil || len(pattern) > maxNesting {
					return cty.NilVal, function.NewArgErrorf(1, "not a valid pattern")
				}
			}
			var names []cty.Value
			visits := 0
			err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if visits++; visits > maxFilesetVisits {
					return fmt.Errorf("%s holds more than %d files", root, maxFilesetVisits)
				}
				rel, err := filepath.Rel(root, p)
				if err == nil && d.Type().IsRegular() && matchPath(pattern, strings.Split(filepath.ToSlash(rel), "/")) {
					names = append(names, cty.StringVal(filepath.ToSlash(rel)))
				}
				if err == nil && d.IsDir() && rel != "." && !slices.Contains(pattern, "**") && strings.Count(rel, "/")+1 >= len(pattern) {
					return fs.SkipDir
				}
				return err
			})
			if err != nil {
				return cty.NilVal, errors.New(fileProblem(root, err))
			}
			if len(names) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(names), nil
		},
	})
}

// matchPath matches path elements; both were checked to be few.
func matchPath(pattern, name []string) bool {
	// reach[j] says that the pattern so far can match the first j elements.
	reach := make([]bool, len(name)+1)
	reach[0] = true
	for _, part := range pattern {
		next := make([]bool, len(name)+1)
		for j := range reach {
			switch {
			case part == "**":
				next[j] = reach[j] || j > 0 && next[j-1]
			case j > 0 && reach[j-1]:
				next[j], _ = path.Match(part, name[j-1])
			}
		}
		reach = next
	}
	return reach[len(name)]
}

// templateFunc renders a file as an HCL template. A template cannot render
// another one: it would recurse without a limit.
func (l *loader) templateFunc(pure map[string]function.Function) function.Function {
	inside := maps.Clone(pure)
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "path", Type: cty.String, AllowMarked: true},
			{Name: "vars", Type: cty.DynamicPseudoType, AllowMarked: true},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name, nameMarks := args[0].Unmark()
			vars, varMarks := args[1].Unmark()
			if ty := vars.Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.NilVal, function.NewArgErrorf(1, "an object is wanted")
			}
			text, err := l.fileText(name.AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			v, err := l.render(name.AsString(), text, &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: inside})
			if err != nil {
				return cty.NilVal, err
			}
			return v.WithMarks(nameMarks, varMarks), nil
		},
	})
}

func (l *loader) render(name, text string, ctx *hcl.EvalContext) (cty.Value, error) {
	if diags := prescan(name, []byte(text), true); diags.HasErrors() {
		return cty.NilVal, templateError(diags)
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, templateError(diags)
	}
	for _, ref := range expr.Variables() {
		if _, ok := ctx.Variables[ref.RootName()]; !ok {
			return cty.NilVal, fmt.Errorf("%s uses %q, which the second argument of templatefile does not define; it has %s",
				at(ref.SourceRange()), ref.RootName(), enumerate(sortedKeys(ctx.Variables), "and"))
		}
	}
	l.meter.install(expr)
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, templateError(diags)
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s does not make a text: %w", name, err)
	}
	return v, nil
}

func templateError(diags hcl.Diagnostics) error {
	d := sanitize(diags[0])
	place := ""
	if d.Subject != nil {
		place = at(*d.Subject) + ": "
	}
	return fmt.Errorf("%s%s: %s", place, d.Summary, strings.TrimSuffix(d.Detail, "."))
}
