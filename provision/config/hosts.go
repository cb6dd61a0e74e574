package config

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hardway/provision/addr"
)

// maxHosts is how many nodes Kubernetes is built for.
const maxHosts = 5000

// hostDecl is one host: a block, or one element of its for_each. Name and
// address come first, on their own, because other blocks refer to them.
type hostDecl struct {
	block        *hclsyntax.Block
	role         addr.Role
	name         string
	nameRange    hcl.Range
	address      netip.Addr // invalid when it could not be read
	addressRange hcl.Range
	each         map[string]cty.Value // nil without for_each

	// What the body refers to, found once a block: a for_each that is written out
	// is as long as there are hosts.
	refs      []hcl.Traversal
	iterators []string
}

// resolveHosts expands the blocks of one role, once; the result is in order of
// name. rng is where they are asked for.
func (l *loader) resolveHosts(role string, rng hcl.Range) []*hostDecl {
	l.scope.hostValues(role, rng)
	var out []*hostDecl
	for _, h := range l.hosts {
		if string(h.role) == role {
			out = append(out, h)
		}
	}
	return out
}

func (l *loader) expandRole(role string) []*hostDecl {
	var out []*hostDecl
	for _, b := range l.decl.hosts {
		if b.Type == role {
			out = append(out, l.expandHost(b)...)
		}
	}
	slices.SortStableFunc(out, func(a, b *hostDecl) int { return cmp.Compare(a.name, b.name) })
	l.hosts = append(l.hosts, out...)
	return out
}

// expandHost makes the hosts of one block.
func (l *loader) expandHost(b *hclsyntax.Block) []*hostDecl {
	role := addr.Role(b.Type)
	refs, iterators := bodyReferences(b.Body)
	forEach := b.Body.Attributes["for_each"]
	if forEach == nil {
		h := &hostDecl{block: b, role: role, name: b.Labels[0], nameRange: b.LabelRanges[0], refs: refs, iterators: iterators}
		l.readAddress(h)
		return []*hostDecl{h}
	}
	v, known := l.scope.eval(forEach.Expr, nil)
	if !known {
		return nil
	}
	rng := forEach.Expr.Range()
	elements, problem := forEachElements(v)
	if problem != "" {
		l.diags.add(errorAt(rng, "Invalid for_each", "%s", problem))
		return nil
	}
	if l.expanded += len(elements); l.expanded > maxHosts {
		l.diags.add(errorAt(rng, "Too many hosts", "Kubernetes is made for up to %d nodes; for_each blocks make %d.", maxHosts, l.expanded))
		return nil
	}
	places := entryRanges(forEach.Expr, l.scope.context(forEach.Expr.Variables(), nil, nil))
	var out []*hostDecl
	for _, key := range sortedKeys(elements) {
		h := &hostDecl{block: b, role: role, name: key, nameRange: rng, refs: refs, iterators: iterators, each: map[string]cty.Value{
			"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": elements[key]})}}
		if place, ok := places[key]; ok {
			h.nameRange = place
		}
		l.readAddress(h)
		out = append(out, h)
	}
	return out
}

// forEachElements returns the elements of a map, an object or a set of strings,
// or what is wrong with the value.
func forEachElements(v cty.Value) (map[string]cty.Value, string) {
	ty := v.Type()
	switch {
	case v.ContainsMarked():
		return nil, "The value of for_each is sensitive, but its keys are names of hosts. Use nonsensitive(…) on what is no secret."
	case v.IsNull():
		return nil, "The value of for_each is null. For no hosts write an empty map, {}."
	case ty.IsMapType() || ty.IsObjectType():
		return v.AsValueMap(), ""
	case ty.IsSetType():
		out := map[string]cty.Value{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if e.IsNull() || e.Type() != cty.String {
				return nil, "The set of for_each has elements that are not strings; each must be the name of a host."
			}
			out[e.AsString()] = e
		}
		return out, ""
	case ty.IsTupleType() || ty.IsListType():
		return nil, "A list is not possible here: hosts would be known by their position, and removing one would rename the others. Write toset([…]), or a map of names to addresses."
	case ty == cty.Number:
		return nil, "A number is not possible here. Write a map of names to addresses, such as { n1 = \"192.168.10.31\" }."
	}
	return nil, "A map, an object or a set of strings is wanted, not " + ty.FriendlyName() + "."
}

func (l *loader) readAddress(h *hostDecl) {
	a := h.block.Body.Attributes["address"]
	if a == nil {
		h.addressRange = h.block.DefRange()
		l.diags.add(errorAt(h.block.DefRange(), "Missing attribute", "%s needs an address, the IP address at which the cluster reaches it: address = \"192.168.10.21\".", blockTitle(h.block)))
		return
	}
	h.addressRange = a.Expr.Range()
	ctx := l.scope.context(a.Expr.Variables(), h.each, nil)
	r := reader{l: l, ctx: ctx, attrs: hcl.Attributes{"address": a.AsHCLAttribute()}, rng: h.block.DefRange(), where: h.title()}
	if address, ok := r.address("address"); ok {
		h.address = address
	}
	// With for_each the element says which host is meant; the expression does not.
	if h.each != nil && h.nameRange.Filename != "" && h.nameRange != h.block.Body.Attributes["for_each"].Expr.Range() {
		h.addressRange = h.nameRange
	}
}

