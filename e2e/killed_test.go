//go:build e2e

package e2e

import "strings"

// killEvery is at which of the new points plain e2e kills; the whole of it is for
// e2e-full.
const killEvery = 24

// testCreationKilled creates the cluster, killing hardway again and again at
// points all over the creation.
func testCreationKilled(l *lab) {
	f := newFaults(l, "kill", killEvery, 5)
	f.untilDone("creation", "apply", "--auto-approve", "--verify=false")
	if got := len(readLines(f.dir, hookActed)); got < 20 {
		l.t.Errorf("it was killed %d times only", got)
	}
	l.tidy()
	l.noChanges()
}

// testChangeKilled kills hardway at points of a change that restarts components,
// and wants every process to run with the inputs that it should in the end.
func testChangeKilled(l *lab) {
	l.addKnobs()
	l.turn(`scheduler_flags = { v = "3" }`, `controller_manager_flags = { v = "3" }`)
	f := newFaults(l, "kill", 5, 0)
	f.untilDone("change of flags", "apply", "--auto-approve", "--verify=false")
	l.noChanges()
	for _, unit := range []string{"kube-scheduler", "kube-controller-manager"} {
		if got := l.on("m1", "tr '\\0' ' ' < /proc/$(systemctl show -P MainPID "+unit+")/cmdline"); !strings.Contains(got, "--v=3") {
			l.t.Errorf("%s runs without --v=3: %s", unit, got)
		}
	}
	l.turn()
	l.must(0, "apply", "--auto-approve", "--verify=false")
	l.noChanges()
}
