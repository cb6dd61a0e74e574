package config

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// clusterNames are what can stand behind "cluster." in an expression.
func clusterNames() []string {
	return []string{"name", "kubernetes_version", "pod_cidr", "service_cidr", "dns_domain", "api_host", "api_port", "api_url"}
}

// clusterValue evaluates one of clusterNames on its own, so that other
// attributes of the cluster block may refer to it. rng is the reference.
func (l *loader) clusterValue(name string, rng hcl.Range) cty.Value {
	switch name {
	case "name":
		if b := l.decl.single["cluster"]; b != nil {
			return cty.StringVal(b.Labels[0])
		}
	case "api_host":
		return l.apiHost(rng)
	case "api_port":
		if v, ok := l.single("api", "port", cty.Number); ok {
			return v
		}
		return cty.NumberIntVal(defaultAPIPort)
	case "api_url":
		host, port := l.scope.named("cluster", "api_host", rng), l.scope.named("cluster", "api_port", rng)
		if !host.IsKnown() || !port.IsKnown() {
			return cty.DynamicVal
		}
		n, _ := port.AsBigFloat().Int64()
		return cty.StringVal("https://" + net.JoinHostPort(host.AsString(), strconv.FormatInt(n, 10)))
	case "dns_domain":
		if v, ok := l.single("cluster", name, cty.String); ok {
			return v
		}
		return cty.StringVal(defaultDNSDomain)
	default:
		if v, ok := l.single("cluster", name, cty.String); ok {
			return v
		}
	}
	return cty.DynamicVal
}

// single evaluates one attribute of a block that stands once. ok is false when
// it is not written; a value that is wrong is unknown, and reported when the
// block itself is read.
func (l *loader) single(block, attribute string, ty cty.Type) (cty.Value, bool) {
	b := l.decl.single[block]
	if b == nil || b.Body.Attributes[attribute] == nil {
		return cty.NilVal, false
	}
	v, known := l.scope.eval(b.Body.Attributes[attribute].Expr, nil)
	if !known || v.ContainsMarked() {
		return cty.UnknownVal(ty), true
	}
	out, err := convert.Convert(v, ty)
	if err != nil {
		return cty.UnknownVal(ty), true
	}
	return out, !out.IsNull()
}

// apiHost is the api block's host or the first master's address.
func (l *loader) apiHost(rng hcl.Range) cty.Value {
	if v, ok := l.single("api", "host", cty.String); ok {
		return v
	}
	if masters := l.resolveHosts("master", rng); len(masters) > 0 && masters[0].address.IsValid() {
		return cty.StringVal(masters[0].address.String())
	}
	return cty.UnknownVal(cty.String)
}

// reader opens a block for reading: its references are resolved, its dynamic
// blocks expanded, its names checked.
func (l *loader) reader(b *hclsyntax.Block, s schema) (reader, hcl.Blocks) {
	refs, iterators := bodyReferences(b.Body)
	ctx := l.scope.context(refs, nil, iterators)
	return l.readerIn(b.Body, ctx, s, b.DefRange(), blockTitle(b))
}

// block reads a block that stands once; a missing one reads as empty.
func (l *loader) block(name string, s schema) (reader, hcl.Blocks) {
	if b := l.decl.single[name]; b != nil {
		return l.reader(b, s)
	}
	return reader{l: l, where: name}, nil
}

