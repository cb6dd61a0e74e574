package desired

import (
	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/templates"
	"hardway/units"
)

// Role labels, which only an admin may set: NodeRestriction forbids a kubelet to.
const (
	labelControlPlane = "node-role.kubernetes.io/control-plane"
	labelWorker       = "node-role.kubernetes.io/worker"
)

// objects adds what lives in the API: the bindings that give our certificates
// their rights, and the labels and taints of the Nodes.
func (b *builder) objects() {
	first := b.masters[0].Addr
	kubectl := b.kubectl(first)
	api := unit(first, units.ComponentAPIServer)
	manifests, err := templates.ClusterRoleBindings(templates.KubeletClientUser, certs.GroupAdmins)
	if err != nil {
		b.fail("%w", err)
	}
	var bindings []addr.Address
	for _, m := range manifests {
		bindings = append(bindings, b.add(cluster, m.Name, resource.Spec{Object: &resource.Object{
			Kind: "clusterrolebinding", Name: m.Name, Manifest: m.JSON, SuperAdmin: true, Kubectl: kubectl,
		}}, api))
	}

	for _, h := range b.cfg.Hosts {
		labels := map[string]string{}
		for k, v := range h.Labels {
			labels[k] = v
		}
		var taints []string
		if h.IsMaster() {
			labels[labelControlPlane] = ""
			t := units.ControlPlaneTaint()
			taints = append(taints, t.Key+"="+t.Value+":"+t.Effect)
		} else {
			labels[labelWorker] = ""
		}
		for _, t := range h.Taints {
			taints = append(taints, t.Key+"="+t.Value+":"+t.Effect)
		}
		b.add(cluster, h.Name, resource.Spec{Node: &resource.Node{
			Name: h.Name, Host: h.Addr, Labels: labels, Taints: taints, Kubectl: kubectl, Timeout: nodeTimeout,
			KubeletUnit: b.kubeletUnit(),
		}}, append([]addr.Address{unit(h.Addr, units.ComponentKubelet), unit(h.Addr, units.ComponentKubeProxy)}, bindings...)...)
	}
}
