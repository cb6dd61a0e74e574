package config

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// validateHosts judges hosts one by one and against each other.
func (l *loader) validateHosts(c *Cluster) {
	names, addresses, dials := map[string]Host{}, map[netip.Addr]Host{}, map[string]Host{}
	for _, h := range c.Hosts {
		l.validateHostName(h)
		l.validateHostAddress(h)
		if first, ok := names[h.Name]; ok {
			l.diags.add(errorAt(h.NameRange, "Duplicate host name", "%s has the same name as %s at %s. Names of hosts are names of nodes, so a master and a node cannot share one either.",
				h.Addr, first.Addr, at(first.NameRange)))
			continue
		}
		names[h.Name] = h
		if first, ok := addresses[h.Address]; ok && h.Address.IsValid() {
			l.diags.add(errorAt(h.AddressRange, "Duplicate address", "%s has the address %s, which %s has already at %s.", h.Addr, h.Address, first.Addr, at(first.AddressRange)))
			continue
		}
		addresses[h.Address] = h
		dial := fmt.Sprintf("%s:%d", h.SSH.Host, h.SSH.Port)
		for _, b := range h.SSH.Bastions { // the same address behind another bastion is another machine
			dial += fmt.Sprintf(" %s:%d", b.Host, b.Port)
		}
		if first, ok := dials[dial]; ok && h.Address.IsValid() {
			l.diags.add(errorAt(h.SSH.Range, "Duplicate SSH address", "%s and %s would both be reached at %s, so they would be one machine. Give each its own ssh { host = … } or port.", first.Addr, h.Addr, dial))
		}
		dials[dial] = h
		l.validateLabels(h)
		l.validateTaints(h)
	}
	masters := len(c.Masters())
	switch {
	case masters == 0 && (!l.diags.errors || !slices.ContainsFunc(l.decl.hosts, func(b *hclsyntax.Block) bool { return b.Type == "master" })):
		l.diags.add(errorAt(c.Range, "No master", "A cluster needs at least one master: master \"m1\" { address = \"192.168.10.21\" }."))
	case masters > 0 && masters%2 == 0:
		l.diags.add(warningAt(c.Range, "Even number of masters", "With %d masters etcd has a quorum of %d, so it survives the loss of %d hosts, no more than with %d. Use an odd number of masters.",
			masters, masters/2+1, masters-masters/2-1, masters-1))
	}
}

func (l *loader) validateHostName(h Host) {
	switch {
	case !isDNSName(h.Name) || len(h.Name) > 63:
		hint := ""
		if lower := strings.ReplaceAll(strings.ToLower(h.Name), "_", "-"); lower != h.Name && isDNSName(lower) {
			hint = fmt.Sprintf(" Write %q.", lower)
		}
		l.diags.add(errorAt(h.NameRange, "Invalid host name", "%s is not a host name (RFC 1123): lower-case letters, digits, - and dots, at most 63 characters, each part starting and ending with a letter or digit.%s", quote(h.Name), hint))
	case h.Name == "localhost" || strings.HasPrefix(h.Name, "localhost."):
		l.diags.add(errorAt(h.NameRange, "Invalid host name", "%q is the name of every machine. Give the host one of its own.", h.Name))
	default:
		if _, err := netip.ParseAddr(h.Name); err == nil {
			l.diags.add(errorAt(h.NameRange, "Invalid host name", "%q is an address. Give the host a name, and write the address as address = %q.", h.Name, h.Name))
		}
	}
}

func (l *loader) validateHostAddress(h Host) {
	a := h.Address
	problem := ""
	switch {
	case !a.IsValid():
		return
	case !a.Is4():
		l.diags.add(notYet(h.AddressRange, "IPv6 ("+a.String()+")"))
		return
	case a.IsUnspecified():
		problem = "means any address"
	case a.IsLoopback():
		problem = "is a loopback address, which every host has; the hosts must reach each other by their addresses"
	case a.IsMulticast():
		problem = "is a multicast address"
	case a.IsLinkLocalUnicast():
		problem = "is a link-local address, which can change and is not routed"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		problem = "is the broadcast address"
	default:
		return
	}
	l.diags.add(errorAt(h.AddressRange, "Unusable address", "The address %s of %s %s.", a, h.Addr, problem))
}

