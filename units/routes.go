package units

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hardway/units/unitfile"
)

// RouteProtocol marks our routes in the kernel's table (the numbers above 4 are
// free for users), so that all of them, and no others, can be found again.
const RouteProtocol = 252

// Route leads to the pods of another host.
type Route struct {
	PodCIDR netip.Prefix
	Via     netip.Addr // the host's address
}

// RouteTable is the routes to the pods of every host of a cluster, sorted and
// written out once: each host's unit has all of them but its own, so that to
// write them for each anew would cost the square of the hosts.
type RouteTable struct {
	ip     string
	routes []writtenRoute
}

type writtenRoute struct {
	Route
	command Command
}

// NewRouteTable takes the route to each host, its own among them. The ip program
// is /sbin/ip when it is empty, which every distribution has.
func NewRouteTable(ip string, routes []Route) (RouteTable, error) {
	if ip == "" {
		ip = "/sbin/ip"
	}
	t := RouteTable{ip: ip}
	for _, r := range routes {
		if !r.PodCIDR.IsValid() || !r.Via.IsValid() || r.PodCIDR.Addr().Is4() != r.Via.Is4() {
			return t, fmt.Errorf("building the unit of the routes: no route from %s via %s", r.PodCIDR, r.Via)
		}
		w := writtenRoute{r, Command{Argv: []string{ip, family(r), "route", "replace", r.PodCIDR.Masked().String(), "via", r.Via.String(),
			"proto", strconv.Itoa(RouteProtocol)}}}
		var err error
		if w.command.line, err = unitfile.RenderExec(w.command.Argv); err != nil {
			return t, fmt.Errorf("building the unit of the routes: %w", err)
		}
		t.routes = append(t.routes, w)
	}
	slices.SortFunc(t.routes, func(a, b writtenRoute) int { return strings.Compare(a.command.Argv[4], b.command.Argv[4]) })
	return t, nil
}

func family(r Route) string {
	if r.Via.Is6() {
		return "-6"
	}
	return "-4"
}

// Unit returns the oneshot unit that holds the static routes to the pods of the
// hosts other than own, all of which have to be on one network. A restart takes
// away routes to hosts that are gone, too: stopping removes by mark, not by list.
func (t RouteTable) Unit(own netip.Addr) (Unit, error) {
	u := service(ComponentRoutes)
	u.Description = "Routes to the pods of the other hosts"
	u.Type = TypeOneshot
	u.RemainAfterExit = true
	u.Restart = "on-failure" // the network may be later than its target
	u.Before = []string{"kubelet.service"}
	// systemd-networkd removes routes that it does not know when it restarts.
	u.After = append(u.After, "systemd-networkd.service")
	u.PartOf = []string{"systemd-networkd.service"}

	u.ExecMore = make([]Command, 0, len(t.routes))
	families := map[string]bool{}
	for _, r := range t.routes {
		switch {
		case r.Via == own:
			continue
		case u.Exec == nil:
			u.Exec = r.command.Argv
		default:
			u.ExecMore = append(u.ExecMore, r.command)
		}
		families[family(r.Route)] = true
	}
	if u.Exec == nil {
		return Unit{}, errors.New("building the unit of the routes: there are none")
	}
	for _, family := range []string{"-4", "-6"} {
		if families[family] {
			u.ExecStop = append(u.ExecStop, Command{IgnoreFailure: true,
				Argv: []string{t.ip, family, "route", "flush", "proto", strconv.Itoa(RouteProtocol)}})
		}
	}
	return u, nil
}

// RoutesParams describes the routes of one host.
type RoutesParams struct {
	IP     string  // the ip program; /sbin/ip when empty, which every distribution has
	Routes []Route // to every other host
}

// Routes returns the unit of one host from its own list.
func Routes(p RoutesParams) (Unit, error) {
	t, err := NewRouteTable(p.IP, p.Routes)
	if err != nil {
		return Unit{}, err
	}
	return t.Unit(netip.Addr{})
}
