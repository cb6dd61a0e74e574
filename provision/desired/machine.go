package desired

import (
	"maps"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
	"hardway/templates"
	"hardway/units"
)

// machine adds what is done to the machine itself and returns what a component
// on it has to wait for.
func (hb *hostBuilder) machine() []addr.Address {
	m := hb.cfg.Machine
	var deps []addr.Address
	if m.Packages == config.PackagesInstall {
		deps = append(deps, hb.packages())
	}
	installed := slices.Clone(deps)
	if m.Firewall != config.FirewallIgnore {
		f := &resource.Firewall{Mode: m.Firewall}
		if m.Firewall == config.FirewallOpen {
			for _, r := range FirewallRules(hb.cfg, hb.h) {
				f.Rules = append(f.Rules, r.String())
			}
		}
		deps = append(deps, hb.add(hb.at, "cluster", resource.Spec{Firewall: f}, installed...))
	}
	if m.ManageHosts {
		deps = append(deps, hb.add(hb.at, templates.HostsPath, resource.Spec{Block: &resource.Block{Path: templates.HostsPath, Content: hb.hostsText}}))
	}
	if m.Swap == "off" {
		deps = append(deps, hb.add(hb.at, "off", resource.Spec{Swap: &resource.Swap{Off: true}}, installed...))
	}
	var loaded []addr.Address
	hb.proxyHost()
	if m.ManageModules {
		want := append(templates.DefaultModules(), hb.proxyModules()...)
		slices.SortFunc(want, func(a, b templates.Module) int { return strings.Compare(a.Name, b.Name) })
		for _, name := range m.Modules {
			if !slices.ContainsFunc(want, func(w templates.Module) bool { return w.Name == name }) {
				want = append(want, templates.Module{Name: name}) // present when loaded or built in
			}
		}
		for _, w := range want {
			loaded = append(loaded, hb.add(hb.at, w.Name, resource.Spec{Module: &resource.Module{Name: w.Name, Effects: w.Effects}}, installed...))
		}
		deps = append(deps, hb.rendered(templates.ModulesPath)(templates.Modules(want)))
	}
	if m.ManageSysctl {
		want := templates.DefaultSysctls()
		// The kubelet sets these at its start anyway; as resources they are shown
		// in the plan, and destroy puts back what was there before.
		maps.Copy(want, units.KubeletSysctls())
		maps.Copy(want, m.Sysctl)
		for _, key := range sortedKeys(want) {
			deps = append(deps, hb.add(hb.at, key, resource.Spec{Sysctl: &resource.Sysctl{Key: key, Value: want[key]}}, loaded...))
		}
		deps = append(deps, hb.rendered(templates.SysctlPath)(templates.Sysctl(want)))
	}
	return append(deps, loaded...)
}

// rendered adds a world-readable file from a template's result.
func (hb *hostBuilder) rendered(p string) func(string, error) addr.Address {
	return func(text string, err error) addr.Address {
		if err != nil {
			hb.fail("%s: %w", hb.cfg.Machine.Range, err)
		}
		return hb.file(p, 0o644, text)
	}
}

// hostsBlock lists every host of the cluster, so that names work where there is
// no DNS; and the API's name, where it is one that no DNS can know.
func (b *builder) hostsBlock() string {
	api := b.cfg.API.Host
	var entries []templates.HostEntry
	for _, h := range b.cfg.Hosts {
		e := templates.HostEntry{Address: h.Address, Names: []string{h.Name}}
		if api != "" && h.Addr == b.masters[0].Addr && !strings.ContainsAny(api, ".:") && !b.isHost(api) {
			e.Names = append(e.Names, api)
		}
		entries = append(entries, e)
	}
	text, err := templates.Hosts(entries)
	if err != nil {
		b.fail("%s: %w", b.cfg.Range, err)
	}
	return text
}

func (b *builder) isHost(name string) bool {
	for _, h := range b.cfg.Hosts {
		if h.Name == name {
			return true
		}
	}
	return false
}