// Labels and taints, after k8s.io/apimachinery: a name of up to 63 characters,
// with a DNS name of up to 253 and a slash before it.
var qualifiedName = regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`)

// keyProblem says what is wrong with the key of a label or a taint.
func keyProblem(key string) string {
	name := key
	if prefix, rest, ok := strings.Cut(key, "/"); ok {
		if name = rest; !isDNSName(prefix) {
			return "what stands before the slash must be a DNS name"
		}
	}
	if len(name) > 63 || !qualifiedName.MatchString(name) {
		return "the name must have at most 63 letters, digits, -, _ and dots, and start and end with a letter or digit"
	}
	return ""
}

func valueProblem(value string) string {
	if value != "" && (len(value) > 63 || !qualifiedName.MatchString(value)) {
		return "the value must have at most 63 letters, digits, -, _ and dots, and start and end with a letter or digit"
	}
	return ""
}

// reservedLabel says who owns a label that a user cannot set, or "".
func reservedLabel(key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	switch {
	case prefix == "node-role.kubernetes.io":
		return "Role labels follow from the block, master or node. Use a label of your own."
	case prefix == "node-restriction.kubernetes.io" || strings.HasSuffix(prefix, ".node-restriction.kubernetes.io"):
		return "Labels of this prefix isolate nodes from each other and are set by an administrator with kubectl, never from a host's own settings."
	case key == "kubernetes.io/hostname" || key == "kubernetes.io/os" || key == "kubernetes.io/arch",
		prefix == "beta.kubernetes.io", prefix == "node.kubernetes.io" && key != "node.kubernetes.io/instance-type" && key != "node.kubernetes.io/exclude-from-external-load-balancers":
		return "The kubelet and the controllers set it themselves."
	}
	return ""
}

func (l *loader) validateLabels(h Host) {
	for _, key := range sortedKeys(h.Labels) {
		rng := h.LabelRanges[key]
		if why := keyProblem(key); why != "" {
			l.diags.add(errorAt(rng, "Invalid label", "The label %s of %s: %s.", quote(key), h.Addr, why))
		} else if why := valueProblem(h.Labels[key]); why != "" {
			l.diags.add(errorAt(rng, "Invalid label", "The label %s = %s of %s: %s.", key, quote(h.Labels[key]), h.Addr, why))
		} else if why := reservedLabel(key); why != "" {
			l.diags.add(errorAt(rng, "Reserved label", "The label %q cannot be set. %s", key, why))
		}
	}
}

// parseTaint reads key=value:Effect or key:Effect.
func parseTaint(s string) (Taint, string) {
	effects := []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}
	spec, effect, ok := strings.Cut(s, ":")
	if !ok {
		return Taint{}, "the effect is missing. Write key=value:NoSchedule."
	}
	t := Taint{Effect: effect}
	t.Key, t.Value, _ = strings.Cut(spec, "=")
	if why := keyProblem(t.Key); why != "" {
		return t, "in the key, " + why + "."
	}
	if why := valueProblem(t.Value); why != "" {
		return t, why + "."
	}
	for _, e := range effects {
		if e == effect {
			return t, ""
		}
	}
	return t, fmt.Sprintf("there is no effect %s; there are %s.%s", quote(effect), enumerate(effects, "and"), didYouMean(effect, effects))
}

func (l *loader) validateTaints(h Host) {
	seen := map[string]Taint{}
	for _, t := range h.Taints {
		id := t.Key + ":" + t.Effect
		if first, ok := seen[id]; ok {
			l.diags.add(errorAt(t.Range, "Duplicate taint", "%s of %s repeats %s: a node has one taint of a key and an effect.", t, h.Addr, first))
		}
		seen[id] = t
		switch prefix, _, _ := strings.Cut(t.Key, "/"); {
		case t.Key == "node-role.kubernetes.io/control-plane" && h.IsMaster():
			l.diags.add(errorAt(t.Range, "Reserved taint", "Masters have the taint %s:NoSchedule already.", t.Key))
		case prefix == "node.kubernetes.io":
			l.diags.add(errorAt(t.Range, "Reserved taint", "The taint %q comes and goes with the node's condition; the controllers set it.", t.Key))
		}
	}
}

// distinctDirectories refuses directories that would mix what must stay apart:
// the same one twice, and certificates below a directory of programs or logs.
func (r reader) distinctDirectories(d Directories) {
	list := []struct{ name, dir string }{{"bin", d.Bin}, {"cert", d.Cert}, {"conf", d.Conf}, {"log", d.Log}, {"data", d.Data}, {"cni", d.CNI}}
	for i, a := range list {
		for _, b := range list[:i] {
			if a.dir == b.dir {
				r.fail(a.name, "Duplicate directory", "%s and %s are both %s. Each needs a directory of its own.", b.name, a.name, a.dir)
			}
		}
		for _, system := range []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/boot"} {
			if a.dir == system || strings.HasPrefix(a.dir, system+"/") {
				r.fail(a.name, "Unusable directory", "%s is %s, but what is below %s does not last or is not a place for files.", a.name, a.dir, system)
			}
		}
	}
	if dir := path.Dir(d.Cert); dir == "/" {
		r.fail("cert", "Unusable directory", "cert is %s. Private keys need a directory below one that is only for Kubernetes, such as /etc/kubernetes/pki.", d.Cert)
	}
}

var (
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	userName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}\$?$`)
	sysctlKey  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_/-]+)+$`)
	moduleName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func isDNSLabel(s string) bool { return dnsLabel.MatchString(s) }

// isDNSName reports whether s is an RFC 1123 subdomain in lower case.
func isDNSName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if !isDNSLabel(part) {
			return false
		}
	}
	return true
}

// isSANName is a DNS name, also as a wildcard.
func isSANName(s string) bool { return isDNSName(strings.TrimPrefix(s, "*.")) }

func isUserName(s string) bool   { return userName.MatchString(s) }
func isSysctlKey(s string) bool  { return sysctlKey.MatchString(s) && !strings.Contains(s, "..") }
func isModuleName(s string) bool { return moduleName.MatchString(s) }
