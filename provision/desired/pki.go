package desired

import (
	"net/netip"
	"path"
	"strconv"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
)

// authorities adds what only the state holds: the three authorities and the
// service-account keys.
func (b *builder) authorities() {
	for _, row := range certs.Authorities() {
		a := b.cfg.PKI.Authorities[row.Name]
		b.add(cluster, row.Name, resource.Spec{Authority: &resource.Authority{
			CN: a.CommonName, Names: resource.Subject(b.cfg.PKI.Subject), Algorithm: a.Algorithm, Validity: a.Validity, Generation: 1,
		}})
	}
	b.add(cluster, certs.KeyPairServiceAccount, resource.Spec{KeyPair: &resource.KeyPair{Algorithm: b.cfg.PKI.ServiceAccountAlgorithm, Generation: 1}})
}

// generation names an authority or key pair as an input of what reads it: a
// change of it needs a restart of most components. The lineage stands in it, so
// that a cluster made anew is not taken for the old one; the certificate itself
// cannot, because a first plan is made before it exists.
func (b *builder) generation(a addr.Address) string {
	n := 1
	switch a.Kind {
	case string(resource.KindAuthority):
		n = max(n, b.state.Authorities[a.Name].Generation)
	case string(resource.KindKeyPair):
		n = max(n, b.state.KeyPairs[a.Name].Generation)
	}
	return a.String() + "@" + b.state.Lineage + "/" + strconv.Itoa(n)
}

// trusted are the trust bundles of one host.
type trusted struct{ kubernetes, etcd, frontProxy addr.Address }

// trust adds the bundles that a host's components verify others with.
func (hb *hostBuilder) trust() trusted {
	bundle := func(name string) addr.Address {
		return hb.material(hb.lay.bundle(name), 0o644, resource.MaterialBundle(name), authority(name))
	}
	t := trusted{kubernetes: bundle(certs.AuthorityKubernetes)}
	if hb.h.IsMaster() {
		t.etcd, t.frontProxy = bundle(certs.AuthorityEtcd), bundle(certs.AuthorityFrontProxy)
	}
	return t
}

// leaf adds a certificate of the catalogue with its key.
func (hb *hostBuilder) leaf(name string, change func(*resource.Certificate)) addr.Address {
	set := hb.cfg.PKI.Certificates[name]
	params := hb.params()
	params.Algorithm, params.Validity = certs.Algorithm(set.Algorithm), set.Validity
	req, err := certs.NewRequest(name, params)
	if err != nil {
		hb.fail("%s: %w", hb.h.Range, err)
	}
	files := hb.pair(name)
	c := resource.Certificate{
		Name: name, CertPath: files.Cert, KeyPath: files.Key, Owner: "root", Group: "root",
		Authority: req.Authority, Subject: resource.Subject(req.Subject),
		DNS: req.DNS, IPs: req.IPs, Usages: req.Usages, Algorithm: string(req.Algorithm),
		Validity: req.Validity, RenewBefore: set.RenewBefore,
	}
	if change != nil {
		change(&c)
	}
	deps := []addr.Address{authority(req.Authority)}
	for _, dir := range []string{path.Dir(c.CertPath), path.Dir(c.KeyPath)} {
		if !system[dir] {
			deps = append(deps, hb.plain(dir))
		}
	}
	return hb.add(hb.at, name, resource.Spec{Certificate: &c}, deps...)
}

// params are the names that the certificates of a host may carry.
func (hb *hostBuilder) params() certs.Params {
	p := certs.Params{
		Host: certHost(hb.h), ServiceIP: hb.cfg.ServiceCIDR.Masked().Addr().Next(), DNSDomain: hb.cfg.DNSDomain,
		ExtraSANs: hb.cfg.API.ExtraSANs, Names: hb.cfg.PKI.Subject,
	}
	for _, m := range hb.masters {
		p.Masters = append(p.Masters, certHost(m))
	}
	if hb.cfg.API.Host != "" {
		p.APIHosts = []string{hb.cfg.API.Host}
	}
	return p
}

func certHost(h config.Host) certs.Host {
	return certs.Host{Name: h.Name, Addresses: []netip.Addr{h.Address}}
}

// kubeconfig adds a host's kubeconfig. It references the certificate's files,
// so that a renewed one is noticed without a restart. It returns path and text.
func (hb *hostBuilder) kubeconfig(name, user, server, cert, key string, deps ...addr.Address) (string, string, addr.Address) {
	// Those that hold no name of a host are the same on all of them.
	like := [4]string{user, server, cert, key}
	text, made := hb.kubeconfigs[like]
	if !made {
		out, err := certs.Kubeconfig(certs.KubeconfigSpec{
			Cluster: hb.cfg.Name, Server: server, CAFile: hb.lay.bundle(certs.AuthorityKubernetes),
			User: user, CertFile: cert, KeyFile: key,
		})
		if err != nil {
			hb.fail("%s: %w", hb.h.Range, err)
		}
		text = string(out)
		hb.kubeconfigs[like] = text
	}
	p := hb.lay.conf(name)
	return p, text, hb.file(p, 0o600, text, deps...)
}

// credential is a client certificate with the kubeconfig that carries it.
type credential struct {
	cert, conf, trust addr.Address
	text              string // of the kubeconfig, which is read at the start
}

// all is what to wait for.
func (c credential) all() []addr.Address { return []addr.Address{c.cert, c.conf, c.trust} }

// client adds a client certificate of the catalogue and its kubeconfig, whose
// path it returns.
func (hb *hostBuilder) client(leaf, server string, trust trusted) (string, credential) {
	row, _ := certs.Lookup(leaf)
	c := credential{cert: hb.leaf(leaf, nil), trust: trust.kubernetes}
	var p string
	p, c.text, c.conf = hb.kubeconfig(row.Kubeconfig, row.CN, server, hb.pair(leaf).Cert, hb.pair(leaf).Key)
	return p, c
}
