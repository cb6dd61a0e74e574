package view

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// Generation is one stored state of the cluster that can be gone back to.
type Generation struct {
	Number    uint64    `json:"generation"` // the serial of the state
	Updated   time.Time `json:"updated,omitzero"`
	Operation string    `json:"operation,omitempty"` // apply, destroy, rollback, renew; empty before the first
	// ConfigDigest tells which generations came of one configuration.
	ConfigDigest string `json:"config_digest,omitempty"`
	// Complete: everything that was planned then was done.
	Complete bool `json:"complete"`
	// Present marks the one in force.
	Present bool `json:"present"`
	// Problem is why it cannot be read.
	Problem string `json:"problem,omitempty"`
}

// GenerationsJSON writes the document of `rollback --list --json`.
func GenerationsJSON(w io.Writer, list []Generation) error {
	return JSON(w, struct {
		FormatVersion string       `json:"format_version"`
		Generations   []Generation `json:"generations"`
	}{"1.0", append([]Generation{}, list...)})
}

// Generations writes the kept generations as a table, the newest first as given.
func Generations(w io.Writer, list []Generation, s Style) error {
	c := s.palette()
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No generation is kept yet. Next: hardway apply")
		return err
	}
	rows := make([][]cell, len(list))
	for i, g := range list {
		operation, complete, note := Escape(g.Operation), cell{text: "yes", paint: c.green}, cell{}
		if operation == "" {
			operation = "-"
		}
		switch {
		case g.Problem != "":
			complete = cell{text: "unreadable", paint: c.red}
		case !g.Complete && g.Operation == "":
			complete = cell{text: "-"}
		case !g.Complete:
			complete = cell{text: "no", paint: c.yellow}
		}
		if g.Present {
			note = cell{text: "present", paint: c.bold}
		}
		updated, config := "-", "-"
		if g.ConfigDigest != "" {
			config = Escape(g.ConfigDigest[:min(len(g.ConfigDigest), 12)])
		}
		if !g.Updated.IsZero() {
			updated = g.Updated.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		rows[i] = []cell{{text: strconv.FormatUint(g.Number, 10)}, {text: updated}, {text: operation}, {text: config}, complete, note}
	}
	text := table([]string{"GENERATION", "WHEN", "OPERATION", "CONFIGURATION", "COMPLETE", ""}, rows, s.table())
	for _, g := range list {
		if g.Problem != "" {
			text += "\n" + c.red(wrap(fmt.Sprintf("Generation %d cannot be read: %s", g.Number, Escape(g.Problem)), s.Width, "  ")) + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}
