package config

import (
	"net/netip"
	"strconv"

	"github.com/hashicorp/hcl/v2"
)

// validateNetwork judges the address ranges against each other and against the
// hosts. Overlaps show up later as packets that go to the wrong place, which
// nobody enjoys to find.
func (l *loader) validateNetwork(c *Cluster) {
	pods, services := c.PodCIDR, c.ServiceCIDR
	if pods.IsValid() {
		l.validatePodCIDR(c)
		l.validateRange("pod_cidr", pods, c.PodCIDRRange)
	}
	if services.IsValid() {
		l.validateServiceCIDR(c)
		l.validateRange("service_cidr", services, c.ServiceCIDRRange)
	}
	if pods.IsValid() && services.IsValid() && pods.Overlaps(services) {
		l.diags.add(errorAt(c.ServiceCIDRRange, "Overlapping networks", "service_cidr %s and pod_cidr %s at %s overlap. An address must be either a pod's or a service's.", services, pods, at(c.PodCIDRRange)))
	}
	for _, h := range c.Hosts {
		l.outside(c, h.Address, h.AddressRange, "The address of "+h.Addr.String())
	}
	if host, err := netip.ParseAddr(c.API.Host); err == nil && c.API.HostRange.Filename != "" {
		l.outside(c, host, c.API.HostRange, "The API's host")
	}
}

// outside reports an address of the real network inside a cluster's range.
func (l *loader) outside(c *Cluster, a netip.Addr, rng hcl.Range, what string) {
	if c.PodCIDR.IsValid() && c.PodCIDR.Contains(a) {
		l.diags.add(errorAt(rng, "Overlapping networks", "%s, %s, lies in pod_cidr %s at %s. Choose a pod_cidr that your network does not use.", what, a, c.PodCIDR, at(c.PodCIDRRange)))
	}
	if c.ServiceCIDR.IsValid() && c.ServiceCIDR.Contains(a) {
		l.diags.add(errorAt(rng, "Overlapping networks", "%s, %s, lies in service_cidr %s at %s. Choose a service_cidr that your network does not use.", what, a, c.ServiceCIDR, at(c.ServiceCIDRRange)))
	}
}

// validateRange refuses ranges with a meaning of their own.
func (l *loader) validateRange(name string, p netip.Prefix, rng hcl.Range) {
	for _, special := range []struct{ prefix, meaning string }{
		{"0.0.0.0/8", "addresses of this network"}, {"127.0.0.0/8", "loopback addresses"},
		{"169.254.0.0/16", "link-local addresses"}, {"224.0.0.0/4", "multicast addresses"}, {"240.0.0.0/4", "reserved addresses"},
	} {
		if q := netip.MustParsePrefix(special.prefix); p.Overlaps(q) {
			l.diags.add(errorAt(rng, "Unusable network", "%s %s covers %s (%s). Take a private range, such as one below 10.0.0.0/8.", name, p, special.meaning, special.prefix))
			return
		}
	}
}

// validatePodCIDR: every host gets a share of length NodePrefix. The
// controller-manager allocates at most 2^16 shares.
func (l *loader) validatePodCIDR(c *Cluster) {
	bits := c.NodePrefix - c.PodCIDR.Bits()
	switch {
	case bits < 0:
		l.diags.add(errorAt(c.PodCIDRRange, "Pod network too small", "pod_cidr %s is smaller than the share of a single host, a /%d. Take a larger pod_cidr, or a longer node_prefix.", c.PodCIDR, c.NodePrefix))
		return
	case bits > 16:
		l.diags.add(errorAt(c.PodCIDRRange, "Pod network too large", "pod_cidr %s has 2^%d shares of /%d; the controller-manager takes at most 2^16. Take a pod_cidr of at least /%d.", c.PodCIDR, bits, c.NodePrefix, c.NodePrefix-16))
		return
	case len(c.Hosts) > 1<<bits:
		l.diags.add(errorAt(c.PodCIDRRange, "Pod network too small", "pod_cidr %s has room for %d hosts with a /%d each, and there are %d hosts. Take a larger pod_cidr, or a longer node_prefix.", c.PodCIDR, 1<<bits, c.NodePrefix, len(c.Hosts)))
		return
	}
	// The network address, the bridge's own and the broadcast address are no pod's.
	usable := 1<<(32-c.NodePrefix) - 3
	for _, h := range c.Hosts {
		pods, rng := defaultMaxPods, c.NodePrefixRange
		if v, ok := h.Kubelet.Config["maxPods"].(int64); ok {
			pods, rng = int(min(v, 1<<20)), h.Kubelet.ConfigRanges["maxPods"]
		}
		if pods > usable {
			l.diags.add(warningAt(rng, "More pods than addresses", "Hosts have a /%d, %d addresses for pods, but the kubelet takes up to %d pods. Set a shorter node_prefix, or kubelet { config = { maxPods = %d } }.", c.NodePrefix, usable, pods, usable))
			return
		}
	}
}

// validateServiceCIDR: kube-apiserver takes at most 20 host bits and needs room
// for its own service and the DNS.
func (l *loader) validateServiceCIDR(c *Cluster) {
	p := c.ServiceCIDR
	switch bits := 32 - p.Bits(); {
	case bits > 20:
		l.diags.add(errorAt(c.ServiceCIDRRange, "Service network too large", "service_cidr %s is larger than a /12, the most that kube-apiserver takes.", p))
		return
	case bits < 4:
		l.diags.add(errorAt(c.ServiceCIDRRange, "Service network too small", "service_cidr %s has %s addresses. At least a /28 is needed: the tenth address is the DNS's.", p, strconv.Itoa(1<<bits)))
		return
	}
	switch a := c.DNSAddress; {
	case !a.IsValid():
	case !p.Contains(a):
		l.diags.add(errorAt(c.DNSAddressRange, "DNS address outside of the services", "dns_address %s is not in service_cidr %s. The DNS is a service, so its address must be: %s, for example.", a, p, nth(p, 10)))
	case a == p.Addr() || a == nth(p, 1):
		l.diags.add(errorAt(c.DNSAddressRange, "DNS address taken", "dns_address %s is taken: the first address of service_cidr is that of the service kubernetes. Use %s, for example.", a, nth(p, 10)))
	}
}
