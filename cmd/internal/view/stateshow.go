package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"hardway/provision/addr"
)

// field is one leaf of a document: its path of names, and its text.
type field struct{ name, text string }

// StateResource writes everything that is recorded of a resource, a field a line
// with the values below each other, and texts of several lines as blocks. The
// fields are those that StateResourceJSON writes.
func StateResource(w io.Writer, at addr.Address, record any, s Style) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", at, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	fields, err := flatten(d, "", nil)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", at, err)
	}
	c := s.palette()
	width := 0
	for _, f := range fields {
		if !strings.Contains(f.text, "\n") {
			width = max(width, columns(f.name))
		}
	}
	var b strings.Builder
	b.WriteString(c.bold(Escape(at.String())) + "\n")
	for _, f := range fields {
		if !strings.Contains(f.text, "\n") {
			b.WriteString(strings.TrimRight("  "+f.name+strings.Repeat(" ", width-columns(f.name))+"  "+Escape(f.text), " ") + "\n")
			continue
		}
		b.WriteString("  " + f.name + "\n")
		for line := range strings.Lines(f.text) {
			b.WriteString(strings.TrimRight("    "+c.faint("|")+" "+Escape(strings.TrimSuffix(line, "\n")), " ") + "\n")
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// StateResourceJSON writes the document of `state show --json`.
func StateResourceJSON(w io.Writer, at addr.Address, record any) error {
	return JSON(w, struct {
		FormatVersion string       `json:"format_version"`
		Address       addr.Address `json:"address"`
		Record        any          `json:"record"`
	}{"1.0", at, record})
}

// longList is how many columns a list may take on one line.
const longList = 60

// flatten reads one JSON value and appends its leaves in their order. A list of
// plain values is one leaf.
func flatten(d *json.Decoder, name string, out []field) ([]field, error) {
	t, err := d.Token()
	if err != nil {
		return out, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return append(out, field{Escape(name), plain(name, t)}), nil
	}
	var list []string
	for n := 0; d.More(); n++ {
		inner := name + "[" + strconv.Itoa(n) + "]"
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return out, err
			}
			inner = strings.TrimPrefix(name+"."+fmt.Sprint(key), ".")
		}
		before := len(out)
		if out, err = flatten(d, inner, out); err != nil {
			return out, err
		}
		if delim == '[' && len(out) == before+1 && out[before].name == Escape(inner) {
			list, out = append(list, out[before].text), out[:before]
		}
	}
	if len(list) > 0 {
		text := strings.Join(list, ", ")
		if columns(text) > longList {
			text = strings.Join(list, "\n")
		}
		out = append(out, field{Escape(name), text})
	}
	_, err = d.Token() // the closing one
	return out, err
}

// plain writes a value as people read it: modes in octal, spans of time with
// their unit.
func plain(name string, t json.Token) string {
	if t == nil {
		return "null"
	}
	n, ok := t.(json.Number)
	if !ok {
		return fmt.Sprint(t)
	}
	i, err := n.Int64()
	if err != nil {
		return n.String()
	}
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "mode":
		return fmt.Sprintf("%04o", i)
	case "timeout", "validity", "renew_before":
		return time.Duration(i).String()
	}
	return n.String()
}
