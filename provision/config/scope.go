package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// mark is the type of cty marks of this package.
type mark string

// sensitiveMark is on values that must not be shown.
const sensitiveMark = mark("sensitive")

// scope resolves references. Names are evaluated when an expression first needs
// them, so the order of blocks does not matter.
type scope struct {
	l       *loader
	vars    map[string]cty.Value
	memo    map[string]cty.Value // local.x, cluster.x, master, node
	running []string             // names being evaluated, outermost first
}

// roots are the names that references start with.
func roots() []string { return []string{"var", "local", "cluster", "master", "node", "each", "path"} }

func newScope(l *loader, vars map[string]cty.Value) *scope {
	return &scope{l: l, vars: vars, memo: map[string]cty.Value{}}
}

// eval evaluates an expression with everything it refers to. extra are names
// that exist only here, such as each. known is false when the value could not be
// had; that is reported already, and the caller keeps silent.
func (s *scope) eval(expr hcl.Expression, extra map[string]cty.Value) (v cty.Value, known bool) {
	ctx := s.context(expr.Variables(), extra, nil)
	v, diags := expr.Value(ctx)
	s.l.addEvaluation(expr, ctx, diags)
	if diags.HasErrors() {
		return cty.DynamicVal, false
	}
	if _, err := valueSize(v); err != nil {
		s.l.diags.add(errorAt(expr.Range(), "Value too large", "This value has more than %d elements in one place, more than %d elements or %d bytes in all, or a number that no setting takes.",
			maxWidth, maxValue/elementCost, maxValue))
		return cty.DynamicVal, false
	}
	return v, v.IsWhollyKnown()
}

// context builds the evaluation context for a set of references, and reports
// references that lead nowhere. Names in ignore are left to HCL: the iterators
// of dynamic blocks.
func (s *scope) context(refs []hcl.Traversal, extra map[string]cty.Value, ignore []string) *hcl.EvalContext {
	groups := map[string]map[string]cty.Value{}
	ctx := &hcl.EvalContext{Functions: s.l.functions, Variables: map[string]cty.Value{}}
	for _, ref := range refs {
		root := ref.RootName()
		if _, ok := extra[root]; ok || slices.Contains(ignore, root) {
			continue
		}
		switch root {
		case "var", "local", "cluster", "path":
			name, ok := stepName(ref)
			if !ok {
				s.l.diags.add(errorAt(ref.SourceRange(), "Incomplete reference", "Write %s with a name behind it, such as %s.%s.",
					root, root, exampleName(root)))
				ctx.Variables[root] = cty.DynamicVal
				continue
			}
			if groups[root] == nil {
				groups[root] = map[string]cty.Value{}
			}
			if _, done := groups[root][name]; !done {
				groups[root][name] = s.named(root, name, ref.SourceRange())
			}
		case "master", "node":
			ctx.Variables[root] = s.hosts(root, ref)
		default:
			s.l.diags.add(unknownRoot(ref))
			ctx.Variables[root] = cty.DynamicVal
		}
	}
	for root, names := range groups {
		if _, failed := ctx.Variables[root]; !failed {
			ctx.Variables[root] = cty.ObjectVal(names)
		}
	}
	for name, v := range extra {
		ctx.Variables[name] = v
	}
	return ctx
}

