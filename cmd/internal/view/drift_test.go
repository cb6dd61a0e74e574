package view

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/plan"
)

func driftString(t *testing.T, d *plan.Drift, o PlanOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Drift(&b, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// drifts are all that the golden files show.
func drifts() map[string]*plan.Drift {
	all := drifted()
	whole := drifted()
	whole.Resources, whole.Unknown, whole.Warnings, whole.Complete = whole.Resources[2:4], nil, nil, true
	one := &plan.Drift{Complete: true, Resources: all.Resources[3:4]}
	return map[string]*plan.Drift{
		"all": all, "whole": whole, "one": one,
		"none":  {Complete: true, Ignored: all.Ignored},
		"blind": {Unknown: all.Unknown}, "unread": {Warnings: all.Warnings},
		"cluster": {Complete: true, Resources: all.Resources[:1]},
	}
}

func TestDriftGolden(t *testing.T) {
	for name, d := range drifts() {
		t.Run(name, func(t *testing.T) {
			golden(t, "drift/"+name+"-80.txt", driftString(t, d, PlanOptions{Style: Style{Width: 80}}))
		})
	}
	golden(t, "drift/all-120-color.txt", driftString(t, drifted(), PlanOptions{Style: Style{Width: 120, Color: true}}))
	golden(t, "drift/all-verbose.txt", driftString(t, drifted(), PlanOptions{Style: Style{Width: 120}, Verbose: true}))
	var b bytes.Buffer
	if err := DriftJSON(&b, drifted()); err != nil {
		t.Fatal(err)
	}
	golden(t, "drift/all.json", b.String())
}

// A drift is what somebody else did; nothing is going to happen, and the text
// needs nothing that the JSON does not publish.
func TestDriftText(t *testing.T) {
	future := regexp.MustCompile(`(?i)\bwill\b`)
	for name, d := range drifts() {
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back plan.Drift
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		for _, verbose := range []bool{false, true} {
			o := PlanOptions{Style: Style{Width: 80}, Verbose: verbose}
			text := driftString(t, d, o)
			if future.MatchString(text) {
				t.Errorf("%s promises something:\n%s", name, text)
			}
			if diff := cmp.Diff(text, driftString(t, &back, o)); diff != "" {
				t.Errorf("%s (-drift +from JSON):\n%s", name, diff)
			}
		}
	}
}

// As a plan does, a drift shows only our own escape sequences, and no secret.
func TestDriftIsSafe(t *testing.T) {
	const evil = "a\x1b[2J\u202eb\r\x00\xff"
	d := drifted()
	d.Unknown[0].Reason, d.Warnings[0].Summary = evil, evil
	for i := range d.Resources {
		r := &d.Resources[i]
		r.Reason, r.Addr.Name = evil, evil
		for _, attrs := range []plan.Attrs{r.Was, r.Is} {
			if attrs != nil {
				attrs[evil], attrs["content"] = text(evil), lined(evil+"\n")
				attrs["key"] = plan.Value{Text: "hunter2", Sensitive: true}
			}
		}
	}
	for _, verbose := range []bool{false, true} {
		out := driftString(t, d, PlanOptions{Style: Style{Width: 80}, Verbose: verbose})
		for _, bad := range []string{"\x1b", "\u202e", "\r", "\x00", "\xff", "hunter2"} {
			if strings.Contains(out, bad) {
				t.Errorf("verbose=%v: the text contains %q", verbose, bad)
			}
		}
	}
}
