//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// proxyModes is what shows that kube-proxy works in a mode, and that it did, by
// commands that print something exactly when it is so.
var proxyModes = map[string]struct{ works, left []string }{
	"nftables": {
		works: []string{"nft list table ip kube-proxy"},
		left:  []string{"nft list tables | grep kube-proxy"},
	},
	"iptables": {
		works: []string{"iptables-save -t nat | grep '^:KUBE-SVC-'"},
		// The kubelet's own chains stay; it would only make them anew.
		left: []string{"{ iptables-save; ip6tables-save; } | grep '^:KUBE-' | grep -v -e KUBELET-CANARY -e IPTABLES-HINT -e ':KUBE-FIREWALL '",
			"iptables-save -t nat | grep -E '^:KUBE-(SVC|SEP|EXT|NODEPORTS)'"},
	},
	"ipvs": {
		works: []string{"ip -d link show dev kube-ipvs0", "grep '^TCP' /proc/net/ip_vs"},
		left: []string{"ip -d link show dev kube-ipvs0 2>/dev/null", "grep -E '^(TCP|UDP|SCTP)' /proc/net/ip_vs 2>/dev/null", "ipset list -n 2>/dev/null | grep '^KUBE-'",
			"{ iptables-save; ip6tables-save; } | grep -E '^:KUBE-(NODE-PORT|LOAD-BALANCER|IPVS-)'"},
	},
}

// testProxyModes goes from nftables over ipvs, where the hosts' kernel has it, and
// iptables back to nftables. After each change nothing of the former mode is left
// on any host, and a Service answers from all of them.
func testProxyModes(l *lab) {
	former := "nftables"
	for _, mode := range []string{"ipvs", "iptables", "nftables"} {
		l.edit("cluster.hcl", `"`+former+`"`, `"`+mode+`"`)
		if mode == "ipvs" && !l.hasIPVS() {
			// The plan says so, before anything is changed.
			before := l.still()
			r := l.must(1, "plan")
			for _, want := range []string{"kube-proxy's mode ipvs needs", `node["n1"]`, `master["m1"]`} {
				if !strings.Contains(r.all(), want) {
					l.t.Errorf("the plan does not say %q:\n%s", want, tail(r.all(), 3000))
				}
			}
			l.same("after a plan for ipvs", before, l.still())
			l.t.Log("the hosts have no ipvs: from nftables to iptables")
			l.edit("cluster.hcl", `"ipvs"`, `"`+former+`"`)
			continue
		}
		l.must(0, "apply", "--auto-approve")
		l.noChanges()
		for _, h := range names {
			for _, command := range proxyModes[mode].works {
				if got := l.on(h, command+" || true"); strings.TrimSpace(got) == "" {
					l.t.Errorf("%s, %s: nothing from %s", h, mode, command)
				}
			}
			for _, command := range proxyModes[former].left {
				if got := l.on(h, "{ "+command+"; } || true"); strings.TrimSpace(got) != "" && !shared(former, mode, command) {
					l.t.Errorf("%s: %s is left after %s: %s:\n%s", h, former, mode, command, tail(got, 2000))
				}
			}
		}
		testVerify(l)
		former = mode
	}
}

// shared reports whether the next mode has what a command asks for, too: ipvs
// mode has chains of its own under names that begin alike.
func shared(former, mode, command string) bool {
	return former == "iptables" && mode == "ipvs" && strings.Contains(command, "grep -v")
}

// hasIPVS reports whether every host has ipvs, or could load it, with its programs.
func (l *lab) hasIPVS() bool {
	for _, h := range names {
		got := l.on(h, "{ test -e /proc/net/ip_vs || modprobe --dry-run ip_vs; } >/dev/null 2>&1 && command -v ipset >/dev/null && command -v ipvsadm >/dev/null && echo yes || true")
		if strings.TrimSpace(got) != "yes" {
			return false
		}
	}
	return true
}

// A command for each mode, each way: a mode that is forgotten here proves nothing.
func TestProxyModesAreProven(t *testing.T) {
	for mode, m := range proxyModes {
		if len(m.works) == 0 || len(m.left) == 0 {
			t.Errorf("%s: nothing shows that it works, or that it is gone", mode)
		}
	}
}
