// Package firewall says what traffic a host of a cluster has to let in, and reads
// from the files of firewalld and ufw whether it does.
//
// It is pure. It must never know a host, an observation or a configuration, nor
// what is done about a port that is closed.
package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Tool is a program that keeps the host's packet filter.
type Tool string

// The tools that hardway knows. A filter that is kept by hand in nftables or
// iptables is nobody's to read here.
const (
	None      Tool = ""
	Firewalld Tool = "firewalld"
	UFW       Tool = "ufw"
)

// Rule lets traffic in: to a port or a range of ports from a source, or all of
// what a source sends and is sent. Its text form is what the script firewall reads.
type Rule struct {
	Protocol string // tcp or udp; empty for all of a source's traffic
	First    int    // port
	Last     int    // port, the same as First for one
	Source   string // an address or a CIDR; empty for anybody
}

// String returns "port tcp 6443 any", "port tcp 30000-32767 any", "port tcp 10250
// 192.168.10.21" or "trust 10.244.0.0/16".
func (r Rule) String() string {
	if r.Protocol == "" {
		return "trust " + r.Source
	}
	source := r.Source
	if source == "" {
		source = "any"
	}
	return fmt.Sprintf("port %s %s %s", r.Protocol, r.ports("-"), source)
}

func (r Rule) ports(between string) string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d%s%d", r.First, between, r.Last)
}

// Cluster is what decides about the rules of one host.
type Cluster struct {
	Master  bool
	APIPort int
	Masters []netip.Addr
	Hosts   []netip.Addr
	// Trusted are the ranges of pods, whose traffic is let through both ways.
	Trusted []netip.Prefix
	// NodePorts is the range of service-node-port-range.
	NodePorts [2]int
}

// Ports that other hosts connect to (Kubernetes: "Ports and Protocols").
const (
	etcdClient = 2379
	etcdPeer   = 2380
	kubelet    = 10250
	proxy      = 10256 // kube-proxy's health, which load balancers ask
)

// Needed lists the rules, in order.
func Needed(c Cluster) []Rule {
	var out []Rule
	from := func(list []netip.Addr, first, last int) {
		for _, a := range list {
			out = append(out, Rule{Protocol: "tcp", First: first, Last: last, Source: a.String()})
		}
	}
	if c.Master {
		out = append(out, Rule{Protocol: "tcp", First: c.APIPort, Last: c.APIPort})
		from(c.Masters, etcdClient, etcdPeer)
	}
	from(c.Masters, kubelet, kubelet)
	from(c.Hosts, proxy, proxy)
	for _, protocol := range []string{"tcp", "udp"} {
		out = append(out, Rule{Protocol: protocol, First: c.NodePorts[0], Last: c.NodePorts[1]})
	}
	for _, p := range c.Trusted {
		out = append(out, Rule{Source: p.String()})
	}
	return out
}

// Missing returns the rules that nothing of what is let in covers.
func Missing(needed, open []Rule) []Rule {
	var out []Rule
	for _, n := range needed {
		if !slices.ContainsFunc(open, func(o Rule) bool { return o.covers(n) }) {
			out = append(out, n)
		}
	}
	return out
}

// covers reports whether r lets in all that n does.
func (r Rule) covers(n Rule) bool {
	if r.Protocol == "" {
		return n.Source != "" && within(n.Source, r.Source)
	}
	if n.Protocol != r.Protocol || n.First < r.First || n.Last > r.Last {
		return false
	}
	return r.Source == "" || n.Source != "" && within(n.Source, r.Source)
}

// within reports whether all addresses of a are in b.
func within(a, b string) bool {
	pa, err := prefix(a)
	if err != nil {
		return false
	}
	pb, err := prefix(b)
	return err == nil && pb.Bits() <= pa.Bits() && pb.Contains(pa.Addr())
}

func prefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// Parse reads the text form of a rule.
func Parse(text string) (Rule, error) {
	bad := fmt.Errorf("%q is not a rule", text)
	w := strings.Fields(text)
	switch {
	case len(w) == 2 && w[0] == "trust":
		if _, err := prefix(w[1]); err != nil {
			return Rule{}, bad
		}
		return Rule{Source: w[1]}, nil
	case len(w) == 4 && w[0] == "port" && (w[1] == "tcp" || w[1] == "udp"):
		r, ok := ports(w[1], w[2], "-")
		if !ok {
			return Rule{}, bad
		}
		if w[3] != "any" {
			if _, err := prefix(w[3]); err != nil {
				return Rule{}, bad
			}
			r.Source = w[3]
		}
		return r, nil
	}
	return Rule{}, bad
}
