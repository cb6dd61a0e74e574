package units

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// RouteProtocol marks our routes in the kernel's table (the numbers above 4 are
// free for users), so that all of them, and no others, can be found again.
const RouteProtocol = 252

// Route leads to the pods of another host.
type Route struct {
	PodCIDR netip.Prefix
	Via     netip.Addr // the host's address
}

// RoutesParams describes the routes of one host.
type RoutesParams struct {
	IP     string  // the ip program; /sbin/ip when empty, which every distribution has
	Routes []Route // to every other host
}

// Routes returns the oneshot unit that holds the static routes to the pods of
// the other hosts, all of which have to be on one network. A restart takes away
// routes to hosts that are gone, too: stopping removes by mark, not by list.
func Routes(p RoutesParams) (Unit, error) {
	ip := p.IP
	if ip == "" {
		ip = "/sbin/ip"
	}
	if len(p.Routes) == 0 {
		return Unit{}, errors.New("building the unit of the routes: there are none")
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

	routes := slices.Clone(p.Routes)
	slices.SortFunc(routes, func(a, b Route) int {
		return strings.Compare(a.PodCIDR.String(), b.PodCIDR.String())
	})
	protocol := strconv.Itoa(RouteProtocol)
	families := map[string]bool{}
	for i, r := range routes {
		if !r.PodCIDR.IsValid() || !r.Via.IsValid() || r.PodCIDR.Addr().Is4() != r.Via.Is4() {
			return Unit{}, fmt.Errorf("building the unit of the routes: no route from %s via %s", r.PodCIDR, r.Via)
		}
		family := "-4"
		if r.Via.Is6() {
			family = "-6"
		}
		families[family] = true
		argv := []string{ip, family, "route", "replace", r.PodCIDR.Masked().String(), "via", r.Via.String(), "proto", protocol}
		if i == 0 {
			u.Exec = argv
		} else {
			u.ExecMore = append(u.ExecMore, Command{Argv: argv})
		}
	}
	for _, family := range []string{"-4", "-6"} {
		if families[family] {
			u.ExecStop = append(u.ExecStop, Command{IgnoreFailure: true,
				Argv: []string{ip, family, "route", "flush", "proto", protocol}})
		}
	}
	return u, nil
}
