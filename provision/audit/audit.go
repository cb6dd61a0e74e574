// Package audit holds a cluster against the CIS Kubernetes Benchmark: as it is
// planned, and as its hosts are.
//
// It knows the benchmark as a table of checks, how each is decided, and which
// setting of the configuration decides it. It is pure: the desired resources,
// the places of the user's settings and what was observed go in, a Report comes
// out. It must never know SSH, a terminal, or how a configuration is read; and what it quotes of
// a host is a mode, an owner, or a value of a setting that a check is about,
// never the content of a file.
package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// FormatVersion is the version of the Report's JSON.
const FormatVersion = "1.0"

// Benchmark is the edition whose ids and titles the table has. It is written for
// Kubernetes 1.32 to 1.34; there is none for newer minors yet, and nothing that
// its checks speak of has changed since.
const Benchmark = "CIS Kubernetes Benchmark 1.12"

// Status is the outcome of one check on one host.
type Status string

// The outcomes. Accepted is a failure that hardway's defaults have for a reason
// that the table gives; Unknown means that the host, or what the check is about,
// could not be read.
const (
	Pass          Status = "pass"
	Fail          Status = "fail"
	Accepted      Status = "accepted"
	Manual        Status = "manual"
	Unknown       Status = "unknown"
	NotApplicable Status = "not_applicable"
)

// Input is everything that an audit depends on.
type Input struct {
	Tool string
	Now  time.Time
	// Cluster and Kubernetes are the names of the cluster and of its version.
	Cluster, Kubernetes string
	// Machines are all hosts of the cluster, with what the user set on them.
	Machines []Machine
	Want     resource.Set
	// Seen are the hosts as they were observed; nil audits the plan alone.
	Seen map[addr.Host]facts.Observation
	// Checks and Hosts narrow the audit; empty means all. A check is named by its
	// id, or by the beginning of one up to a dot: 1.2 is the API server.
	Checks []string
	Hosts  []addr.Host
}

// Machine is a host of the configuration.
type Machine struct {
	Addr addr.Host
	// Settings are the user's, by component, as units names them.
	Settings map[string]Settings
}

// Settings are the places where the user set something on a component: flags by
// name, fields of the config object by dotted path.
type Settings struct{ Flags, Fields map[string]hcl.Range }

// Report is what an audit found. It is the JSON of `hardway audit --json`.
type Report struct {
	FormatVersion string    `json:"format_version"`
	Tool          string    `json:"hardway_version"`
	Created       time.Time `json:"timestamp"`
	Cluster       string    `json:"cluster"`
	Kubernetes    string    `json:"kubernetes_version"`
	Benchmark     string    `json:"benchmark"`
	// Subject is "plan" or "hosts".
	Subject string   `json:"subject"`
	Checks  []Check  `json:"checks"` // those that were evaluated, in order
	Results []Result `json:"results"`
	// Unseen are hosts that could not be read.
	Unseen []Unseen `json:"unseen,omitempty"`
	Counts Counts   `json:"counts"`
	// Complete: every host was read, and nothing is unknown.
	Complete bool `json:"complete"`
}

// Subjects of a Report.
const (
	SubjectPlan  = "plan"
	SubjectHosts = "hosts"
)

// Result is one check on one host; on the cluster where it is not about hosts.
type Result struct {
	Check    string    `json:"check"`
	Host     addr.Host `json:"host"`
	Status   Status    `json:"status"`
	Evidence string    `json:"evidence,omitempty"`
	// Fix is what to do about a failure, or what a person has to look at.
	Fix string `json:"fix,omitempty"`
	// Reason says why a failure is accepted, or why a check does not apply.
	Reason string `json:"reason,omitempty"`
	// Choice is set where the user's configuration asks for what fails.
	Choice *Choice `json:"choice,omitempty"`
}

// Choice is a setting of the user's, with the place where it is written.
type Choice struct {
	Setting string `json:"setting"` // apiserver.flags["anonymous-auth"]
	File    string `json:"file"`
	Line    int    `json:"line"`
}

// Unseen is a host that could not be read.
type Unseen struct {
	Host   addr.Host `json:"host"`
	Reason string    `json:"reason"`
}

