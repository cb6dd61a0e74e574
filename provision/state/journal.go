package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hardway/provision/resource"
)

// The journal is text. Each line is a checksum of 64 hex digits, a space, JSON
// and a newline. A checksum covers its line's JSON and the checksum before it,
// so that lines cannot be changed, moved, doubled or left out in the middle. The
// first line says which snapshot the rest applies to.

// JournalHead is the content of a journal's first line.
type JournalHead struct {
	Format  int    `json:"format"`
	Tool    string `json:"tool"`
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"` // of the snapshot that the entries apply to
	// Base is the SHA-256 of that snapshot's stored form.
	Base string `json:"base"`
	// Started makes the journal's identity unique, beside everything else here.
	Started time.Time `json:"started"`
}

// Journal is a decoded journal.
type Journal struct {
	Head    JournalHead
	Entries []Entry
	// ID is the checksum of the first line. The snapshot that a journal went
	// into carries it (Public.Journal).
	ID string
	// Last is the checksum of the last whole line; the next line continues it.
	Last string
	// Torn is the number of bytes behind the last whole line: a write that was
	// cut off before it was acknowledged.
	Torn int
}

const sumLength = 64

// NewJournal returns the first line of a journal for the snapshot that is
// stored as base, and that line's checksum, which is the journal's ID.
func NewJournal(s Snapshot, base []byte, tool string, now time.Time) (line []byte, id string, err error) {
	return chain("", JournalHead{Format: Format, Tool: tool, Lineage: s.Lineage, Serial: s.Serial,
		Base: resource.SHA256(base), Started: now.UTC().Round(0)})
}

// AppendEntry returns the line for an entry that follows the line with the
// checksum last.
func AppendEntry(last string, e Entry) (line []byte, sum string, err error) {
	return chain(last, e)
}

func chain(last string, v any) ([]byte, string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, "", fmt.Errorf("encoding a journal entry: %w", err)
	}
	sum := resource.SHA256(append([]byte(last), text...))
	line := make([]byte, 0, sumLength+len(text)+2)
	line = append(append(append(line, sum...), ' '), text...)
	return append(line, '\n'), sum, nil
}

// DecodeJournal reads a journal. Bytes behind the last newline that are no whole
// line are a torn write and only counted; anything else that does not fit is a
// *DamagedError.
func DecodeJournal(data []byte) (Journal, error) {
	var j Journal
	if len(data) > MaxSize {
		return j, &DamagedError{What: "journal", Reason: fmt.Sprintf("it is larger than %d MiB", MaxSize>>20)}
	}
	for n := 0; len(data) > 0 || n == 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		text, sum, ok := verify(j.Last, line)
		if !ok && !whole && n > 0 {
			// The last line lacks its newline. Were it whole but for its last
			// byte, then it is that newline that was changed.
			if len(line) > 0 {
				if _, _, complete := verify(j.Last, line[:len(line)-1]); complete {
					return j, damagedLine(n)
				}
			}
			j.Torn = len(line)
			return j, nil
		}
		if !ok || !whole && n == 0 { // the first line is put in place as a whole
			return j, damagedLine(n)
		}
		if err := j.decode(n, text); err != nil {
			return j, err
		}
		if n == 0 {
			j.ID = sum
		}
		j.Last, data = sum, rest
	}
	return j, nil
}

// verify splits a line and checks its checksum.
func verify(last string, line []byte) (text []byte, sum string, ok bool) {
	if len(line) <= sumLength || line[sumLength] != ' ' {
		return nil, "", false
	}
	sum, text = string(line[:sumLength]), line[sumLength+1:]
	return text, sum, resource.SHA256(append([]byte(last), text...)) == sum
}

func (j *Journal) decode(n int, text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if n == 0 {
		if err := d.Decode(&j.Head); err != nil {
			return damagedLine(n)
		}
		if j.Head.Format != Format {
			return &NewerError{What: "journal", Format: j.Head.Format, Tool: j.Head.Tool}
		}
		return nil
	}
	var e Entry
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return &NewerError{What: "journal", Format: j.Head.Format, Tool: j.Head.Tool, Reason: err.Error()}
		}
		return damagedLine(n)
	}
	j.Entries = append(j.Entries, e)
	return nil
}

func damagedLine(n int) error {
	return &DamagedError{What: "journal", Line: n + 1, Reason: fmt.Sprintf("line %d is not what hardway wrote", n+1)}
}

// Recovery is what replaying a journal found.
type Recovery struct {
	Entries int  // applied onto the snapshot
	Torn    int  // bytes of a last write that was never acknowledged
	Stale   bool // the journal was contained in the snapshot already
}

// Replay applies a journal to the snapshot that is stored as base. When
// entries were applied the serial is one higher, as it will be once the result
// is stored. A journal that the snapshot already contains is stale and not
// applied; one that belongs to another snapshot is a *ForeignError.
func (s Snapshot) Replay(base []byte, j Journal) (Snapshot, Recovery, error) {
	switch {
	case j.Head.Lineage != s.Lineage:
		return s, Recovery{}, &ForeignError{What: "journal", Reason: fmt.Sprintf("its lineage is %s, the snapshot's %s", j.Head.Lineage, s.Lineage)}
	case j.Head.Serial < s.Serial && j.ID == s.Journal:
		return s, Recovery{Stale: true}, nil
	case j.Head.Serial != s.Serial:
		return s, Recovery{}, &ForeignError{What: "journal", Reason: fmt.Sprintf("it continues serial %d, and the snapshot has serial %d: one of them was replaced", j.Head.Serial, s.Serial)}
	case j.Head.Base != resource.SHA256(base):
		return s, Recovery{}, &ForeignError{What: "journal", Reason: fmt.Sprintf("it continues another snapshot with the same serial %d", s.Serial)}
	}
	out := s.Clone()
	for i, e := range j.Entries {
		if err := out.Apply(e); err != nil {
			return s, Recovery{}, &DamagedError{What: "journal", Line: i + 2, Reason: fmt.Sprintf("line %d cannot be applied: %v", i+2, err)}
		}
	}
	if len(j.Entries) > 0 {
		out.Serial, out.Journal, out.Tool = s.Serial+1, j.ID, j.Head.Tool
	}
	return out, Recovery{Entries: len(j.Entries), Torn: j.Torn}, nil
}
