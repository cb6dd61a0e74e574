package view

import (
	"fmt"
	"io"
	"strings"
)

// HostKeys are the keys of one machine, for a person to compare.
type HostKeys struct {
	Name, Address string
	File          string // the known_hosts file that would learn them
	Known         bool
	Keys          []HostKey
}

// HostKey is one of them, in the words of ssh-keygen -l.
type HostKey struct {
	Bits        int
	Fingerprint string // SHA256:…
	Type        string // ED25519, ECDSA, RSA
}

// HostKeyList writes a line a key as ssh-keygen -l does, below the machine that shows
// it. Of a machine that is known nothing needs to be compared.
func HostKeyList(w io.Writer, list []HostKeys) error {
	var b strings.Builder
	for _, h := range list {
		if h.Known {
			fmt.Fprintf(&b, "%s at %s is known.\n", Escape(h.Name), Escape(h.Address))
			continue
		}
		fmt.Fprintf(&b, "%s at %s is unknown, and shows:\n", Escape(h.Name), Escape(h.Address))
		for _, k := range h.Keys {
			fmt.Fprintf(&b, "  %d %s (%s)\n", k.Bits, k.Fingerprint, k.Type)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
