package view

import (
	"fmt"
	"io"
	"strings"
)

// Initialized is what init did.
type Initialized struct {
	Files    []PinnedFile
	LockFile string
	// StateCreated and IdentityCreated are the paths of what was made now.
	StateCreated, IdentityCreated string
}

// PinnedFile is one binary or image archive of the lock file.
type PinnedFile struct {
	Name, Version, Arch, SHA256 string
	Size                        int64
	Action                      string // kept, fetched, pinned, re-pinned
}

// Init writes what was pinned and made, and what comes next.
func Init(w io.Writer, r Initialized, s Style) error {
	c := s.palette()
	var b strings.Builder
	rows := make([][]cell, len(r.Files))
	for i, f := range r.Files {
		paint := c.faint
		if f.Action != "kept" {
			paint = c.green
		}
		rows[i] = []cell{{text: Escape(f.Name)}, {text: Escape(f.Version)}, {text: Escape(f.Arch)}, {text: size(f.Size)},
			{text: cut(Escape(f.SHA256), 13)}, {text: Escape(f.Action), paint: paint}}
	}
	if len(rows) > 0 {
		b.WriteString(table([]string{"FILE", "VERSION", "ARCH", "SIZE", "SHA256", ""}, rows, 0) + "\n")
	}
	if r.LockFile != "" {
		b.WriteString(wrap("Pinned in "+Escape(r.LockFile)+". Keep that file with the configuration: only these bytes are installed.", s.Width, "") + "\n")
	}
	if r.StateCreated != "" {
		b.WriteString("Created the state " + Escape(r.StateCreated) + ".\n")
	}
	if r.IdentityCreated != "" {
		b.WriteString("\n" + c.bold(c.yellow("Created an identity: "+Escape(r.IdentityCreated))) + "\n")
		b.WriteString(wrap("It alone opens the cluster's private keys. Make a copy of it somewhere safe now, and never put it beside the state.", s.Width, "") + "\n")
	}
	b.WriteString("\n" + c.bold(c.green("hardway has been initialized.")) + " Next: hardway plan\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Fetching is the line about a transfer under way; total is -1 while unknown.
func Fetching(name, source string, done, total int64) string {
	if p := percent(done, total); p != "" {
		return fmt.Sprintf("Fetching %s: %s from %s", name, p, source)
	}
	return fmt.Sprintf("Fetching %s: %s from %s", name, size(done), source)
}

// Fetched is the line about a finished transfer.
func Fetched(name, source string, bytes int64) string {
	return fmt.Sprintf("Fetched %s (%s) from %s", Escape(name), size(bytes), Escape(source))
}
