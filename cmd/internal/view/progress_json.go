package view

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/plan"
)

// EventLog writes an apply as JSON lines with the message types and fields of
// Terraform's machine-readable UI (developer.hashicorp.com/terraform/internals/machine-readable-ui),
// so that tools which read the one read the other: version, refresh_start,
// refresh_complete, planned_change, deferred_change, change_summary,
// apply_start, apply_progress, apply_complete, apply_errored, diagnostic,
// outputs. Beside them stand our own in the same manner: refresh_errored,
// apply_skipped, restore_start, restore_complete, restore_errored. It is a Progress.
type EventLog struct {
	enc *json.Encoder
	now func() time.Time
	t   *tracker
}

// UIVersion is the version of the JSON lines.
const UIVersion = "1.0"

// NewEventLog returns an EventLog and writes the version line. Timestamps come
// from now.
func NewEventLog(w io.Writer, version string, now func() time.Time) *EventLog {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	l := &EventLog{enc: enc, now: now}
	l.t = track(func(r *running, elapsed time.Duration) {
		l.message("info", r.addr.String()+": "+stillText(r, elapsed), "apply_progress", "hook", hookOf(r).took(elapsed))
	})
	l.locked(func() {
		l.write("info", "hardway "+version, "version", map[string]any{"hardway": version, "ui": UIVersion})
	})
	return l
}

// Event writes what happened to one change. As with Terraform, all of them have
// the level info: what is wrong comes as a diagnostic at the end.
func (l *EventLog) Event(e apply.Event) {
	l.locked(func() {
		r := l.t.note(e)
		h := hookOf(r)
		text := e.Addr.String() + ": " + eventText(e, r)
		switch e.Phase {
		case apply.Started:
			l.message("info", text, "apply_start", "hook", h)
		case apply.Waiting:
			l.message("info", text, "apply_progress", "hook", h.took(time.Since(r.since)))
		case apply.Done:
			l.message("info", text, "apply_complete", "hook", h.took(e.Elapsed))
		case apply.Failed:
			h.Error = withoutAddress(e.Err, e.Addr)
			l.message("info", text, "apply_errored", "hook", h.took(e.Elapsed))
		case apply.Skipped:
			h.Reason = e.Message
			l.message("info", text, "apply_skipped", "hook", h)
		case apply.Restoring:
			h.Reason = withoutAddress(e.Message, e.Addr)
			l.message("info", text, "restore_start", "hook", h)
		case apply.Restored:
			l.message("info", text, "restore_complete", "hook", h.took(e.Elapsed))
		case apply.NotRestored:
			h.Error = withoutAddress(e.Err, e.Addr)
			l.message("info", text, "restore_errored", "hook", h.took(e.Elapsed))
		}
	})
}

// Reading writes that the hosts are being read.
func (l *EventLog) Reading(hosts []addr.Host) {
	l.locked(func() {
		for _, h := range hosts {
			l.message("info", h.String()+": Refreshing state...", "refresh_start", "hook", hookJSON{Resource: resourceOf(addr.Address{Host: h})})
		}
	})
}

// Read writes which of the hosts were read, and which could not be.
func (l *EventLog) Read(hosts []addr.Host, p *plan.Plan) {
	why := map[addr.Host]string{}
	for _, u := range p.Unknown {
		why[u.Host] = withoutAddress(u.Reason, addr.Address{Host: u.Host})
	}
	l.locked(func() {
		for _, h := range hosts {
			hook := hookJSON{Resource: resourceOf(addr.Address{Host: h}), Error: why[h]}
			if hook.Error != "" {
				l.message("info", h.String()+": Refresh errored: "+hook.Error, "refresh_errored", "hook", hook)
				continue
			}
			l.message("info", h.String()+": Refresh complete", "refresh_complete", "hook", hook)
		}
	})
}

// Result writes the change_summary of what was really done.
func (l *EventLog) Result(r Applied) {
	text, _ := r.text()
	operation := string(plan.Normal) // Terraform knows plan, apply and destroy
	if r.Mode == plan.Destroy {
		operation = string(plan.Destroy)
	}
	l.locked(func() { l.summary(text, operation, r.Counts) })
}

// Diagnostics writes errors and warnings.
func (l *EventLog) Diagnostics(list []Diagnostic) {
	l.locked(func() {
		for _, d := range list {
			level, word := "error", "Error: "
			if d.Severity == "warning" {
				level, word = "warn", "Warning: "
			}
			l.message(level, word+d.Summary, "diagnostic", "diagnostic", d)
		}
	})
}

// Outputs writes the outputs, sensitive ones without their value.
func (l *EventLog) Outputs(list []Output) error {
	m, err := outputsJSON(list, false)
	if err != nil {
		return err
	}
	l.locked(func() { l.message("info", "Outputs: "+fmt.Sprint(len(m)), "outputs", "outputs", m) })
	return nil
}

// Close ends the log.
func (l *EventLog) Close() { l.t.close() }

func (l *EventLog) locked(do func()) {
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	do()
}

func (l *EventLog) message(level, text, kind, key string, body any) {
	l.write(level, text, kind, map[string]any{key: body})
}

// write writes one line; keys are in alphabetical order, and a failed write is
// let go, as a broken pipe is no reason to stop changing hosts.
func (l *EventLog) write(level, text, kind string, fields map[string]any) {
	fields["@level"], fields["@message"], fields["@module"] = level, text, "hardway.ui"
	fields["@timestamp"], fields["type"] = l.now().UTC().Format(time.RFC3339Nano), kind
	_ = l.enc.Encode(fields)
}
