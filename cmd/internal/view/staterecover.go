package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Candidate is something that could be the state.
type Candidate struct {
	Source  string
	Lineage string
	Serial  uint64
	Updated time.Time
	LastRun string // "apply", "apply, not finished"; empty when there was none
	// Entries are the records of a journal that are in it, Lost those that are not.
	Entries, Lost int
	Present       bool   // the state as it is now, with nothing wrong
	Problem       string // why it cannot be used
}

// Candidates writes what could be the state as a table, numbered from 1, and
// below each what is to be known about it. The one that is taken is marked; -1
// marks none. The lineage is shown where they have more than one.
func Candidates(w io.Writer, list []Candidate, taken int, s Style) error {
	c := s.palette()
	lineages := map[string]bool{}
	for _, k := range list {
		if k.Problem == "" {
			lineages[k.Lineage] = true
		}
	}
	rows := make([][]cell, len(list))
	notes := make([]string, len(list))
	for i, k := range list {
		number := strconv.Itoa(i + 1)
		mark := cell{text: number}
		if i == taken {
			mark = cell{text: number + " *", paint: c.green}
		}
		if k.Problem != "" {
			rows[i] = []cell{mark, {text: "-"}, {text: "-"}, {text: "-"}, {text: Escape(k.Source)}}
			notes[i] = c.red(wrapHanging("    "+EscapeBlock(k.Problem), s.Width, "    ")) + "\n"
			continue
		}
		rows[i] = []cell{mark, {text: strconv.FormatUint(k.Serial, 10)}, {text: k.Updated.UTC().Format("2006-01-02 15:04:05 UTC")},
			{text: orDash(Escape(k.LastRun))}, {text: Escape(k.Source)}}
		notes[i] = candidateNotes(k, len(lineages) > 1, c)
	}
	if len(list) == 0 {
		_, err := io.WriteString(w, "Nothing was found that could be the state.\n")
		return err
	}
	lines := strings.SplitAfter(table([]string{"#", "SERIAL", "UPDATED", "LAST RUN", "FOUND IN"}, rows, 0), "\n")
	var b strings.Builder
	b.WriteString(lines[0])
	for i := range rows {
		b.WriteString(lines[i+1] + notes[i])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func candidateNotes(k Candidate, lineage bool, c palette) string {
	var notes []string
	if k.Present {
		notes = append(notes, "the state as it is now; nothing is wrong with it")
	}
	if k.Entries > 0 {
		notes = append(notes, "with "+number(k.Entries, "record")+" of the journal")
	}
	if k.Lost > 0 {
		notes = append(notes, c.yellow("without "+number(k.Lost, "record")+" of the journal"))
	}
	if lineage {
		notes = append(notes, "lineage "+Escape(k.Lineage))
	}
	if len(notes) == 0 {
		return ""
	}
	return "    " + strings.Join(notes, "; ") + "\n"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Taking writes which candidate is taken and why; behind is what is lost with it.
func Taking(w io.Writer, taken int, why, behind string, s Style) error {
	c := s.palette()
	which := fmt.Sprintf("Candidate %d is taken:", taken+1)
	text := "\n" + c.bold(which) + strings.TrimPrefix(wrap(which+" "+why+".", s.Width, ""), which) + "\n"
	if behind != "" {
		text += "\n" + c.yellow(wrap(behind, s.Width, "")) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// Sound writes that there is nothing to recover.
func Sound(w io.Writer, path string, serial uint64, s Style) error {
	_, err := fmt.Fprintf(w, "\n%s\n", s.palette().green(fmt.Sprintf("Nothing is wrong with the state %s (serial %d).", Escape(path), serial)))
	return err
}

// Recovered writes what a recovery did.
func Recovered(w io.Writer, path string, serial uint64, aside []string, s Style) error {
	var b strings.Builder
	b.WriteString(s.palette().green(fmt.Sprintf("The state %s is in place again, with serial %d.", Escape(path), serial)) + "\n")
	for _, a := range aside {
		b.WriteString("  what stood there was kept as " + Escape(a) + "\n")
	}
	b.WriteString("Next: hardway plan, which shows how the hosts differ from it.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
