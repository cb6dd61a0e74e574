package certs

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// hidden is what a secret prints as, in every format.
const hidden = "(sensitive value)"

// Secret is private key material, or text that contains some. However it is
// printed, formatted, logged or encoded it says "(sensitive value)"; Reveal is
// the only way to the bytes. The zero value is no secret at all.
type Secret struct {
	// A pointer to a string, because fmt cannot call Format on a Secret that
	// stands in an unexported field of another struct. There it prints the
	// pointer's address with any verb; it would follow one to a slice.
	value *string
}

// NewSecret wraps a copy of b; the caller may wipe its own.
func NewSecret(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	text := string(b)
	return Secret{value: &text}
}

// Reveal returns a copy of the secret bytes, nil when there are none.
func (s Secret) Reveal() []byte {
	if s.value == nil {
		return nil
	}
	return []byte(*s.value)
}

// IsSet reports whether there is a secret at all.
func (s Secret) IsSet() bool { return s.value != nil }

// Equal reports whether both hold the same bytes, in constant time.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), o.Reveal()) == 1
}

// String never returns the secret.
func (s Secret) String() string { return hidden }

// GoString never returns the secret.
func (s Secret) GoString() string { return hidden }

// Format answers every verb and flag of package fmt without the secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalJSON never encodes the secret: a store that must keep it seals what
// Reveal returns.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText never encodes the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
