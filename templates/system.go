package templates

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Where the files of the system stand.
const (
	SysctlPath  = "/etc/sysctl.d/99-hardway.conf"
	ModulesPath = "/etc/modules-load.d/hardway.conf"
	HostsPath   = "/etc/hosts"
	CrictlPath  = "/etc/crictl.yaml"
)

// HostEntry is a line of /etc/hosts.
type HostEntry struct {
	Address netip.Addr
	Names   []string // the first is the canonical one
}

// Hosts returns the lines of our block in /etc/hosts, in the order given and
// without the marks of the block.
func Hosts(entries []HostEntry) (string, error) {
	owner := map[string]netip.Addr{}
	for _, e := range entries {
		if !e.Address.IsValid() || len(e.Names) == 0 {
			return "", fmt.Errorf("rendering %s: an entry has no address or no name (%s %v)", HostsPath, e.Address, e.Names)
		}
		for _, name := range e.Names {
			if err := word("name", name); err != nil {
				return "", fmt.Errorf("rendering %s: %w", HostsPath, err)
			}
			if other, twice := owner[name]; twice && other != e.Address {
				return "", fmt.Errorf("rendering %s: %s would be both %s and %s", HostsPath, name, other, e.Address)
			}
			owner[name] = e.Address
		}
	}
	return render("hosts", entries)
}

// DefaultSysctls are the kernel parameters that a host needs: to forward the
// pods' packets, and to show bridged ones to iptables, without which a Service
// does not answer pods on the same host.
func DefaultSysctls() map[string]string {
	return map[string]string{
		"net.bridge.bridge-nf-call-ip6tables": "1",
		"net.bridge.bridge-nf-call-iptables":  "1",
		"net.ipv4.ip_forward":                 "1",
	}
}

// Sysctl returns the file for /etc/sysctl.d, in order of key.
func Sysctl(values map[string]string) (string, error) {
	type line struct{ Key, Value string }
	var lines []line
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := word("key", key); err != nil || strings.ContainsAny(key, "=;*?[") {
			return "", fmt.Errorf("rendering %s: %q is not the name of a kernel parameter", SysctlPath, key)
		}
		// Some values are several words: net.ipv4.ping_group_range = 0 2147483647.
		for _, part := range strings.Split(values[key], " ") {
			if err := word("value", part); err != nil {
				return "", fmt.Errorf("rendering %s: %s: %w", SysctlPath, key, err)
			}
		}
		lines = append(lines, line{key, values[key]})
	}
	return render("sysctl.conf", lines)
}

// Crictl returns crictl.yaml for a CRI socket such as unix:///run/containerd/containerd.sock.
func Crictl(endpoint string) (string, error) {
	if err := word("endpoint", endpoint); err != nil {
		return "", fmt.Errorf("rendering %s: %w", CrictlPath, err)
	}
	return render("crictl.yaml", map[string]string{"Endpoint": endpoint})
}

// AuditPolicy returns the audit policy of the API server, audit.k8s.io/v1.
func AuditPolicy() string {
	text, err := files.ReadFile("files/audit-policy.yaml")
	if err != nil {
		panic("templates: " + err.Error()) // embedded
	}
	return string(text)
}
