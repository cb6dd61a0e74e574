package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"hardway/provision/addr"
)

// Made is what the state records, as `show` prints it.
type Made struct {
	Cluster, Lineage string
	Serial           uint64
	Updated          time.Time
	Authorities      []MadeAuthority
	Resources        []MadeResource // in address order
}

// MadeAuthority is a certificate authority.
type MadeAuthority struct {
	Name       string
	Generation int
	NotAfter   time.Time
}

// MadeResource is one thing that hardway made.
type MadeResource struct {
	Addr    addr.Address
	Path    string
	Applied time.Time
	Pending bool   // an operation was begun and is not known to be done
	Tainted string // why the last operation failed
}

// State writes what hardway has made, host by host.
func State(w io.Writer, m Made, s Style) error {
	c := s.palette()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", c.bold("Cluster "+quote(m.Cluster)), c.faint(fmt.Sprintf("(serial %d, lineage %s)", m.Serial, Escape(m.Lineage))))
	for _, a := range m.Authorities {
		fmt.Fprintf(&b, "  authority %s, generation %d, until %s\n", quote(a.Name), a.Generation, a.NotAfter.UTC().Format(time.DateOnly))
	}
	if len(m.Resources) == 0 {
		b.WriteString("\nNothing was made yet. Next: hardway apply\n")
	}
	var host addr.Host
	for i, r := range m.Resources {
		if i == 0 || r.Addr.Host.Compare(host) != 0 {
			host = r.Addr.Host
			b.WriteString("\n" + c.bold(Escape(host.String())) + "\n")
		}
		line := "  " + Escape(r.Addr.String())
		if r.Path != "" && r.Path != r.Addr.Name {
			line += "  " + c.faint(Escape(r.Path))
		}
		switch {
		case r.Tainted != "":
			line += "  " + c.red("failed: "+Escape(r.Tainted))
		case r.Pending:
			line += "  " + c.yellow("begun, not known to be done")
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
