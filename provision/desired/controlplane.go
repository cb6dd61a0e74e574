package desired

import (
	"fmt"
	"net/netip"
	"strings"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/templates"
	"hardway/units"
)

// etcd adds a member of etcd.
func (hb *hostBuilder) etcd(trust trusted) {
	bin, sum := hb.binary("etcd", hb.lay.bin("etcd"))
	ctl, _ := hb.binary("etcdctl", hb.lay.bin("etcdctl"))
	tools := []addr.Address{ctl}
	if binaries.Has("etcdutl", hb.cfg.Etcd.Version) {
		util, _ := hb.binary("etcdutl", hb.lay.bin("etcdutl"))
		tools = append(tools, util)
	}
	data := hb.dir(hb.lay.data("etcd"), resource.Directory{Meta: resource.Root(0o700), Data: true})

	initial, err := initialMembers(hb.alloc.Etcd[hb.h.Name])
	if err != nil {
		hb.fail("%s: %w", hb.h.Range, err)
	}
	initial.Token = hb.cfg.Name + "-" + hb.state.Lineage
	env, err := units.EtcdInitialEnv(initial)
	if err != nil {
		hb.fail("%s: %w", hb.h.Range, err)
	}
	envPath := hb.lay.conf("etcd-initial.env")
	envFile := hb.put(resource.File{Path: envPath, Meta: resource.Root(0o644), Content: env, Once: true})

	u, err := units.Etcd(units.EtcdParams{
		Version: hb.cfg.Etcd.Version, Bin: hb.cfg.Directories.Bin, Name: hb.h.Name, Address: hb.h.Address, DataDir: hb.lay.data("etcd"),
		Serving: hb.pair(certs.LeafEtcdServer), Peer: hb.pair(certs.LeafEtcdPeer),
		TrustedCA: hb.lay.bundle(certs.AuthorityEtcd), PeerTrustedCA: hb.lay.bundle(certs.AuthorityEtcd),
		InitialEnvFile: envPath, Flags: hb.h.Etcd.Flags,
	})
	hb.component(units.ComponentEtcd, u, err,
		map[string]string{"binary": sum, "ca": hb.generation(authority(certs.AuthorityEtcd))}, []addr.Address{bin, trust.etcd}, nil,
		append(tools, data, envFile,
			hb.leaf(certs.LeafEtcdServer, servedAt("2379")), hb.leaf(certs.LeafEtcdPeer, servedAt("2380")), hb.leaf(certs.LeafEtcdHealthcheckClient, nil))...)
}

// initialMembers reads from the allocation table what a member was made with,
// so that a master that comes or goes later does not change the others' files.
func initialMembers(m state.EtcdMember) (units.EtcdInitial, error) {
	out := units.EtcdInitial{Existing: m.InitialState == "existing"}
	for part := range strings.SplitSeq(m.InitialCluster, ",") {
		name, peer, _ := strings.Cut(part, "=")
		at, err := netip.ParseAddrPort(strings.TrimPrefix(peer, "https://"))
		if err != nil {
			return out, fmt.Errorf("the allocation of the etcd member %s has the initial cluster %q: %w", m.Name, m.InitialCluster, err)
		}
		member := units.EtcdMember{Name: name, Address: at.Addr()}
		out.Members = append(out.Members, member)
		if name == m.Name {
			out.Self = member
		}
	}
	return out, nil
}

// EndpointAPI is the Endpoint of the API server's certificate: its port is the
// configuration's.
const EndpointAPI = "api"

// servedAt says where a serving certificate is shown to clients.
func servedAt(port string) func(*resource.Certificate) {
	return func(c *resource.Certificate) { c.Endpoint = port }
}

// pair is where a leaf of the catalogue lies.
func (hb *hostBuilder) pair(leaf string) units.KeyPair {
	p := hb.lay.files.Leaves[leaf]
	return units.KeyPair{Cert: hb.lay.pki(p.Cert), Key: hb.lay.pki(p.Key)}
}

// controlPlane adds the API server, the controller manager and the scheduler.
func (hb *hostBuilder) controlPlane(trust trusted) {
	kubectl, _ := hb.binary("kubectl", hb.lay.bin("kubectl"))
	saPublic := hb.material(hb.lay.saPublic(), 0o644, resource.MaterialPublic(certs.KeyPairServiceAccount), keypair(certs.KeyPairServiceAccount))
	saPrivate := hb.material(hb.lay.saPrivate(), 0o600, resource.MaterialPrivate(certs.KeyPairServiceAccount), keypair(certs.KeyPairServiceAccount))
	_, admin := hb.client(certs.LeafAdmin, hb.apiServer(), trust)

	api := hb.apiServerUnit(trust, append([]addr.Address{kubectl, saPublic, saPrivate}, admin.all()...))
	hb.controllerManager(trust, append([]addr.Address{api, saPrivate}, admin.all()...))
	hb.scheduler(trust, append([]addr.Address{api}, admin.all()...))
}