// Counts counts results. Chosen are those of Fail that are the user's choice.
type Counts struct {
	Pass          int `json:"pass"`
	Fail          int `json:"fail"`
	Chosen        int `json:"chosen"`
	Accepted      int `json:"accepted"`
	Manual        int `json:"manual"`
	Unknown       int `json:"unknown"`
	NotApplicable int `json:"not_applicable"`
}

// Evaluate runs the table. Results are in the order of checks, then of hosts.
func Evaluate(in Input) Report {
	r := Report{
		FormatVersion: FormatVersion, Tool: in.Tool, Created: in.Now, Cluster: in.Cluster, Kubernetes: in.Kubernetes,
		Benchmark: Benchmark, Subject: SubjectPlan, Complete: true, Results: []Result{}, Checks: []Check{},
	}
	var hosts []*audited
	for _, h := range in.Machines {
		if len(in.Hosts) > 0 && !slices.Contains(in.Hosts, h.Addr) {
			continue
		}
		a := &audited{host: h, planned: planned(h.Addr, in.Want)}
		if in.Seen != nil {
			r.Subject = SubjectHosts
			o, ok := in.Seen[h.Addr]
			switch {
			case !ok:
				r.Unseen = append(r.Unseen, Unseen{h.Addr, "it was not asked"})
			case !o.Reachable():
				r.Unseen = append(r.Unseen, Unseen{h.Addr, o.Err})
			default:
				a.seen = observed(a.planned, o)
			}
		}
		hosts = append(hosts, a)
	}
	for _, c := range Checks() {
		if !named(c.ID, in.Checks) {
			continue
		}
		r.Checks = append(r.Checks, c)
		if reason := c.outOfRange(in.Kubernetes); reason != "" {
			r.add(Result{Check: c.ID, Host: addr.Host{Role: addr.Cluster}, Status: NotApplicable, Reason: reason})
			continue
		}
		if c.rule.test == nil {
			r.add(Result{Check: c.ID, Host: addr.Host{Role: addr.Cluster}, Status: Manual, Fix: c.Fix})
			continue
		}
		for _, a := range hosts {
			if c.Masters && a.host.Addr.Role != addr.Master || in.Seen != nil && a.seen == nil {
				continue
			}
			r.add(a.result(c, in.Seen != nil))
		}
	}
	r.Complete = len(r.Unseen) == 0 && r.Counts.Unknown == 0
	return r
}

// named reports whether a check is among those asked for.
func named(id string, asked []string) bool {
	return len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return id == a || strings.HasPrefix(id, a+".") })
}

func (r *Report) add(res Result) {
	r.Results = append(r.Results, res)
	switch res.Status {
	case Pass:
		r.Counts.Pass++
	case Fail:
		r.Counts.Fail++
		if res.Choice != nil {
			r.Counts.Chosen++
		}
	case Accepted:
		r.Counts.Accepted++
	case Manual:
		r.Counts.Manual++
	case Unknown:
		r.Counts.Unknown++
	case NotApplicable:
		r.Counts.NotApplicable++
	}
}

// audited is a host as it should be and, where it was read, as it is.
type audited struct {
	host          Machine
	planned, seen *machine
}

// fixDrift is what to do where the configuration is as the check wants it.
const fixDrift = "The configuration asks for it already: \"hardway drift\" shows what differs on the host, \"hardway apply\" puts it back."

// result decides one check on the host.
func (a *audited) result(c Check, onHost bool) Result {
	want := c.rule.test(a.planned)
	is := want
	if onHost {
		is = c.rule.test(a.seen)
	}
	out := Result{Check: c.ID, Host: a.host.Addr, Status: is.status, Evidence: is.evidence}
	switch is.status {
	case Manual:
		out.Fix = c.Fix
	case Unknown:
		out.Fix = "Run \"hardway plan\": it says what is missing on the host."
	case Fail:
		if want.status == Pass {
			out.Fix = fixDrift
			return out
		}
		out.Fix = c.Fix
		if c.Accepted != "" { // whatever the user set, it was not this that made it fail
			out.Status, out.Reason = Accepted, c.Accepted
			return out
		}
		out.Choice = want.choice(a.host)
	}
	return out
}
