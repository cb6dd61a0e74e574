package desired

import (
	"maps"
	"slices"
	"strings"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/templates"
	"hardway/units"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// runtime adds containerd with runc, the CNI plugins and the images that are
// imported, and returns what a kubelet has to wait for.
func (hb *hostBuilder) runtime(machine []addr.Address) []addr.Address {
	inputs := map[string]string{}
	var bins, read []addr.Address
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc"} {
		a, sum := hb.binary(name, hb.lay.bin(name))
		bins = append(bins, a)
		// The shim and runc are started for each pod: they go with the daemon, host by
		// host, and back with it. ctr is only a client.
		if name != "ctr" {
			inputs[name], read = sum, append(read, a)
		}
	}
	kubelet := hb.kubeletParams()
	text, err := templates.Containerd(templates.ContainerdParams{
		Version: hb.cfg.Runtime.Version, Root: hb.lay.data("containerd"), Runc: hb.lay.bin("runc"), CNIBin: hb.cfg.Directories.CNI,
		SandboxImage: hb.cfg.Runtime.SandboxImage, CgroupDriver: units.EffectiveCgroupDriver(kubelet), Config: hb.h.Containerd.Config,
	})
	if err != nil {
		hb.fail("%s: %w", hb.cfg.Runtime.Range, err)
	}
	inputs["config"] = text
	config := hb.file(templates.ContainerdPath, 0o644, text)
	// Another installation may have used the directory before: only what was
	// empty or absent when hardway came is emptied by destroy.
	data := hb.dir(hb.lay.data("containerd"), resource.Directory{Meta: resource.Root(0o700), Purge: true})
	u, err := units.Containerd(units.ContainerdParams{Bin: hb.cfg.Directories.Bin, ConfigFile: templates.ContainerdPath})
	deps := slices.Concat(machine, bins, []addr.Address{config, data})
	// containerd makes it at its first start, for programs that come in images.
	deps = append(deps, hb.dir("/opt/containerd", resource.Directory{Meta: resource.Root(0o711), Purge: true}))
	// It watches the one, and makes it where nobody did; the other it looks into.
	deps = append(deps, hb.plain(templates.CNIConfDir), hb.plain(hb.cfg.Directories.CNI))
	daemon := hb.component(units.ComponentContainerd, u, err, inputs, append(read, config), nil, deps...)

	wait := []addr.Address{daemon}
	for _, ref := range sortedKeys(hb.cfg.Runtime.Images) {
		pin, ok := hb.lock.Image(ref)
		if !ok {
			hb.fail("%s: image %s is not in hardway.lock.hcl; run `hardway init`", hb.cfg.Runtime.ImageRanges[ref], ref)
		}
		wait = append(wait, hb.add(hb.at, ref, resource.Spec{Image: &resource.Image{
			Ref: ref, SHA256: pin.SHA256, Size: pin.Size, Ctr: hb.lay.bin("ctr"), Socket: templates.ContainerdSocket,
		}}, daemon))
	}
	return wait
}

// network adds what connects the pods of this host with the others'.
func (hb *hostBuilder) network(machine []addr.Address) []addr.Address {
	if hb.cfg.Network.Name != "bridge" {
		return nil
	}
	var wait []addr.Address
	for _, name := range []string{"bridge", "host-local", "loopback", "portmap"} {
		a, _ := hb.binary(name, hb.lay.plugin(name))
		wait = append(wait, a)
	}
	text, err := templates.CNI(templates.CNIParams{Name: hb.cfg.Name, PodCIDR: hb.alloc.Pods[hb.h.Name].CIDR})
	if err != nil {
		hb.fail("%s: %w", hb.cfg.Network.Range, err)
	}
	wait = append(wait,
		hb.file(templates.CNIPath, 0o600, text),
		hb.dir(cniStateDir, resource.Directory{Meta: resource.Root(0o755), Purge: true}))
	if len(hb.cfg.Hosts) > 1 {
		list := hb.file(hb.lay.conf("pod-routes"), 0o644, hb.routesText)
		u, err := units.Routes(units.RoutesParams{List: hb.lay.conf("pod-routes"), Own: hb.h.Address})
		wait = append(wait, hb.component(units.ComponentRoutes, u, err, map[string]string{"routes": hb.routesText}, []addr.Address{list}, nil, machine...))
	}
	return wait
}

