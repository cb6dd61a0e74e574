package state

import (
	"fmt"
	"strings"
)

// WrongIdentityError says that none of the identities opens what was sealed.
type WrongIdentityError struct {
	// What was to be opened; empty for the keys of a cluster.
	What    string
	Cluster string
	// SealedTo are the recipients; empty for a copy, which does not name them.
	SealedTo []string
	Tried    Identities
}

// Error names the recipients, as far as they are known, and how to give the
// right identity.
func (e *WrongIdentityError) Error() string {
	what := e.What
	if what == "" {
		what = fmt.Sprintf("the keys of cluster %q", e.Cluster)
	}
	to := "others"
	if len(e.SealedTo) > 0 {
		to = strings.Join(e.SealedTo, ", ")
	}
	tried := "no identity was found"
	if r := e.Tried.Recipients(); len(r) > 0 {
		tried = fmt.Sprintf("%s holds the identity of %s", e.Tried.From, strings.Join(r, ", "))
	}
	verb := "are"
	if e.What != "" {
		verb = "is"
	}
	return fmt.Sprintf("%s %s sealed to %s, but %s: set HW_IDENTITY_FILE to the file with the matching identity, or HW_IDENTITY to its text",
		what, verb, to, tried)
}