func (h *hostDecl) title() string { return addr.Host{Role: h.role, Name: h.name}.String() }

// readHosts reads the bodies of all hosts into c, over the cluster-wide ssh
// settings and components.
func (l *loader) readHosts(c *Cluster, defaults sshSettings, wide map[string]layer) {
	for _, role := range []string{"master", "node"} {
		for _, h := range l.resolveHosts(role, c.Range) {
			c.Hosts = append(c.Hosts, l.readHost(h, defaults, wide))
		}
	}
}

func (l *loader) readHost(h *hostDecl, defaults sshSettings, wide map[string]layer) Host {
	ctx := l.scope.context(h.refs, h.each, h.iterators)
	r, blocks := l.readerIn(h.block.Body, ctx, hostSchema(), h.block.DefRange(), h.title())
	out := Host{
		Addr: addr.Host{Role: h.role, Name: h.name}, Range: h.block.DefRange(), Name: h.name, NameRange: h.nameRange,
		Address: h.address, AddressRange: h.addressRange,
	}
	out.Arch = r.choice("arch", "amd64", "amd64", "arm64")
	out.Labels, out.LabelRanges = r.labels()
	out.Taints = r.taints()
	settings := defaults
	if b := l.one(blocks, "ssh"); b != nil {
		settings = l.readSSH(b.Body, ctx, b.DefRange, "ssh of "+h.title(), true).over(defaults)
	}
	out.SSH = l.finishSSH(settings, out)
	l.hostLayers(&out, blocks, ctx, wide)
	return out
}

// readerIn opens any body, with its dynamic blocks expanded.
func (l *loader) readerIn(body hcl.Body, ctx *hcl.EvalContext, s schema, rng hcl.Range, where string) (reader, hcl.Blocks) {
	content := l.content(l.expand(body, ctx), s, where)
	return reader{l: l, ctx: ctx, attrs: content.Attributes, rng: rng, where: where}, content.Blocks
}

// expand makes the blocks of dynamic blocks.
func (l *loader) expand(body hcl.Body, ctx *hcl.EvalContext) hcl.Body {
	syntax, ok := body.(*hclsyntax.Body)
	if !ok || !hasDynamic(syntax) {
		return body
	}
	return dynblock.Expand(body, ctx, dynblock.OptCheckForEach(func(v cty.Value, e hcl.Expression, _ *hcl.EvalContext) hcl.Diagnostics {
		if v.ContainsMarked() {
			return hcl.Diagnostics{errorAt(e.Range(), "Invalid dynamic for_each value", "The value is sensitive, but how many blocks there are cannot be hidden.")}
		}
		if !v.IsNull() && v.IsKnown() && v.CanIterateElements() {
			if !l.meter.pay(v.LengthInt()*loopCost, e.Range()) {
				return hcl.Diagnostics{tooExpensive(e.Range())}
			}
		}
		return nil
	}))
}

func hasDynamic(body *hclsyntax.Body) bool {
	return slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "dynamic" || hasDynamic(b.Body) })
}

// labels reads the host's labels; their syntax is judged later.
func (r reader) labels() (map[string]string, map[string]hcl.Range) {
	return r.mapping("labels")
}

// taints reads key=value:Effect and key:Effect.
func (r reader) taints() []Taint {
	texts, _ := r.texts("taints", false)
	places := elementRanges(r.attrs["taints"])
	var out []Taint
	for i, s := range texts {
		rng := r.rangeOf("taints")
		if i < len(places) {
			rng = places[i]
		}
		t, problem := parseTaint(s)
		if problem != "" {
			r.l.diags.add(errorAt(rng, "Invalid taint", "%s of %s: %s", quote(s), r.where, problem))
			continue
		}
		t.Range = rng
		out = append(out, t)
	}
	return out
}

// elementRanges are the places of a written list's elements.
func elementRanges(a *hcl.Attribute) []hcl.Range {
	if a == nil {
		return nil
	}
	exprs, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		return nil
	}
	var out []hcl.Range
	for _, e := range exprs {
		out = append(out, e.Range())
	}
	return out
}

// stringKeys converts an object or map value to a map of its elements.
func stringKeys(v cty.Value) (map[string]cty.Value, bool) {
	if ty := v.Type(); !ty.IsMapType() && !ty.IsObjectType() {
		return nil, false
	}
	return v.AsValueMap(), true
}

// asString converts a string, number or bool.
func asString(v cty.Value) (string, bool) {
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() || !v.Type().IsPrimitiveType() {
		return "", false
	}
	return s.AsString(), true
}
