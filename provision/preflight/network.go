package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/firewall"
)

// listener is a port of one of our components.
type listener struct {
	port      int
	component string
}

// listeners are the TCP ports that our components listen on, on one host. What
// the user set otherwise counts; 0 turns a port off.
func listeners(cfg *config.Cluster, h config.Host) []listener {
	kubelet := number(h.Kubelet.Config, "port", 10250)
	out := []listener{
		{kubelet, "kubelet"}, {number(h.Kubelet.Config, "healthzPort", 10248), "kubelet"},
		{bound(h.KubeProxy.Config, "healthzBindAddress", 10256), "kube-proxy"},
		{bound(h.KubeProxy.Config, "metricsBindAddress", 10249), "kube-proxy"},
	}
	if h.IsMaster() {
		out = append(out, listener{2379, "etcd"}, listener{2380, "etcd"}, listener{2381, "etcd"}, listener{cfg.API.Port, "kube-apiserver"},
			listener{flag(h.ControllerManager.Flags, "secure-port", 10257), "kube-controller-manager"},
			listener{flag(h.Scheduler.Flags, "secure-port", 10259), "kube-scheduler"})
	}
	return slices.DeleteFunc(out, func(l listener) bool { return l.port <= 0 || l.port > 65535 })
}

// number reads a number of a config object, in whatever form HCL gave it.
func number(cfg map[string]any, key string, otherwise int) int {
	v, ok := cfg[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil {
		return otherwise
	}
	return n
}

func flag(flags map[string]string, key string, otherwise int) int {
	if n, err := strconv.Atoi(flags[key]); err == nil {
		return n
	}
	return otherwise
}

// bound reads the port of an address with a port.
func bound(cfg map[string]any, key string, otherwise int) int {
	text, ok := cfg[key].(string)
	if !ok {
		return otherwise
	}
	if at, err := netip.ParseAddrPort(text); err == nil {
		return int(at.Port())
	}
	return otherwise
}

// ports judges whether something else listens where a component of ours will.
func (c *check) ports() {
	for _, l := range listeners(c.in.Config, c.h) {
		program, taken := c.o.Listeners[l.port]
		if !taken {
			continue
		}
		holder, known := c.o.Holders[l.port]
		if !known {
			holder = facts.Holder{Program: program}
		}
		if holder.Unit != "" && c.in.Own != nil && c.in.Own(c.h.Addr, holder.Unit) {
			continue
		}
		who, do := "a process that cannot be seen", "find it with ss -ltnp and stop it"
		if holder.Program != "" {
			who, do = holder.Program, "stop it"
		}
		if holder.PID > 0 {
			who += fmt.Sprintf(" (pid %d", holder.PID)
			if holder.Unit != "" {
				who += ", " + holder.Unit
				do = "stop it for good: systemctl disable --now " + holder.Unit
			}
			who += ")"
		}
		c.fail("ports", c.h.Range, fmt.Sprintf("port %d of %s is held by %s", l.port, l.component, who), do)
	}
}

// firewall judges whether what other hosts connect to is let in.
func (c *check) firewall() {
	at := c.m.RangeOf("firewall")
	s := state(c.o)
	if s.Tool == firewall.None || c.m.Firewall != config.FirewallIgnore {
		if s.Unread != "" && c.m.Firewall == config.FirewallOpen {
			c.fail("firewall", at, fmt.Sprintf("%s is active, and %s, which hardway does not manage", s.Tool, s.Unread), `open the ports by hand and set host { firewall = "ignore" }`)
		}
		return
	}
	const do = `open them, or set host { firewall = "open" }; to turn it off, "disable"`
	if s.Unread != "" {
		c.warn("firewall", at, fmt.Sprintf("%s is active, and what it lets in could not be told: %s", s.Tool, s.Unread), do)
		return
	}
	missing := firewall.Missing(c.in.Rules(c.h), s.Open)
	if len(missing) == 0 {
		return
	}
	var list []string
	for _, r := range missing {
		list = append(list, r.String())
	}
	const most = 4
	if n := len(list); n > most {
		list = append(list[:most], fmt.Sprintf("and %d more", n-most))
	}
	c.fail("firewall", at, fmt.Sprintf("%s is active and keeps out what the cluster needs: %s", s.Tool, strings.Join(list, ", ")), do)
}

// dns judges what pods will inherit from the host.
func (c *check) dns() {
	resolv, ok := c.o.Files[resolvConf]
	if !ok {
		return
	}
	if !resolv.Exists() {
		c.fail("dns", c.h.Range, resolvConf+" does not exist: the kubelet cannot make a pod's", "make it, with at least one nameserver")
		return
	}
	stub := strings.HasSuffix(resolv.Target, "/run/systemd/resolve/stub-resolv.conf")
	if upstream := c.o.Files[resolvedConf]; stub && !upstream.Exists() {
		c.fail("dns", c.h.Range, resolvConf+" leads to systemd-resolved's stub, and "+resolvedConf+" does not exist", "start systemd-resolved: systemctl enable --now systemd-resolved")
		return
	}
	if stub {
		return // the kubelet is given the other file
	}
	if set := c.h.Kubelet.Config["resolvConf"]; set != nil {
		return
	}
	servers, loopback := 0, ""
	for line := range strings.Lines(string(resolv.Content)) {
		w := strings.Fields(line)
		if len(w) < 2 || w[0] != "nameserver" {
			continue
		}
		servers++
		if a, err := netip.ParseAddr(w[1]); err == nil && a.IsLoopback() {
			loopback = w[1]
		}
	}
	switch {
	case len(resolv.Content) == 0: // a link to somewhere else
	case loopback != "":
		c.warn("dns", c.h.Range, fmt.Sprintf("%s names %s: a pod that inherits it asks itself", resolvConf, loopback),
			"set kubelet { config = { resolvConf = … } } to a file with the real nameservers")
	case servers > 3:
		c.warn("dns", c.h.Range, fmt.Sprintf("%s names %d nameservers; the resolver asks three", resolvConf, servers), "leave three")
	}
}

const (
	resolvConf   = "/etc/resolv.conf"
	resolvedConf = "/run/systemd/resolve/resolv.conf"
)

// state tells what a host's firewall lets in.
func state(o facts.Observation) firewall.State {
	return firewall.Read(
		func(unit string) bool { return o.Units[unit].Active == "active" },
		func(path string) ([]byte, bool) { f := o.Files[path]; return f.Content, f.Type == facts.Regular })
}
