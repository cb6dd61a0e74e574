//go:build e2e

package e2e

import (
	"strings"
)

// testRollback changes two settings in two applies, goes back by one, and then
// forward again.
func testRollback(l *lab) {
	l.addKnobs()
	l.turn(`scheduler_flags = { v = "3" }`)
	l.must(0, "apply", "--auto-approve", "--verify=false")
	first := l.installed()
	l.turn(`scheduler_flags = { v = "5" }`, `kubelet_flags = { v = "3" }`)
	l.must(0, "apply", "--auto-approve", "--verify=false")
	second := l.installed()
	if difference(first["n1"], second["n1"]) == "" {
		l.t.Fatal("the second apply changed nothing on n1")
	}

	l.must(0, "rollback", "--auto-approve", "--verify=false")
	l.same("after the rollback", first, l.installed())
	if got := l.on("n1", "tr '\\0' ' ' < /proc/$(systemctl show -P MainPID kubelet)/cmdline"); strings.Contains(got, "--v=3") {
		l.t.Errorf("the kubelet runs with what was gone back from: %s", got)
	}
	r := l.must(1, "plan", "--detailed-exitcode")
	if !strings.Contains(r.out, "held back") || strings.Contains(r.out, "Plan: ") {
		l.t.Errorf("the plan after a rollback does not hold everything back:\n%s", tail(r.all(), 3000))
	}
	l.must(0, "verify", "--smoke=false")

	l.must(0, "apply", "--auto-approve", "--retry", "--verify=false")
	l.same("forward again", second, l.installed())
	l.noChanges()
	l.turn()
	l.must(0, "apply", "--auto-approve", "--verify=false")
	l.noChanges()
}
