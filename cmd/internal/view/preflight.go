package view

import (
	"fmt"
	"io"

	"hardway/provision/plan"
)

// Finding is one thing that is not as it should be on a host.
type Finding struct {
	Host     string `json:"host"`
	Check    string `json:"check"`
	Severity string `json:"severity"` // error or warning
	Found    string `json:"found"`
	Do       string `json:"do"`
	Place    string `json:"place"` // file:line
}

// Preflight is what a preflight found on all hosts.
type Preflight struct {
	FormatVersion string         `json:"format_version"`
	Fit           bool           `json:"fit"` // no errors, and every host was seen
	Hosts         []string       `json:"hosts"`
	Findings      []Finding      `json:"findings"`
	Unknown       []plan.Unknown `json:"unknown,omitempty"`
}

// PreflightFormat is the version of the JSON of Preflight.
const PreflightFormat = "1.0"

// PreflightJSON writes the document of `preflight --json`.
func PreflightJSON(w io.Writer, p Preflight) error {
	p.FormatVersion = PreflightFormat
	return JSON(w, p)
}

// PreflightText writes the findings host by host, and a line that sums them up.
func PreflightText(w io.Writer, p Preflight, s Style) error {
	t := &page{o: PlanOptions{Style: s}, palette: s.palette()}
	t.findings(p.Findings)
	t.unknown(p.Unknown)
	failed, warned := count(p.Findings)
	hosts := number(len(p.Hosts), "host")
	switch {
	case failed > 0:
		t.line("%s %s, %s on %s.", t.bold(t.red("Not fit:")), number(failed, "error"), number(warned, "warning"), hosts)
	case len(p.Unknown) > 0:
		t.line("%s", t.bold(t.red("Nothing is wrong with what could be seen, but that is not every host.")))
	case warned > 0:
		t.line("%s %s on %s.", t.bold(t.green("Fit,")), "with "+number(warned, "warning"), hosts)
	default:
		t.line("%s", t.bold(t.green("Fit: nothing is wrong on "+hosts+".")))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// FindingsText is the part of PreflightText that lists what was found.
func FindingsText(list []Finding, s Style) string {
	t := &page{o: PlanOptions{Style: s}, palette: s.palette()}
	t.findings(list)
	return t.b.String()
}

func (t *page) findings(list []Finding) {
	host := ""
	for _, f := range list {
		if f.Host != host {
			host = f.Host
			t.line("%s", t.bold(Escape(host)))
		}
		mark := t.bold(t.red("error"))
		if f.Severity == "warning" {
			mark = t.yellow("warning")
		}
		at := ""
		if f.Place != "" {
			at = " (" + Escape(f.Place) + ")"
		}
		t.line("  %s %s%s", mark, Escape(f.Check), t.faint(at))
		t.line("    %s", wrap(Escape(f.Found), t.o.Width-4, "    "))
		t.line("    %s", wrap(fmt.Sprint("-> ", Escape(f.Do)), t.o.Width-4, "       "))
	}
	if len(list) > 0 {
		t.line("")
	}
}

func count(list []Finding) (failed, warned int) {
	for _, f := range list {
		if f.Severity == "warning" {
			warned++
		} else {
			failed++
		}
	}
	return failed, warned
}
