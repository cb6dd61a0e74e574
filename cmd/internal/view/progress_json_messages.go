package view

import (
	"time"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

// resourceJSON names a resource with the fields that Terraform's messages have.
// The host stands where the module does there: addr is always module.resource.
type resourceJSON struct {
	Addr     string  `json:"addr"`
	Module   string  `json:"module"`
	Resource string  `json:"resource"`
	Provider string  `json:"implied_provider"`
	Type     string  `json:"resource_type"`
	Name     string  `json:"resource_name"`
	Key      *string `json:"resource_key"` // always null: hardway has no count
	Host     string  `json:"host"`         // ours; the same as module
}

func resourceOf(a addr.Address) resourceJSON {
	host := a.Host.String()
	r := resourceJSON{Addr: a.String(), Module: host, Host: host, Provider: "hardway", Type: a.Kind, Name: a.Name}
	if a.Kind != "" {
		r.Resource = r.Addr[len(host)+1:]
	}
	return r
}

// actionJSON is an action as Terraform's messages spell it.
func actionJSON(a plan.Action) string {
	switch a {
	case plan.NoOp:
		return "noop"
	case plan.Forget:
		return "remove"
	}
	return string(a)
}

// hookJSON is the body of the apply_, refresh_ and restore_ messages. Terraform
// has resource, action and elapsed_seconds; the rest is ours.
type hookJSON struct {
	Resource   resourceJSON `json:"resource"`
	Action     string       `json:"action,omitempty"`
	Elapsed    *float64     `json:"elapsed_seconds,omitempty"`
	WaitingFor string       `json:"waiting_for,omitempty"`
	Bytes      int64        `json:"bytes,omitempty"` // of an upload
	TotalBytes int64        `json:"total_bytes,omitempty"`
	Error      string       `json:"error,omitempty"`
	// Reason is why something was skipped or is put back.
	Reason string `json:"reason,omitempty"`
}

func hookOf(r *running) hookJSON {
	return hookJSON{Resource: resourceOf(r.addr), Action: actionJSON(r.action), WaitingFor: r.gate, Bytes: r.done, TotalBytes: r.total}
}

// took adds the time that a change has taken, to the millisecond. It is there
// also when it is zero.
func (h hookJSON) took(d time.Duration) hookJSON {
	seconds := d.Round(time.Millisecond).Seconds()
	h.Elapsed = &seconds
	return h
}

// changeJSON is the body of planned_change.
type changeJSON struct {
	Resource resourceJSON `json:"resource"`
	Action   string       `json:"action"`
	Reason   string       `json:"reason,omitempty"`
}

// deferredJSON is the body of deferred_change. Reason is one of Terraform's
// words; that of the change is for people.
type deferredJSON struct {
	Reason string     `json:"reason"`
	Change changeJSON `json:"change"`
}

// Plan writes a planned_change for each change, the warnings, the
// change_summary, and a deferred_change for what is decided later or held back.
func (l *EventLog) Plan(p *plan.Plan) {
	l.locked(func() {
		for _, c := range p.Changes {
			if c.Action == plan.NoOp {
				continue
			}
			l.message("info", c.Addr.String()+": Plan to "+actionJSON(c.Action), "planned_change", "change",
				changeJSON{resourceOf(c.Addr), actionJSON(c.Action), c.Reason})
		}
		for _, w := range p.Warnings {
			l.message("warn", "Warning: "+w.Summary, "diagnostic", "diagnostic",
				Diagnostic{Severity: "warning", Summary: w.Summary, Detail: w.Detail, Address: addressOf(w.Addr)})
		}
		l.summary("Plan: "+Counts(p.Counts()), "plan", p.Counts())
		for _, d := range p.Deferred {
			l.deferred(d.Addr, "deferred_prereq", d.Reason)
		}
		for _, h := range p.Held {
			l.deferred(h.Addr, "excluded", "held back: "+h.Reason)
		}
	})
}

// deferred writes what this plan leaves alone; kind is one of Terraform's reasons.
func (l *EventLog) deferred(a addr.Address, kind, why string) {
	l.message("info", a.String()+": Deferred ("+kind+")", "deferred_change", "deferred",
		deferredJSON{kind, changeJSON{Resource: resourceOf(a), Action: actionJSON(plan.Update), Reason: why}})
}

func addressOf(a addr.Address) string {
	if a == (addr.Address{}) {
		return ""
	}
	return a.String()
}

// summaryJSON is the body of change_summary, with Terraform's names: what a plan
// calls destroy is "remove" there.
type summaryJSON struct {
	Add       int    `json:"add"`
	Change    int    `json:"change"`
	Import    int    `json:"import"` // always 0
	Remove    int    `json:"remove"`
	Forget    int    `json:"forget"` // ours
	Operation string `json:"operation"`
}

func (l *EventLog) summary(text, operation string, c plan.Counts) {
	l.message("info", text, "change_summary", "changes", summaryJSON{c.Add, c.Change, 0, c.Destroy, c.Forget, operation})
}
