// Package preflight judges whether machines are fit to become hosts of a cluster,
// and says of each one all that is wrong and what to do about it.
//
// It is pure: a configuration and observations go in, findings come out. It must
// never know a connection, a terminal or a plan, nor change anything.
package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/firewall"
	"hardway/provision/packages"
)

// Severity is what a finding means for a plan.
type Severity string

// The severities. A plan is refused while there is an error.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Host     addr.Host `json:"host"`
	Check    string    `json:"check"` // an id of config.Checks
	Severity Severity  `json:"severity"`
	Found    string    `json:"found"` // what is there, on one line
	Do       string    `json:"do"`    // what to do about it
	// Place is file:line of what in the configuration asks for it.
	Place string `json:"place"`
}

// Input is what is judged.
type Input struct {
	Config *config.Cluster
	// Observed has what the hosts said; one that did not answer is not judged.
	Observed map[addr.Host]facts.Observation
	// Judge says which hosts are judged in full. Of the others, which are part of the
	// cluster already, only what can never be borne is: a clock that is wrong, and
	// what they share with a host that is to join.
	Judge map[addr.Host]bool
	// Needs are the programs that a host has to have; Rules, what its firewall has to
	// let in.
	Needs []packages.Need
	Rules func(config.Host) []firewall.Rule
	// Own reports whether a systemd unit on a host is hardway's.
	Own func(h addr.Host, unit string) bool
}

// Run judges all hosts and returns what it finds, by host and then by check. What
// the configuration ignores is left out, what it turns to warnings is one.
func Run(in Input) []Finding {
	r := &run{in: in}
	for _, h := range in.Config.Hosts {
		o, ok := in.Observed[h.Addr]
		if !ok || !o.Reachable() {
			continue
		}
		c := &check{run: r, h: h, o: o, m: in.Config.Machine}
		c.clock()
		if !in.Judge[h.Addr] {
			continue
		}
		c.identity()
		c.machine()
		c.capacity()
		c.programs()
		c.ports()
		c.firewall()
		c.dns()
	}
	slices.SortStableFunc(r.found, func(a, b Finding) int {
		return cmp.Or(a.Host.Compare(b.Host), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Check, b.Check), cmp.Compare(a.Found, b.Found))
	})
	return r.found
}

type run struct {
	in    Input
	found []Finding
}

// check judges one host.
type check struct {
	*run
	h config.Host
	o facts.Observation
	m config.Machine
}

// report adds a finding, if the user wants to hear of it.
func (c *check) report(id string, severity Severity, at hcl.Range, found, do string) {
	switch c.m.Preflight[id] {
	case config.CheckIgnore:
		return
	case config.CheckWarn:
		severity = Warning
	case config.CheckError:
		severity = Error
	}
	c.found = append(c.found, Finding{Host: c.h.Addr, Check: id, Severity: severity, Found: found, Do: do, Place: place(rangeOr(at, c.h.Range))})
}

func (c *check) fail(id string, at hcl.Range, found, do string) { c.report(id, Error, at, found, do) }
func (c *check) warn(id string, at hcl.Range, found, do string) { c.report(id, Warning, at, found, do) }

func place(r hcl.Range) string {
	if r.Filename == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line)
}

// FailedError says that hosts are not fit. It has all findings, warnings too.
type FailedError struct{ Findings []Finding }

// Error lists the errors among the findings, a line each.
func (e *FailedError) Error() string {
	var b strings.Builder
	n := 0
	for _, f := range e.Findings {
		if f.Severity == Error {
			n++
			fmt.Fprintf(&b, "\n%s: %s: %s; %s (%s)", f.Host, f.Check, f.Found, f.Do, f.Place)
		}
	}
	return fmt.Sprintf("preflight found %d errors, so nothing was planned; mend them, or set host.preflight for a check that does not fit:%s", n, b.String())
}

// Failed reports whether there is an error among the findings.
func Failed(list []Finding) bool {
	return slices.ContainsFunc(list, func(f Finding) bool { return f.Severity == Error })
}

// enabled reads a bool that the user set in a config object: "" when it is unset.
func enabled(cfg map[string]any, key string) (set, value bool) {
	v, ok := cfg[key].(bool)
	return ok, v
}
