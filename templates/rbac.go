package templates

import (
	"encoding/json"
	"fmt"
)

// Names of the users and groups that hardway binds itself.
const (
	// KubeletClientUser is the common name with which the API server asks kubelets.
	KubeletClientUser = "kube-apiserver-kubelet-client"
	// ClusterAdmins is the group of everyday administrators. It is bound to
	// cluster-admin, and can be unbound again, unlike system:masters.
	ClusterAdmins = "hardway:cluster-admins"
)

// Manifest is a Kubernetes object as canonical JSON.
type Manifest struct {
	Kind, Name string
	JSON       json.RawMessage
}

// ClusterRoleBindings returns the bindings that a new cluster needs before
// anything else works: the API server may use the kubelets' API (logs, exec),
// and the administrators may do everything. The subjects are KubeletClientUser
// and ClusterAdmins unless given.
func ClusterRoleBindings(kubeletClient, admins string) ([]Manifest, error) {
	if kubeletClient == "" {
		kubeletClient = KubeletClientUser
	}
	if admins == "" {
		admins = ClusterAdmins
	}
	var out []Manifest
	for _, b := range []struct{ name, role, kind, subject string }{
		{"hardway:cluster-admins", "cluster-admin", "Group", admins},
		// A role of every cluster; the Kubernetes project's own installer binds it so.
		{"hardway:kube-apiserver-kubelet-client", "system:kubelet-api-admin", "User", kubeletClient},
	} {
		const group = "rbac.authorization.k8s.io"
		text, err := json.Marshal(map[string]any{ // keys are sorted
			"apiVersion": group + "/v1",
			"kind":       "ClusterRoleBinding",
			"metadata":   map[string]any{"name": b.name, "labels": map[string]string{"app.kubernetes.io/managed-by": "hardway"}},
			"roleRef":    map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": b.role},
			"subjects":   []any{map[string]any{"apiGroup": group, "kind": b.kind, "name": b.subject}},
		})
		if err != nil {
			return nil, fmt.Errorf("rendering ClusterRoleBinding %s: %w", b.name, err)
		}
		out = append(out, Manifest{"ClusterRoleBinding", b.name, text})
	}
	return out, nil
}
