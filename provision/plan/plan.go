// Package plan compares what should be, what is and what we did, and says what
// to do about it: a pure function whose result is a value.
//
// It knows resources, observations and the public part of the state. It must
// never know a host connection, a terminal, a state backend or a secret: a plan
// can be saved, shown to others and attached to a ticket.
package plan

import (
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// FormatVersion is the version of the plan's JSON.
const FormatVersion = "1.0"

// Action is what happens to a resource.
type Action string

// The actions. Forget drops a record without touching the host; Read is an
// observation that apply will repeat.
const (
	NoOp    Action = "no-op"
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Forget  Action = "forget"
	Read    Action = "read"
)

// Symbol returns the mark that stands before an address, as Terraform has them.
func (a Action) Symbol() string {
	switch a {
	case Create:
		return "+"
	case Update:
		return "~"
	case Replace:
		return "-/+"
	case Delete:
		return "-"
	case Forget:
		return "."
	case Read:
		return "<="
	}
	return " "
}

// Disruption is what a change does to what runs.
type Disruption string

// The disruptions, in order of weight.
const (
	None    Disruption = "none"
	Reload  Disruption = "reload"
	Restart Disruption = "restart"
	Drain   Disruption = "drain"
)

// Value is one attribute of a resource before or after a change.
type Value struct {
	Text string `json:"text,omitempty"`
	// Unknown values are known after apply.
	Unknown bool `json:"unknown,omitempty"`
	// Sensitive values are never in the plan; a digest may show that they differ.
	Sensitive bool `json:"sensitive,omitempty"`
	// Block marks text of several lines, which is shown as a unified diff.
	Block bool `json:"block,omitempty"`
}

// Attrs are the attributes of a resource, by name.
type Attrs map[string]Value

// UnitSteps is what apply does with a unit, decided here.
type UnitSteps struct {
	Write   bool `json:"write,omitempty"` // write the file, then daemon-reload
	Unmask  bool `json:"unmask,omitempty"`
	Enable  bool `json:"enable,omitempty"`
	Disable bool `json:"disable,omitempty"`
	// Start is "", "start", "start-no-block", "restart", "restart-no-block" or "stop".
	Start string `json:"start,omitempty"`
}

// Change is one resource and what happens to it.
type Change struct {
	Addr   addr.Address `json:"address"`
	Action Action       `json:"action"`
	// Reason is for people; nothing may be decided by it.
	Reason     string         `json:"reason,omitempty"`
	Before     Attrs          `json:"before,omitempty"`
	After      Attrs          `json:"after,omitempty"`
	Disruption Disruption     `json:"disruption,omitempty"`
	DependsOn  []addr.Address `json:"depends_on,omitempty"`

	// Spec is what to make of it; for a deletion, what stood in the state.
	Spec resource.Spec `json:"spec"`
	// Expect is the digest of the content on the host that the plan is based
	// on, "absent" for none; apply refuses a host that has moved on.
	Expect string `json:"expect,omitempty"`
	// Prior is what stood there before hardway, to be recorded before the
	// first change, and to be put back by a deletion.
	Prior *state.Prior `json:"prior,omitempty"`
	// Unit holds the steps of a unit's change.
	Unit *UnitSteps `json:"unit,omitempty"`
}

// Deferred is what can only be decided after this plan is applied.
type Deferred struct {
	Addr   addr.Address `json:"address"`
	Reason string       `json:"reason"`
}

// Unknown is a host of which nothing is known, and why.
type Unknown struct {
	Host   addr.Host `json:"host"`
	Reason string    `json:"reason"`
}

// Warning is something to say beside the plan.
type Warning struct {
	Addr    addr.Address `json:"address"`
	Summary string       `json:"summary"`
}

// Mode is what the plan is for.
type Mode string

// The modes.
const (
	Normal  Mode = "apply"
	Destroy Mode = "destroy"
)

// Plan is one convergence step.
type Plan struct {
	FormatVersion string    `json:"format_version"`
	Tool          string    `json:"hardway_version"`
	Created       time.Time `json:"timestamp"`
	Mode          Mode      `json:"mode"`
	Cluster       string    `json:"cluster"`
	// The plan is bound to these; apply refuses when one has moved.
	Lineage      string `json:"lineage"`
	Serial       uint64 `json:"serial"`
	ConfigDigest string `json:"config_digest"`

	// Allocations is the table after this plan: what hosts were given for good.
	Allocations state.Allocations `json:"allocations"`

	Targets  []addr.Address `json:"targets,omitempty"`
	Changes  []Change       `json:"changes"` // in an order that respects DependsOn; NoOp included
	Deferred []Deferred     `json:"deferred,omitempty"`
	Unknown  []Unknown      `json:"unknown,omitempty"`
	Warnings []Warning      `json:"warnings,omitempty"`
	// Complete: after applying this plan nothing is left to do, and every host was seen.
	Complete bool `json:"complete"`
}

// Counts are the numbers of the summary line; a replacement counts twice.
type Counts struct {
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"destroy"`
	Forget  int `json:"forget,omitempty"`
}

// Counts returns the numbers of the summary line.
func (p *Plan) Counts() Counts {
	var c Counts
	for _, ch := range p.Changes {
		switch ch.Action {
		case Create:
			c.Add++
		case Update:
			c.Change++
		case Replace:
			c.Add++
			c.Destroy++
		case Delete:
			c.Destroy++
		case Forget:
			c.Forget++
		}
	}
	return c
}

// Changed reports whether the plan does anything.
func (p *Plan) Changed() bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action != NoOp && c.Action != Read })
}
