package config

import (
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hardway/provision/addr"
)

// componentKind is a block with flags and config that may stand at the top and
// inside of a host.
type componentKind struct {
	block   string
	masters bool // runs on masters only
	own     func() schema
	in      func(*Host) *Component
}

// hostComponents are the components a host block can hold settings of; runtime
// is there under its own name and as runtime "containerd".
func hostComponents() []componentKind {
	plain := func() schema { return componentSchema() }
	return []componentKind{
		{"etcd", true, etcdSchema, func(h *Host) *Component { return &h.Etcd }},
		{"apiserver", true, plain, func(h *Host) *Component { return &h.APIServer }},
		{"controller_manager", true, plain, func(h *Host) *Component { return &h.ControllerManager }},
		{"scheduler", true, plain, func(h *Host) *Component { return &h.Scheduler }},
		{"kubelet", false, plain, func(h *Host) *Component { return &h.Kubelet }},
		{"kube_proxy", false, kubeProxySchema, func(h *Host) *Component { return &h.KubeProxy }},
	}
}

// layer is what one block says about a component. A null removes what a layer
// below it says; it is kept as nil until layers are merged.
type layer struct {
	rng    hcl.Range
	flags  map[string]flagValue
	config map[string]any
	ranges map[string]hcl.Range // of config leaves
}

type flagValue struct {
	text string
	null bool
	rng  hcl.Range
}

// layer reads flags and config of a component's block.
func (r reader) layer() layer {
	out := layer{rng: r.rng}
	out.flags = r.componentFlags()
	out.config, out.ranges = r.componentConfig()
	return out
}

func (r reader) componentFlags() map[string]flagValue {
	v, ok := r.plainValue("flags")
	if !ok {
		return nil
	}
	entries, ok := stringKeys(v)
	if !ok {
		r.fail("flags", "Wrong type of value", `flags of %s must be a map of flags to values: flags = { "v" = 2 }.`, r.where)
		return nil
	}
	places := entryRanges(r.attrs["flags"].Expr, r.ctx)
	out := map[string]flagValue{}
	for _, name := range sortedKeys(entries) {
		rng, ok := places[name]
		if !ok {
			rng = r.rangeOf("flags")
		}
		if problem := badFlagName(name); problem != "" {
			r.l.diags.add(errorAt(rng, "Invalid flag", "%s in flags of %s %s", quote(name), r.where, problem))
			continue
		}
		value, problem := flagText(entries[name])
		if problem != "" {
			r.l.diags.add(errorAt(rng, "Invalid flag value", "The value of %q in flags of %s %s.", name, r.where, problem))
			continue
		}
		value.rng = rng
		out[name] = value
	}
	return out
}

// plainValue is a value of any type that may not be sensitive.
func (r reader) plainValue(name string) (cty.Value, bool) {
	return r.value(name, cty.DynamicPseudoType, "a value")
}

func badFlagName(name string) string {
	trimmed := strings.TrimLeft(name, "-")
	switch {
	case trimmed != name:
		return `has dashes in front. Write "` + trimmed + `".`
	case name == "":
		return "has no name."
	case strings.Contains(name, "="):
		return "has an equals sign inside. Write \"flag\" = \"value\"."
	case strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	}):
		return "is not the name of a flag."
	}
	return ""
}

// flagText writes a value as a component's command line wants it; lists are
// joined with commas.
func flagText(v cty.Value) (flagValue, string) {
	if v.IsNull() {
		return flagValue{null: true}, ""
	}
	if ty := v.Type(); ty.IsTupleType() || ty.IsListType() || ty.IsSetType() {
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			s, ok := asString(e)
			if !ok {
				return flagValue{}, "is a list with an element that is not a string, a number or a bool"
			}
			if why := badText(s); why != "" {
				return flagValue{}, "has " + why
			}
			parts = append(parts, s)
		}
		return flagValue{text: strings.Join(parts, ",")}, ""
	}
	s, ok := asString(v)
	if !ok {
		return flagValue{}, "must be a string, a number, a bool, or a list of them"
	}
	if why := badText(s); why != "" {
		return flagValue{}, "has " + why
	}
	return flagValue{text: s}, ""
}

