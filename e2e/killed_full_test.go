//go:build e2e && full

package e2e

import (
	"strings"
	"testing"
)

// TestKilledEverywhere kills hardway at every point it has, each time it is
// started: while it creates a cluster, changes components, renews certificates
// and takes the cluster away again. Nothing is ever repaired by hand.
func TestKilledEverywhere(t *testing.T) {
	l := newLab(t)
	bare := l.snapshot()
	l.must(0, "init")
	kills := 0
	sequence := func(what string, args ...string) {
		t.Helper()
		f := newFaults(l, "kill", 1, 0)
		f.removal = args[0] == "destroy"
		f.untilDone(what, args...)
		kills += len(readLines(f.dir, hookActed))
	}

	sequence("creation", "apply", "--auto-approve", "--verify=false")
	l.tidy()
	l.noChanges()
	testVerify(l)

	l.addKnobs()
	l.noChanges()
	l.turn(`kubelet_flags = { v = "3" }`, `apiserver_flags = { v = "3" }`)
	sequence("change of flags", "apply", "--auto-approve", "--verify=false")
	l.tidy()
	l.noChanges()
	for _, p := range []struct{ host, unit string }{{"m1", "kube-apiserver"}, {"m1", "kubelet"}, {"n1", "kubelet"}, {"n2", "kubelet"}} {
		if got := l.on(p.host, "tr '\\0' ' ' < /proc/$(systemctl show -P MainPID "+p.unit+")/cmdline"); !strings.Contains(got, "--v=3") {
			t.Errorf("%s on %s runs without --v=3: %s", p.unit, p.host, got)
		}
	}
	testVerify(l)

	sequence("renewal", "certs", "renew", "apiserver", "kubelet-serving", "--auto-approve")
	l.tidy()
	l.noChanges()
	testVerify(l)

	sequence("destruction", "destroy", "--destroy-data", "--auto-approve")
	l.same("after destroy", bare, l.snapshot())
	t.Logf("%d kills in all", kills)
	if kills < 400 {
		t.Errorf("%d kills, want at least 400", kills)
	}
	l.script("down")
}
