package packages_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/packages"
)

func TestManagerOf(t *testing.T) {
	for _, c := range []struct {
		id   string
		like []string
		want packages.Manager
	}{
		{"debian", nil, packages.APT},
		{"pop", []string{"ubuntu", "debian"}, packages.APT},
		{"rocky", []string{"rhel", "centos", "fedora"}, packages.DNF},
		{"amzn", []string{"fedora"}, packages.DNF},
		{"opensuse-leap", []string{"suse", "opensuse"}, packages.Zypper},
		{"alpine", nil, packages.APK},
		{"nixos", nil, packages.None},
		{"", nil, packages.None},
	} {
		if got := packages.ManagerOf(c.id, c.like); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.id, c.like, got, c.want)
		}
	}
}

// Whatever may be needed has a package with every manager of a distribution that
// has systemd.
func TestEveryNeedHasAPackage(t *testing.T) {
	for _, mode := range []string{"iptables", "ipvs", "nftables"} {
		needs := packages.Needed(packages.Settings{Minor: 29, ProxyMode: mode, Bridge: true, SwapOff: true, Modules: true, SELinux: "enforcing"})
		for _, need := range needs {
			for _, m := range []packages.Manager{packages.APT, packages.DNF, packages.Zypper} {
				if name, ok := packages.Name(m, need.Program); !ok || name == "" {
					t.Errorf("%s has no package for %s", m, need.Program)
				}
			}
			if need.Why == "" {
				t.Errorf("%s: nobody says why", need.Program)
			}
		}
	}
	if _, ok := packages.Name(packages.APT, "cowsay"); ok {
		t.Error("cowsay has a package")
	}
}

func TestNeeded(t *testing.T) {
	names := func(s packages.Settings) []string {
		var out []string
		for _, n := range packages.Needed(s) {
			out = append(out, n.Program)
		}
		return out
	}
	base := []string{"flock", "losetup", "mount", "nsenter", "umount"}
	with := func(more ...string) []string {
		out := append(slices.Clone(base), more...)
		slices.Sort(out)
		return out
	}
	for name, c := range map[string]struct {
		s    packages.Settings
		want []string
	}{
		"nftables":      {packages.Settings{Minor: 37, ProxyMode: "nftables"}, with("nft")},
		"iptables":      {packages.Settings{Minor: 37, ProxyMode: "iptables", Bridge: true}, with("iptables", "ip")},
		"ipvs":          {packages.Settings{Minor: 37, ProxyMode: "ipvs"}, with("iptables", "ipset")},
		"1.31":          {packages.Settings{Minor: 31, ProxyMode: "nftables"}, with("nft", "conntrack")},
		"the machine":   {packages.Settings{Minor: 37, SwapOff: true, Modules: true}, with("swapoff", "modprobe")},
		"SELinux":       {packages.Settings{Minor: 37, SELinux: "enforcing"}, with("restorecon", "semanage", "setenforce")},
		"only reported": {packages.Settings{Minor: 37, SELinux: "permissive"}, with("setenforce")},
	} {
		if d := cmp.Diff(c.want, names(c.s)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