func (r reader) componentConfig() (map[string]any, map[string]hcl.Range) {
	v, ok := r.plainValue("config")
	if !ok {
		return nil, nil
	}
	if _, isObject := stringKeys(v); !isObject {
		r.fail("config", "Wrong type of value", "config of %s must be an object with the fields of the component's configuration: config = { maxPods = 200 }.", r.where)
		return nil, nil
	}
	plain, problem := plainGo(v)
	if problem != "" {
		r.fail("config", "Invalid configuration value", "config of %s has %s.", r.where, problem)
		return nil, nil
	}
	config := plain.(map[string]any)
	places := map[string]hcl.Range{}
	configPlaces(r.attrs["config"].Expr, r.ctx, "", places)
	ranges := map[string]hcl.Range{}
	for _, leaf := range leaves(config, "") {
		ranges[leaf] = placeOf(leaf, places, r.rangeOf("config"))
	}
	return config, ranges
}

// configPlaces records the place of every entry that is written out.
func configPlaces(expr hcl.Expression, ctx *hcl.EvalContext, prefix string, out map[string]hcl.Range) {
	for _, e := range objectEntries(expr, ctx) {
		out[prefix+e.key] = e.rng
		configPlaces(e.value, ctx, prefix+e.key+".", out)
	}
}

// placeOf is the place of a leaf or of the nearest object around it.
func placeOf(leaf string, places map[string]hcl.Range, fallback hcl.Range) hcl.Range {
	for {
		if rng, ok := places[leaf]; ok {
			return rng
		}
		i := strings.LastIndexByte(leaf, '.')
		if i < 0 {
			return fallback
		}
		leaf = leaf[:i]
	}
}

// leaves lists the dotted paths of everything that is not an object with fields.
func leaves(m map[string]any, prefix string) []string {
	var out []string
	for _, key := range sortedKeys(m) {
		if child, ok := m[key].(map[string]any); ok && len(child) > 0 {
			out = append(out, leaves(child, prefix+key+".")...)
			continue
		}
		out = append(out, prefix+key)
	}
	return out
}

// plainGo converts a value to maps, lists, strings, bools, int64 and float64.
func plainGo(v cty.Value) (any, string) {
	if v.IsNull() {
		return nil, ""
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		s := v.AsString()
		// A line break is fine: these become YAML or TOML strings.
		if why := badText(strings.NewReplacer("\n", "", "\t", "").Replace(s)); why != "" {
			return nil, "a text with " + why
		}
		return s, ""
	case ty == cty.Bool:
		return v.True(), ""
	case ty == cty.Number:
		return plainNumber(v.AsBigFloat())
	case ty.IsMapType() || ty.IsObjectType():
		out := map[string]any{}
		for key, e := range v.AsValueMap() {
			if why := badText(key); why != "" || key == "" {
				return nil, "a key that is empty or has control characters"
			}
			plain, problem := plainGo(e)
			if problem != "" {
				return nil, problem
			}
			out[key] = plain
		}
		return out, ""
	case ty.IsListType() || ty.IsTupleType() || ty.IsSetType():
		out := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			plain, problem := plainGo(e)
			if problem != "" {
				return nil, problem
			}
			out = append(out, plain)
		}
		return out, ""
	}
	return nil, "a value of a type that no configuration has"
}

func plainNumber(f *big.Float) (any, string) {
	if n, accuracy := f.Int64(); accuracy == big.Exact {
		return n, ""
	}
	if x, _ := f.Float64(); !f.IsInt() && !math.IsInf(x, 0) {
		return x, ""
	}
	return nil, "a number that is too large"
}

