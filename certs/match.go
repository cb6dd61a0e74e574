package certs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ReasonCode is the kind of a reason, for code that treats some differently:
// a certificate that its component renews by itself is not held to all of them.
type ReasonCode string

// The reasons for which a certificate is reissued.
const (
	ReasonUnreadable  ReasonCode = "unreadable"    // the Info does not carry the certificate
	ReasonSubject     ReasonCode = "subject"       // the distinguished name differs
	ReasonNames       ReasonCode = "names"         // subject alternative names differ
	ReasonUsages      ReasonCode = "usages"        // extended key usages differ
	ReasonAlgorithm   ReasonCode = "algorithm"     // another key algorithm is configured
	ReasonAuthority   ReasonCode = "authority"     // not signed by this authority
	ReasonIsCA        ReasonCode = "is-ca"         // it could sign others
	ReasonNotYetValid ReasonCode = "not-yet-valid" // starts in the future
	ReasonExpired     ReasonCode = "expired"
	ReasonRenewal     ReasonCode = "renewal"  // inside the renewal window
	ReasonLifetime    ReasonCode = "lifetime" // lives longer than is configured
)

// Reason says why a certificate must be reissued.
type Reason struct {
	Code   ReasonCode `json:"code"`
	Detail string     `json:"detail"` // one line, for people; foreign text is quoted
}

// String returns the detail.
func (r Reason) String() string { return r.Detail }

// Matches compares a certificate with what the configuration asks for and with
// the authority that should have signed it, and returns the reasons to reissue
// it, in a fixed order; none means that it fits. It is pure.
//
// Renewal is due in the last renewBefore of a certificate's life, yet never
// earlier than its last third (a user's certificate of 30 days is not renewed
// daily by a renewal window of 30 days), and only where a new one would live
// longer: a leaf cut to its authority's end is not renewed until the authority is.
func Matches(info Info, r Request, authorityCertPEM []byte, now time.Time, renewBefore time.Duration) []Reason {
	var reasons []Reason
	add := func(code ReasonCode, format string, args ...any) {
		reasons = append(reasons, Reason{code, fmt.Sprintf(format, args...)})
	}
	for _, detail := range subjectReasons(info.Subject, r.Subject) {
		add(ReasonSubject, "%s", detail)
	}
	if d := difference(info.DNS, r.DNS); d != "" {
		add(ReasonNames, "DNS names differ: %s", d)
	}
	if d := difference(info.IPs, r.IPs); d != "" {
		add(ReasonNames, "addresses differ: %s", d)
	}
	if d := difference(info.OtherNames, nil); d != "" {
		add(ReasonNames, "other names differ: %s", d)
	}
	if d := difference(info.Usages, r.Usages); d != "" {
		add(ReasonUsages, "usages differ: %s", d)
	}
	if r.Algorithm != "" && info.Algorithm != r.Algorithm {
		add(ReasonAlgorithm, "key algorithm is %s, should be %s", info.Algorithm, r.Algorithm)
	}
	if info.IsCA {
		add(ReasonIsCA, "it is an authority's certificate")
	}
	authority, reason := signedBy(info, r.Authority, authorityCertPEM)
	if reason != nil {
		reasons = append(reasons, *reason)
	}
	if reason := ageReason(info, r.Validity, authority, now, renewBefore); reason != nil {
		reasons = append(reasons, *reason)
	}
	return reasons
}

// signedBy verifies the signature. It returns the authority when that can be
// read, and a reason when the certificate is not from its key.
func signedBy(info Info, name string, authorityCertPEM []byte) (*Info, *Reason) {
	authority, err := parseCertificate(authorityCertPEM)
	if err != nil {
		return nil, &Reason{ReasonAuthority, fmt.Sprintf("the certificate of the authority %s is not readable: %v", name, err)}
	}
	ai := InspectCertificate(authority)
	cert, err := parseCertificate([]byte(info.PEM))
	if err != nil {
		return &ai, &Reason{ReasonUnreadable, fmt.Sprintf("the certificate is not readable: %v", err)}
	}
	if !bytes.Equal(cert.RawIssuer, authority.RawSubject) {
		return &ai, &Reason{ReasonAuthority, fmt.Sprintf("issued by %q, should be by %q", info.IssuerCN, ai.Subject.CN)}
	}
	if err := cert.CheckSignatureFrom(authority); err != nil {
		return &ai, &Reason{ReasonAuthority, fmt.Sprintf("not signed by the present key of %q (key id %s; the certificate names %s)", ai.Subject.CN, orNone(ai.SubjectKeyID), orNone(info.AuthorityKeyID))}
	}
	return &ai, nil
}

// ageReason returns the one reason, if any, that the dates give.
func ageReason(info Info, validity time.Duration, authority *Info, now time.Time, renewBefore time.Duration) *Reason {
	lifetime := info.NotAfter.Sub(info.NotBefore)
	switch {
	case now.After(info.NotAfter):
		return &Reason{ReasonExpired, "expired on " + stamp(info.NotAfter)}
	case now.Before(info.NotBefore):
		return &Reason{ReasonNotYetValid, "not valid before " + stamp(info.NotBefore)}
	case validity > 0 && lifetime > validity+Backdate:
		return &Reason{ReasonLifetime, fmt.Sprintf("valid until %s, longer than the %s configured", stamp(info.NotAfter), validity)}
	}
	if validity > 0 {
		lifetime = min(lifetime, validity)
		fresh := now.Add(validity).UTC().Truncate(time.Second)
		if authority != nil && fresh.After(authority.NotAfter) {
			fresh = authority.NotAfter
		}
		if !fresh.After(info.NotAfter) {
			return nil
		}
	}
	window := min(renewBefore, lifetime/3)
	if window > 0 && !now.Before(info.NotAfter.Add(-window)) {
		return &Reason{ReasonRenewal, fmt.Sprintf("expires on %s, within the renewal window", stamp(info.NotAfter))}
	}
	return nil
}

// difference says how two sets differ, naming each element; empty when equal.
func difference(have, want []string) string {
	var parts []string
	if missing := without(want, have); missing != "" {
		parts = append(parts, "missing "+missing)
	}
	if extra := without(have, want); extra != "" {
		parts = append(parts, "not wanted "+extra)
	}
	return strings.Join(parts, "; ")
}

// without lists, quoted, the elements of list that are not in other.
func without(list, other []string) string {
	var only []string
	for _, e := range sortedSet(list) {
		if !slices.Contains(other, e) {
			only = append(only, fmt.Sprintf("%q", e))
		}
	}
	return strings.Join(only, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
