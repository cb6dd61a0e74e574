package units

import (
	"net/netip"
	"testing"
)

// TestRouteList wants one text whatever the order, with each route once.
func TestRouteList(t *testing.T) {
	a := Route{netip.MustParsePrefix("10.244.2.7/24"), netip.MustParseAddr("192.168.10.32")}
	b := Route{netip.MustParsePrefix("10.244.0.0/24"), netip.MustParseAddr("192.168.10.21")}
	const want = "route replace 10.244.0.0/24 via 192.168.10.21 proto 252\nroute replace 10.244.2.0/24 via 192.168.10.32 proto 252\n"
	for _, routes := range [][]Route{{a, b}, {b, a}, {b, a, b}} {
		got, err := RouteList(routes)
		if err != nil || got != want {
			t.Errorf("%v:\n%s%v", routes, got, err)
		}
	}
}
