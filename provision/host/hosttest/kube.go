package hosttest

import (
	"encoding/json"
	"slices"
	"strings"
)

// Cluster is a store of Kubernetes objects that machines share. Its API is up
// while kube-apiserver.service is active on one of them; a machine with an active
// kubelet.service has a Ready Node by its name.
type Cluster struct {
	objects   map[string]map[string]any // by objectKey
	machines  []*Machine
	forbidden string
}

// Join puts the machines into one cluster, that of the first. It comes before any
// operation on them.
func Join(first *Machine, others ...*Machine) {
	for _, m := range others {
		m.mu, m.kube = first.mu, first.kube
		first.kube.machines = append(first.kube.machines, m)
	}
}

// Forbid makes the API answer, but refuse everything with this message; an empty
// one ends that.
func (m *Machine) Forbid(message string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kube.forbidden = message
}

func (c *Cluster) up() bool {
	return slices.ContainsFunc(c.machines, func(m *Machine) bool {
		return m.active("kube-apiserver.service") || m.active("kube-apiserver.program")
	})
}

func (m *Machine) active(unit string) bool {
	u, ok := m.units[unit]
	return ok && u.active == "active" && m.down == nil
}

// register makes the Nodes of the machines whose kubelet runs.
func (c *Cluster) register() {
	for _, m := range c.machines {
		key := objectKey("node", "", m.Name)
		if c.objects[key] != nil || !m.active("kubelet.service") && !m.active("kubelet.program") {
			continue
		}
		c.objects[key] = map[string]any{
			"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": m.Name, "labels": map[string]any{
				"kubernetes.io/hostname": m.Name, "kubernetes.io/arch": m.system.Arch, "kubernetes.io/os": "linux"}},
			"spec": map[string]any{},
			"status": map[string]any{"conditions": []any{
				map[string]any{"type": "Ready", "status": "True", "reason": "KubeletReady"}}},
		}
	}
}

func (c *Cluster) dump() map[string]string {
	out := map[string]string{}
	for k, o := range c.objects {
		out[k] = string(encode(o))
	}
	return out
}

func encode(o map[string]any) json.RawMessage {
	b, err := json.Marshal(o)
	if err != nil { // it came from JSON
		panic(err)
	}
	return b
}

// objectKey takes a kind as kubectl does: in the singular or plural, in any case,
// with or without its group.
func objectKey(kind, namespace, name string) string {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ".")
	switch {
	case strings.HasSuffix(kind, "sses"):
		kind = strings.TrimSuffix(kind, "es")
	case kind != "endpoints" && !strings.HasSuffix(kind, "ss"):
		kind = strings.TrimSuffix(kind, "s")
	}
	return kind + "/" + namespace + "/" + name
}
