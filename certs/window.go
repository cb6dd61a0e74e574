package certs

import (
	"fmt"
	"time"
)

// Backdate is how far NotBefore lies before the moment of issuing, so that a
// host whose clock is behind accepts the certificate.
const Backdate = 5 * time.Minute

// Window is a certificate's time of validity, in UTC and whole seconds, as
// X.509 has it.
type Window struct {
	NotBefore, NotAfter time.Time
	// Clamped says that NotAfter is the authority's, earlier than was asked for.
	Clamped bool
}

// lastInstant is the end of what X.509's GeneralizedTime can say.
var lastInstant = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// NewWindow returns the validity of a self-signed certificate made now.
// Validity counts from now, not from the back-dated start.
func NewWindow(now time.Time, validity time.Duration) (Window, error) {
	if validity < time.Second {
		return Window{}, fmt.Errorf("validity %s: must be at least one second", validity)
	}
	now = now.UTC().Truncate(time.Second)
	w := Window{NotBefore: now.Add(-Backdate), NotAfter: now.Add(validity).Truncate(time.Second)}
	if w.NotAfter.After(lastInstant) {
		return Window{}, fmt.Errorf("validity %s: ends after the year 9999", validity)
	}
	return w, nil
}

// Within returns the window cut to that of the authority: cfssl would issue a
// leaf that outlives its authority, and clients reject it without a word on
// why. An authority that is not valid now is an error.
func (w Window) Within(now, notBefore, notAfter time.Time) (Window, error) {
	switch {
	case now.After(notAfter):
		return Window{}, fmt.Errorf("the authority expired on %s; rotate it first", stamp(notAfter))
	case now.Before(notBefore):
		return Window{}, fmt.Errorf("the authority is not valid before %s, and here it is %s; check this machine's clock", stamp(notBefore), stamp(now))
	}
	if w.NotBefore.Before(notBefore) {
		w.NotBefore = notBefore.UTC()
	}
	if w.NotAfter.After(notAfter) {
		w.NotAfter, w.Clamped = notAfter.UTC(), true
	}
	return w, nil
}

// stamp prints an instant for people.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