// stepName is the name behind the root: var.x and var["x"] alike.
func stepName(ref hcl.Traversal) (string, bool) {
	if len(ref) < 2 {
		return "", false
	}
	switch step := ref[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func exampleName(root string) string {
	switch root {
	case "path":
		return "module"
	case "cluster":
		return "name"
	}
	return "name_of_it"
}

// named resolves var.x, local.x, cluster.x and path.x.
func (s *scope) named(root, name string, rng hcl.Range) cty.Value {
	switch root {
	case "var":
		if v, ok := s.vars[name]; ok {
			return v
		}
		s.l.diags.add(errorAt(rng, "Unknown variable", "There is no variable %q.%s Declare it with variable %q { … }.",
			name, didYouMean(name, sortedKeys(s.vars)), name))
	case "local":
		a := s.l.decl.locals[name]
		if a == nil {
			s.l.diags.add(errorAt(rng, "Unknown local value", "There is no local value %q.%s Declare it in a locals block.",
				name, didYouMean(name, sortedKeys(s.l.decl.locals))))
			return cty.DynamicVal
		}
		return s.once("local."+name, rng, func() cty.Value {
			v, _ := s.eval(a.Expr, nil)
			return v
		})
	case "cluster":
		if !slices.Contains(clusterNames(), name) {
			s.l.diags.add(errorAt(rng, "Unknown attribute of the cluster", "There is no cluster.%s.%s It has %s.",
				name, didYouMean(name, clusterNames()), strings.Join(clusterNames(), ", ")))
			return cty.DynamicVal
		}
		return s.once("cluster."+name, rng, func() cty.Value { return s.l.clusterValue(name, rng) })
	case "path":
		if name == "module" || name == "root" || name == "cwd" {
			return cty.StringVal(s.l.opts.Dir)
		}
		s.l.diags.add(errorAt(rng, "Unknown path", "There is no path.%s. path.module is the configuration directory.", name))
	}
	return cty.DynamicVal
}

// once evaluates a name the first time it is needed. A name that needs itself is
// reported with the way around.
func (s *scope) once(name string, rng hcl.Range, eval func() cty.Value) cty.Value {
	if v, ok := s.memo[name]; ok {
		return v
	}
	if i := slices.Index(s.running, name); i >= 0 {
		hint := ""
		if name == "master" || name == "node" {
			hint = fmt.Sprintf(" The address and for_each of a %s cannot depend on other hosts of its kind; put what they share in locals.", name)
		}
		s.l.diags.add(errorAt(rng, "Circular reference", "%s refers to itself: %s.%s",
			name, strings.Join(append(slices.Clone(s.running[i:]), name), " → "), hint))
		return cty.DynamicVal
	}
	if len(s.running) > maxChain {
		s.l.diags.add(errorAt(rng, "References too deep", "%s is reached through more than %d other names.", name, maxChain))
		return cty.DynamicVal
	}
	s.running = append(s.running, name)
	v := eval()
	s.running = s.running[:len(s.running)-1]
	s.memo[name] = v
	return v
}

func hostObject() cty.Type {
	return cty.Object(map[string]cty.Type{"name": cty.String, "address": cty.String, "role": cty.String})
}

// hostValues is the value of master and node: name, address and role, by name.
func (s *scope) hostValues(role string, rng hcl.Range) cty.Value {
	return s.once(role, rng, func() cty.Value {
		byName := map[string]cty.Value{}
		for _, h := range s.l.expandRole(role) {
			address := cty.UnknownVal(cty.String)
			if h.address.IsValid() {
				address = cty.StringVal(h.address.String())
			}
			byName[h.name] = cty.ObjectVal(map[string]cty.Value{
				"name": cty.StringVal(h.name), "address": address, "role": cty.StringVal(role)})
		}
		if len(byName) == 0 {
			return cty.MapValEmpty(hostObject())
		}
		return cty.MapVal(byName)
	})
}

// hosts resolves a reference to master or node.
func (s *scope) hosts(root string, ref hcl.Traversal) cty.Value {
	v := s.hostValues(root, ref.SourceRange())
	if name, ok := stepName(ref); ok && v.IsKnown() {
		hosts := v.AsValueMap()
		if _, found := hosts[name]; !found {
			s.l.diags.add(errorAt(ref.SourceRange(), "Unknown host", "There is no %s %q.%s Refer to a host as %s[\"name\"], by its own name.",
				root, name, hostHint(name, sortedKeys(hosts)), root))
			return cty.DynamicVal
		}
	}
	if len(ref) > 2 {
		if step, ok := ref[2].(hcl.TraverseAttr); ok && !hostObject().HasAttribute(step.Name) {
			s.l.diags.add(errorAt(step.SrcRange, "Unknown attribute of a host", "A host has name, address and role here, not %q.%s",
				step.Name, didYouMean(step.Name, []string{"name", "address", "role"})))
			return cty.DynamicVal
		}
	}
	return v
}

func hostHint(name string, names []string) string {
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	if len(names) > 0 && len(names) <= 12 {
		return " There is " + enumerate(names, "and") + "."
	}
	return ""
}

// unknownRoot explains a name that is none of ours.
func unknownRoot(ref hcl.Traversal) *hcl.Diagnostic {
	root := ref.RootName()
	rng := ref.SourceRange()
	switch root {
	case "each":
		return errorAt(rng, "No each here", "each.key and each.value exist only inside a master or node block with for_each.")
	case "count":
		return errorAt(rng, "No count here", "There is no count. Use for_each, and each.key and each.value.")
	case "module", "data", "terraform", "self", "resource":
		return errorAt(rng, "Unknown reference", "There is no %s in this language. References start with %s.", root, strings.Join(roots(), ", "))
	case "worker":
		return errorAt(rng, "Unknown reference", "Hosts are referred to as master[\"name\"] and node[\"name\"].")
	}
	if len(ref) == 1 {
		return errorAt(rng, "Unknown reference", "There is nothing named %q.%s", root, wordHint(root))
	}
	return errorAt(rng, "Unknown reference", "There is nothing named %q.%s References start with %s.",
		root, didYouMean(root, roots()), strings.Join(roots(), ", "))
}

func wordHint(word string) string {
	return fmt.Sprintf(" For the text, write it in quotes: %q. For a variable write var.%s, for a local value local.%s.", word, word, word)
}

// bodyReferences lists the references in a whole body, and the names that its
// dynamic blocks iterate with.
func bodyReferences(body *hclsyntax.Body) (refs []hcl.Traversal, iterators []string) {
	for _, a := range sortedAttributes(body) {
		refs = append(refs, a.Expr.Variables()...)
	}
	for _, b := range body.Blocks {
		inner, names := bodyReferences(b.Body)
		iterators = append(iterators, names...)
		if b.Type == "dynamic" && len(b.Labels) == 1 {
			name := b.Labels[0]
			if a := b.Body.Attributes["iterator"]; a != nil {
				if t, diags := hcl.AbsTraversalForExpr(a.Expr); !diags.HasErrors() {
					name = t.RootName()
				}
			}
			iterators = append(iterators, name)
		}
		refs = append(refs, inner...)
	}
	return refs, iterators
}
