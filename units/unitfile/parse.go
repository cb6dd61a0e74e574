package unitfile

import (
	"fmt"
	"strings"
)

// InputsVariable names the environment variable that carries the digest of
// everything a restart is needed for. It is read back from the running process,
// so that a restart which is still owed is seen after a crash.
const InputsVariable = "HARDWAY_INPUTS"

// Option is one setting of a unit file.
type Option struct {
	Section, Name, Value string
}

// ParseUnit reads a unit file into its settings, in order, with continued lines
// joined by a blank.
//
// It reads as systemd does. The deserializer of go-systemd, which renders our
// units, is not used for that: it refuses values above 2048 bytes, which a list
// of feature gates can have, and takes a comment between continued lines for a
// part of the value.
func ParseUnit(text string) ([]Option, error) {
	var (
		options []Option
		section string
		joined  strings.Builder // a continued line so far
		began   int             // its first line
	)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if start := strings.TrimLeft(line, " \t"); start != "" && (start[0] == '#' || start[0] == ';') {
			continue // also between continued lines
		}
		if joined.Len() == 0 {
			began = i + 1
		}
		if body, continued := cutContinuation(line); continued {
			joined.WriteString(body + " ")
			continue
		}
		joined.WriteString(line)
		full := strings.TrimSpace(joined.String())
		joined.Reset()
		switch {
		case full == "":
		case strings.HasPrefix(full, "["):
			name, ok := strings.CutSuffix(full[1:], "]")
			if !ok || name == "" || strings.ContainsAny(name, "[]") {
				return nil, fmt.Errorf("reading unit: line %d: %q is no section", began, full)
			}
			section = name
		default:
			name, value, ok := strings.Cut(full, "=")
			name = strings.TrimSpace(name)
			if !ok || name == "" || section == "" {
				return nil, fmt.Errorf("reading unit: line %d: %q is no setting of a section", began, full)
			}
			options = append(options, Option{section, name, strings.TrimSpace(value)})
		}
	}
	if joined.Len() != 0 {
		return nil, fmt.Errorf("reading unit: line %d: the last line is continued by nothing", began)
	}
	return options, nil
}

// cutContinuation removes the backslash that joins the line with the next: one
// that is not itself escaped.
func cutContinuation(line string) (string, bool) {
	body := strings.TrimRight(line, `\`)
	if (len(line)-len(body))%2 == 0 {
		return line, false
	}
	return line[:len(line)-1], true
}
