package gomodule

import (
	"maps"
	"slices"
	"strings"
)

// linkerFlags strips symbols (half the size on every host) and sets the version variables, in a fixed order so that the
// build cache and the bytes stay the same.
func linkerFlags(set map[string]string) string {
	var b strings.Builder
	b.WriteString("-s -w")
	for _, name := range slices.Sorted(maps.Keys(set)) {
		b.WriteString(" -X '" + name + "=" + set[name] + "'")
	}
	return b.String()
}

// tailWriter keeps the last bytes written to it: a failing compiler's last words are the ones that matter.
type tailWriter struct {
	limit int
	kept  []byte
}

// Write keeps p and forgets what is beyond the limit.
func (t *tailWriter) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - t.limit; extra > 0 {
		t.kept = slices.Clone(t.kept[extra:])
	}
	return len(p), nil
}

// String is what was kept.
func (t *tailWriter) String() string { return strings.TrimSpace(string(t.kept)) }
