package desired

import (
	"slices"
	"strconv"
	"strings"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
	"hardway/templates"
	"hardway/units"
)

// proxyModules are the kernel modules that kube-proxy's mode needs on this host.
func (hb *hostBuilder) proxyModules() []templates.Module {
	ipvs, _ := hb.h.KubeProxy.Config["ipvs"].(map[string]any)
	scheduler, _ := ipvs["scheduler"].(string)
	return templates.ProxyModules(hb.cfg.KubeProxy.Mode, scheduler, hb.facts[hb.at].Kernel)
}

// proxyHost refuses a mode of kube-proxy that this host cannot have, as far as it
// was observed: since 1.26 kube-proxy ends where an older one silently fell back to
// another mode.
func (hb *hostBuilder) proxyHost() {
	at := hb.cfg.KubeProxy.ModeRange
	if at.Filename == "" {
		at = hb.h.Range
	}
	mode := hb.cfg.KubeProxy.Mode
	managed := hb.cfg.Machine.ManageModules
	if !managed && mode == templates.ModeIPVS { // it has to be there already; its schedulers may show nowhere
		ip := hb.proxyModules()[0]
		hb.add(hb.at, ip.Name, resource.Spec{Module: &resource.Module{Name: ip.Name, Effects: ip.Effects}})
	}
	f, ok := hb.facts[hb.at]
	if !ok || !f.Reachable() {
		return
	}
	if hb.otherMode() {
		if mode == "nftables" && !templates.KernelAtLeast(f.Kernel, templates.NFTablesKernel) {
			hb.fail("%s: %s has Linux %s, and kube-proxy's nftables mode needs %s or newer: write mode = \"iptables\", or upgrade the kernel", at, hb.at, f.Kernel, templates.NFTablesKernel)
		}
		for _, program := range templates.ProxyPrograms(mode) {
			if hb.cfg.Machine.Packages != config.PackagesInstall && len(f.Commands) > 0 && f.Commands[program] == "" {
				hb.fail("%s: %s has no program %s, which kube-proxy's mode %s needs: install the package that has it, or choose another mode", at, hb.at, program, mode)
			}
		}
	}
	for _, m := range hb.proxyModules() {
		present, asked := f.Modules[m.Name]
		switch why := f.Unloadable[m.Name]; {
		case !asked || present: // or not asked yet: loading it finds out
		case managed && why != "":
			hb.fail("%s: %s lacks the kernel module %s, which kube-proxy's mode %s needs, and cannot load it (%s): install a kernel that has it, or choose another mode", at, hb.at, m.Name, mode, why)
		case !managed:
			hb.fail("%s: %s lacks the kernel module %s, which kube-proxy's mode %s needs, and host.manage_modules is false: load it there (modprobe %s), or choose another mode", at, hb.at, m.Name, mode, m.Name)
		}
	}
}

// otherMode reports whether kube-proxy runs on this host and gets another mode.
// What a host needs that joins the cluster is looked at by preflight.
func (hb *hostBuilder) otherMode() bool {
	was, ok := hb.state.Resources[unit(hb.at, units.ComponentKubeProxy)]
	if !ok || was.Spec.Unit == nil {
		return false
	}
	return !slices.ContainsFunc(was.Spec.Unit.BeforeStart, func(c resource.Command) bool {
		return len(c.Args) > 0 && c.Args[0] == hb.cfg.KubeProxy.Mode
	})
}

// nodePorts is the range that the API server gives to Services.
func (b *builder) nodePorts() (first, last string) {
	for _, m := range b.masters {
		from, to, ok := strings.Cut(m.APIServer.Flags["service-node-port-range"], "-")
		if _, err := strconv.ParseUint(from, 10, 16); err != nil || !ok {
			continue
		}
		if _, err := strconv.ParseUint(to, 10, 16); err == nil {
			return from, to
		}
	}
	return "30000", "32767"
}

// cleanup removes what a stopped kube-proxy left; a mode that comes next keeps its own.
func (hb *hostBuilder) cleanup(mode string) resource.Command {
	first, last := hb.nodePorts()
	return resource.Command{Script: "cleanup-proxy", Args: []string{mode, first, last, hb.lay.bin(units.ComponentKubeProxy)}}
}

func (hb *hostBuilder) kubeProxy(trust trusted, deps []addr.Address) {
	bin, sum := hb.binary(units.ComponentKubeProxy, hb.lay.bin(units.ComponentKubeProxy))
	conf, client := hb.client(certs.LeafKubeProxy, hb.apiServer(), trust)
	p := units.KubeProxyParams{
		Version: hb.cfg.Version, Bin: hb.cfg.Directories.Bin, NodeName: hb.h.Name, Kubeconfig: conf,
		ConfigFile: hb.lay.conf("kube-proxy.yaml"), Mode: hb.cfg.KubeProxy.Mode, PodCIDR: hb.cfg.PodCIDR,
		Flags: hb.h.KubeProxy.Flags, Config: hb.h.KubeProxy.Config,
	}
	if hb.cfg.Network.Name == "bridge" {
		p.Bridge = templates.CNIBridge
	}
	text, err := units.KubeProxyConfig(p)
	if err != nil {
		hb.fail("%s: %w", hb.h.Range, err)
	}
	config := hb.file(p.ConfigFile, 0o600, text)
	u, err := units.KubeProxy(p)
	a := hb.component(units.ComponentKubeProxy, u, err, map[string]string{"binary": sum, "config": text, "kubeconfig": client.text},
		[]addr.Address{bin, config, client.conf}, []resource.Command{hb.cleanup("none")}, slices.Concat(deps, client.all())...)
	hb.beforeStart(a, hb.cleanup(hb.cfg.KubeProxy.Mode))
}
