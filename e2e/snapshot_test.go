//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// picture prints everything about a host that hardway could have changed: every
// file with mode, owner, size and digest, kernel parameters, addresses, routes,
// packet filter rules, enabled units and mounts. Logs, and what lives in memory
// only, are left out, and so are the ports of docker's own resolver, which are
// others after each start of a host.
const picture = `
find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache \
          -o -path /home/vagrant -o -path /var/lib/systemd -o -path /var/tmp -o -path /var/backups \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sed 's/^/content /'
find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache \
          -o -path /home/vagrant -o -path /var/lib/systemd -o -path /var/tmp -o -path /var/backups \) -prune -o -printf 'file %p %y %m %u:%g %l\n' | sort
sysctl -a 2>/dev/null | grep -E '^(net.ipv4.ip_forward|net.bridge.|kernel.panic|vm.overcommit_memory|vm.panic_on_oom|kernel.keys.root_max)' | sed 's/^/sysctl /'
ip -o address | awk '{print "address", $2, $4}' | sort
ip route | sed 's/^/route /' | sort
iptables-save | grep '^-A' | sed -E -e '/127\.0\.0\.11/s/(--sport |127\.0\.0\.11:)[0-9]+/\1PORT/' -e 's/^/rule /'
nft list tables | grep -v ' ip6\? \(mangle\|nat\|filter\|raw\)$' | sed 's/^/table /'
systemctl list-unit-files --state=enabled --no-legend | awk '{print "enabled", $1}' | sort
systemctl list-units --type=service --state=running --no-legend --plain | awk '{print "running", $1}' | grep -vE 'user@|ssh@|user-runtime|session' | sort
awk '{print "mount", $2}' /proc/mounts | grep -v /run/user | sort
`

// snapshot takes a picture of every host.
func (l *lab) snapshot() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for _, h := range names {
		out[h] = l.on(h, picture)
	}
	return out
}

// same fails with the lines in which two pictures differ.
func (l *lab) same(what string, before, after map[string]string) {
	l.t.Helper()
	for _, h := range names {
		if d := difference(before[h], after[h]); d != "" {
			l.t.Errorf("%s: %s is not as it was:\n%s", what, h, tail(d, 4000))
		}
	}
}

// difference lists lines of the one that are not in the other.
func difference(a, b string) string {
	before, after := strings.Split(a, "\n"), strings.Split(b, "\n")
	slices.Sort(before)
	slices.Sort(after)
	var out strings.Builder
	for _, line := range before {
		if _, ok := slices.BinarySearch(after, line); !ok {
			fmt.Fprintln(&out, "-", line)
		}
	}
	for _, line := range after {
		if _, ok := slices.BinarySearch(before, line); !ok {
			fmt.Fprintln(&out, "+", line)
		}
	}
	return out.String()
}