// readCluster reads the cluster block itself.
func (l *loader) readCluster(c *Cluster) {
	b := l.decl.single["cluster"]
	if b == nil {
		l.fail("No cluster block", `There is no cluster block. Write, for example:

cluster "lab" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.244.0.0/16"
  service_cidr       = "10.96.0.0/16"
}`)
		return
	}
	r, _ := l.reader(b, clusterSchema())
	c.Name, c.Range = b.Labels[0], b.DefRange()
	if !isDNSLabel(c.Name) {
		l.diags.add(errorAt(b.LabelRanges[0], "Invalid cluster name",
			"%s is not a possible name: lower-case letters, digits and -, at most 63, starting and ending with a letter or digit. It stands in file names and kubeconfigs.", quote(c.Name)))
	}
	c.Version = r.kubernetesVersion()
	c.VersionRange = r.rangeOf("kubernetes_version")
	c.PodCIDR = r.network("pod_cidr", "10.244.0.0/16")
	c.PodCIDRRange = r.rangeOf("pod_cidr")
	c.ServiceCIDR = r.network("service_cidr", "10.96.0.0/16")
	c.ServiceCIDRRange = r.rangeOf("service_cidr")
	c.NodePrefix = r.whole("node_prefix", defaultNodePrefix, 8, 30)
	c.NodePrefixRange = r.rangeOf("node_prefix")
	c.DNSDomain = defaultDNSDomain
	if s, ok := r.word("dns_domain"); ok {
		if !isDNSName(s) {
			r.fail("dns_domain", "Invalid domain", "dns_domain is %s; a domain name such as %s is wanted: lower-case labels with dots between.", quote(s), defaultDNSDomain)
		}
		c.DNSDomain = s
	}
	if a, ok := r.address("dns_address"); ok {
		c.DNSAddress = a
	} else if c.ServiceCIDR.IsValid() {
		c.DNSAddress = nth(c.ServiceCIDR, 10)
	}
	c.DNSAddressRange = r.rangeOf("dns_address")
}

// network reads an IPv4 network without host bits.
func (r reader) network(name, example string) netip.Prefix {
	if !r.has(name) {
		r.l.diags.add(errorAt(r.rng, "Missing attribute", "%s needs %s, the range of addresses for its %s: for example %s = %q. It must not be in use in your network.",
			r.where, name, map[string]string{"pod_cidr": "pods", "service_cidr": "services"}[name], name, example))
		return netip.Prefix{}
	}
	s, ok := r.word(name)
	if !ok {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		hint := ""
		if _, err := netip.ParseAddr(s); err == nil {
			hint = " The length is missing: write " + s + "/16, for example."
		}
		r.fail(name, "Not a network", "%s is %s; a network such as %s is wanted.%s", name, quote(s), example, hint)
		return netip.Prefix{}
	}
	if !p.Addr().Is4() {
		r.l.diags.add(notYet(r.rangeOf(name), "IPv6 ("+s+")"))
		return netip.Prefix{}
	}
	if p != p.Masked() {
		r.fail(name, "Host bits set", "%s is %s, which is an address inside of a network. The network is %s.", name, s, p.Masked())
		return netip.Prefix{}
	}
	return p
}

// nth is the n-th address of a network, counted from its base address, or the
// zero Addr when the network is too small.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Addr()
	for range n {
		a = a.Next()
	}
	if !p.Contains(a) {
		return netip.Addr{}
	}
	return a
}

// readAPI reads the api block. The first master stands in for a missing host.
func (l *loader) readAPI(c *Cluster) {
	r, _ := l.block("api", schema{attributes: []string{"host", "port", "extra_sans"}, later: []string{"advertise_address"}})
	c.API = API{Range: r.rng, HostRange: r.rangeOf("host"), Port: r.whole("port", defaultAPIPort, 1, 65535)}
	if s, ok := r.word("host"); ok {
		if _, err := netip.ParseAddr(s); err != nil && !isDNSName(s) {
			r.fail("host", "Invalid API host", "host of %s is %s; a DNS name or an IP address is wanted, without a scheme or a port.", r.where, quote(s))
		}
		c.API.Host = s
	} else if masters := c.Masters(); len(masters) > 0 && masters[0].Address.IsValid() {
		c.API.Host = masters[0].Address.String()
	}
	c.API.ExtraSANs, _ = r.texts("extra_sans", false)
	for _, san := range c.API.ExtraSANs {
		if _, err := netip.ParseAddr(san); err != nil && !isSANName(san) {
			r.fail("extra_sans", "Invalid SAN", "extra_sans of %s has %s; DNS names (also with a leading *.) and IP addresses are possible.", r.where, quote(san))
		}
	}
	if len(c.Masters()) > 1 && c.API.Host != "" && !r.has("host") {
		l.diags.add(warningAt(c.Range, "No address for the API",
			"There are %d masters, but no api \"external\" { host = … }: every client will use %s alone, and stop when that host does.", len(c.Masters()), c.API.Host))
	}
}
