package ssh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"hardway/provision/facts"
)

// kubeItem is what of an object tells which one it is.
type kubeItem struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
	Items []json.RawMessage `json:"items"`
}

// finishKube sorts what kubectl printed into nodes and the objects asked for.
// What is not among them is absent, but only if the API answered throughout.
func (p *observationParser) finishKube() error {
	if p.req.Kube == nil {
		p.obs.Kube = facts.Kube{}
		return nil
	}
	k := &p.obs.Kube
	switch k.State {
	case facts.NoCluster, facts.Up:
	case facts.Down, facts.Forbidden:
		return nil // half an answer is none
	default:
		return fmt.Errorf("%w: cluster state %q", errProtocol, printable(string(k.State), 40))
	}
	k.Nodes, k.Objects = map[string]json.RawMessage{}, map[string]json.RawMessage{}
	refs := map[string]string{}
	for _, r := range p.req.Kube.Objects {
		refs[itemKey(r.Kind, r.Namespace, r.Name)] = r.String()
	}
	for _, raw := range p.items {
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue // --ignore-not-found, and nothing found
		}
		var item kubeItem
		if err := json.Unmarshal(raw, &item); err != nil {
			return fmt.Errorf("what kubectl printed: %w", err)
		}
		items := item.Items
		if !strings.HasSuffix(item.Kind, "List") {
			items = []json.RawMessage{raw}
		}
		for _, one := range items {
			var i kubeItem
			if err := json.Unmarshal(one, &i); err != nil {
				return fmt.Errorf("what kubectl printed: %w", err)
			}
			if i.Kind == "Node" && p.req.Kube.Nodes {
				k.Nodes[i.Metadata.Name] = one
			}
			if ref, ok := refs[itemKey(i.Kind, i.Metadata.Namespace, i.Metadata.Name)]; ok {
				k.Objects[ref] = one
			}
		}
	}
	return nil
}

// itemKey compares a kind as kubectl takes it (clusterrolebinding, or with its
// group behind a dot, or in the plural) with one as an object has it.
func itemKey(kind, namespace, name string) string {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ".")
	if strings.HasSuffix(kind, "sses") || strings.HasSuffix(kind, "xes") {
		kind = strings.TrimSuffix(kind, "es")
	} else if kind != "endpoints" && !strings.HasSuffix(kind, "ss") {
		kind = strings.TrimSuffix(kind, "s")
	}
	return kind + "/" + namespace + "/" + name
}
