//go:build e2e

package e2e

import "slices"

// testRestarted cuts the power of a host, and gives it back, in the middle of an
// apply: at every so many-th new point, so many times. That apply may fail; the
// next one goes on.
func testRestarted(l *lab, every, offset, times int) {
	f := newFaults(l, "restart", every, offset)
	args := []string{"apply", "--auto-approve", "--verify=false"}
	runs := 0
	for len(readLines(f.dir, hookActed)) < times {
		before := len(readLines(f.dir, hookActed))
		r, killed := f.run(args...)
		acted := readLines(f.dir, hookActed)
		runs++
		if killed {
			l.t.Fatal("the process was killed, and nobody was to kill it")
		}
		f.unharmed("a restart", true)
		if len(acted) > before {
			l.t.Logf("restarted at %q: apply exit %d", acted[before:], r.exit)
		}
		if len(acted) == before {
			if r.exit != 0 {
				l.t.Fatalf("no host was restarted: exit %d\n%s", r.exit, tail(r.all(), 6000))
			}
			break // no point is left
		}
		l.emptyFiles()
	}
	if n := len(readLines(f.dir, hookActed)); n < times {
		l.t.Errorf("hosts were restarted %d times, want %d", n, times)
	}
	for range 3 { // a host that was restarted last may still be booting
		if r := l.run(args...); r.exit == 0 {
			break
		}
	}
	l.must(0, "apply", "--auto-approve")
	l.noChanges()
	l.tidy()
	acted := readLines(f.dir, hookActed)
	slices.Sort(acted)
	l.t.Logf("%d restarts in %d runs", len(acted), runs)
}