// component lays layers over each other, later ones first in importance, and
// drops nulls.
func component(layers ...layer) Component {
	out := Component{Flags: map[string]string{}, FlagRanges: map[string]hcl.Range{}, Config: map[string]any{}, ConfigRanges: map[string]hcl.Range{}}
	for _, l := range layers {
		if l.rng.Filename != "" {
			out.Range = l.rng
		}
		for name, f := range l.flags {
			if delete(out.Flags, name); f.null {
				delete(out.FlagRanges, name)
				continue
			}
			out.Flags[name], out.FlagRanges[name] = f.text, f.rng
		}
		mergeConfig(out.Config, l.config)
	}
	dropNulls(out.Config)
	for _, leaf := range leaves(out.Config, "") {
		for _, l := range slices.Backward(layers) {
			if rng, ok := l.ranges[leaf]; ok {
				out.ConfigRanges[leaf] = rng
				break
			}
		}
		if _, ok := out.ConfigRanges[leaf]; !ok { // an object emptied by nulls
			out.ConfigRanges[leaf] = out.Range
		}
	}
	return out
}

// mergeConfig merges objects deeply; anything else replaces.
func mergeConfig(into, from map[string]any) {
	for key, v := range from {
		below, ok1 := into[key].(map[string]any)
		above, ok2 := v.(map[string]any)
		switch {
		case ok1 && ok2:
			mergeConfig(below, above)
		case ok2: // a copy, since hosts share the cluster's layer
			fresh := map[string]any{}
			mergeConfig(fresh, above)
			into[key] = fresh
		default:
			into[key] = v
		}
	}
}

func dropNulls(m map[string]any) {
	for key, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, key)
		case map[string]any:
			dropNulls(v)
		}
	}
}

// clusterLayers reads the component blocks at the top that have flags and config
// only; etcd, kube_proxy and runtime have readers of their own.
func (l *loader) clusterLayers(c *Cluster) map[string]layer {
	wide := map[string]layer{}
	for _, k := range hostComponents() {
		switch k.block {
		case "etcd":
			wide[k.block] = l.readEtcd(c)
		case "kube_proxy":
			wide[k.block] = l.readKubeProxy(c)
		default:
			r, _ := l.block(k.block, k.own())
			wide[k.block] = r.layer()
		}
	}
	wide["runtime"] = l.readRuntime(c)
	c.APIServer, c.ControllerManager = component(wide["apiserver"]), component(wide["controller_manager"])
	c.Scheduler, c.Kubelet = component(wide["scheduler"]), component(wide["kubelet"])
	return wide
}

// hostLayers merges the host's component blocks over the cluster's.
func (l *loader) hostLayers(h *Host, blocks hcl.Blocks, ctx *hcl.EvalContext, wide map[string]layer) {
	for _, k := range hostComponents() {
		top := l.hostLayer(l.one(blocks, k.block), ctx, h, k.masters)
		if k.masters && !h.IsMaster() {
			*k.in(h) = component() // does not run there
			continue
		}
		*k.in(h) = component(wide[k.block], top)
	}
	runtime, containerd := l.one(blocks, "runtime"), l.one(blocks, "containerd")
	if runtime != nil && runtime.Labels[0] != "containerd" {
		l.diags.add(errorAt(runtime.LabelRanges[0], "Unknown runtime", "There is no runtime %s; this version has \"containerd\".", quote(runtime.Labels[0])))
	}
	h.Containerd = component(wide["runtime"], l.hostLayer(runtime, ctx, h, false), l.hostLayer(containerd, ctx, h, false))
}

func (l *loader) hostLayer(b *hcl.Block, ctx *hcl.EvalContext, h *Host, mastersOnly bool) layer {
	if b == nil {
		return layer{}
	}
	where := b.Type + " of " + h.Addr.String()
	s := componentSchema()
	s.instead = map[string]string{}
	for _, name := range []string{"mode", "version", "runc_version", "cni_plugins_version", "sandbox_image", "images"} {
		s.instead[name] = "It is the same on all hosts: write it in the block " + b.Type + " at the top of a file. Inside a host stand flags and config."
	}
	if b.Type == "runtime" || b.Type == "containerd" {
		s.withoutFlags()
	}
	r, _ := l.readerIn(b.Body, ctx, s, b.DefRange, where)
	if mastersOnly && h.Addr.Role != addr.Master {
		l.diags.add(errorAt(b.DefRange, "Component not on this host", "%s does not run on a node. Write this block in a master, or at the top of a file for all masters.", b.Type))
		return layer{}
	}
	out := r.layer()
	if b.Type == "kube_proxy" {
		r.refuseProxyMode()
		checkScheduler(l, out)
	}
	return out
}
