//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// testRecovery loses the state: what is left is the configuration, which everybody
// has, and the identity.
func testRecovery(l *lab) {
	l.addKnobs()
	before := l.state()
	lose := func() {
		l.t.Helper()
		left, err := filepath.Glob(filepath.Join(l.dir, "hardway.state*"))
		if err != nil || len(left) == 0 {
			l.t.Fatalf("no state to lose: %v", err)
		}
		for _, p := range append(left, filepath.Join(l.dir, ".hardway")) {
			if err := os.RemoveAll(p); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	recovered := func(what string) {
		l.t.Helper()
		now := l.state()
		if now.Lineage != before.Lineage || len(now.Resources) < len(before.Resources) || len(now.Authorities) != len(before.Authorities) {
			l.t.Fatalf("%s: lineage %s with %d resources and %d authorities, want %s with %d and %d", what, now.Lineage,
				len(now.Resources), len(now.Authorities), before.Lineage, len(before.Resources), len(before.Authorities))
		}
		for name, a := range before.Authorities {
			if now.Authorities[name].CertPEM != a.CertPEM {
				l.t.Errorf("%s: the authority %s is another one", what, name)
			}
		}
		l.noChanges()
	}
	hosts := l.installed()

	lose()
	l.must(1, "plan")
	l.must(0, "state", "recover", "--auto-approve")
	recovered("recovered from a master")

	lose()
	l.must(0, "init") // whoever does not know begins anew
	if r := l.must(1, "plan"); !strings.Contains(r.all(), "state recover") {
		l.t.Errorf("a plan from a state that was made anew is not refused with the way out:\n%s", tail(r.all(), 3000))
	}
	if r := l.must(1, "apply", "--auto-approve"); !strings.Contains(r.all(), "state recover") {
		l.t.Errorf("an apply from a state that was made anew is not refused with the way out:\n%s", tail(r.all(), 3000))
	}
	l.must(0, "state", "recover", "--auto-approve")
	recovered("recovered over a state that was made anew")
	l.same("after recovering", hosts, l.installed())

	old, err := os.ReadFile(filepath.Join(l.dir, "hardway.state"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.turn(`scheduler_flags = { v = "4" }`)
	l.must(0, "apply", "--auto-approve", "--verify=false")
	lose()
	if err := os.WriteFile(filepath.Join(l.dir, "hardway.state"), old, 0o600); err != nil {
		l.t.Fatal(err)
	}
	if r := l.must(1, "plan"); !strings.Contains(r.all(), "older") {
		l.t.Errorf("an older state is not refused:\n%s", tail(r.all(), 3000))
	}
	l.must(0, "state", "recover", "--auto-approve")
	recovered("recovered over an older state")
	l.turn()
	l.must(0, "apply", "--auto-approve", "--verify=false")
	l.noChanges()
}
