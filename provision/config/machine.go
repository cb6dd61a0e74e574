package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Choices of the host block that other packages decide by.
const (
	PackagesCheck   = "check"   // programs that are missing are named, and nothing is installed
	PackagesInstall = "install" // they are installed by the host's package manager

	FirewallIgnore  = "ignore"  // closed ports are named
	FirewallOpen    = "open"    // firewalld or ufw lets exactly the cluster's traffic through
	FirewallDisable = "disable" // firewalld or ufw is turned off

	SELinuxIgnore     = "ignore"
	SELinuxPermissive = "permissive"
	SELinuxEnforcing  = "enforcing" // stays on, with contexts for what hardway writes
)

// What the user makes of a check.
const (
	CheckError  = "error"
	CheckWarn   = "warn"
	CheckIgnore = "ignore"
)

// Checks are the ids of the preflight checks, sorted. They are part of the
// language; package preflight has what stands behind each.
func Checks() []string {
	return []string{
		"address", "apparmor", "architecture", "cgroup", "clock", "cpus", "disk", "distribution", "dns", "firewall", "hostname", "inodes",
		"kernel", "machine-id", "memory", "mounts", "packages", "ports", "programs", "selinux", "swap", "systemd",
	}
}

func (l *loader) readMachine(c *Cluster) {
	r, _ := l.block("host", schema{
		attributes: []string{"swap", "sysctl", "modules", "manage_sysctl", "manage_modules", "manage_hosts",
			"packages", "extra_packages", "remove_packages", "firewall", "selinux", "preflight"},
		later: []string{"time_sync"},
	})
	c.Machine = Machine{
		Range: r.rng, Swap: r.choice("swap", "off", "off", "ignore"), Sysctl: map[string]string{},
		ManageSysctl: r.flag("manage_sysctl", true), ManageModules: r.flag("manage_modules", true), ManageHosts: r.flag("manage_hosts", true),
		Packages: r.choice("packages", PackagesCheck, PackagesCheck, PackagesInstall), RemovePackages: r.flag("remove_packages", false),
		Firewall: r.choice("firewall", FirewallIgnore, FirewallIgnore, FirewallOpen, FirewallDisable),
		SELinux:  r.choice("selinux", SELinuxIgnore, SELinuxIgnore, SELinuxPermissive, SELinuxEnforcing),
		Ranges:   map[string]hcl.Range{},
	}
	for name, a := range r.attrs {
		c.Machine.Ranges[name] = a.Expr.Range()
	}
	sysctl, ranges := r.mapping("sysctl")
	for _, key := range sortedKeys(sysctl) {
		if !isSysctlKey(key) {
			l.diags.add(errorAt(ranges[key], "Invalid sysctl", "%s is not a sysctl key, such as vm.max_map_count.", quote(key)))
			continue
		}
		if strings.TrimSpace(sysctl[key]) == "" {
			l.diags.add(errorAt(ranges[key], "Empty value", "The sysctl %s has no value.", key))
			continue
		}
		c.Machine.Sysctl[key] = sysctl[key]
	}
	c.Machine.Modules, _ = r.texts("modules", false)
	for _, m := range c.Machine.Modules {
		if !isModuleName(m) {
			r.fail("modules", "Invalid kernel module", "%s is not the name of a kernel module, such as br_netfilter.", quote(m))
		}
	}
	r.packages(&c.Machine)
	c.Machine.Preflight = r.preflight()
}

// packageName is what apt, dnf, zypper and apk all take for the name of a package
// and never for an option, a version or a file.
var packageName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,127}$`)

func (r reader) packages(m *Machine) {
	extra, _ := r.texts("extra_packages", false)
	for _, name := range extra {
		if !packageName.MatchString(name) {
			r.fail("extra_packages", "Invalid package", "%s is not the name of a package, such as nfs-common.", quote(name))
			continue
		}
		m.ExtraPackages = append(m.ExtraPackages, name)
	}
	slices.Sort(m.ExtraPackages)
	m.ExtraPackages = slices.Compact(m.ExtraPackages)
	if m.Packages == PackagesInstall {
		return
	}
	for _, name := range []string{"extra_packages", "remove_packages"} {
		if r.has(name) {
			r.fail(name, "Packages are not installed", "%s of %s needs packages = %q beside it: with %q nothing is installed.", name, r.where, PackagesInstall, PackagesCheck)
		}
	}
}

// preflight reads what becomes of single checks.
func (r reader) preflight() map[string]string {
	given, ranges := r.mapping("preflight")
	out := map[string]string{}
	for _, id := range sortedKeys(given) {
		if !slices.Contains(Checks(), id) {
			r.l.diags.add(errorAt(ranges[id], "Unknown check", "There is no preflight check %s.%s The checks are %s.", quote(id), didYouMean(id, Checks()), strings.Join(Checks(), ", ")))
			continue
		}
		choices := []string{CheckError, CheckWarn, CheckIgnore}
		if !slices.Contains(choices, given[id]) {
			r.l.diags.add(errorAt(ranges[id], "Unknown value", "The check %s is set to %s; it can be %s.%s", id, quote(given[id]), enumerate(choices, "or"), didYouMean(given[id], choices)))
			continue
		}
		out[id] = given[id]
	}
	return out
}
