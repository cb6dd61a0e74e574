package provision_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/host/hosttest"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// Wherever a state is cut off, it is found before anything is done with it,
// nothing is made anew, and the one command brings a state back.
func TestRecoverFromEveryTruncation(t *testing.T) {
	t.Parallel()
	x := wrecked(t)
	x.reset(nil)
	if whole := x.load(); whole.err != nil || whole.records != x.acked {
		t.Fatalf("the wreck itself: %+v", whole)
	}
	detected, tolerated := 0, 0
	for _, name := range []string{x.snapshot, x.journal} {
		lines := 0
		for n, whole := 0, x.files[name]; n < len(whole); n++ {
			if n > 0 && whole[n-1] == '\n' {
				lines++
			}
			if racing && n%10 != 0 {
				continue
			}
			x.reset(map[string][]byte{name: whole[:n]})
			switch o := x.load(); {
			case o.err != nil:
				detected++
				x.recovered(provision.RecoverOptions{})
			case name == x.journal && lines > 0 && (o.torn || whole[n-1] == '\n' || o.records == lines):
				tolerated++ // as a power failure there would have left it
				if o.records != lines-1 && o.records != lines {
					t.Fatalf("cut at %d, behind line %d: %d records", n, lines, o.records)
				}
			default:
				t.Fatalf("%s cut at byte %d of %d went unnoticed: %+v", name, n, len(whole), o)
			}
		}
	}
	t.Logf("cut at each of the %d bytes of the snapshot and the %d of the journal: %d detected and recovered, %d a torn end of the journal, kept to its last whole record",
		len(x.files[x.snapshot]), len(x.files[x.journal]), detected, tolerated)
	x.untouched()
}

// The same for every changed bit.
func TestRecoverFromBitFlips(t *testing.T) {
	t.Parallel()
	flips := 10_000
	if racing {
		flips = 1000
	}
	x := wrecked(t)
	ops := x.w.ops()
	rnd := rand.New(rand.NewPCG(2026, 5))
	snapshot, journal := x.files[x.snapshot], x.files[x.journal]
	for i := range flips {
		at, bit := rnd.IntN(len(snapshot)+len(journal)), byte(1)<<rnd.IntN(8)
		name, in := x.snapshot, at
		if at >= len(snapshot) {
			name, in = x.journal, at-len(snapshot)
		}
		x.reset(map[string][]byte{name: flipped(x.files[name], in, bit)})
		if o := x.load(); o.err == nil {
			t.Fatalf("bit %#x of byte %d of %s was flipped, and the state was accepted", bit, in, name)
		}
		if i%4 == 0 { // to detect is to decide; to recover writes ten files each time
			x.recovered(provision.RecoverOptions{})
		}
	}
	t.Logf("%d bits flipped over both files: all detected, every fourth recovered", flips)
	if x.w.ops() == ops {
		t.Error("no host was asked for its mark")
	}
	x.untouched()
}

// What is sound in itself and does not belong here.
func TestRecoverFromTheWrongState(t *testing.T) {
	t.Parallel()
	x := wrecked(t)
	stored := func(change func(*state.Snapshot)) []byte {
		snap, err := state.Decode(x.files[x.snapshot])
		if err != nil {
			t.Fatal(err)
		}
		change(&snap)
		data, err := state.Encode(snap)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	kept := func(serial int) string { return fmt.Sprintf(".hardway/snapshots/hardway.state.%020d", serial) }
	for _, c := range []struct {
		name    string
		differs map[string][]byte
		want    int // resources that the recovered state has, of 4
	}{
		{"empty snapshot", map[string][]byte{x.snapshot: {}}, 4},
		{"empty journal", map[string][]byte{x.journal: {}}, 2},
		{"both empty", map[string][]byte{x.snapshot: {}, x.journal: {}}, 2},
		{"snapshot gone", map[string][]byte{x.snapshot: nil}, 4},
		{"both gone", map[string][]byte{x.snapshot: nil, x.journal: nil}, 2},
		{"all but the backup gone", map[string][]byte{x.snapshot: nil, x.journal: nil, kept(1): nil, kept(2): nil, kept(3): nil}, 1},
		{"another lineage", map[string][]byte{x.snapshot: stored(func(s *state.Snapshot) { s.Lineage = state.NewLineage() })}, 4},
		{"another lineage, no journal", map[string][]byte{x.journal: nil, x.snapshot: stored(func(s *state.Snapshot) { s.Lineage = state.NewLineage() })}, 2},
		{"another lineage with a higher serial", map[string][]byte{x.journal: nil, x.snapshot: stored(func(s *state.Snapshot) { s.Lineage, s.Serial = state.NewLineage(), 99 })}, 2},
		{"older beside a newer journal", map[string][]byte{x.snapshot: x.files["hardway.state.backup"]}, 4},
		{"older, no journal", map[string][]byte{x.journal: nil, x.snapshot: x.files[kept(2)]}, 2},
		{"newer beside an older journal", map[string][]byte{x.snapshot: stored(func(s *state.Snapshot) { s.Serial = 9 })}, 2},
		{"swapped", map[string][]byte{x.snapshot: x.files[x.journal], x.journal: x.files[x.snapshot]}, 4},
		{"swapped, and nothing kept", map[string][]byte{x.snapshot: x.files[x.journal], x.journal: x.files[x.snapshot], kept(1): nil, kept(2): nil, kept(3): nil}, 4},
		{"the journal in both places", map[string][]byte{x.snapshot: x.files[x.journal]}, 4},
		{"the snapshot in both places", map[string][]byte{x.journal: x.files[x.snapshot]}, 2},
		{"another cluster's", map[string][]byte{x.journal: nil, x.snapshot: stored(func(s *state.Snapshot) { s.Lineage, s.Cluster, s.Serial = state.NewLineage(), "prod", 80 })}, 2},
		{"snapshot and newest copy damaged", map[string][]byte{x.snapshot: []byte("x"), kept(3): []byte("y")}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x.w.t = t
			x.reset(c.differs)
			if o := x.load(); o.err == nil {
				t.Fatalf("it went unnoticed: %+v", o)
			}
			if st := x.recovered(provision.RecoverOptions{}); len(st.Resources) != c.want {
				t.Errorf("%d resources, want %d", len(st.Resources), c.want)
			}
		})
	}
	x.w.t = t
	x.untouched()
}

