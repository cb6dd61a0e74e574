package audit

import (
	"fmt"
	"strings"
)

// Markdown writes the table as the reference page has it: docs/reference/cis.md
// is made from it.
func Markdown() string {
	var b strings.Builder
	n := map[string]int{}
	for _, c := range Checks() {
		switch {
		case !c.Decided():
			n["manual"]++
		case c.Accepted != "":
			n["accepted"]++
		default:
			n["pass"]++
		}
	}
	fmt.Fprintf(&b, `# The CIS Kubernetes Benchmark

This page is made from the table of `+"`hardway audit`"+` by `+"`go test ./docs -update`"+`. How to use it: [Audit a cluster](../how-to/audit.md).

The ids are those of the %s, for Kubernetes 1.32 to 1.34; there is no edition for newer minors yet. Checks that only older
editions have carry the edition in front of the id, and hold up to the minor that stands beside them. The titles are shortened.

A fresh cluster passes %d checks. %d are accepted where they fail by default, with the reason below. %d are about what runs in the cluster,
and are for people to look at; the benchmark calls none of these automated.

- **automated**: what the benchmark says. hardway decides most of the manual ones, too.
- **on**: masters, or every host. Each host is a node, masters as well.
- **settings** can make it fail. Where there is none, only a change on the host can.
`, Benchmark, n["pass"], n["accepted"], n["manual"])
	for _, s := range Sections() {
		title := s.ID + " " + s.Title
		if s.ID == older {
			title = s.Title
		}
		fmt.Fprintf(&b, "\n## %s\n\n| id | check | level | automated | on | by default | settings |\n|---|---|---|---|---|---|---|\n", title)
		var reasons strings.Builder
		for _, c := range Checks() {
			if c.Section() != s.ID {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s |\n", c.ID, cell(c.Title), c.Level, yes(c.Scored), c.on(), c.outcome(), c.settings())
			if c.Accepted != "" {
				fmt.Fprintf(&reasons, "\n**%s** is accepted: %s\n", c.ID, cell(c.Accepted))
			}
		}
		b.WriteString(reasons.String())
	}
	return b.String()
}

func (c Check) on() string {
	where := "every host"
	switch {
	case !c.Decided():
		where = "the cluster"
	case c.Masters:
		where = "masters"
	}
	if c.Since != "" {
		where += ", from " + c.Since
	}
	if c.Until != "" {
		where += ", up to " + c.Until
	}
	return where
}

func (c Check) outcome() string {
	switch {
	case !c.Decided():
		return "to look at"
	case c.Accepted != "":
		return "accepted"
	}
	return "passes"
}

func (c Check) settings() string {
	var out []string
	if c.Fix == leave {
		return "" // hardway's own: validate refuses them
	}
	for _, s := range c.Settings() {
		out = append(out, "`"+s+"`")
	}
	return strings.Join(out, ", ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// cell keeps a text from ending a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
