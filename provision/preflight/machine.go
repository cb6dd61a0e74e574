package preflight

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hardway/provision/config"
)

// Versions that something needs.
const (
	// oldestSystemd can do what the units ask for: Delegate=, LimitNOFILE=infinity,
	// KillMode=, and the kubelet's cgroup driver "systemd" (228).
	oldestSystemd = 232
	// cgroupV2From is the minor whose kubelet refuses cgroup v1 unless it is told
	// not to (CHANGELOG-1.35).
	cgroupV2From = 35
)

// minor returns 37 of "1.37.1".
func minor(version string) int {
	w := strings.SplitN(version, ".", 3)
	if len(w) < 2 {
		return 0
	}
	n, err := strconv.Atoi(w[1])
	if err != nil {
		return 0
	}
	return n
}

// kernelAt reports whether a kernel's release, such as 6.1.0-18-amd64, is at least
// that version. One that cannot be read passes.
func kernelAt(release string, major, low int) bool {
	w := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(w) < 2 {
		return true
	}
	a, err := strconv.Atoi(w[0])
	if err != nil {
		return true
	}
	b, err := strconv.Atoi(w[1])
	return err != nil || a > major || a == major && b >= low
}

// machine judges kernel, cgroups, swap, systemd and the security modules.
func (c *check) machine() {
	version := c.in.Config.Version
	const upgrade = "use a newer kernel"
	switch {
	case !kernelAt(c.o.Kernel, 4, 19):
		c.fail("kernel", c.h.Range, "its kernel is "+c.o.Kernel+"; Kubernetes needs 4.19", upgrade)
	case c.in.Config.KubeProxy.Mode == "nftables" && !kernelAt(c.o.Kernel, 5, 13):
		c.fail("kernel", rangeOr(c.in.Config.KubeProxy.ModeRange, c.h.Range), "its kernel is "+c.o.Kernel+`; kube-proxy's mode "nftables" needs 5.13`, upgrade+`, or set kube_proxy { mode = "iptables" }`)
	case c.o.Cgroup == 2 && !kernelAt(c.o.Kernel, 5, 8):
		c.warn("kernel", c.h.Range, "its kernel is "+c.o.Kernel+"; cgroup v2 wants 5.8", upgrade)
	}
	if c.o.Cgroup == 1 && minor(version) >= cgroupV2From {
		if set, fail := enabled(c.h.Kubelet.Config, "failCgroupV1"); !set || fail {
			c.fail("cgroup", rangeOr(c.h.Kubelet.Range, c.h.Range), "it has cgroup v1, and the kubelet refuses that from 1.35 on",
				"boot with systemd.unified_cgroup_hierarchy=1, or set kubelet { config = { failCgroupV1 = false } }")
		}
	}
	if len(c.o.Swaps) > 0 && c.m.Swap == "ignore" {
		set, fail := enabled(c.h.Kubelet.Config, "failSwapOn")
		if flag := c.h.Kubelet.Flags["fail-swap-on"]; flag != "" {
			set, fail = true, flag != "false"
		}
		if !set || fail {
			c.fail("swap", c.m.RangeOf("swap"), "swap is on ("+strings.Join(c.o.Swaps, ", ")+"), and the kubelet does not start with it",
				`set host { swap = "off" }, or kubelet { config = { failSwapOn = false } }`)
		}
	}
	switch v := c.o.System.Systemd; {
	case c.o.Commands["systemctl"] == "":
		c.fail("systemd", c.h.Range, "it has no systemctl: hardway runs the components under systemd", "use a distribution with systemd")
	case v > 0 && v < oldestSystemd:
		c.fail("systemd", c.h.Range, fmt.Sprintf("its systemd is %d; %d is needed", v, oldestSystemd), "use a newer release of the distribution")
	}
	c.security()
}

// security judges SELinux and AppArmor.
func (c *check) security() {
	s := c.o.System
	if !s.Asked {
		return
	}
	at := c.m.RangeOf("selinux")
	switch c.m.SELinux {
	case config.SELinuxIgnore:
		if _, set := c.h.Containerd.Config["enable_selinux"]; s.SELinux == "enforcing" && !set {
			c.warn("selinux", at, "SELinux is enforcing, and nothing is done about it",
				`set host { selinux = "enforcing" } to have files labelled, or "permissive" to have it only report`)
		}
	default:
		if s.SELinux == "" {
			c.warn("selinux", at, fmt.Sprintf("host.selinux is %q, and its kernel has no SELinux", c.m.SELinux), `nothing is done on this host; boot with SELinux, or set host { selinux = "ignore" }`)
		}
	}
	if s.AppArmor && c.o.Commands["apparmor_parser"] == "" {
		c.warn("apparmor", c.h.Range, "AppArmor is on without apparmor_parser: containers run without a profile", "install the package apparmor")
	}
}

func rangeOr(r, otherwise hcl.Range) hcl.Range {
	if r.Filename == "" {
		return otherwise
	}
	return r
}
