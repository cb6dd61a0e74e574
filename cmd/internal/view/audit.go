package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/audit"
)

// AuditJSON writes the document of `audit --json`.
func AuditJSON(w io.Writer, r audit.Report) error { return JSON(w, r) }

// Audit writes what an audit found, section by section: failures in full, with
// the line of the configuration that asks for them; what is accepted with its
// reason; and how much passed. With Verbose every result is shown.
func Audit(w io.Writer, r audit.Report, o PlanOptions) error {
	t := &auditText{page: page{o: o, palette: o.palette()}, r: r}
	t.line("%s", wrap(Escape(fmt.Sprintf("%s on the %s of cluster %s (Kubernetes %s)", r.Benchmark, r.Subject, r.Cluster, r.Kubernetes)), o.Width, ""))
	t.line("")
	for _, s := range audit.Sections() {
		t.section(s)
	}
	t.unseen()
	t.summary()
	_, err := io.WriteString(w, t.b.String())
	return err
}

// auditText collects the text of one audit.
type auditText struct {
	page
	r audit.Report
}

// outcome is one answer to a check, with the hosts that gave it.
type outcome struct {
	audit.Result
	hosts []addr.Host
}

// section writes the checks of a section that are to be shown, behind a line that
// says how the others went.
func (t *auditText) section(s audit.Section) {
	n := map[audit.Status]int{} // checks by their worst outcome
	type shown struct {
		check    audit.Check
		outcomes []outcome
	}
	var list []shown
	for _, c := range t.r.Checks {
		if c.Section() != s.ID {
			continue
		}
		all := t.outcomes(c)
		if len(all) == 0 {
			continue
		}
		n[all[0].Status]++
		if all = slices.DeleteFunc(all, func(o outcome) bool { return !t.o.Verbose && !telling(o.Status) }); len(all) > 0 {
			list = append(list, shown{c, all})
		}
	}
	var counts []string
	for _, st := range statuses() {
		if n[st] > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n[st], statusWord(st)))
		}
	}
	if len(counts) == 0 {
		return
	}
	title := s.Title
	if s.ID[0] >= '0' && s.ID[0] <= '9' {
		title = s.ID + " " + title
	}
	t.line("%s%s", t.bold(title), t.faint(": "+strings.Join(counts, ", ")))
	for _, c := range list {
		for _, o := range c.outcomes {
			t.outcome(c.check, o)
		}
	}
	t.line("")
}

// statuses are in order of how much they matter.
func statuses() []audit.Status {
	return []audit.Status{audit.Fail, audit.Unknown, audit.Accepted, audit.Manual, audit.Pass, audit.NotApplicable}
}

// telling says which outcomes are shown without being asked for.
func telling(s audit.Status) bool {
	return s == audit.Fail || s == audit.Unknown || s == audit.Accepted
}

func statusWord(s audit.Status) string {
	switch s {
	case audit.Fail:
		return "failed"
	case audit.Pass:
		return "passed"
	case audit.Manual:
		return "for you to look at"
	case audit.NotApplicable:
		return "not for this version"
	}
	return string(s)
}

func (t *auditText) paint(s audit.Status) func(string) string {
	switch s {
	case audit.Fail:
		return t.red
	case audit.Pass:
		return t.green
	case audit.Unknown, audit.Accepted:
		return t.yellow
	}
	return t.faint
}

// outcomes puts hosts together that gave the same answer, the worst first.
func (t *auditText) outcomes(c audit.Check) []outcome {
	var out []outcome
	for _, r := range t.r.Results {
		if r.Check != c.ID {
			continue
		}
		i := slices.IndexFunc(out, func(o outcome) bool {
			return o.Status == r.Status && o.Evidence == r.Evidence && o.Fix == r.Fix && sameChoice(o.Choice, r.Choice)
		})
		if i < 0 {
			out = append(out, outcome{Result: r})
			i = len(out) - 1
		}
		out[i].hosts = append(out[i].hosts, r.Host)
	}
	slices.SortStableFunc(out, func(a, b outcome) int {
		return slices.Index(statuses(), a.Status) - slices.Index(statuses(), b.Status)
	})
	return out
}

func sameChoice(a, b *audit.Choice) bool { return a == b || a != nil && b != nil && *a == *b }

// outcome writes one answer.
func (t *auditText) outcome(c audit.Check, o outcome) {
	word := map[audit.Status]string{audit.Fail: "FAIL", audit.Pass: "pass", audit.Accepted: "accepted", audit.Manual: "look", audit.Unknown: "UNKNOWN", audit.NotApplicable: "n/a"}[o.Status]
	paint := t.paint(o.Status)
	title := wrapHanging(fmt.Sprintf("  %-8s  %s  %s", word, c.ID, c.Title), t.o.Width, "            ")
	t.line("%s", strings.Replace(title, word, paint(word), 1))
	const indent = "            "
	width := max(t.o.Width-len(indent), 0)
	say := func(text string) {
		if text != "" {
			t.line("%s", indent+strings.ReplaceAll(wrap(Escape(text), width, ""), "\n", "\n"+indent))
		}
	}
	if !o.hosts[0].IsCluster() {
		var names []string
		for _, h := range o.hosts {
			names = append(names, h.String())
		}
		say(strings.Join(names, ", ") + ": " + o.Evidence)
	}
	say(o.Reason)
	if o.Choice != nil {
		say(fmt.Sprintf("The configuration asks for it: %s at %s:%d.", o.Choice.Setting, o.Choice.File, o.Choice.Line))
	}
	switch o.Status {
	case audit.Pass, audit.NotApplicable:
	case audit.Accepted:
		say("→ To have it all the same: " + o.Fix)
	default:
		say("→ " + o.Fix)
	}
}

func (t *auditText) unseen() {
	if len(t.r.Unseen) == 0 {
		return
	}
	t.line("%s", t.bold(t.yellow("Not seen:")))
	t.line("")
	for _, u := range t.r.Unseen {
		t.line("%s", wrapHanging("  "+Escape(u.Host.String())+": "+Escape(u.Reason), t.o.Width, "    "))
	}
	t.line("")
}

// summary writes the line that scripts and people look for.
func (t *auditText) summary() {
	c := t.r.Counts
	word := t.green("Audit:")
	if c.Fail > 0 {
		word = t.red("Audit:")
	} else if !t.r.Complete {
		word = t.yellow("Audit:")
	}
	failed := fmt.Sprintf("%d failed", c.Fail)
	if c.Chosen > 0 {
		failed += fmt.Sprintf(" (%d by choice)", c.Chosen)
	}
	line := fmt.Sprintf("%d passed, %s, %d accepted, %d to look at", c.Pass, failed, c.Accepted, c.Manual)
	if c.Unknown > 0 {
		line += fmt.Sprintf(", %d unknown", c.Unknown)
	}
	t.line("%s %s.", t.bold(word), line)
	if !t.r.Complete {
		t.line("")
		if n := len(t.r.Unseen); n > 0 {
			t.line("%s", wrap("That is not everything: "+number(n, "host")+" could not be read.", t.o.Width, ""))
		} else {
			t.line("%s", wrap("That is not everything: something on the hosts could not be read.", t.o.Width, ""))
		}
	}
	if !t.o.Verbose && c.Manual+c.Pass > 0 {
		t.line("")
		t.line("%s", wrap("\"hardway audit --verbose\" shows what passed, and what is for you to look at.", t.o.Width, ""))
	}
}
