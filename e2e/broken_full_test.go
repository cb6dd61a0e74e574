//go:build e2e && full

package e2e

import "testing"

// TestBrokenSettings breaks a healthy cluster with every setting there is.
func TestBrokenSettings(t *testing.T) {
	l := newCluster(t)
	testBroken(l, brokenSettings)
	l.must(0, "verify")
}

// newCluster is a fresh lab with the lab's cluster on it. What a test leaves of it
// is taken away by the next one.
func newCluster(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.must(0, "init")
	l.must(0, "apply", "--auto-approve", "--verify=false")
	l.noChanges()
	return l
}
