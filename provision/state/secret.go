package state

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "(sensitive value)"

// Secret is a private key or another text that must not be seen. However it is
// printed, logged or encoded, it reads "(sensitive value)"; Reveal is the only
// way to the text.
type Secret struct {
	// A pointer, because package fmt cannot call methods on a Secret that stands
	// in an unexported field, and then prints what is inside.
	text *string
}

// NewSecret wraps a sensitive text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a text at all.
func (s Secret) IsSet() bool { return s.Reveal() != "" }

// String hides the text.
func (s Secret) String() string { return hidden }

// Format hides the text from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText hides the text from JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the text from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Secrets is the opened sealed part.
type Secrets struct {
	// Keys are PEM texts under the names that resource.MaterialKey and
	// resource.MaterialPrivate build.
	Keys map[string]Secret
}
