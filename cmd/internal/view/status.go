package view

import (
	"fmt"
	"io"
	"sync"
)

// Status is a single line on a terminal that is overwritten while something
// goes on and disappears when it is done: reading hosts, verifying, waiting for
// a lock. Without a terminal it writes nothing.
type Status struct {
	mu    sync.Mutex
	w     io.Writer
	width int
	used  bool
}

// NewStatus returns a Status; w is nil when there is no terminal to write to.
func NewStatus(w io.Writer, s Style) *Status {
	width := s.Width
	if width <= 0 {
		width = 80
	}
	return &Status{w: w, width: width}
}

// Set replaces the line.
func (s *Status) Set(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return
	}
	s.used = true
	// carriage return, text, erase to the end of the line
	fmt.Fprintf(s.w, "\r%s\x1b[K", cut(Escape(fmt.Sprintf(format, args...)), s.width-1))
}

// Echoed takes the "^C" off a terminal that it has just shown where the cursor
// stood. Bars are drawn over themselves from the column of the cursor on, so
// with the cursor two columns to the right, two characters of a bar would stay.
func Echoed(terminal io.Writer) {
	_, _ = io.WriteString(terminal, "\r\x1b[K") // nobody left to tell
}

// Clear removes the line, so that something else can be written.
func (s *Status) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.used = false
	}
}
