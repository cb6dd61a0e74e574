// Package view writes what hardway has to say: plans, progress, health,
// certificates and errors, as text for people and as JSON for programs.
//
// It knows the published values of the packages that decide (plans, events,
// reports, diagnostics), and nothing but those: the text of a plan is made from
// the same fields that its JSON has. It must never know SSH, files on hosts,
// Kubernetes or cobra, and it takes no decision. Every string that may come
// from a host or a file is data and is escaped before it reaches a terminal.
package view

import (
	"github.com/fatih/color"
)

// Style says for whom to write.
type Style struct {
	// Color lets escape sequences for colour be written.
	Color bool
	// Width is the number of columns to wrap prose and tables at; 0 means never.
	Width int
	// Whole leaves the rows of tables as long as they are: nobody looks at a file
	// through a window, and a log that cuts a message keeps it from everyone.
	Whole bool
}

// table is the width that the rows of tables are cut at; 0 means never.
func (s Style) table() int {
	if s.Whole {
		return 0
	}
	return s.Width
}

// UseColor decides about colour: never with --no-color, nor with NO_COLOR set to
// anything (https://no-color.org), nor for a dumb terminal, nor when the
// output is not a terminal.
func UseColor(noColor, terminal bool, getenv func(string) string) bool {
	return terminal && !noColor && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// palette paints text, or leaves it alone.
type palette struct {
	bold, faint, green, yellow, red, cyan func(string) string
}

func (s Style) palette() palette {
	paint := func(attrs ...color.Attribute) func(string) string {
		if !s.Color {
			return func(text string) string { return text }
		}
		c := color.New(attrs...)
		c.EnableColor() // the package's own guess looks at the process's stdout
		return func(text string) string { return c.Sprint(text) }
	}
	return palette{
		bold:   paint(color.Bold),
		faint:  paint(color.Faint),
		green:  paint(color.FgGreen),
		yellow: paint(color.FgYellow),
		red:    paint(color.FgRed),
		cyan:   paint(color.FgCyan),
	}
}
