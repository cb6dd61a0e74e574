//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// loserWithin is how soon the second of two applies gives up.
const loserWithin = 2 * time.Second

// testTwoControllers lets one apply hold its locks and starts others meanwhile:
// one in the same directory, and one in a copy of it, which only the hosts can
// keep out.
func testTwoControllers(l *lab) {
	l.addKnobs()
	l.turn(`scheduler_flags = { v = "6" }`)
	other := *l
	other.dir = filepath.Join(l.t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", l.dir, other.dir).CombinedOutput(); err != nil {
		l.t.Fatalf("cp: %v\n%s", err, out)
	}

	f := newFaults(l, "hold", 1, 0)
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	first := exec.CommandContext(ctx, l.faultsBinary(), "apply", "--auto-approve", "--verify=false")
	first.Dir, first.Env = l.dir, append(slices.Clone(l.env), "HARDWAY_FAULT_HOOK="+self, hookDir+"="+f.dir)
	var talk bytes.Buffer
	first.Stdout, first.Stderr = &talk, &talk
	if err := first.Start(); err != nil {
		l.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(readLines(f.dir, hookActed)) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatal("the first apply does not take its locks")
		}
	}

	holder := regexp.MustCompile(`(?s)\w+@[\w.-]+.*(lock|id) [0-9a-f]{8}-[0-9a-f-]{27}`)
	since := regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d`)
	for _, loser := range []struct {
		what string
		l    *lab
	}{{"in the same directory", l}, {"in a copy of it", &other}} {
		begin := time.Now()
		r := loser.l.run("apply", "--auto-approve", "--verify=false")
		took := time.Since(begin)
		plain := strings.Join(strings.Fields(r.all()), " ") // lines may be wrapped anywhere
		if r.exit != 1 || !holder.MatchString(plain) || !since.MatchString(plain) {
			l.t.Errorf("%s: exit %d, want 1 and who holds the lock, its id and since when:\n%s", loser.what, r.exit, tail(r.all(), 3000))
		}
		if took > loserWithin {
			l.t.Errorf("%s: it gave up after %s, want %s at most", loser.what, took, loserWithin)
		}
		l.t.Logf("%s: refused after %.2f s", loser.what, took.Seconds())
	}
	if err := appendTo(f.dir, hookGo, ""); err != nil {
		l.t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		l.t.Fatalf("the first apply: %v\n%s", err, tail(talk.String(), 4000))
	}
	l.noChanges()
	if r := other.run("apply", "--auto-approve", "--verify=false"); r.exit != 1 || !strings.Contains(r.all(), "older") {
		l.t.Errorf("the copy's state is older by now, and an apply from it: exit %d\n%s", r.exit, tail(r.all(), 3000))
	}
	l.turn()
	l.must(0, "apply", "--auto-approve", "--verify=false")
	l.noChanges()
}
