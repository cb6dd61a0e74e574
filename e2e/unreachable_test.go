//go:build e2e

package e2e

import "strings"

// testUnreachable takes a host away: what can be done without it is done, and it
// is never taken for unchanged.
func testUnreachable(l *lab) {
	l.addKnobs()
	flag := func(host, value string) bool {
		return strings.Contains(l.on(host, "tr '\\0' ' ' < /proc/$(systemctl show -P MainPID kubelet)/cmdline")+" ", "--v="+value+" ")
	}
	l.stop("n2")
	for _, command := range []string{"plan", "drift"} {
		if r := l.must(1, command); !strings.Contains(r.all(), `node["n2"]`) || strings.Contains(r.out, "No changes.") || strings.Contains(r.out, "No drift.") {
			l.t.Errorf("%s without n2:\n%s", command, tail(r.all(), 3000))
		}
	}
	l.turn(`kubelet_flags = { v = "4" }`)
	if r := l.must(1, "apply", "--auto-approve", "--verify=false"); !strings.Contains(r.all(), `node["n2"]`) {
		l.t.Errorf("apply does not name the host that it left out:\n%s", tail(r.all(), 3000))
	}
	for _, h := range []string{"m1", "n1"} {
		if !flag(h, "4") {
			l.t.Errorf("%s did not get the change", h)
		}
	}
	l.start("n2")
	l.must(0, "apply", "--auto-approve", "--verify=false")
	if !flag("n2", "4") {
		l.t.Error("n2 did not get the change after it came back")
	}
	l.noChanges()
	l.turn()
	l.must(0, "apply", "--auto-approve")
	l.noChanges()
}
