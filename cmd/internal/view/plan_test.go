package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

func planString(t *testing.T, p *plan.Plan, o PlanOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Plan(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// planCase is a plan and how a golden file shows it.
type planCase struct {
	p *plan.Plan
	o PlanOptions
}

func planCases() map[string]planCase {
	narrow, wide := PlanOptions{Style: Style{Width: 80}}, PlanOptions{Style: Style{Width: 120}}
	color, verbose := wide, narrow
	color.Color, verbose.Verbose = true, true
	wideVerbose := wide
	wideVerbose.Verbose = true
	return map[string]planCase{
		"create-80":         {creation(), narrow},
		"create-120":        {creation(), wide},
		"create-verbose":    {creation(), verbose},
		"mixed-80":          {mixed(), narrow},
		"mixed-120-color":   {mixed(), color},
		"mixed-verbose":     {mixed(), wideVerbose},
		"rolling-80":        {rolling(25), narrow},
		"rolling-120-color": {rolling(2), color},
		"rolling-verbose":   {rolling(12), verbose},
		"rollback-80":       {rolledBack(), narrow},
		"none":              {&plan.Plan{Mode: plan.Normal, Complete: true}, narrow},
		"none-destroy":      {&plan.Plan{Mode: plan.Destroy, Complete: true}, narrow},
		"none-rollback":     {&plan.Plan{Mode: plan.Rollback, Generation: 7, Complete: true}, narrow},
		"none-blind":        {&plan.Plan{Mode: plan.Normal, Unknown: mixed().Unknown}, narrow},
		"none-targeted":     {&plan.Plan{Mode: plan.Normal, Complete: true, Targets: []addr.Address{{Host: n1}}}, narrow},
		"none-held":         {onlyHeld(), narrow},
	}
}

func TestPlanGolden(t *testing.T) {
	for name, c := range planCases() {
		t.Run(name, func(t *testing.T) { golden(t, "plan/"+name+".txt", planString(t, c.p, c.o)) })
	}
}

// The text is made from what the JSON publishes: a plan read back from its JSON
// looks the same, every golden file of it.
func TestPlanTextNeedsOnlyTheJSON(t *testing.T) {
	for name, c := range planCases() {
		publish(c.p)
		var b bytes.Buffer
		if err := PlanJSON(&b, c.p); err != nil {
			t.Fatal(err)
		}
		back, err := plan.Decode(b.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(planString(t, c.p, c.o), planString(t, back, c.o)); diff != "" {
			t.Errorf("%s (-plan +from JSON):\n%s", name, diff)
		}
		var again bytes.Buffer
		if err := PlanJSON(&again, back); err != nil || again.String() != b.String() {
			t.Errorf("%s: encoded again it is another document (%v)", name, err)
		}
	}
}

// Whatever a host says, only our own escape sequences reach the terminal.
func TestPlanEscapesWhatHostsSay(t *testing.T) {
	const evil = "a\x1b[2J\u202eb\r\x00\xff"
	p := mixed()
	p.Waves, p.Held = rolling(0).Waves[:1], rolling(0).Held[:1]
	p.Unknown[0].Reason, p.Deferred[0].Reason, p.Warnings[0].Summary = evil, evil, evil
	p.Warnings[0].Detail = evil
	p.Waves[0].Stage, p.Waves[0].Risk, p.Waves[0].Host.Name, p.Held[0].Reason = evil, evil, evil, evil
	for i := range p.Changes {
		c := &p.Changes[i]
		c.Reason, c.Addr.Name = evil, evil
		if c.Before != nil {
			c.Before[evil], c.Before["content"] = text(evil), lined("x\n"+evil+"\n")
		}
		if c.After != nil {
			c.After[evil], c.After["content"] = text(evil+"2"), lined("y\n"+evil+"\n")
		}
	}
	for _, verbose := range []bool{false, true} {
		out := planString(t, p, PlanOptions{Style: Style{Width: 80}, Verbose: verbose})
		for _, bad := range []string{"\x1b", "\u202e", "\r", "\x00", "\xff"} {
			if strings.Contains(out, bad) {
				t.Errorf("verbose=%v: the text contains %q", verbose, bad)
			}
		}
		if !strings.Contains(out, `\x1b[2J`) {
			t.Errorf("verbose=%v: the escape sequence is not visible in:\n%s", verbose, out)
		}
	}
}

// The text of a sensitive value is a digest at best; it is never shown.
func TestPlanHidesSensitiveText(t *testing.T) {
	for _, a := range []plan.Action{plan.Create, plan.Update, plan.Replace, plan.Delete, plan.Forget} {
		for _, kind := range []resource.Kind{resource.KindFile, resource.KindCertificate} {
			secret := func(s string) plan.Attrs {
				return plan.Attrs{"key": {Text: "hunter" + s, Sensitive: true}, "content": {Text: "hunter" + s, Sensitive: true, Block: true}}
			}
			p := &plan.Plan{Changes: []plan.Change{{Addr: at(n1, kind, "x"), Action: a, Before: secret("1"), After: secret("2")}}}
			for _, verbose := range []bool{false, true} {
				if out := planString(t, p, PlanOptions{Verbose: verbose}); strings.Contains(out, "hunter") {
					t.Errorf("%s of a %s, verbose=%v, shows a sensitive value:\n%s", a, kind, verbose, out)
				}
			}
		}
	}
}

func TestPlanCutsLongDiffs(t *testing.T) {
	short := planString(t, long(), PlanOptions{})
	if got, want := strings.Count(short, "\n        "), longDiff+1; got != want {
		t.Errorf("%d lines of diff, want %d", got, want)
	}
	if !strings.Contains(short, "--verbose shows them") {
		t.Error("nothing says that the diff was cut")
	}
	if out := planString(t, long(), PlanOptions{Verbose: true}); !strings.Contains(out, "+Line 199") {
		t.Error("--verbose cuts the diff")
	}
}

// A first plan of three hosts with forty resources each must be readable.
func TestPlanOfManyCreationsIsShort(t *testing.T) {
	p := &plan.Plan{Mode: plan.Normal, Complete: true}
	for _, h := range []addr.Host{m1, n1, n2} {
		for i := range 40 {
			p.Changes = append(p.Changes, plan.Change{Addr: at(h, resource.KindFile, strings.Repeat("f", i+1)), Action: plan.Create,
				After: plan.Attrs{"path": text("/etc/kubernetes/manifests/file.yaml"), "mode": text("0644"), "content": lined(strings.Repeat("line\n", 50))}})
		}
	}
	if n := lineCount(planString(t, p, PlanOptions{Style: Style{Width: 100}})); n > 2*120+20 {
		t.Errorf("120 creations take %d lines", n)
	}
}

func TestUnified(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"equal":             {"a\n", "a\n", nil},
		"changed":           {"a\nb\n", "a\nc\n", []string{"@@ -1,2 +1,2 @@", " a", "-b", "+c"}},
		"from nothing":      {"", "a\n", []string{"@@ -0,0 +1 @@", "+a"}},
		"no line feed":      {"a\n", "a", []string{"@@ -1 +1 @@", "-a", "+a", `\ No newline at end of file`}},
		"looks like header": {"x\n", "-- y\n", []string{"@@ -1 +1 @@", "-x", "+-- y"}},
		"minus minus":       {"-- y\n", "x\n", []string{"@@ -1 +1 @@", "--- y", "+x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unified(c.before, c.after)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
