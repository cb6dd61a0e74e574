package view

import (
	"strings"

	"hardway/provision/addr"
)

// NamedOnce takes out of an error's text the addresses that an earlier one
// already said: layers that each put the host in front write
//
//	node["n1"].unit["kubelet"]: node["n1"]: node["n1"]: connecting to …
//
// of which the first is enough.
func NamedOnce(text string) string {
	parts := strings.Split(text, ": ")
	var out []string
	var said *addr.Address
	for _, p := range parts {
		at, err := addr.Parse(lastWord(p))
		switch {
		case err != nil:
		case said != nil && lastWord(p) == p && at.Covers(*said):
			continue
		default:
			said = &at
		}
		out = append(out, p)
	}
	return strings.Join(out, ": ")
}

// linesNamedOnce is NamedOnce for each line of a text.
func linesNamedOnce(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		body := strings.TrimLeft(l, " \t")
		lines[i] = l[:len(l)-len(body)] + NamedOnce(body)
	}
	return strings.Join(lines, "\n")
}

// lastWord is where the address stands in a clause such as `closing node["n1"]`.
func lastWord(clause string) string { return clause[strings.LastIndexByte(clause, ' ')+1:] }

// withoutAddress takes the address off the front of an error's text, where the
// line says it already.
func withoutAddress(text string, at addr.Address) string {
	text = NamedOnce(at.String() + ": " + text)
	return strings.TrimPrefix(text, at.String()+": ")
}
