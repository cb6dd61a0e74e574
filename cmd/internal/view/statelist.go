package view

import (
	"fmt"
	"io"
	"strings"

	"hardway/provision/addr"
)

// StateList writes addresses of the state, one a line, as other commands take them.
func StateList(w io.Writer, list []addr.Address) error {
	var b strings.Builder
	for _, a := range list {
		b.WriteString(Escape(a.String()) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// StateListJSON writes the document of `state list --json`.
func StateListJSON(w io.Writer, list []addr.Address) error {
	return JSON(w, struct {
		FormatVersion string         `json:"format_version"`
		Resources     []addr.Address `json:"resources"`
	}{"1.0", append([]addr.Address{}, list...)})
}

// Forgetting writes what the state is about to forget, host by host, and which
// hosts lose what they were given.
func Forgetting(w io.Writer, list []addr.Address, hosts []addr.Host, s Style) error {
	c := s.palette()
	var b strings.Builder
	b.WriteString("hardway will forget " + number(len(list), "resource") + ", and touch no host:\n\n")
	for _, a := range list {
		b.WriteString("  " + c.red("-") + " " + Escape(a.String()) + "\n")
	}
	for _, h := range hosts {
		given := "the pod range of "
		if h.Role == addr.Master {
			given = "the pod range and the place in etcd of "
		}
		b.WriteString("  " + c.red("-") + " " + given + Escape(h.String()) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Forgot writes how much was forgotten.
func Forgot(w io.Writer, n int, s Style) error {
	_, err := io.WriteString(w, "\n"+s.palette().green("Forgot "+number(n, "resource")+".")+" The hosts were not touched.\n")
	return err
}

// Pushed writes what the state is after a push.
func Pushed(w io.Writer, serial uint64, resources int, s Style) error {
	_, err := fmt.Fprintf(w, "%s\n", s.palette().green(fmt.Sprintf("The state was replaced: serial %d, %s.", serial, number(resources, "resource"))))
	return err
}
