package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hardway/certs"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Request returns the certificate request that a resource describes.
func Request(c *resource.Certificate) certs.Request {
	return certs.Request{
		Name: c.Name, Authority: c.Authority, Subject: certs.Subject{CN: c.Subject.CN, O: c.Subject.O},
		DNS: c.DNS, IPs: c.IPs, Usages: c.Usages, Algorithm: certs.Algorithm(c.Algorithm), Validity: c.Validity,
	}
}

// certificate compares what a leaf on a host says with what the configuration
// wants: the old certificate is never the authority for its successor.
func (c *comparison) certificate(ch *Change, want *resource.Certificate, obs facts.Observation, record state.Record, owned bool) {
	cert, key := obs.Files[want.CertPath], obs.Files[want.KeyPath]
	authority, known := c.in.State.Authorities[want.Authority]
	end := c.in.Now.Add(want.Validity)
	if known && authority.NotAfter.Before(end) {
		end = authority.NotAfter // no leaf outlives its authority
	}
	ch.After = Attrs{
		"path":      value(want.CertPath),
		"subject":   value(subject(want.Subject.CN, want.Subject.O)),
		"sans":      value(strings.Join(append(append([]string{}, want.DNS...), want.IPs...), ", ")),
		"issuer":    value(want.Authority),
		"usages":    value(strings.Join(want.Usages, ", ")),
		"algorithm": value(want.Algorithm),
		"not_after": value(end.UTC().Format(time.DateOnly)),
		"serial":    {Unknown: true},
		"key":       {Unknown: true, Sensitive: true},
	}
	if !cert.Exists() {
		ch.note(Create, "")
		return
	}
	info, err := certs.Inspect(cert.Content)
	if err != nil {
		ch.note(Replace, fmt.Sprintf("the file there is no certificate: %v", err))
		return
	}
	ch.Before = Attrs{
		"path":      value(want.CertPath),
		"subject":   value(subject(info.Subject.CN, info.Subject.O)),
		"sans":      value(strings.Join(append(append([]string{}, info.DNS...), info.IPs...), ", ")),
		"issuer":    value(c.issuer(info)),
		"usages":    value(strings.Join(info.Usages, ", ")),
		"algorithm": value(string(info.Algorithm)),
		"not_after": value(info.NotAfter.UTC().Format(time.DateOnly)),
		"serial":    value(info.Serial),
		"key":       {Sensitive: true},
	}
	if !known {
		ch.note(Replace, "its authority does not exist yet")
		return
	}
	for _, reason := range certs.Matches(info, Request(want), []byte(authority.CertPEM), c.in.Now, want.RenewBefore) {
		if !want.Once || seedAgain(reason.Code) {
			ch.note(Replace, reason.String())
		}
	}
	if ch.Action == NoOp && !want.Combined {
		switch {
		case !key.Exists():
			ch.note(Replace, "its key is gone")
		case !owned || record.Certificate == nil || record.Certificate.KeySHA256 != key.SHA256:
			ch.note(Replace, "its key is not the one that hardway issued")
		case record.Certificate.Serial != info.Serial:
			ch.note(Replace, "it is not the certificate that hardway issued for that key")
		}
	}
	if ch.Action == NoOp {
		c.certificateMeta(ch, want, cert, key)
	}
	if ch.Action == NoOp && c.replaces(ch.Addr) {
		ch.note(Replace, askedFor)
	}
	if ch.Action == NoOp { // dates of a certificate that stays are its own
		ch.After = ch.Before
		return
	}
	ch.Disruption = Reload
}

func (c *comparison) certificateMeta(ch *Change, want *resource.Certificate, cert, key facts.File) {
	certMode, keyMode := CertificateModes(want)
	switch {
	case want.Combined && cert.Type == facts.Symlink: // the file behind it is the kubelet's to name
	case want.Combined:
		ch.note(Replace, "the kubelet can only rotate it where a symbolic link stands")
	case cert.Mode != certMode || cert.Owner != want.Owner || cert.Group != want.Group:
		ch.note(Replace, fmt.Sprintf("mode or owner of %s differ", want.CertPath))
	case !want.Combined && (key.Mode != keyMode || key.Owner != want.Owner || key.Group != want.Group):
		ch.note(Replace, fmt.Sprintf("mode or owner of %s differ", want.KeyPath))
	}
}

// seedAgain says which reasons count for a certificate that its component
// renews by itself: its own renewals may differ in algorithm and lifetime.
func seedAgain(r certs.ReasonCode) bool {
	switch r {
	case certs.ReasonExpired, certs.ReasonRenewal, certs.ReasonAuthority, certs.ReasonUnreadable:
		return true
	}
	return false
}

// CertificateModes returns the permission bits of the certificate and the key.
func CertificateModes(c *resource.Certificate) (cert, key uint32) {
	if c.Combined {
		return 0o600, 0o600
	}
	return 0o644, 0o600
}

func subject(cn string, o []string) string {
	s := "CN=" + cn
	for _, x := range o {
		s += ", O=" + x
	}
	return s
}

// issuer names the authority as the configuration does, where it is ours.
func (c *comparison) issuer(info certs.Info) string {
	for _, name := range slices.Sorted(maps.Keys(c.in.State.Authorities)) {
		a := c.in.State.Authorities[name]
		if ca, err := certs.Inspect([]byte(a.CertPEM)); err == nil && ca.Subject.CN == info.IssuerCN {
			return name
		}
	}
	return info.IssuerCN
}

// authorityNotice is how long before the end of an authority the plan speaks of it.
const authorityNotice = 180 * 24 * time.Hour

// material plans the making of an authority or a key pair. One that exists is
// left alone: changing it is a rotation, which is a procedure of its own.
func (c *comparison) material(ch *Change) {
	switch name := ch.Addr.Name; {
	case ch.Spec.Authority != nil:
		a := ch.Spec.Authority
		ch.After = Attrs{
			"subject": value("CN=" + a.CN), "algorithm": value(a.Algorithm),
			"not_after": value(c.in.Now.Add(a.Validity).UTC().Format(time.DateOnly)),
			"serial":    {Unknown: true}, "key": {Unknown: true, Sensitive: true},
		}
		have, ok := c.in.State.Authorities[name]
		if !ok {
			ch.note(Create, "")
			return
		}
		if left := have.NotAfter.Sub(c.in.Now); left < authorityNotice {
			c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: ch.Addr, Summary: fmt.Sprintf(
				"it ends on %s, in %d days, and every certificate that it signed ends with it; replacing an authority is not supported yet",
				have.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24))})
		}
		ch.After = Attrs{"subject": value("CN=" + a.CN), "not_after": value(have.NotAfter.UTC().Format(time.DateOnly)), "key": {Sensitive: true}}
		ch.Before = ch.After
	default:
		ch.After = Attrs{"algorithm": value(ch.Spec.KeyPair.Algorithm), "key": {Unknown: true, Sensitive: true}}
		if _, ok := c.in.State.KeyPairs[name]; !ok {
			ch.note(Create, "")
			return
		}
		ch.After = Attrs{"algorithm": value(ch.Spec.KeyPair.Algorithm), "key": {Sensitive: true}}
		ch.Before = ch.After
	}
}
