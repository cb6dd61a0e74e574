package main

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// entry is the life of one name. All minors are empty where there is none: since for what the oldest version has.
type entry struct {
	since, deprecated, locked, value, removed string
	first, last                               string // versions that have it
}

func (e *entry) source() string {
	if e.first == e.last {
		return "source " + e.first
	}
	return "source " + e.first + "-" + e.last
}

// history gathers names over versions, which come oldest first.
type history struct {
	header  string
	oldest  string
	entries map[string]*entry
}

// see notes that a version has a name. One that was gone and is back counts as never gone.
func (h *history) see(name, version string, deprecated bool, locked string) {
	if h.entries == nil {
		h.entries, h.oldest = map[string]*entry{}, version
	}
	minor := strings.TrimPrefix(semver.MajorMinor("v"+version), "v")
	e := h.entries[name]
	if e == nil {
		e = &entry{first: version}
		if version != h.oldest {
			e.since = minor
		}
		h.entries[name] = e
	}
	e.last, e.removed = version, ""
	switch {
	case !deprecated:
		e.deprecated = ""
	case e.deprecated == "":
		e.deprecated = minor
	}
	switch {
	case locked == "":
		e.locked, e.value = "", ""
	case e.locked == "":
		e.locked, e.value = minor, locked
	}
}

// end closes a version: what it does not have is gone.
func (h *history) end(version string) {
	for _, e := range h.entries {
		if e.last != version && e.removed == "" {
			e.removed = strings.TrimPrefix(semver.MajorMinor("v"+version), "v")
		}
	}
}

// table writes the entries in order of name; columns may drop one by returning nil.
func (h *history) table(columns func(*entry) []string) string {
	var b strings.Builder
	b.WriteString(h.header + "\n")
	for _, name := range slices.Sorted(maps.Keys(h.entries)) {
		if cells := columns(h.entries[name]); cells != nil {
			b.WriteString(name + "\t" + strings.Join(cells, "\t") + "\n")
		}
	}
	return b.String()
}
