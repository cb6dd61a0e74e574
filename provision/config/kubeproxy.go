package config

import (
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

func (l *loader) readKubeProxy(c *Cluster) layer {
	r, blocks := l.block("kube_proxy", kubeProxySchema())
	out := r.layer()
	r.refuseProxyMode()
	c.KubeProxy = KubeProxy{Component: component(out), Mode: defaultProxyMode, ModeRange: r.rangeOf("mode")}
	if mode, ok := r.word("mode"); ok {
		c.KubeProxy.Mode = mode
		if c.Version != "" {
			l.diags.add(proxyModeProblem(mode, c.Version, r.rangeOf("mode")))
		}
	}
	if b := l.one(blocks, "ipvs"); b != nil {
		l.readIPVS(r, b, &out)
		c.KubeProxy.Component = component(out)
		if c.KubeProxy.Mode != "ipvs" {
			l.diags.add(warningAt(b.DefRange, "Settings without effect", "The block ipvs counts in mode \"ipvs\" only, and the mode is %s.", quote(c.KubeProxy.Mode)))
		}
	}
	checkScheduler(l, out)
	return out
}

// refuseProxyMode keeps the mode in one place: units and host preparation are
// derived from it.
func (r reader) refuseProxyMode() {
	for attribute, key := range map[string]string{"flags": "proxy-mode", "config": "mode"} {
		a := r.attrs[attribute]
		if a == nil {
			continue
		}
		v, ok := r.plainValue(attribute)
		if !ok {
			continue
		}
		entries, _ := stringKeys(v)
		if _, found := entries[key]; found {
			rng, ok := entryRanges(a.Expr, r.ctx)[key]
			if !ok {
				rng = a.Expr.Range()
			}
			r.l.diags.add(errorAt(rng, "Proxy mode in the wrong place", "%q in %s of kube_proxy cannot be set here, since modules and other settings follow from it. Write kube_proxy { mode = \"…\" } at the top of a file.", key, attribute))
		}
	}
}

// ipvsFields are the attributes of the block ipvs by the fields they stand for.
func ipvsFields() map[string]string {
	return map[string]string{"scheduler": "scheduler", "strict_arp": "strictARP", "exclude_cidrs": "excludeCIDRs"}
}

// readIPVS writes the block ipvs into the fields of the layer: it is the short way
// to say what people set most; config.ipvs has all of it.
func (l *loader) readIPVS(outer reader, b *hcl.Block, out *layer) {
	r, _ := l.readerIn(b.Body, outer.ctx, schema{attributes: sortedKeys(ipvsFields()), instead: map[string]string{
		"sync_period":     `Write config = { ipvs = { syncPeriod = "30s" } } in kube_proxy.`,
		"min_sync_period": `Write config = { ipvs = { minSyncPeriod = "1s" } } in kube_proxy.`,
		"tcp_timeout":     `Write config = { ipvs = { tcpTimeout = "15m" } } in kube_proxy.`,
		"tcp_fin_timeout": `Write config = { ipvs = { tcpFinTimeout = "2m" } } in kube_proxy.`,
		"udp_timeout":     `Write config = { ipvs = { udpTimeout = "5m" } } in kube_proxy.`,
		"modules":         "The modules follow from mode and scheduler; more of them are host { modules = [ … ] }.",
	}}, b.DefRange, "ipvs of kube_proxy")
	if out.config == nil {
		out.config, out.ranges = map[string]any{}, map[string]hcl.Range{}
	}
	set, ok := out.config["ipvs"].(map[string]any)
	if !ok {
		set = map[string]any{}
	}
	put := func(name string, value any) {
		field := ipvsFields()[name]
		if _, twice := set[field]; twice {
			r.fail(name, "Set twice", "%s is also in config.ipvs.%s of kube_proxy. Remove one of them.", name, field)
			return
		}
		set[field], out.ranges["ipvs."+field] = value, r.rangeOf(name)
	}
	if s, ok := r.word("scheduler"); ok {
		put("scheduler", s)
	}
	if r.has("strict_arp") {
		put("strict_arp", r.flag("strict_arp", false))
	}
	if r.has("exclude_cidrs") {
		list, _ := r.texts("exclude_cidrs", false)
		var cidrs []any
		for _, cidr := range list {
			if _, err := netip.ParsePrefix(cidr); err != nil {
				r.fail("exclude_cidrs", "Invalid address range", "%s is not a range of addresses, such as 192.0.2.0/24.", quote(cidr))
			}
			cidrs = append(cidrs, cidr)
		}
		put("exclude_cidrs", cidrs)
	}
	if len(set) > 0 {
		out.config["ipvs"] = set
	}
}

// schedulers are ipvs mode's: a module of the kernel each, ip_vs_NAME.
func schedulers() []string {
	return []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "sed", "nq", "fo", "ovf", "twos"}
}

// checkScheduler refuses a scheduler that no kernel has, wherever it was written.
func checkScheduler(l *loader, in layer) {
	ipvs, _ := in.config["ipvs"].(map[string]any)
	name, ok := ipvs["scheduler"].(string)
	if !ok || name == "" || slices.Contains(schedulers(), name) {
		return
	}
	l.diags.add(errorAt(in.ranges["ipvs.scheduler"], "Unknown scheduler", "ipvs has no scheduler %s; it has %s.%s", quote(name), enumerate(schedulers(), "and"), didYouMean(name, schedulers())))
}
