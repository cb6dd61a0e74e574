package certs

import (
	"cmp"
	"slices"
	"time"
)

// Expiry is a line of the list of certificates.
type Expiry struct {
	Name string `json:"name"`           // of the catalogue row or the authority
	Host string `json:"host,omitempty"` // empty: kept in the state, on no host
	Path string `json:"path,omitempty"`
	Info Info   `json:"certificate"`
}

// ExpiryState sums up the time a certificate has left.
type ExpiryState string

// The states.
const (
	ExpiryValid   ExpiryState = "valid"
	ExpiryRenew   ExpiryState = "renew" // inside the renewal window
	ExpiryExpired ExpiryState = "expired"
)

// State sums up the time left. renewBefore is taken as it is, for authorities
// too; whether a renewal is planned is for Matches to say.
func (e Expiry) State(now time.Time, renewBefore time.Duration) ExpiryState {
	switch {
	case now.After(e.Info.NotAfter):
		return ExpiryExpired
	case !now.Before(e.Info.NotAfter.Add(-renewBefore)):
		return ExpiryRenew
	}
	return ExpiryValid
}

// DaysLeft returns the whole days that the certificate stays valid, rounded
// down: 0 on its last day, negative once it has expired.
func (e Expiry) DaysLeft(now time.Time) int { return DaysLeft(e.Info.NotAfter, now) }

// DaysLeft returns the whole days from now until an instant, rounded down, so
// that anything in the past is negative.
func DaysLeft(notAfter, now time.Time) int {
	const day = 24 * time.Hour
	left := notAfter.Sub(now)
	days := int(left / day)
	if left < 0 && left%day != 0 {
		days--
	}
	return days
}

// SortExpiries puts the list in order: what expires first comes first, then by
// host, path and name.
func SortExpiries(list []Expiry) {
	slices.SortStableFunc(list, func(a, b Expiry) int {
		return cmp.Or(
			a.Info.NotAfter.Compare(b.Info.NotAfter),
			cmp.Compare(a.Host, b.Host),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Name, b.Name),
		)
	})
}