func (hb *hostBuilder) apiServerUnit(trust trusted, deps []addr.Address) addr.Address {
	bin, sum := hb.binary(units.ComponentAPIServer, hb.lay.bin(units.ComponentAPIServer))
	policy := templates.AuditPolicy()
	policyFile := hb.file(hb.lay.conf("audit-policy.yaml"), 0o600, policy)
	logs := hb.dir(hb.cfg.Directories.Log, resource.Directory{Meta: resource.Root(0o755)})
	p := units.APIServerParams{
		Version: hb.cfg.Version, Bin: hb.cfg.Directories.Bin, AdvertiseAddress: hb.h.Address, Port: hb.cfg.API.Port,
		ServiceCIDR: hb.cfg.ServiceCIDR, DNSDomain: hb.cfg.DNSDomain,
		Serving: hb.pair(certs.LeafAPIServer), KubeletClient: hb.pair(certs.LeafAPIServerKubeletClient),
		EtcdClient: hb.pair(certs.LeafAPIServerEtcdClient), FrontProxyClient: hb.pair(certs.LeafFrontProxyClient),
		ClientCA: hb.lay.bundle(certs.AuthorityKubernetes), KubeletCA: hb.lay.bundle(certs.AuthorityKubernetes),
		EtcdCA: hb.lay.bundle(certs.AuthorityEtcd), FrontProxyCA: hb.lay.bundle(certs.AuthorityFrontProxy),
		FrontProxyNames:      []string{"front-proxy-client"},
		ServiceAccountPublic: hb.lay.saPublic(), ServiceAccountPrivate: hb.lay.saPrivate(),
		AuditPolicy: hb.lay.conf("audit-policy.yaml"), AuditLog: hb.lay.log("audit.log"),
		Flags: hb.h.APIServer.Flags,
	}
	for _, m := range hb.masters {
		p.EtcdServers = append(p.EtcdServers, "https://"+address(m.Address, units.EtcdClientPort))
		deps = append(deps, unit(m.Addr, units.ComponentEtcd))
	}
	u, err := units.APIServer(p)
	deps = append(deps, bin, policyFile, logs, trust.kubernetes, trust.etcd, trust.frontProxy,
		hb.leaf(certs.LeafAPIServer, servedAt(EndpointAPI)), hb.leaf(certs.LeafAPIServerKubeletClient, nil),
		hb.leaf(certs.LeafAPIServerEtcdClient, nil), hb.leaf(certs.LeafFrontProxyClient, nil))
	return hb.component(units.ComponentAPIServer, u, err, map[string]string{
		"binary": sum, "audit-policy": policy,
		// read once at the start; the other trust bundles and all leaf
		// certificates are read again when their files change
		"etcd-ca": hb.generation(authority(certs.AuthorityEtcd)), "service-account": hb.generation(keypair(certs.KeyPairServiceAccount)),
	}, []addr.Address{bin, policyFile, trust.etcd}, nil, deps...)
}

func (hb *hostBuilder) controllerManager(trust trusted, deps []addr.Address) {
	bin, sum := hb.binary(units.ComponentControllerManager, hb.lay.bin(units.ComponentControllerManager))
	conf, client := hb.client(certs.LeafControllerManager, hb.apiServer(), trust)
	p := units.ControllerManagerParams{
		Version: hb.cfg.Version, Bin: hb.cfg.Directories.Bin, ClusterName: hb.cfg.Name, Kubeconfig: conf,
		ClientCA: hb.lay.bundle(certs.AuthorityKubernetes), FrontProxyCA: hb.lay.bundle(certs.AuthorityFrontProxy),
		RootCA: hb.lay.bundle(certs.AuthorityKubernetes), ServiceAccountPrivate: hb.lay.saPrivate(),
		Serving: hb.pair(certs.LeafControllerManagerServing), Flags: hb.h.ControllerManager.Flags,
	}
	if hb.cfg.PKI.CSRSigning {
		maker := authority(certs.AuthorityKubernetes)
		p.Signing = units.KeyPair{Cert: hb.lay.signingCert(), Key: hb.lay.signingKey()}
		deps = append(deps,
			hb.material(p.Signing.Cert, 0o644, resource.MaterialCert(certs.AuthorityKubernetes), maker),
			hb.material(p.Signing.Key, 0o600, resource.MaterialKey(certs.AuthorityKubernetes), maker))
	}
	u, err := units.ControllerManager(p)
	deps = append(deps, bin, trust.frontProxy, hb.leaf(certs.LeafControllerManagerServing, servedAt("10257")))
	hb.component(units.ComponentControllerManager, u, err, map[string]string{
		"binary": sum, "kubeconfig": client.text,
		"root-ca": hb.generation(authority(certs.AuthorityKubernetes)), "service-account": hb.generation(keypair(certs.KeyPairServiceAccount)),
	}, []addr.Address{bin, client.conf, trust.kubernetes}, nil, append(deps, client.all()...)...)
}

func (hb *hostBuilder) scheduler(trust trusted, deps []addr.Address) {
	bin, sum := hb.binary(units.ComponentScheduler, hb.lay.bin(units.ComponentScheduler))
	conf, client := hb.client(certs.LeafScheduler, hb.apiServer(), trust)
	p := units.SchedulerParams{
		Version: hb.cfg.Version, Bin: hb.cfg.Directories.Bin, Kubeconfig: conf, ConfigFile: hb.lay.conf("scheduler.yaml"),
		Serving: hb.pair(certs.LeafSchedulerServing), Flags: hb.h.Scheduler.Flags, Config: hb.h.Scheduler.Config,
	}
	text, err := units.SchedulerConfig(p)
	if err != nil {
		hb.fail("%s: %w", hb.h.Range, err)
	}
	file := hb.file(p.ConfigFile, 0o600, text)
	u, err := units.Scheduler(p)
	deps = append(deps, bin, file, hb.leaf(certs.LeafSchedulerServing, servedAt("10259")))
	hb.component(units.ComponentScheduler, u, err, map[string]string{"binary": sum, "config": text, "kubeconfig": client.text},
		[]addr.Address{bin, file, client.conf}, nil, append(deps, client.all()...)...)
}
