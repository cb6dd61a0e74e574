package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// object compares the fields we own with the live object; what others added to
// it is theirs. An API that does not answer says nothing about the object.
func (c *comparison) object(ch *Change, o *resource.Object, obs facts.Observation) bool {
	ref := facts.ObjectRef{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	ch.After = Attrs{"object": value(ref.String()), "manifest": {Text: pretty(o.Manifest), Block: true}}
	switch obs.Kube.State {
	case facts.Up:
	case facts.Down:
		return c.deferred(ch, "the API server does not answer: "+obs.Kube.Message)
	case facts.Forbidden:
		if !o.SuperAdmin {
			return c.deferred(ch, "the admin may not read it yet")
		}
		ch.note(Create, "the everyday admin has no rights yet")
		return true
	default:
		ch.note(Create, "")
		return true
	}
	live, found := obs.Kube.Objects[ref.String()]
	if !found {
		ch.note(Create, "")
		return true
	}
	var want, have any
	if json.Unmarshal(o.Manifest, &want) != nil || json.Unmarshal(live, &have) != nil {
		ch.note(Update, "the live object cannot be read")
		return true
	}
	have = restrict(have, want)
	text, _ := json.Marshal(have)
	ch.Before = Attrs{"object": value(ref.String()), "manifest": {Text: pretty(text), Block: true}}
	if ch.Before["manifest"] != ch.After["manifest"] {
		ch.note(Update, "fields that hardway owns differ")
	}
	return true
}

// restrict keeps of have only what want speaks of.
func restrict(have, want any) any {
	w, ok := want.(map[string]any)
	if !ok {
		return have
	}
	h, ok := have.(map[string]any)
	if !ok {
		return have
	}
	out := map[string]any{}
	for k, v := range w {
		if x, ok := h[k]; ok {
			out[k] = restrict(x, v)
		}
	}
	return out
}

func pretty(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	b, _ := json.MarshalIndent(v, "", "  ") // keys sorted: equal values, equal text
	return string(b) + "\n"
}

// node compares the labels and taints that we set; others may add theirs.
func (c *comparison) node(ch *Change, n *resource.Node, obs facts.Observation, record state.Record) bool {
	n = dropped(n, record)
	ch.Spec = resource.Spec{Node: n}
	ch.After = Attrs{"node": value(n.Name), "labels": labels(n.Labels), "taints": value(strings.Join(slices.Sorted(slices.Values(n.Taints)), ", "))}
	switch obs.Kube.State {
	case facts.Up:
	case facts.Down:
		return c.deferred(ch, "the API server does not answer: "+obs.Kube.Message)
	case facts.Forbidden:
		return c.deferred(ch, "the admin may not read it yet")
	default:
		return c.newNode(ch, n)
	}
	raw, found := obs.Kube.Nodes[n.Name]
	if !found {
		return c.newNode(ch, n)
	}
	var live struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			Taints []struct{ Key, Value, Effect string } `json:"taints"`
		} `json:"spec"`
	}
	if json.Unmarshal(raw, &live) != nil {
		return c.deferred(ch, "kubectl printed a Node that cannot be read")
	}
	have := map[string]string{}
	for k, v := range live.Metadata.Labels {
		if _, wanted := n.Labels[k]; wanted || slices.Contains(n.DropLabels, k) {
			have[k] = v
		}
	}
	var taints, drop []string
	for _, t := range live.Spec.Taints {
		text, key := t.Key+"="+t.Value+":"+t.Effect, t.Key+":"+t.Effect
		if slices.Contains(n.Taints, text) || slices.Contains(n.DropTaints, key) {
			taints = append(taints, text)
		}
		if slices.Contains(n.DropTaints, key) {
			drop = append(drop, key)
		}
	}
	// what is gone already needs no dropping, and would be an error to drop
	n.DropTaints = drop
	n.DropLabels = slices.DeleteFunc(n.DropLabels, func(k string) bool { _, there := have[k]; return !there })
	slices.Sort(taints)
	ch.Before = Attrs{"node": value(n.Name), "labels": labels(have), "taints": value(strings.Join(taints, ", "))}
	if !maps.Equal(have, n.Labels) || !slices.Equal(taints, slices.Sorted(slices.Values(n.Taints))) {
		ch.note(Update, "labels or taints differ")
	}
	return true
}

// newNode plans for a Node that its kubelet is about to register.
func (c *comparison) newNode(ch *Change, n *resource.Node) bool {
	if own, ok := c.in.Observed[n.Host]; !ok || !own.Reachable() {
		return c.deferred(ch, fmt.Sprintf("%s could not be read, so nothing registers the Node", n.Host))
	}
	n.DropLabels, n.DropTaints = nil, nil
	ch.note(Create, "")
	return true
}

// dropped returns a copy of n that names what an earlier apply set on the Node
// and nobody wants any more; labels and taints of others stay.
func dropped(n *resource.Node, record state.Record) *resource.Node {
	next := *n
	before := record.Spec.Node
	if before == nil {
		return &next
	}
	wanted := func(key string) bool {
		return slices.ContainsFunc(n.Taints, func(t string) bool { k, e := taintKey(t); return k+":"+e == key })
	}
	if record.Pending { // it may not have come to dropping them
		next.DropLabels = slices.DeleteFunc(slices.Clone(before.DropLabels), func(k string) bool { _, kept := n.Labels[k]; return kept })
		next.DropTaints = slices.DeleteFunc(slices.Clone(before.DropTaints), wanted)
	}
	for _, k := range slices.Sorted(maps.Keys(before.Labels)) {
		if _, kept := n.Labels[k]; !kept {
			next.DropLabels = append(next.DropLabels, k)
		}
	}
	for _, t := range before.Taints {
		if key, effect := taintKey(t); !wanted(key + ":" + effect) {
			next.DropTaints = append(next.DropTaints, key+":"+effect)
		}
	}
	return &next
}

// taintKey takes key and effect of key=value:Effect.
func taintKey(t string) (key, effect string) {
	rest, effect, _ := strings.Cut(t, ":")
	key, _, _ = strings.Cut(rest, "=")
	return key, effect
}

func labels(m map[string]string) Value {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return value(strings.Join(out, ", "))
}
