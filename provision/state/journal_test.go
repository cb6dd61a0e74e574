package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hardway/provision/addr"
)

// journalOf returns a journal on the snapshot, and the state after each line.
func journalOf(t testing.TB, s Snapshot) (data []byte, after []Snapshot) {
	t.Helper()
	line, sum, err := NewJournal(s, encode(t, s), "0.1.0", clock)
	if err != nil {
		t.Fatal(err)
	}
	data, after = line, []Snapshot{s}
	for i := range 2 {
		for _, e := range []Entry{
			{Run: &Run{Operation: "apply", ConfigDigest: fmt.Sprint(i), Started: clock}},
			{Release: &Release{ConfigDigest: fmt.Sprint(i)}},
			{Begin: &Begin{Addr: confA, Spec: fileSpec(fmt.Sprint(i))}},
			{Done: &Done{Addr: confA, SHA256: fmt.Sprint(i)}},
			{Held: &Held{Hold: Hold{Unit: "kubelet", ConfigDigest: fmt.Sprint(i), Host: n1, Reason: "not healthy", Since: clock},
				Records: map[addr.Address]Record{confA: s.Resources[confA]}}},
		} {
			e.Time = clock
			if line, sum, err = AppendEntry(sum, e); err != nil {
				t.Fatal(err)
			}
			data = append(data, line...)
			next := after[len(after)-1].Clone()
			if err := next.Apply(e); err != nil {
				t.Fatal(err)
			}
			after = append(after, next)
		}
	}
	return data, after
}

var replayed = cmp.Options{compare, cmpopts.IgnoreFields(Public{}, "Serial", "Journal", "Tool")}

func replay(s Snapshot, base, journal []byte) (Snapshot, Recovery, error) {
	j, err := DecodeJournal(journal)
	if err != nil {
		return s, Recovery{}, err
	}
	return s.Replay(base, j)
}

func TestReplay(t *testing.T) {
	s := example(t)
	data, after := journalOf(t, s)
	got, rec, err := replay(s, encode(t, s), data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Recovery{Entries: 10}, rec); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(after[10], got, replayed); d != "" {
		t.Error(d)
	}
	if got.Serial != s.Serial+1 {
		t.Errorf("serial %d after a replay on %d", got.Serial, s.Serial)
	}
	// Stored, it contains the journal: the same journal is stale now.
	stored, rec, err := replay(got, encode(t, got), data)
	if err != nil || !rec.Stale {
		t.Errorf("%+v, %v", rec, err)
	}
	if d := cmp.Diff(got, stored, compare); d != "" {
		t.Error(d)
	}
}

// A journal cut at any byte is refused or is the state after an acknowledged line.
func TestTruncatedJournal(t *testing.T) {
	s := example(t)
	base := encode(t, s)
	data, after := journalOf(t, s)
	lines := 0
	for n := range len(data) + 1 {
		if n > 0 && data[n-1] == '\n' {
			lines++
		}
		got, rec, err := replay(s, base, data[:n])
		if err != nil {
			if lines > 0 {
				t.Fatalf("cut at %d, behind line %d: %v", n, lines, err)
			}
			continue
		}
		// A whole line without its newline counts too: it was on the way.
		if rec.Entries != lines-1 && rec.Entries != lines {
			t.Fatalf("cut at %d, behind line %d: %d entries", n, lines, rec.Entries)
		}
		if d := cmp.Diff(after[rec.Entries], got, replayed); d != "" {
			t.Fatalf("cut at %d: %s", n, d)
		}
	}
}

func TestEveryBitFlipOfAJournalIsDetected(t *testing.T) {
	s := example(t)
	base := encode(t, s)
	data, _ := journalOf(t, s)
	rnd := rand.New(rand.NewPCG(3, 4))
	flip := func(at int, bit byte) {
		t.Helper()
		bad := bytes.Clone(data)
		bad[at] ^= bit
		if _, _, err := replay(s, base, bad); err == nil {
			t.Fatalf("bit %#x of byte %d of %d was flipped, and the journal was accepted", bit, at, len(data))
		}
	}
	for range 2000 {
		flip(rnd.IntN(len(data)), 1<<rnd.IntN(8))
	}
	for at := len(data) - 80; at < len(data); at++ { // the end, where a torn write is tolerated
		for bit := range 8 {
			flip(at, 1<<bit)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	s := example(t)
	data, _ := journalOf(t, s)
	lines := bytes.SplitAfter(data, []byte{'\n'})
	join := func(n ...int) []byte {
		var out []byte
		for _, i := range n {
			out = append(out, lines[i]...)
		}
		return out
	}
	for _, c := range []struct {
		name    string
		change  func(*Snapshot)
		journal []byte
		want    string
	}{
		{"empty", nil, nil, "line 1 is not"},
		{"a line left out", nil, join(0, 1, 3, 4), "line 3 is not"},
		{"lines swapped", nil, join(0, 2, 1, 3), "line 2 is not"},
		{"a line doubled", nil, join(0, 1, 1, 2), "line 3 is not"},
		{"no head", nil, join(1, 2), "line 1 is not"},
		{"rubbish behind", nil, append(join(0, 1), "rubbish\n"...), "line 3 is not"},
		{"another lineage", func(s *Snapshot) { s.Lineage = "x" }, data, "its lineage is"},
		{"an older snapshot", func(s *Snapshot) { s.Serial-- }, data, "it continues serial 7"},
		{"a newer snapshot", func(s *Snapshot) { s.Serial++ }, data, "it continues serial 7"},
		{"another snapshot with that serial", func(s *Snapshot) { s.Cluster = "x" }, data, "another snapshot with the same serial"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := example(t)
			if c.change != nil {
				c.change(&s)
			}
			_, _, err := replay(s, encode(t, s), c.journal)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestJournalOfAnotherFormat(t *testing.T) {
	line, _, err := chain("", JournalHead{Format: 2, Tool: "9.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	newer := new(NewerError)
	if _, err := DecodeJournal(line); !errors.As(err, &newer) || newer.Tool != "9.0.0" {
		t.Errorf("got %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	s := example(f)
	base := encode(f, s)
	data, _ := journalOf(f, s)
	f.Add(data)
	f.Add(data[:len(data)-10])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, journal []byte) {
		got, rec, err := replay(s, base, journal)
		if err != nil {
			return
		}
		if rec.Entries > 0 && got.Serial != s.Serial+1 {
			t.Fatalf("%d entries, serial %d", rec.Entries, got.Serial)
		}
		encode(t, got)
	})
}
