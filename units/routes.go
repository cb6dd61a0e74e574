package units

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// RouteProtocol marks our routes in the kernel's table (the numbers above 4 are
// free for users), so that all of them, and no others, can be found again.
const RouteProtocol = 252

// ip is the program that sets routes; every distribution has it there.
const ip = "/sbin/ip"

// Route leads to the pods of a host.
type Route struct {
	PodCIDR netip.Prefix
	Via     netip.Addr // the host's address
}

// RouteList writes the routes to the pods of all hosts as ip(8) reads them with
// -batch, sorted: one text that is the same on every host.
func RouteList(routes []Route) (string, error) {
	lines := make([]string, 0, len(routes))
	for _, r := range routes {
		if !r.PodCIDR.IsValid() || !r.Via.IsValid() || r.PodCIDR.Addr().Is4() != r.Via.Is4() {
			return "", fmt.Errorf("listing the routes: no route to %s via %s", r.PodCIDR, r.Via)
		}
		lines = append(lines, fmt.Sprintf("route replace %s via %s proto %d\n", r.PodCIDR.Masked(), r.Via, RouteProtocol))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ""), nil
}

// RoutesParams describes the routes of one host.
type RoutesParams struct {
	List string     // the file with RouteList's text
	Own  netip.Addr // the host's own address; its own pods need no route
}

// Routes returns the oneshot unit that sets the routes of a list to all hosts but
// one's own, all of which have to be on one network. A restart takes away routes
// to hosts that are gone, too: stopping removes by mark, not by list.
func Routes(p RoutesParams) (Unit, error) {
	if !path.IsAbs(p.List) || !p.Own.IsValid() {
		return Unit{}, fmt.Errorf("building the unit of the routes: the list %q and the address %s are needed", p.List, p.Own)
	}
	u := service(ComponentRoutes)
	u.Description = "Routes to the pods of the other hosts"
	u.Type = TypeOneshot
	u.RemainAfterExit = true
	u.Restart = "on-failure" // the network may be later than its target
	u.Before = []string{"kubelet.service"}
	// systemd-networkd removes routes that it does not know when it restarts.
	u.After = append(u.After, "systemd-networkd.service")
	u.PartOf = []string{"systemd-networkd.service"}
	// A list that is gone must not pass for one without routes.
	u.Exec = []string{"/bin/sh", "-c", `test -s "$1" && grep -vF " via $2 " "$1" | ` + ip + ` -batch -`, "sh", p.List, p.Own.String()}
	family := "-4"
	if p.Own.Is6() {
		family = "-6"
	}
	u.ExecStop = []Command{{IgnoreFailure: true, Argv: []string{ip, family, "route", "flush", "proto", strconv.Itoa(RouteProtocol)}}}
	return u, nil
}
