package state

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
)

func TestChoose(t *testing.T) {
	k := func(source, lineage string, serial uint64) Candidate {
		return Candidate{Source: source, Cluster: "lab", Lineage: lineage, Serial: serial, Updated: clock, Stored: []byte("x")}
	}
	with := func(c Candidate, change func(*Candidate)) Candidate { change(&c); return c }
	broken := Candidate{Source: "broken", Err: &DamagedError{What: "snapshot", Reason: "x"}}
	present := func(c *Candidate) { c.Present = true }
	host := func(n string) addr.Host { return addr.Host{Role: addr.Node, Name: n} }
	mark := func(lineage string, serial uint64) facts.Mark {
		return facts.Mark{Lineage: lineage, Serial: serial, Cluster: "lab"}
	}
	for _, c := range []struct {
		name    string
		list    []Candidate
		marks   map[addr.Host]facts.Mark
		want    string // the source
		err     string
		highest uint64
	}{
		{name: "nothing", err: "neither here nor on a master"},
		{name: "only damage", list: []Candidate{broken}, err: "neither here nor on a master"},
		{name: "the present one", list: []Candidate{with(k("a", "L", 3), present), k("b", "L", 2)}, want: "a"},
		{name: "the highest serial", list: []Candidate{broken, k("b", "L", 2), k("c", "L", 5), k("d", "L", 4)}, want: "c"},
		{name: "the whole one before a part", list: []Candidate{with(k("part", "L", 5), func(c *Candidate) { c.Lost, c.Entries = 2, 9 }), k("copy", "L", 5)}, want: "copy"},
		{name: "the later one", list: []Candidate{k("a", "L", 5), with(k("b", "L", 5), func(c *Candidate) { c.Updated = clock.Add(time.Second) })}, want: "b"},
		{name: "most entries", list: []Candidate{k("a", "L", 5), with(k("b", "L", 5), func(c *Candidate) { c.Entries = 3 })}, want: "b"},
		{name: "the first of equals", list: []Candidate{k("a", "L", 5), k("b", "L", 5)}, want: "a"},
		{name: "hosts before the present state", list: []Candidate{with(k("new", "M", 9), present), k("copy", "L", 4)},
			marks: map[addr.Host]facts.Mark{host("a"): mark("L", 4), host("b"): mark("L", 3)}, want: "copy", highest: 4},
		{name: "most hosts", list: []Candidate{k("a", "L", 1), k("b", "M", 1)},
			marks: map[addr.Host]facts.Mark{host("a"): mark("M", 7), host("b"): mark("L", 3), host("c"): mark("M", 8), host("d"): {}}, want: "b", highest: 8},
		{name: "as many hosts: the present one", list: []Candidate{with(k("a", "L", 1), present), k("b", "M", 1)},
			marks: map[addr.Host]facts.Mark{host("a"): mark("M", 7), host("b"): mark("L", 3)}, want: "a", highest: 3},
		{name: "hosts of another cluster say nothing", list: []Candidate{k("a", "L", 1), k("b", "M", 1)},
			marks: map[addr.Host]facts.Mark{host("a"): {Lineage: "M", Serial: 4, Cluster: "prod"}}, want: "a"},
		{name: "the present state before many copies", list: []Candidate{with(k("a", "L", 1), present), k("b", "M", 3), k("c", "M", 4)}, want: "a"},
		{name: "a swapped one is outvoted", list: []Candidate{k("a", "L", 9), k("b", "M", 3), k("c", "M", 4)}, want: "c"},
		{name: "older than the hosts", list: []Candidate{k("a", "L", 3)}, marks: map[addr.Host]facts.Mark{host("a"): mark("L", 12)}, want: "a", highest: 12},
		{name: "nothing of the hosts' lineage", list: []Candidate{k("a", "L", 3)}, marks: map[addr.Host]facts.Mark{host("a"): mark("M", 2)},
			err: "nothing was found of the lineage M, which 1 of the 1 marked hosts carry; what was found has the lineage L", highest: 2},
		{name: "another cluster's", list: []Candidate{with(k("a", "L", 3), func(c *Candidate) { c.Cluster = "prod" })}, err: `of the cluster "prod", and this configuration is of "lab"`},
		{name: "another cluster's is passed over", list: []Candidate{with(k("a", "P", 3), func(c *Candidate) { c.Cluster = "prod" }), k("b", "L", 1)}, want: "b"},
		{name: "a newer hardway's", list: []Candidate{{Source: "n", Err: &NewerError{What: "snapshot", Format: 2, Tool: "9.0.0"}}, k("b", "L", 1)}, err: "written by hardway 9.0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Choose(c.list, Evidence{Cluster: "lab", Marks: c.marks})
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) || got.Best != -1 {
					t.Errorf("best %d, %v", got.Best, err)
				}
			case err != nil || got.Best < 0 || c.list[got.Best].Source != c.want || !strings.Contains(got.Why, "highest serial"):
				t.Errorf("%+v, %v", got, err)
			}
			if got.Highest != c.highest {
				t.Errorf("the highest mark is %d, want %d", got.Highest, c.highest)
			}
		})
	}
}

func TestErrorsNameTheOneCommand(t *testing.T) {
	for _, err := range []error{
		&DamagedError{What: "journal", Reason: "r", Path: "/x", Recover: Recover},
		&ForeignError{What: "snapshot", Reason: "r", Path: "/x", Recover: Recover},
		&MissingError{Path: "/x", Trace: "/y", Recover: Recover},
		&OlderError{Serial: 3, Seen: 7, Where: `master["m1"]`, Path: "/x", Recover: Recover},
	} {
		if !strings.HasSuffix(err.Error(), "; run `hardway state recover`") || !strings.Contains(err.Error(), "/x") {
			t.Errorf("%T: %v", err, err)
		}
	}
	older := &OlderError{Serial: 3, Seen: 7, Where: `master["m1"]`}
	if want := `the state's snapshot is an older one: its serial is 3, and master["m1"] has serial 7`; older.Error() != want {
		t.Errorf("%q", older)
	}
	ids := identities(t)
	s := withKeys(t, ids)
	s.Sealed[len(s.Sealed)-1] ^= 1
	if _, err := s.Open(ids); err == nil || !strings.Contains(err.Error(), "hardway state recover") || errors.Is(err, ErrNoIdentity) {
		t.Errorf("a damaged sealed part: %v", err)
	}
}
