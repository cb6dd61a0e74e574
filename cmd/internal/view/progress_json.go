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

// EventLog writes an apply as JSON lines with the message types of Terraform's
// machine-readable UI, so that tools which read the one read the other:
// version, planned_change, change_summary, apply_start, apply_progress,
// apply_complete, apply_errored, diagnostic, outputs. It is a Progress.
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
		h := hookOf(r)
		h.Elapsed = elapsed.Seconds()
		l.message("info", r.addr.String()+": "+stillText(r, elapsed), "apply_progress", "hook", h)
	})
	l.locked(func() {
		l.write("info", "hardway "+version, "version", map[string]any{"hardway": version, "ui": UIVersion})
	})
	return l
}

// resourceJSON names a resource as Terraform's messages do.
type resourceJSON struct {
	Addr string `json:"addr"`
	Host string `json:"host"`
	Type string `json:"resource_type"`
	Name string `json:"resource_name"`
}

func resourceOf(a addr.Address) resourceJSON {
	return resourceJSON{Addr: a.String(), Host: a.Host.String(), Type: a.Kind, Name: a.Name}
}

// hookJSON is the body of the apply_ messages. Bytes are those of an upload.
type hookJSON struct {
	Resource   resourceJSON `json:"resource"`
	Action     plan.Action  `json:"action"`
	Elapsed    float64      `json:"elapsed_seconds,omitempty"`
	WaitingFor string       `json:"waiting_for,omitempty"`
	Bytes      int64        `json:"bytes,omitempty"`
	TotalBytes int64        `json:"total_bytes,omitempty"`
	Error      string       `json:"error,omitempty"`
	Skipped    string       `json:"skipped,omitempty"`
}

func hookOf(r *running) hookJSON {
	return hookJSON{Resource: resourceOf(r.addr), Action: r.action, WaitingFor: r.gate, Bytes: r.done, TotalBytes: r.total}
}

// Plan writes a planned_change for each change and the change_summary.
func (l *EventLog) Plan(p *plan.Plan) {
	l.locked(func() {
		for _, c := range p.Changes {
			if c.Action == plan.NoOp {
				continue
			}
			l.message("info", c.Addr.String()+": Plan to "+string(c.Action), "planned_change", "change", struct {
				Resource resourceJSON `json:"resource"`
				Action   plan.Action  `json:"action"`
				Reason   string       `json:"reason,omitempty"`
			}{resourceOf(c.Addr), c.Action, c.Reason})
		}
		l.summary("Plan: "+Counts(p.Counts()), "plan", p.Counts())
	})
}

// Event writes what happened to one change.
func (l *EventLog) Event(e apply.Event) {
	l.locked(func() {
		r := l.t.note(e)
		h := hookOf(r)
		text := e.Addr.String() + ": " + eventText(e, r)
		switch e.Phase {
		case apply.Started:
			l.message("info", text, "apply_start", "hook", h)
		case apply.Waiting:
			l.message("info", text, "apply_progress", "hook", h)
		case apply.Done:
			h.Elapsed = e.Elapsed.Seconds()
			l.message("info", text, "apply_complete", "hook", h)
		case apply.Failed:
			h.Elapsed, h.Error = e.Elapsed.Seconds(), e.Err
			l.message("error", text, "apply_errored", "hook", h)
		case apply.Skipped:
			h.Skipped = e.Message
			l.message("warn", text, "apply_errored", "hook", h)
		}
	})
}

// Result writes the change_summary of what was really done.
func (l *EventLog) Result(r apply.Result, mode plan.Mode) {
	text, _ := appliedText(r, mode)
	l.locked(func() { l.summary(text, string(mode), r.Counts) })
}

// summary uses Terraform's names: what a plan calls destroy is "remove" there.
func (l *EventLog) summary(text, operation string, c plan.Counts) {
	l.message("info", text, "change_summary", "changes", struct {
		Add       int    `json:"add"`
		Change    int    `json:"change"`
		Remove    int    `json:"remove"`
		Forget    int    `json:"forget"`
		Operation string `json:"operation"`
	}{c.Add, c.Change, c.Destroy, c.Forget, operation})
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