// Unless what is found is of the cluster that the hosts belong to, it is refused.
func TestRecoverHoldsTheHostsAgainstIt(t *testing.T) {
	t.Parallel()
	x := wrecked(t)
	mark := func(lineage string, serial uint64) {
		for _, m := range x.w.machines {
			m.SetMark(facts.Mark{Lineage: lineage, Serial: serial, Cluster: x.s.Config().Name})
		}
	}
	candidates := func() provision.Recovery {
		t.Helper()
		r, err := x.s.RecoveryCandidates(t.Context(), nil)
		if err = errors.Join(err, x.s.Close()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	x.reset(nil)
	mark(x.lineage, 4)
	if r := candidates(); !r.Whole() || r.Choice.Best != 0 || !strings.Contains(r.Choice.Why, "which 2 of the 2 marked hosts carry") {
		t.Errorf("nothing is wrong: %+v", r.Choice)
	}

	// Older than the hosts: refused, and then accepted with a serial above theirs.
	mark(x.lineage, 12)
	r := candidates()
	older, ok := errors.AsType[*state.OlderError](errors.Join(refusal(x.s.Recover(t.Context(), r, provision.RecoverOptions{}))))
	if !ok || older.Serial != 4 || older.Seen != 12 || older.Where != `master["m1"]` || !strings.Contains(older.Error(), "--accept-older") {
		t.Fatalf("got %v", older)
	}
	if st := x.recovered(provision.RecoverOptions{AcceptOlder: true}); st.Serial != 13 || len(st.Resources) != 4 {
		t.Errorf("serial %d, %d resources", st.Serial, len(st.Resources))
	}

	// A state that was made anew for hosts that belong to another one.
	other := state.NewLineage()
	x.reset(nil)
	mark(other, 3)
	r = candidates()
	if err := refusal(x.s.Recover(t.Context(), r, provision.RecoverOptions{})); err == nil || !strings.Contains(err.Error(), other) || r.Choice.Best != -1 {
		t.Errorf("got %v", err)
	}
	if err := refusal(x.s.Recover(t.Context(), r, provision.RecoverOptions{Source: 1})); err == nil || !strings.Contains(err.Error(), "they would refuse it") {
		t.Errorf("chosen by hand: %v", err)
	}

	// A host of another cluster says nothing; one that is down is told.
	mark(x.lineage, 4)
	x.w.machines[m1].SetMark(facts.Mark{Lineage: other, Serial: 70, Cluster: "prod"})
	x.w.down = map[addr.Host]error{n1: errors.New("no route to host")}
	r = candidates()
	x.w.down = nil
	if !r.Whole() || r.Foreign[m1].Cluster != "prod" || r.Unreachable[n1] != "no route to host" {
		t.Errorf("%+v, foreign %v, unreachable %v", r.Choice, r.Foreign, r.Unreachable)
	}

	// What cannot be chosen by hand, and what changed meanwhile.
	x.reset(map[string][]byte{x.journal: []byte("x")})
	mark(x.lineage, 3)
	r = candidates()
	bad := slices.IndexFunc(r.Candidates, func(c state.Candidate) bool { return c.Err != nil })
	for source, want := range map[int]string{len(r.Candidates) + 1: "numbered from 1", -1: "numbered from 1", bad + 1: "cannot be used"} {
		if err := refusal(x.s.Recover(t.Context(), r, provision.RecoverOptions{Source: source})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("source %d: %v", source, err)
		}
	}
	x.reset(map[string][]byte{x.journal: nil})
	if err := refusal(x.s.Recover(t.Context(), r, provision.RecoverOptions{})); err == nil || !strings.Contains(err.Error(), "changed while it was looked at") {
		t.Errorf("got %v", err)
	}
	if err := x.s.Close(); err != nil {
		t.Fatal(err)
	}

	// Somebody else works on it.
	x.reset(map[string][]byte{x.journal: []byte("x")})
	r = candidates()
	busy := local.New(filepath.Join(x.w.dir, x.snapshot), local.Options{Now: x.w.now})
	if err := busy.Lock(t.Context(), "apply", 0); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*local.LockedError](refusal(x.s.Recover(t.Context(), r, provision.RecoverOptions{}))); !ok {
		t.Error("it was recovered under another's lock")
	}
	if err := busy.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func refusal(_ provision.Recovered, err error) error { return err }

// The laptop is gone. On another one there are the configuration and the
// identity, and the state comes from a master.
func TestRecoverFromAMaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	want := w.mustConverge(provision.PlanOptions{})
	s := w.open()
	defer w.close(s)
	stored, err := s.PullState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	snap, err := state.Decode(stored)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := state.SealSnapshot(snap, want.Recipients)
	if err != nil {
		t.Fatal(err)
	}
	put := func(copied []byte) {
		w.machines[m1].SetFile("/var/lib/hardway/state.age", &hosttest.File{Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", Content: string(copied)})
		w.machines[m1].SetMark(facts.Mark{Lineage: want.Lineage, Serial: want.Serial, Cluster: want.Cluster, Copy: resource.SHA256(sealed)})
	}
	put(sealed)
	for _, pattern := range []string{"hardway.state*", ".hardway"} {
		found, err := filepath.Glob(filepath.Join(w.dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	reading := func() provision.Recovery {
		t.Helper()
		s := w.open()
		defer w.close(s)
		r, err := s.RecoveryCandidates(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	mine := w.identity
	w.identity = newIdentity(t)
	r := reading()
	if _, ok := errors.AsType[*state.WrongIdentityError](r.Candidates[0].Err); !ok || r.Choice.Best != -1 {
		t.Errorf("with another identity: %+v", r.Candidates)
	}
	w.identity = ""
	if r = reading(); len(r.Candidates) != 1 || r.Candidates[0].Err == nil { // whoever runs the test may have one
		t.Errorf("without an identity: %+v", r.Candidates)
	}
	w.identity = mine
	for name, bad := range map[string][]byte{"cut": sealed[:len(sealed)-1], "flipped": flipped(sealed, len(sealed)/2, 4), "head flipped": flipped(sealed, 60, 4), "empty": {}} {
		put(bad)
		if r = reading(); r.Choice.Best != -1 || r.Candidates[0].Err == nil || !strings.Contains(r.Candidates[0].Err.Error(), "damaged") {
			t.Errorf("%s: %+v", name, r.Candidates)
		}
	}
	w.machines[m1].SetFile("/var/lib/hardway/state.age", nil)
	if r = reading(); r.Choice.Best != -1 || len(r.Candidates) != 1 || !strings.Contains(r.Candidates[0].Err.Error(), "gone from the host") {
		t.Errorf("removed: %+v", r.Candidates)
	}

	put(sealed)
	r = reading()
	if r.Err != nil || r.Whole() || r.Candidates[r.Choice.Best].Source != `sealed copy on master["m1"]` {
		t.Fatalf("%+v, %v", r.Choice, r.Err)
	}
	again := w.open()
	defer w.close(again)
	done, err := again.Recover(t.Context(), r, provision.RecoverOptions{})
	if err != nil || len(done.Aside) != 0 || done.State.Serial != want.Serial+1 {
		t.Fatalf("%+v, %v", done.Aside, err)
	}
	w.close(again)
	w.machines[m1].SetMark(facts.Mark{Lineage: want.Lineage, Serial: want.Serial, Cluster: want.Cluster})
	if _, _, err := again.Kubeconfig(t.Context(), "ann"); err != nil {
		t.Errorf("the sealed keys came back too: %v", err)
	}
	w.settled(provision.PlanOptions{})
}
