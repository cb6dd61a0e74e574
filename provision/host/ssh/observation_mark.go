package ssh

import (
	"fmt"
	"strconv"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// marked turns what script mark says when it refuses into an error: the lineage
// and the serial of the mark that stays, a line each.
func (h *Host) marked(args []string, a answer) error {
	lineage, rest, _ := strings.Cut(string(a.stdout), "\n")
	serial, err := strconv.ParseUint(strings.TrimSuffix(rest, "\n"), 10, 64)
	if err != nil || lineage == "" || len(args) == 0 {
		return h.scriptError("script mark", "mark", a)
	}
	return fmt.Errorf("%s: %w", h.config.Name,
		&host.MarkedError{Lineage: printable(lineage, maxHolder), Serial: serial, Expected: args[0]})
}

// parseMark reads the mark as templates/scripts/mark.sh writes it: lineage,
// serial, cluster and copy, a line each. A mark that is there and cannot be read
// is an error: an empty one would say that the host is nobody's.
func parseMark(path, kind, text string) (facts.Mark, error) {
	if kind == string(facts.Absent) {
		return facts.Mark{}, nil
	}
	damaged := func(how string) (facts.Mark, error) {
		return facts.Mark{}, fmt.Errorf("%s is damaged: %s; make sure whose host this is, then delete the file", printable(path, 200), how)
	}
	if kind != string(facts.Regular) {
		return damaged("it is no regular file")
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return damaged("it does not have four lines")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == '\ufffd' }) {
		return damaged("it holds control characters")
	}
	serial, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || lines[0] == "" {
		return damaged("it has no lineage and serial")
	}
	if n := len(lines[3]); n != 0 && (n != 64 || strings.Trim(lines[3], "0123456789abcdef") != "") {
		return damaged("the digest of the copy is none")
	}
	return facts.Mark{Lineage: lines[0], Serial: serial, Cluster: lines[2], Copy: lines[3]}, nil
}
