package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"hardway/provision/facts"
	"hardway/provision/resource"
)

// liveNode is the part of a Node that is labelled and tainted.
type liveNode struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Taints []liveTaint `json:"taints,omitempty"`
	} `json:"spec"`
}

type liveTaint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

func (t liveTaint) is(key string) bool { return t.Key+":"+t.Effect == key }

// makeObject writes an object as the API server would keep it, with fields of
// its own beside ours, or sets on a Node what its change says.
func (w *world) makeObject(s resource.Spec) {
	w.t.Helper()
	if o := s.Object; o != nil {
		ref := facts.ObjectRef{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		w.objects[ref.String()] = withMetadata(w.t, o.Manifest, map[string]any{"uid": "1234", "resourceVersion": "7"})
		return
	}
	var live liveNode
	if raw, registered := w.nodes[s.Node.Name]; !registered {
		live.Metadata.Name, live.Metadata.Labels = s.Node.Name, map[string]string{"kubernetes.io/hostname": s.Node.Name}
		live.Spec.Taints = []liveTaint{{Key: "node.kubernetes.io/unschedulable", Effect: "NoSchedule"}}
	} else if err := json.Unmarshal(raw, &live); err != nil {
		w.t.Fatal(err)
	}
	if live.Metadata.Labels == nil {
		live.Metadata.Labels = map[string]string{}
	}
	maps.Copy(live.Metadata.Labels, s.Node.Labels)
	for _, k := range s.Node.DropLabels {
		if _, both := s.Node.Labels[k]; both {
			w.t.Fatalf("kubectl: can not both modify and remove the label %q", k)
		}
		if _, there := live.Metadata.Labels[k]; !there {
			w.t.Fatalf("kubectl: label %q not found", k)
		}
		delete(live.Metadata.Labels, k)
	}
	for _, k := range s.Node.DropTaints {
		before := len(live.Spec.Taints)
		live.Spec.Taints = slices.DeleteFunc(live.Spec.Taints, func(t liveTaint) bool { return t.is(k) })
		if len(live.Spec.Taints) == before {
			w.t.Fatalf("kubectl: taint %q not found", k)
		}
	}
	for _, taint := range s.Node.Taints {
		key, rest, _ := strings.Cut(taint, "=")
		value, effect, _ := strings.Cut(rest, ":")
		live.Spec.Taints = slices.DeleteFunc(live.Spec.Taints, func(t liveTaint) bool { return t.is(key + ":" + effect) })
		live.Spec.Taints = append(live.Spec.Taints, liveTaint{key, value, effect})
	}
	raw, err := json.Marshal(live)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes[s.Node.Name] = raw
}

// withMetadata adds fields to an object's metadata.
func withMetadata(t testing.TB, manifest json.RawMessage, extra map[string]any) json.RawMessage {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(manifest, &object); err != nil {
		t.Fatal(err)
	}
	metadata, _ := object["metadata"].(map[string]any)
	maps.Copy(metadata, extra)
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
