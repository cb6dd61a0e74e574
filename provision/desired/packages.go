package desired

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/firewall"
	"hardway/provision/packages"
	"hardway/provision/resource"
)

// PackageSettings are what decides which programs the hosts of a cluster need.
func PackageSettings(cfg *config.Cluster) packages.Settings {
	minor, err := strconv.Atoi(strings.TrimPrefix(semver.MajorMinor("v"+cfg.Version), "v1."))
	if err != nil { // a version that is no version was refused before
		minor = 0
	}
	return packages.Settings{
		Minor: minor, ProxyMode: cfg.KubeProxy.Mode, Bridge: cfg.Network.Name == "bridge" && len(cfg.Hosts) > 1,
		SwapOff: cfg.Machine.Swap == "off", Modules: cfg.Machine.ManageModules, SELinux: cfg.Machine.SELinux,
	}
}

// packages adds the packages that the host's distribution has for what is needed.
// A host that was not seen yet has programs without packages: enough to ask it.
func (hb *hostBuilder) packages() addr.Address {
	p := &resource.Packages{Programs: map[string]string{}, Names: hb.cfg.Machine.ExtraPackages, Remove: hb.cfg.Machine.RemovePackages}
	selinux := true
	if f, ok := hb.facts[hb.at]; ok && f.Reachable() {
		p.Manager = string(packages.ManagerOf(f.OS.ID, f.OS.Like))
		selinux = f.System.SELinux != "" || !f.System.Asked
	}
	for _, need := range packages.Needed(PackageSettings(hb.cfg)) {
		name, known := packages.Name(packages.Manager(p.Manager), need.Program)
		if p.Manager != "" && !known || !selinux && strings.Contains(need.Why, "host.selinux") {
			continue
		}
		p.Programs[need.Program] = name
	}
	return hb.add(hb.at, "needed", resource.Spec{Packages: p})
}

// packageNames are all names that the packages may have on some distribution.
func packageNames(p *resource.Packages) []string {
	names := slices.Clone(p.Names)
	for _, program := range sortedKeys(p.Programs) {
		for _, m := range packages.Managers() {
			if name, ok := packages.Name(m, program); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// FirewallRules are what a host's firewall has to let in.
func FirewallRules(cfg *config.Cluster, h config.Host) []firewall.Rule {
	f := firewall.Cluster{Master: h.IsMaster(), APIPort: cfg.API.Port, NodePorts: [2]int{30000, 32767}}
	for _, other := range cfg.Hosts {
		if other.IsMaster() {
			f.Masters = append(f.Masters, other.Address)
		}
		f.Hosts = append(f.Hosts, other.Address)
	}
	if cfg.PodCIDR.IsValid() {
		f.Trusted = append(f.Trusted, cfg.PodCIDR)
	}
	for _, m := range cfg.Masters() {
		first, last, ok := strings.Cut(m.APIServer.Flags["service-node-port-range"], "-")
		a, err := strconv.Atoi(first)
		if b, err2 := strconv.Atoi(last); ok && err == nil && err2 == nil {
			f.NodePorts = [2]int{a, b}
		}
	}
	return firewall.Needed(f)
}

// label adds SELinux, behind everything that is labelled and before everything
// that runs.
func (hb *hostBuilder) label(first int) {
	m := hb.cfg.Machine
	if m.SELinux == config.SELinuxIgnore {
		return
	}
	s := &resource.SELinux{Mode: m.SELinux}
	var deps []addr.Address
	if m.SELinux == config.SELinuxEnforcing {
		s.Like = map[string]string{}
		d := hb.cfg.Directories
		for policy, own := range map[string]string{
			"/usr/local/bin": d.Bin, "/opt/cni/bin": d.CNI, "/etc/kubernetes": d.Conf,
			"/var/lib/containerd": hb.lay.data("containerd"), "/var/lib/kubelet": hb.lay.data("kubelet"), "/var/lib/etcd": hb.lay.data("etcd"),
		} {
			if policy != own {
				s.Like[policy] = own
			}
			s.Restore = append(s.Restore, own)
		}
		s.Restore = append(s.Restore, d.Cert)
		slices.Sort(s.Restore)
		s.Restore = slices.Compact(s.Restore)
		for _, r := range hb.list[first:] {
			if k := r.Spec.Kind(); k == resource.KindBinary || k == resource.KindDirectory || k == resource.KindPackages {
				deps = append(deps, r.Addr)
			}
		}
	}
	at := hb.add(hb.at, "mode", resource.Spec{SELinux: s}, deps...)
	for i, r := range hb.list[first:] {
		if r.Spec.Kind() == resource.KindUnit && r.Addr.Host == hb.at {
			deps := append(slices.Clone(r.DependsOn), at)
			slices.SortFunc(deps, addr.Address.Compare)
			hb.list[first+i].DependsOn = deps
		}
	}
}
