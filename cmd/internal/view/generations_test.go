package view

import (
	"bytes"
	"testing"
	"time"
)

func TestGenerationsGolden(t *testing.T) {
	list := []Generation{
		{Number: 12, Updated: start.Add(3 * time.Hour), Operation: "rollback", ConfigDigest: "0123456789abcdef0123", Complete: true, Present: true},
		{Number: 11, Updated: start.Add(2 * time.Hour), Operation: "apply", ConfigDigest: "0123456789abcdef0123"},
		{Number: 10, Problem: "the state's snapshot lab.state.10 is damaged: the checksum\x1b[31m differs"},
		{Number: 9, Updated: start.Add(time.Hour), Operation: "apply", Complete: true},
		{Number: 1, Updated: start},
	}
	for name, s := range map[string]Style{"80": {Width: 80}, "120-color": {Width: 120, Color: true}} {
		var b bytes.Buffer
		if err := Generations(&b, list, s); err != nil {
			t.Fatal(err)
		}
		golden(t, "generations/"+name+".txt", b.String())
	}
	var b bytes.Buffer
	if err := Generations(&b, nil, Style{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "generations/none.txt", b.String())
	b.Reset()
	if err := GenerationsJSON(&b, list); err != nil {
		t.Fatal(err)
	}
	golden(t, "generations/list.json", b.String())
}
