package desired

import (
	"time"

	"hardway/certs"
	"hardway/provision/config"
	"hardway/provision/health"
	"hardway/provision/resource"
	"hardway/units"
)

// Health compiles what `hardway verify` asks: the gate of every component on
// every host that runs it, etcd through its own client, the Nodes, and the
// smoke test.
func Health(cfg *config.Cluster) health.Spec {
	b := newBuilder(cfg)
	spec := health.Spec{Cluster: cfg.Name, Kubectl: b.lay.bin("kubectl"), Kubeconfig: b.lay.conf("admin.conf"),
		Smoke: health.Smoke{Image: cfg.Verify.Image, Namespace: "hardway-verify", Timeout: cfg.Verify.Timeout}}
	for _, h := range cfg.Hosts {
		hb := &hostBuilder{builder: b, h: h, at: h.Addr}
		if h.IsMaster() {
			spec.Masters = append(spec.Masters, h.Addr)
			spec.Probes = append(spec.Probes, health.Probe{Host: h.Addr, Component: units.ComponentEtcd, Gate: hb.etcdHealth()})
		}
		for _, c := range units.Components(cfg.Version) {
			if h.IsMaster() && !c.Master || !h.IsMaster() && !c.Node {
				continue
			}
			if g := hb.gate(c); g != nil {
				g.Timeout = 10 * time.Second // it should be healthy, not become so
				spec.Probes = append(spec.Probes, health.Probe{Host: h.Addr, Component: c.Name, Gate: *g})
				if c.Name == units.ComponentAPIServer {
					live := *g
					live.Name, live.Argv = c.Name+" /livez", append(append([]string{}, g.Argv[:len(g.Argv)-1]...), "/livez")
					spec.Probes = append(spec.Probes, health.Probe{Host: h.Addr, Component: c.Name, Gate: live})
				}
			}
		}
		spec.Nodes = append(spec.Nodes, health.NodeSpec{Host: h.Addr, Name: h.Name})
	}
	return spec
}

// etcdHealth asks a member the way a client does: over TLS, with a certificate,
// and for a proposal that a quorum accepts.
func (hb *hostBuilder) etcdHealth() resource.Gate {
	client := hb.pair(certs.LeafEtcdHealthcheckClient)
	return resource.Gate{Name: "etcdctl endpoint health", Timeout: 10 * time.Second, Argv: []string{
		hb.lay.bin("etcdctl"), "--endpoints", "https://" + address(hb.h.Address, units.EtcdClientPort),
		"--cacert", hb.lay.bundle(certs.AuthorityEtcd), "--cert", client.Cert, "--key", client.Key,
		"--command-timeout=5s", "endpoint", "health",
	}}
}
