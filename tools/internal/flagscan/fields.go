package flagscan

import (
	"context"
	"fmt"
	"go/ast"
	"os"
	"reflect"
	"strconv"
	"strings"
)

// configObjects are the config objects of the components, each with the versions of its API, newest first: a minor is
// judged by the newest that it has, which is the one that is rendered.
var configObjects = []struct {
	component, kind, dir string
	versions             []string
}{
	{"kubelet", "KubeletConfiguration", "k8s.io/kubelet/config/", []string{"v1beta1"}},
	{"kube-proxy", "KubeProxyConfiguration", "k8s.io/kube-proxy/config/", []string{"v1alpha1"}},
	{"kube-scheduler", "KubeSchedulerConfiguration", "k8s.io/kube-scheduler/config/", []string{"v1", "v1beta3", "v1beta2", "v1beta1", "v1alpha2", "v1alpha1"}},
}

// ConfigObject is a component's config object in one version.
type ConfigObject struct {
	APIVersion string          // "v1beta1"
	Fields     map[string]bool // dotted JSON paths, without positions in lists
}

// ConfigObjects reads the types of the config objects of a version.
func ConfigObjects(ctx context.Context, version string) (map[string]ConfigObject, error) {
	locate, err := Tree(ctx, version)
	if err != nil {
		return nil, err
	}
	out := map[string]ConfigObject{}
	for _, object := range configObjects {
		for _, api := range object.versions {
			dir, ok := locate(object.dir + api)
			if _, err := os.Stat(dir); !ok || err != nil {
				continue
			}
			t := typeWalker{loader: newLoader(locate), structs: map[string]map[string]*ast.StructType{}, fields: map[string]bool{}}
			if err := t.walk(object.dir+api, object.kind, "", 0); err != nil {
				return nil, fmt.Errorf("reading %s of %s: %w", object.kind, version, err)
			}
			if len(t.fields) == 0 {
				continue
			}
			out[object.component] = ConfigObject{APIVersion: api, Fields: t.fields}
			break
		}
		if out[object.component].APIVersion == "" {
			return nil, fmt.Errorf("reading %s of %s: no version of its API was found", object.kind, version)
		}
	}
	return out, nil
}

// typeWalker lists the fields of structs.
type typeWalker struct {
	loader  *loader
	structs map[string]map[string]*ast.StructType // by package and name
	imports map[*ast.StructType]map[string]string
	fields  map[string]bool
}

// fieldPackages are those whose structs are read; a type of another package is a leaf.
var fieldPackages = map[string]bool{
	"k8s.io/component-base/config/v1alpha1": true, "k8s.io/component-base/logs/api/v1": true, "k8s.io/component-base/tracing/api/v1": true,
	"k8s.io/kube-scheduler/config/v1": true, "k8s.io/kube-scheduler/config/v1beta1": true, "k8s.io/kube-scheduler/config/v1beta2": true,
	"k8s.io/kube-scheduler/config/v1beta3": true, "k8s.io/kube-scheduler/extender/v1": true,
}

func (t *typeWalker) load(importPath string) error {
	if t.structs[importPath] != nil {
		return nil
	}
	if t.imports == nil {
		t.imports = map[*ast.StructType]map[string]string{}
	}
	t.structs[importPath] = map[string]*ast.StructType{}
	dir, ok := t.loader.locate(importPath)
	if !ok {
		return nil
	}
	files, err := t.loader.parse(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		imports := map[string]string{"": importPath}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			name := packageName(path)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			imports[name] = path
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					t.structs[importPath][spec.Name.Name] = s
					t.imports[s] = imports
				}
			}
			return true
		})
	}
	return nil
}

func (t *typeWalker) walk(importPath, name, prefix string, depth int) error {
	if depth > 8 {
		return nil
	}
	if err := t.load(importPath); err != nil {
		return err
	}
	s := t.structs[importPath][name]
	if s == nil {
		return nil
	}
	for _, field := range s.Fields.List {
		tag := ""
		if field.Tag != nil {
			text, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				return err
			}
			tag = text
		}
		json, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		path := prefix
		switch {
		case json == "-":
			continue
		case json != "":
			path = strings.TrimPrefix(prefix+"."+json, ".")
			t.fields[path] = true
		case !strings.Contains(options, "inline") && len(field.Names) > 0:
			continue
		}
		pkg, typeName := elementType(field.Type)
		if target := t.imports[s][pkg]; typeName != "" && (pkg == "" || fieldPackages[target]) {
			if err := t.walk(target, typeName, path, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// elementType is the named type behind pointers, lists and maps.
func elementType(expr ast.Expr) (pkg, name string) {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return elementType(e.X)
	case *ast.ArrayType:
		return elementType(e.Elt)
	case *ast.SelectorExpr:
		return lastName(e.X), e.Sel.Name
	case *ast.Ident:
		return "", e.Name
	}
	return "", ""
}