func (hb *hostBuilder) kubeletParams() units.KubeletParams {
	p := units.KubeletParams{
		Version: hb.cfg.Version, Bin: hb.cfg.Directories.Bin, NodeIP: hb.h.Address, RootDir: hb.lay.data("kubelet"),
		Kubeconfig: hb.lay.conf("kubelet.conf"), ConfigFile: hb.lay.data("kubelet", "config.yaml"),
		ClientCA: hb.lay.bundle(certs.AuthorityKubernetes), Serving: hb.pair(certs.LeafKubeletServing),
		DNSDomain: hb.cfg.DNSDomain, RuntimeEndpoint: "unix://" + templates.ContainerdSocket,
		PauseImage: hb.cfg.Runtime.SandboxImage,
		Flags:      hb.h.Kubelet.Flags, Config: hb.h.Kubelet.Config,
	}
	p.ProtectKernelDefaults = hb.protectsKernel()
	if hb.cfg.DNSAddress.IsValid() {
		p.DNS = append(p.DNS, hb.cfg.DNSAddress)
	}
	// A host that was not seen yet is taken to be called as its block says; the
	// flag appears only where it is not.
	if f, ok := hb.facts[hb.at]; ok && f.Reachable() && f.Hostname != "" && strings.ToLower(f.Hostname) != hb.h.Name {
		p.HostnameOverride = hb.h.Name
	}
	// A pod that inherited the stub resolver's 127.0.0.53 would ask itself.
	if f, ok := hb.facts[hb.at]; ok && strings.HasSuffix(f.Files[resolvConf].Target, "/run/systemd/resolve/stub-resolv.conf") {
		p.ResolvConf = "/run/systemd/resolve/resolv.conf"
	}
	if hb.h.IsMaster() {
		p.Taints = append(p.Taints, units.ControlPlaneTaint())
	}
	for _, t := range hb.h.Taints {
		p.Taints = append(p.Taints, units.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
	}
	return p
}

// protectsKernel says whether the kubelet is to refuse kernel settings that are
// not as it wants them, in place of changing them without a word. It may where
// hardway sets them itself, before the kubelet starts, and the user did not ask
// for other values.
func (hb *hostBuilder) protectsKernel() bool {
	m := hb.cfg.Machine
	for key, value := range units.KubeletSysctls() {
		if theirs, set := m.Sysctl[key]; set && strings.TrimSpace(theirs) != value {
			return false
		}
	}
	return m.ManageSysctl
}

// node adds the kubelet and kube-proxy.
func (hb *hostBuilder) node(machine []addr.Address, trust trusted, runtime []addr.Address) {
	network := hb.network(machine)
	hb.kubelet(trust, slices.Concat(machine, runtime, network, hb.apiServers()))
	hb.kubeProxy(trust, slices.Concat(machine, hb.apiServers()))
}

func (hb *hostBuilder) kubelet(trust trusted, deps []addr.Address) {
	p := hb.kubeletParams()
	bin, sum := hb.binary(units.ComponentKubelet, hb.lay.bin(units.ComponentKubelet))
	root := hb.dir(p.RootDir, resource.Directory{Meta: resource.Root(0o750), Purge: true})
	text, err := units.KubeletConfig(p)
	if err != nil {
		hb.fail("%s: %w", hb.h.Range, err)
	}
	config := hb.file(p.ConfigFile, 0o600, text)
	// The kubelet rotates this certificate by itself, in this very file; a
	// kubeconfig that names another one would be stale by then.
	current := hb.lay.kubeletClient()
	client := hb.leaf(certs.LeafKubeletClient, func(c *resource.Certificate) {
		c.CertPath, c.KeyPath, c.Combined, c.Once = current, current, true, true
	})
	_, kubeconfig, conf := hb.kubeconfig("kubelet.conf", "system:node:"+hb.h.Name, hb.apiServer(), current, current)
	serving := hb.leaf(certs.LeafKubeletServing, servedAt("10250"))
	u, err := units.Kubelet(p)
	// The kubelet makes it at its first start, and looks there for volume plugins.
	plugins := hb.dir("/usr/libexec/kubernetes", resource.Directory{Meta: resource.Root(0o755), Purge: true})
	deps = append(deps, bin, root, plugins, config, client, conf, serving, trust.kubernetes)
	hb.component(units.ComponentKubelet, u, err, map[string]string{"binary": sum, "config": text, "kubeconfig": kubeconfig},
		[]addr.Address{bin, config, conf, client}, []resource.Command{
			{Script: "pods-stop", Args: []string{hb.lay.bin("ctr"), templates.ContainerdSocket}},
			{Script: "kubelet-unmount", Args: []string{p.RootDir}},
			{Script: "cleanup-cni", Args: []string{hb.cfg.Name, templates.CNIBridge}},
		}, deps...)
}

// nodeTimeout is how long a host may take to become a Ready node.
const nodeTimeout = 4 * time.Minute
