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
const FormatVersion = "1.1"

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
	// Waits are those of DependsOn that only keep the order of the waves. They
	// belong to this plan alone and are not recorded.
	Waits []addr.Address `json:"waits,omitempty"`

	// Spec is what to make of it; for a deletion, what stood in the state.
	Spec resource.Spec `json:"spec"`
	// Expect is the digest of the content on the host that the plan is based
	// on, "absent" for none; apply refuses a host that has moved on.
	Expect string `json:"expect,omitempty"`
	// Prior is what stood there before hardway, to be recorded before the
	// first change, and to be put back by a deletion.
	Prior *state.Prior `json:"prior,omitempty"`
	// Former is what the change leaves at another place than the new one.
	Former *Former `json:"former,omitempty"`
	// Unit holds the steps of a unit's change.
	Unit *UnitSteps `json:"unit,omitempty"`
	// Quorum must hold right before the change: a member of etcd is touched only
	// when the others can do without it.
	Quorum *Quorum `json:"quorum,omitempty"`
	// Restore lists what is put back, in this order, when the unit does not become
	// healthy: what this plan changes of the files it reads, and the unit itself.
	// Empty: nothing is (it did not run before, or hardway did not make it).
	Restore []addr.Address `json:"restore,omitempty"`
	// Within bounds the waiting for the unit's gate, instead of the gate's own
	// time: what ran before takes no longer now than it did then.
	Within time.Duration `json:"within,omitempty"`
}

// Quorum says of which members at least how many must be healthy.
type Quorum struct {
	Need    int      `json:"need"`
	Members []Member `json:"members"` // the others, not the one that is touched
}

// Member is a member of etcd and what shows that it is healthy.
type Member struct {
	Host addr.Host     `json:"host"`
	Gate resource.Gate `json:"gate"`
}

// Wave is one link of the chain in which running units are touched: what happens
// on one host at once. The next wave starts when all gates of this one are
// passed; the first that is not ends the chain.
type Wave struct {
	Stage string    `json:"stage"` // etcd, control-plane, node
	Host  addr.Host `json:"host"`
	// Units are what is touched, in plan order.
	Units []WaveUnit `json:"units"`
	// Risk is what the cluster lacks while the wave lasts, for people; empty
	// when nothing.
	Risk string `json:"risk,omitempty"`
}

// WaveUnit is one unit of a wave.
type WaveUnit struct {
	Addr       addr.Address `json:"address"`
	Disruption Disruption   `json:"disruption"`
	// Restores: what was there is put back when it does not become healthy.
	Restores bool `json:"restores,omitempty"`
}

// Held is something that the configuration asks for and that this plan leaves
// alone, because it failed before or was rolled back.
type Held struct {
	Addr   addr.Address `json:"address"` // of the unit; a host or the cluster where everything is held
	Reason string       `json:"reason"`
	Since  time.Time    `json:"since"`
}

// Needs returns the dependencies that hold beyond this plan.
func (c *Change) Needs() []addr.Address {
	if len(c.Waits) == 0 {
		return c.DependsOn
	}
	return slices.DeleteFunc(slices.Clone(c.DependsOn), func(a addr.Address) bool { return slices.Contains(c.Waits, a) })
}

// waitFor adds dependencies that only keep the order of the waves.
func (c *Change) waitFor(list ...addr.Address) {
	c.DependsOn = slices.Clone(c.DependsOn)
	for _, a := range list {
		if !slices.Contains(c.DependsOn, a) {
			c.DependsOn, c.Waits = append(c.DependsOn, a), append(c.Waits, a)
		}
	}
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
	// Detail is more to it, in lines: what a file says that the summary names.
	Detail string `json:"detail,omitempty"`
}

// Mode is what the plan is for.
type Mode string

// The modes.
const (
	Normal   Mode = "apply"
	Destroy  Mode = "destroy"
	Rollback Mode = "rollback" // to Plan.Generation
	// ReadDrift compares the hosts with what was applied last, not with the
	// configuration. Such a plan is for reading only.
	ReadDrift Mode = "drift"
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
	Changes  []Change       `json:"changes"`         // in an order that respects DependsOn; NoOp included
	Waves    []Wave         `json:"waves,omitempty"` // in order
	Deferred []Deferred     `json:"deferred,omitempty"`
	Unknown  []Unknown      `json:"unknown,omitempty"`
	Held     []Held         `json:"held,omitempty"`
	Warnings []Warning      `json:"warnings,omitempty"`
	// Copies are the masters whose sealed copy of the state is an older one, or was
	// never finished; apply renews it, with or without changes.
	Copies []addr.Host `json:"copies,omitempty"`
	// Reseal: the private keys are sealed for others than the configuration names;
	// apply seals them anew, with or without changes.
	Reseal bool `json:"reseal,omitempty"`
	// Generation is the serial that a rollback goes back to.
	Generation uint64 `json:"generation,omitempty"`
	// Retry: what was held back is tried again.
	Retry bool `json:"retry,omitempty"`
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
