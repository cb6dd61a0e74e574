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
		Name: c.Name, Authority: c.Authority, Subject: certs.Subject(c.Subject),
		DNS: c.DNS, IPs: c.IPs, Usages: c.Usages, Algorithm: certs.Algorithm(c.Algorithm), Validity: c.Validity,
	}
}

// certificate compares what a leaf on a host says with what the configuration
// wants: the old certificate is never the authority for its successor. Beside
// what was applied last, it is the one that was issued then, whatever its age.
func (c *comparison) certificate(ch *Change, want *resource.Certificate, obs facts.Observation, record state.Record, owned bool) {
	cert, key := obs.Files[want.CertPath], obs.Files[want.KeyPath]
	authority, known := c.in.State.Authorities[want.Authority]
	ch.After = c.wanted(want, authority, known)
	if c.in.Mode == ReadDrift {
		c.issued(ch.After, record.Certificate)
	}
	if !want.Combined { // that one is the kubelet's to turn
		ch.Expect = expect(cert)
	}
	if !cert.Exists() {
		ch.note(Create, "")
		if key.Exists() && !owned && !record.Removing { // alone, and somebody's
			prior := state.PriorFile(key)
			ch.Prior = &prior
			ch.Reason = "a key that hardway did not make stands there; it is kept and put back by destroy"
		}
		return
	}
	ch.Before = certificateFiles(want, cert, key)
	info, err := certs.Inspect(cert.Content)
	if err != nil {
		ch.note(Replace, fmt.Sprintf("the file there is no certificate: %v", err))
		return
	}
	maps.Copy(ch.Before, c.leaf(info))
	if !known {
		ch.note(Replace, "its authority does not exist yet")
		return
	}
	c.certificateReasons(ch, want, info, authority)
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
		certificateMeta(ch, want, cert, key)
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

// wanted describes the leaf that an apply would issue now.
func (c *comparison) wanted(want *resource.Certificate, authority state.Authority, known bool) Attrs {
	end := c.in.Now.Add(want.Validity)
	if known && authority.NotAfter.Before(end) {
		end = authority.NotAfter // no leaf outlives its authority
	}
	certMode, keyMode := CertificateModes(want)
	out := Attrs{
		"path":       value(want.CertPath),
		"subject":    value(certs.Subject(want.Subject).String()),
		"sans":       list(want.DNS, want.IPs),
		"issuer":     value(want.Authority),
		"usages":     list(want.Usages),
		"algorithm":  value(want.Algorithm),
		"not_before": value(c.in.Now.Add(-certs.Backdate).UTC().Format(time.DateOnly)),
		"not_after":  value(end.UTC().Format(time.DateOnly)),
		"serial":     {Unknown: true},
		"key":        {Unknown: true, Sensitive: true},
	}
	if !want.Combined {
		out["mode"], out["owner"] = mode(certMode), owner(want.Owner, want.Group)
		out["key_mode"], out["key_owner"] = mode(keyMode), owner(want.Owner, want.Group)
	}
	return out
}

// issued puts in what was issued last, of what only its issuing decided.
func (c *comparison) issued(out Attrs, last *state.Certificate) {
	if last == nil {
		return
	}
	out["not_before"], out["not_after"] = value(last.NotBefore.UTC().Format(time.DateOnly)), value(last.NotAfter.UTC().Format(time.DateOnly))
	out["serial"], out["key"] = value(last.Serial), digestOf(last.KeySHA256)
}

// certificateFiles describes the two files on the host.
func certificateFiles(want *resource.Certificate, cert, key facts.File) Attrs {
	out := Attrs{"path": value(want.CertPath)}
	switch {
	case want.Combined: // a link: mode and owner are those of what the kubelet put behind it
		out["key"] = Value{Sensitive: true}
		return out
	case key.Exists():
		out["key"] = digestOf(key.SHA256)
		out["key_mode"], out["key_owner"] = mode(key.Mode), owner(key.Owner, key.Group)
	}
	out["mode"], out["owner"] = mode(cert.Mode), owner(cert.Owner, cert.Group)
	return out
}

// leaf describes a certificate by what it says.
func (c *comparison) leaf(info certs.Info) Attrs {
	return Attrs{
		"subject":    value(info.Subject.String()),
		"sans":       list(info.DNS, info.IPs, info.OtherNames),
		"issuer":     value(c.issuer(info)),
		"usages":     list(info.Usages),
		"algorithm":  value(string(info.Algorithm)),
		"not_before": value(info.NotBefore.UTC().Format(time.DateOnly)),
		"not_after":  value(info.NotAfter.UTC().Format(time.DateOnly)),
		"serial":     value(info.Serial),
	}
}

// certificateReasons notes what the certificate says that it should not.
func (c *comparison) certificateReasons(ch *Change, want *resource.Certificate, info certs.Info, authority state.Authority) {
	for _, reason := range certs.Matches(info, Request(want), []byte(authority.CertPEM), c.in.Now, want.RenewBefore) {
		switch {
		case want.Once && !seedAgain(reason.Code), c.in.Mode == ReadDrift && byTime(reason.Code):
			continue
		case reason.Code == certs.ReasonIsCA:
			ch.Before["ca"], ch.After["ca"] = value("true"), value("false")
		case reason.Code == certs.ReasonAuthority && ch.Before["issuer"] == ch.After["issuer"]: // the name alone does not tell them apart
			if ca, err := certs.Inspect([]byte(authority.CertPEM)); err == nil {
				ch.Before["issuer_key"], ch.After["issuer_key"] = value(orNone(info.AuthorityKeyID)), value(orNone(ca.SubjectKeyID))
			}
		}
		ch.note(Replace, reason.String())
	}
}

func certificateMeta(ch *Change, want *resource.Certificate, cert, key facts.File) {
	certMode, keyMode := CertificateModes(want)
	switch {
	case want.Combined && cert.Type == facts.Symlink: // the file behind it is the kubelet's to name
	case want.Combined:
		ch.Before["type"], ch.After["type"] = value(string(cert.Type)), value(string(facts.Symlink))
		ch.note(Replace, "the kubelet can only rotate it where a symbolic link stands")
	case cert.Mode != certMode || cert.Owner != want.Owner || cert.Group != want.Group:
		ch.note(Replace, fmt.Sprintf("mode or owner of %s differ", want.CertPath))
	case key.Mode != keyMode || key.Owner != want.Owner || key.Group != want.Group:
		ch.note(Replace, fmt.Sprintf("mode or owner of %s differ", want.KeyPath))
	}
}

// list writes names in an order that does not depend on their source.
func list(names ...[]string) Value {
	var all []string
	for _, some := range names {
		all = append(all, slices.Sorted(slices.Values(some))...)
	}
	return value(strings.Join(all, ", "))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// byTime says which reasons the clock alone brings: nobody has changed anything.
func byTime(r certs.ReasonCode) bool {
	return r == certs.ReasonExpired || r == certs.ReasonRenewal || r == certs.ReasonNotYetValid
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
		dn := certs.Subject(a.Names)
		dn.CN = a.CN
		ch.After = Attrs{
			"subject": value(dn.String()), "algorithm": value(a.Algorithm),
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
		ch.After = Attrs{"subject": value(dn.String()), "not_after": value(have.NotAfter.UTC().Format(time.DateOnly)), "key": {Sensitive: true}}
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
