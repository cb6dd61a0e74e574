package runbook

import (
	"maps"
	"slices"
	"strings"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Where the break-glass certificate lies for the moment of its use: on a tmpfs.
const (
	superAdminCert = "/run/hardway-super-admin.crt"
	superAdminKey  = "/run/hardway-super-admin.key"
)

// objects writes what lives in the API.
func (w *writer) objects(g group) error {
	h := w.firstMaster()
	req, err := certs.NewRequest(certs.LeafSuperAdmin, certs.Params{Algorithm: certs.Algorithm(w.authority(certs.AuthorityKubernetes).Algorithm), Validity: day})
	if err != nil {
		return err
	}
	s := w.workstation()
	s.line("mkdir -p super-admin/run")
	err = s.leaf(&resource.Certificate{
		Name: req.Name, CertPath: superAdminCert, KeyPath: superAdminKey, Owner: "root", Group: "root", Authority: req.Authority,
		Subject: resource.Subject{CN: req.Subject.CN, O: req.Subject.O}, Usages: req.Usages, Algorithm: string(req.Algorithm), Validity: req.Validity,
	}, "super-admin", w.authority(req.Authority))
	if err != nil {
		return err
	}
	w.carry(s, "super-admin", h)
	s.line("rm -r super-admin")
	t := &script{}
	w.unpack(t, h)
	for _, r := range g.resources {
		o := r.Spec.Object
		credential := []string{"--kubeconfig", o.Kubectl.Kubeconfig}
		if o.SuperAdmin {
			credential = []string{"--kubeconfig=/dev/null", "--server=" + o.Kubectl.Server, "--certificate-authority=" + w.bundle(h, certs.AuthorityKubernetes),
				"--client-certificate=" + superAdminCert, "--client-key=" + superAdminKey}
		}
		t.here(quote(o.Kubectl.Path)+" "+strings.Join(quoted(credential), " \\\n    ")+" \\\n    apply --server-side --field-manager=hardway -f -", string(o.Manifest)+"\n")
	}
	t.line("rm %s %s", superAdminCert, superAdminKey)
	w.step(g, "Roles", whyObjects, s.block(workstation), t.block(h))
	return nil
}

// node waits for a Node and sets what a kubelet may not set itself.
func (w *writer) node(g group) {
	h := w.firstMaster()
	s := &script{}
	for _, r := range g.resources {
		n := r.Spec.Node
		kubectl := words([]string{n.Kubectl.Path, "--kubeconfig", n.Kubectl.Kubeconfig})
		seconds := int(n.Timeout.Seconds())
		s.line("timeout %d sh -c 'until \"$@\" >/dev/null 2>&1; do sleep 1; done' sh %s get node %s", seconds, kubectl, quote(n.Name))
		var labels []string
		for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
			labels = append(labels, k+"="+n.Labels[k])
		}
		if len(labels) > 0 {
			s.line("%s label node %s --overwrite %s", kubectl, quote(n.Name), words(labels))
		}
		if len(n.Taints) > 0 {
			s.line("%s taint node %s --overwrite %s", kubectl, quote(n.Name), words(n.Taints))
		}
		restart := "systemctl restart kubelet"
		if n.KubeletUnit != "" {
			restart = "supervisorctl restart kubelet"
		}
		s.line("# a kubelet that stays NotReady because it started too early needs one: %s", restart)
		s.line("%s wait --for=condition=Ready node/%s --timeout=%ds", kubectl, quote(n.Name), seconds)
		g.topic.host = n.Host
	}
	w.step(g, "The Node "+g.topic.name, whyNode, s.block(h))
}

// firstMaster is where kubectl is run.
func (w *writer) firstMaster() addr.Host {
	for _, h := range w.in.Hosts {
		if h.Addr.Role == addr.Master {
			return h.Addr
		}
	}
	return workstation // a cluster without a master has no object either
}

// bundle is the path of an authority's trust bundle on a host.
func (w *writer) bundle(h addr.Host, authority string) string {
	for _, r := range w.in.Want.All() {
		if f := r.Spec.File; f != nil && r.Addr.Host == h && f.Material == resource.MaterialBundle(authority) {
			return f.Path
		}
	}
	return ""
}

// authority is what the set says of an authority.
func (w *writer) authority(name string) resource.Authority {
	r, ok := w.in.Want.Get(addr.Address{Host: workstation, Kind: string(resource.KindAuthority), Name: name})
	if !ok {
		return resource.Authority{}
	}
	return *r.Spec.Authority
}

// material splits a name of the state's material in what and whose.
func material(name string) (what, whose string) {
	what, whose, _ = strings.Cut(name, "/")
	return what, whose
}
