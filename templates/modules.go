package templates

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Module is a kernel module with what shows that it is there: a path, or a word
// in a file as "/proc/filesystems:overlay". A module that is built into the
// kernel is neither in lsmod nor, for most, in /sys/module.
type Module struct {
	Name    string
	Effects []string
}

// DefaultModules are the kernel modules that every host needs.
func DefaultModules() []Module {
	return []Module{
		{"br_netfilter", []string{"/proc/sys/net/bridge/bridge-nf-call-iptables"}},
		{"nf_conntrack", []string{"/proc/sys/net/netfilter/nf_conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_count"}},
		{"overlay", []string{"/proc/filesystems:overlay"}},
	}
}

// ModeIPVS is the mode of kube-proxy that needs modules of its own.
const ModeIPVS = "ipvs"

// ProxyModules are the kernel modules that a mode of kube-proxy needs beside the
// default ones. The scheduler is ipvs mode's, rr when empty; kernel is the host's
// release, such as 6.1.0-13, empty where it is not known yet. What iptables and
// nftables need, the kernel loads by itself when a rule asks for it. For ipvs,
// kube-proxy up to 1.27 wants all of ip_vs, _rr, _wrr and _sh
// (pkg/proxy/ipvs/proxier.go, GetRequiredIPVSModules), and every version the
// scheduler's; connection tracking for IPv4 is a module of its own before Linux 4.19.
func ProxyModules(mode, scheduler, kernel string) []Module {
	if mode != ModeIPVS {
		return nil
	}
	list := []Module{{"ip_vs", []string{"/proc/net/ip_vs"}}}
	names := []string{"ip_vs_rr", "ip_vs_sh", "ip_vs_wrr"}
	if scheduler != "" {
		names = append(names, "ip_vs_"+scheduler)
	}
	if kernel != "" && !KernelAtLeast(kernel, "4.19") {
		names = append(names, "nf_conntrack_ipv4")
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		list = append(list, Module{name, []string{"/sys/module/" + name}})
	}
	return list
}

// NFTablesKernel is the oldest kernel on which kube-proxy starts in nftables mode
// (pkg/proxy/nftables/supported.go).
const NFTablesKernel = "5.13"

// ProxyPrograms are the programs of the system that a mode of kube-proxy calls; for
// ipvs also ipvsadm, with which its virtual servers are told from others' when they
// are removed.
func ProxyPrograms(mode string) []string {
	switch mode {
	case "nftables":
		return []string{"nft"}
	case ModeIPVS:
		return []string{"ipset", "ipvsadm", "iptables"}
	}
	return []string{"iptables"}
}

// KernelAtLeast compares a kernel's release, such as "6.1.0-13-amd64", with a
// version of two numbers. A release that has none counts as newer.
func KernelAtLeast(release, version string) bool {
	major, rest, ok := strings.Cut(release, ".")
	if !ok {
		return true
	}
	minor := rest
	if i := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
		minor = rest[:i]
	}
	v := "v" + major + "." + minor
	return !semver.IsValid(v) || semver.Compare(v, "v"+version) >= 0
}

// Modules returns the file for /etc/modules-load.d, in the order given.
func Modules(list []Module) (string, error) {
	for _, m := range list {
		if err := word("name", m.Name); err != nil || strings.HasPrefix(m.Name, ";") {
			return "", fmt.Errorf("rendering %s: %q is not the name of a module", ModulesPath, m.Name)
		}
	}
	return render("modules.conf", list)
}
