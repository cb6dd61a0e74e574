package view

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestCandidatesGolden(t *testing.T) {
	lab := "5e1f0b6c-0000-4000-8000-000000000001"
	list := []Candidate{
		{Source: "hardway.state with the good part of hardway.state.journal", Lineage: lab, Serial: 43, Updated: start, LastRun: "apply, not complete", Entries: 12, Lost: 1},
		{Source: "hardway.state", Lineage: lab, Serial: 42, Updated: start.Add(-time.Hour), LastRun: "apply", Lost: 13},
		{Source: "hardway.state.backup", Lineage: lab, Serial: 1, Updated: start.Add(-time.Hour)},
		{Source: "hardway.state.journal", Problem: "the state's journal is damaged: line 14 is not what hardway wrote\x1b, and more that makes the line so long that it must be wrapped"},
	}
	var b bytes.Buffer
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := Style{Width: 80}
	check(Candidates(&b, list, 0, s))
	check(Taking(&b, 0, "it has the highest serial of the lineage "+lab+", which 3 of the 3 marked hosts carry",
		`It is older than the hosts: its serial is 43, and master["m1"] was last changed at serial 50. What was recorded since is lost: the next plan shows how the hosts differ.`, s))
	check(Recovered(&b, "/srv/lab/hardway.state", 44, []string{"/srv/lab/hardway.state.aside-20260102T030405Z", "/srv/lab/hardway.state.journal.aside-20260102T030405Z"}, s))
	b.WriteString("----\n")
	list[1].Lineage, list[0].Present, list[0].Lost = "6e1f0b6c-0000-4000-8000-000000000002", true, 0
	check(Candidates(&b, list[:2], -1, Style{Width: 80, Color: true}))
	check(Sound(&b, "/srv/lab/hardway.state", 43, s))
	b.WriteString("----\n")
	check(Candidates(&b, nil, -1, s))
	golden(t, "state/candidates.txt", b.String())
	if err := Candidates(broken{}, list, 0, s); err == nil {
		t.Error("a failed write is no error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }
