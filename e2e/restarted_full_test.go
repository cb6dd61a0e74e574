//go:build e2e && full

package e2e

import "testing"

// TestRestartedHosts cuts the power of hosts at points all over a creation.
func TestRestartedHosts(t *testing.T) {
	l := newLab(t)
	bare := l.snapshot()
	l.must(0, "init")
	testRestarted(l, 7, 3, 60)
	testVerify(l)
	l.must(0, "destroy", "--destroy-data", "--auto-approve")
	l.same("after destroy", bare, l.snapshot())
	l.script("down")
}
