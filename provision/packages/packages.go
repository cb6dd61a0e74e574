// Package packages knows what the programs that a host needs are called in the
// packages of its distribution, and which package manager installs them.
//
// It is a leaf: names in, names out. It must never know a host, an observation or
// a configuration.
package packages

import (
	"slices"
	"strings"
)

// Manager is a program that installs packages.
type Manager string

// The managers that hardway can use.
const (
	None   Manager = ""
	APT    Manager = "apt"    // Debian, Ubuntu and what follows them
	DNF    Manager = "dnf"    // Fedora, RHEL and what follows them, from RHEL 8 on
	Zypper Manager = "zypper" // SUSE
	APK    Manager = "apk"    // Alpine, which has no systemd
)

// Managers are all managers.
func Managers() []Manager { return []Manager{APT, DNF, Zypper, APK} }

// ManagerOf returns the manager of a distribution, by ID and ID_LIKE of its
// os-release file (os-release(5)); None for one that is not known.
func ManagerOf(id string, like []string) Manager {
	families := map[string]Manager{
		"debian": APT, "ubuntu": APT, "raspbian": APT, "linuxmint": APT,
		"fedora": DNF, "rhel": DNF, "centos": DNF, "rocky": DNF, "almalinux": DNF, "ol": DNF, "amzn": DNF,
		"suse": Zypper, "sles": Zypper, "opensuse": Zypper, "opensuse-leap": Zypper, "opensuse-tumbleweed": Zypper,
		"alpine": APK,
	}
	for _, name := range append([]string{id}, like...) {
		if m, ok := families[strings.ToLower(name)]; ok {
			return m
		}
	}
	return None
}

// row says which package has a program, by manager. The names are those of the
// distributions' own file lists (Debian 12, Fedora 40 and RHEL 9, openSUSE Leap
// 15.6, Alpine 3.20); where RHEL calls iptables iptables-nft, that one provides it.
type row struct {
	program string
	names   map[Manager]string
}

func all(name string) map[Manager]string {
	return map[Manager]string{APT: name, DNF: name, Zypper: name, APK: name}
}

func table() []row {
	utilLinux := all("util-linux")
	mount := map[Manager]string{APT: "mount", DNF: "util-linux", Zypper: "util-linux", APK: "util-linux"}
	policy := map[Manager]string{APT: "policycoreutils", DNF: "policycoreutils", Zypper: "policycoreutils"}
	return []row{
		{"conntrack", map[Manager]string{APT: "conntrack", DNF: "conntrack-tools", Zypper: "conntrack-tools", APK: "conntrack-tools"}},
		{"flock", utilLinux},
		{"ip", map[Manager]string{APT: "iproute2", DNF: "iproute", Zypper: "iproute2", APK: "iproute2"}},
		{"ipset", all("ipset")},
		{"iptables", all("iptables")},
		{"losetup", mount},
		{"modprobe", all("kmod")},
		{"mount", mount},
		{"nft", all("nftables")},
		{"nsenter", utilLinux},
		{"restorecon", policy},
		{"semanage", map[Manager]string{APT: "policycoreutils-python-utils", DNF: "policycoreutils-python-utils", Zypper: "policycoreutils-python-utils"}},
		{"setenforce", map[Manager]string{APT: "selinux-utils", DNF: "libselinux-utils", Zypper: "selinux-tools"}},
		{"socat", all("socat")},
		{"swapoff", mount},
		{"umount", mount},
	}
}

// Name returns the package that has a program; false where there is none.
func Name(m Manager, program string) (string, bool) {
	for _, r := range table() {
		if r.program == program {
			name, ok := r.names[m]
			return name, ok
		}
	}
	return "", false
}

// Need is a program that a host has to have, and what for.
type Need struct {
	Program string
	Why     string
	// Optional: something that nobody may ever ask for does not work without it.
	Optional bool
}

// Settings are what decides which programs are needed.
type Settings struct {
	Minor     int    // of Kubernetes: 37
	ProxyMode string // of kube-proxy
	Bridge    bool   // network "bridge"
	SwapOff   bool
	Modules   bool   // hardway loads kernel modules
	SELinux   string // ignore, permissive or enforcing
}

// Needed lists the programs for the settings, by name. What kubeadm asks for
// (cmd/kubeadm/app/preflight/checks_linux.go of 1.36: mount, losetup; conntrack up
// to 1.31) is there, and what kube-proxy, the CNI plugins and hardway run.
func Needed(s Settings) []Need {
	out := []Need{
		{Program: "mount", Why: "the kubelet mounts volumes with it"},
		{Program: "umount", Why: "the kubelet unmounts volumes with it"},
		{Program: "losetup", Why: "the kubelet makes block volumes with it", Optional: true},
		{Program: "nsenter", Why: "volume plugins and debugging enter a pod with it", Optional: true},
		{Program: "flock", Why: "hardway locks the host with it"},
	}
	if s.Minor > 0 && s.Minor < 32 {
		out = append(out, Need{Program: "conntrack", Why: "kube-proxy up to 1.31 clears stale connections with it"})
	}
	switch s.ProxyMode {
	case "iptables":
		out = append(out, Need{Program: "iptables", Why: `kube-proxy's mode is "iptables"`})
	case "ipvs":
		out = append(out, Need{Program: "iptables", Why: `kube-proxy's mode "ipvs" masquerades with it`},
			Need{Program: "ipset", Why: `kube-proxy's mode is "ipvs"`})
	case "nftables":
		out = append(out, Need{Program: "nft", Why: `kube-proxy's mode is "nftables"`})
	}
	if s.Bridge {
		out = append(out, Need{Program: "ip", Why: "the routes to other hosts' pods are set with it"})
	}
	if s.SwapOff {
		out = append(out, Need{Program: "swapoff", Why: `host.swap is "off"`})
	}
	if s.Modules {
		out = append(out, Need{Program: "modprobe", Why: "hardway loads kernel modules with it"})
	}
	switch s.SELinux {
	case "permissive":
		out = append(out, Need{Program: "setenforce", Why: `host.selinux is "permissive"`})
	case "enforcing":
		out = append(out, Need{Program: "setenforce", Why: `host.selinux is "enforcing"`},
			Need{Program: "restorecon", Why: `host.selinux is "enforcing"`}, Need{Program: "semanage", Why: `host.selinux is "enforcing"`})
	}
	slices.SortFunc(out, func(a, b Need) int { return strings.Compare(a.Program, b.Program) })
	return out
}
