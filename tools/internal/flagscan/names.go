package flagscan

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// Gate is a feature gate in one version.
type Gate struct {
	Name       string
	Deprecated bool
	// Locked is the value that cannot be changed any more, "" while it can.
	Locked string
}

// gatePackages define the gates that the components of Kubernetes know.
var gatePackages = []string{
	"k8s.io/kubernetes/pkg/features", "k8s.io/apiserver/pkg/features", "k8s.io/apiextensions-apiserver/pkg/features",
	"k8s.io/controller-manager/pkg/features", "k8s.io/component-base/logs", "k8s.io/component-base/logs/api/v1",
	"k8s.io/component-base/metrics/features", "k8s.io/component-base/zpages/features", "k8s.io/client-go/features",
}

// Gates reads the feature gates of a version from the maps that register them.
func Gates(ctx context.Context, version string) (map[string]Gate, error) {
	locate, err := Tree(ctx, version)
	if err != nil {
		return nil, err
	}
	l := newLoader(locate)
	constants := map[string]string{}
	var files []*ast.File
	for _, importPath := range gatePackages {
		dir, ok := locate(importPath)
		if !ok {
			continue
		}
		parsed, err := l.parse(dir)
		if err != nil {
			return nil, err
		}
		files = append(files, parsed...)
		for _, file := range parsed {
			constantsOf(file, constants)
		}
	}
	gates := map[string]Gate{}
	for _, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			literal, ok := node.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if kind, ok := literal.Type.(*ast.MapType); !ok || !strings.HasSuffix(lastName(kind.Value), "Spec") && lastName(kind.Value) != "VersionedSpecs" {
				return true
			}
			for _, element := range literal.Elts {
				pair := element.(*ast.KeyValueExpr)
				name := lastName(pair.Key)
				if value, ok := constants[name]; ok {
					name = value
				}
				if spec, ok := effectiveSpec(pair.Value, version); ok {
					spec.Name = name
					gates[name] = spec
				}
			}
			return false
		})
	}
	if len(gates) < 40 {
		return nil, fmt.Errorf("reading the feature gates of %s: only %d were found", version, len(gates))
	}
	for _, name := range []string{"AllAlpha", "AllBeta"} {
		if name == "AllAlpha" || semver.Compare("v"+version, "v1.19") >= 0 { // featuregate.go: AllBeta came in 1.19
			gates[name] = Gate{Name: name}
		}
	}
	return gates, nil
}

// effectiveSpec reads {Default: …, PreRelease: …, LockToDefault: …}, or of a list of such with a Version each the one that
// holds in version.
func effectiveSpec(expr ast.Expr, version string) (Gate, bool) {
	literal, ok := expr.(*ast.CompositeLit)
	if !ok {
		return Gate{}, false
	}
	var gate Gate
	found, isList := false, false
	for _, element := range literal.Elts {
		inner, ok := element.(*ast.CompositeLit)
		if !ok {
			continue
		}
		isList = true
		if since := specVersion(inner); since == "" || semver.Compare(semver.MajorMinor("v"+version), "v"+since) >= 0 {
			gate, found = spec(inner), true
		}
	}
	if !isList {
		return spec(literal), true
	}
	return gate, found
}

func spec(literal *ast.CompositeLit) Gate {
	var gate Gate
	value := "false"
	locked := false
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch lastName(pair.Key) {
		case "Default":
			value = lastName(pair.Value)
		case "LockToDefault":
			locked = lastName(pair.Value) == "true"
		case "PreRelease":
			gate.Deprecated = lastName(pair.Value) == "Deprecated"
		}
	}
	if locked {
		gate.Locked = value
	}
	return gate
}

// specVersion reads Version: version.MustParse("1.31").
func specVersion(literal *ast.CompositeLit) string {
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok && lastName(pair.Key) == "Version" {
			if call, ok := pair.Value.(*ast.CallExpr); ok && len(call.Args) == 1 {
				if text, ok := call.Args[0].(*ast.BasicLit); ok {
					return strings.Trim(text.Value, `"`)
				}
			}
		}
	}
	return ""
}

// constantsOf collects a file's string constants.
func constantsOf(file *ast.File, into map[string]string) {
	ast.Inspect(file, func(node ast.Node) bool {
		general, ok := node.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			return true
		}
		for _, spec := range general.Specs {
			value := spec.(*ast.ValueSpec)
			for i, name := range value.Names {
				if i < len(value.Values) {
					if literal, ok := value.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
						if text, err := strconv.Unquote(literal.Value); err == nil {
							into[name.Name] = text
						}
					}
				}
			}
		}
		return false
	})
}

// lastName is the identifier at the end of an expression: GA of featuregate.GA.
func lastName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.ArrayType:
		return lastName(e.Elt)
	}
	return ""
}

// Plugins reads the names of a version's admission plugins.
func Plugins(ctx context.Context, version string) ([]string, error) {
	locate, err := Tree(ctx, version)
	if err != nil {
		return nil, err
	}
	dir, _ := locate("k8s.io/kubernetes/pkg/kubeapiserver/options")
	l := newLoader(locate)
	file, err := parser.ParseFile(l.files, filepath.Join(dir, "plugins.go"), nil, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the admission plugins of %s: %w", version, err)
	}
	imports := map[string]string{}
	for _, spec := range file.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("reading the admission plugins of %s: %w", version, err)
		}
		name := packageName(importPath)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = importPath
	}
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		value, ok := node.(*ast.ValueSpec)
		if !ok || len(value.Names) != 1 || value.Names[0].Name != "AllOrderedPlugins" || err != nil {
			return true
		}
		for _, element := range value.Values[0].(*ast.CompositeLit).Elts {
			selector, ok := element.(*ast.SelectorExpr)
			if !ok {
				err = fmt.Errorf("reading the admission plugins of %s: an element is no constant of a package", version)
				return false
			}
			name, problem := pluginName(l, imports[lastName(selector.X)], selector.Sel.Name)
			if problem != nil {
				err = fmt.Errorf("reading the admission plugins of %s: %w", version, problem)
				return false
			}
			names = append(names, name)
		}
		return false
	})
	if err == nil && len(names) < 20 {
		err = fmt.Errorf("reading the admission plugins of %s: only %d were found", version, len(names))
	}
	return names, err
}

func pluginName(l *loader, importPath, constant string) (string, error) {
	dir, ok := l.locate(importPath)
	if !ok {
		return "", fmt.Errorf("%q cannot be found", importPath)
	}
	files, err := l.parse(dir)
	if err != nil {
		return "", err
	}
	constants := map[string]string{}
	for _, file := range files {
		constantsOf(file, constants)
	}
	name, ok := constants[constant]
	if !ok {
		return "", fmt.Errorf("%s has no constant %s", importPath, constant)
	}
	return name, nil
}
