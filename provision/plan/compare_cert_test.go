package plan

import (
	"strings"
	"testing"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// pki is an authority with a leaf of it as it stands on a host and in the state.
type pki struct {
	authority certs.Authority
	spec      resource.Certificate
	record    state.Record
	cert, key facts.File
}

func newPKI(t testing.TB, change func(*resource.Certificate)) *pki {
	t.Helper()
	p := &pki{spec: resource.Certificate{
		Name: "etcd-peer", CertPath: "/pki/peer.crt", KeyPath: "/pki/peer.key", Owner: "root", Group: "root", Authority: "etcd",
		Subject: resource.Subject{CN: "m1", O: []string{"etcd"}}, DNS: []string{"localhost", "m1"}, IPs: []string{"10.0.0.1", "127.0.0.1"},
		Usages: []string{"client auth", "server auth"}, Algorithm: "ecdsa-p256", Validity: 8760 * time.Hour, RenewBefore: 720 * time.Hour,
	}}
	if change != nil {
		change(&p.spec)
	}
	var err error
	if p.authority, err = certs.NewAuthority(certs.AuthoritySpec{Name: "etcd", Algorithm: certs.ECDSAP256, Validity: 10 * 8760 * time.Hour, Generation: 1, Now: clock}); err != nil {
		t.Fatal(err)
	}
	p.issue(t, p.authority, p.spec, clock)
	return p
}

// issue makes a leaf stand on the host, and in the state, as an apply does.
func (p *pki) issue(t testing.TB, a certs.Authority, spec resource.Certificate, now time.Time) {
	t.Helper()
	leaf, err := certs.Issue(a, Request(&spec), now)
	if err != nil {
		t.Fatal(err)
	}
	certMode, keyMode := CertificateModes(&spec)
	p.cert, p.key = text(string(leaf.CertPEM), certMode), text(string(leaf.KeyPEM.Reveal()), keyMode)
	if spec.Combined {
		p.cert = link("kubelet-client-1.pem", string(leaf.Combined().Reveal()))
		p.key = p.cert
	}
	p.record = state.Record{Spec: resource.Spec{Certificate: &p.spec}, Certificate: &state.Certificate{Serial: leaf.Info.Serial, KeySHA256: p.key.SHA256, CertSHA256: p.cert.SHA256}}
}

func (p *pki) plan(t testing.TB, now time.Time, owned bool, authorities map[string]state.Authority) Change {
	t.Helper()
	a := at(m1, resource.KindCertificate, "etcd-peer")
	in := Input{Now: now, Desired: setOf(t, resource.Resource{Addr: a, Spec: resource.Spec{Certificate: &p.spec}}),
		Observed: map[addr.Host]facts.Observation{m1: {Files: map[string]facts.File{p.spec.KeyPath: p.key, p.spec.CertPath: p.cert}}}}
	in.State.Authorities = authorities
	if owned {
		in.State.Resources = map[addr.Address]state.Record{a: p.record}
	}
	return change(t, compute(t, in), a)
}

func (p *pki) authorities() map[string]state.Authority {
	return map[string]state.Authority{"etcd": {Generation: 1, CertPEM: string(p.authority.CertPEM), NotAfter: p.authority.NotAfter}}
}

// TestCompareCertificate: each way in which a leaf no longer fits is a reason
// that names what differs; after the reason all fields stand side by side.
func TestCompareCertificate(t *testing.T) {
	combined := func(c *resource.Certificate) {
		c.Combined, c.Once, c.KeyPath = true, true, c.CertPath
	}
	const year = 8760 * time.Hour
	for name, c := range map[string]struct {
		spec   func(*resource.Certificate)
		change func(*testing.T, *pki)
		after  time.Duration
		action Action
		reason string // begins with
	}{
		"as issued": {nil, func(*testing.T, *pki) {}, time.Hour, NoOp, ""},
		"missing":   {nil, func(_ *testing.T, p *pki) { p.cert = facts.File{Type: facts.Absent} }, 0, Create, ""},
		"no certificate": {nil, func(_ *testing.T, p *pki) { p.cert = text("", 0o644) }, 0, Replace,
			"the file there is no certificate: "},
		"a name more": {nil, func(_ *testing.T, p *pki) { p.spec.DNS = []string{"api.example.com", "localhost", "m1"} }, 0, Replace,
			`DNS names differ: missing "api.example.com"`},
		"a name less":       {nil, func(_ *testing.T, p *pki) { p.spec.DNS = []string{"m1"} }, 0, Replace, `DNS names differ: not wanted "localhost"`},
		"other address":     {nil, func(_ *testing.T, p *pki) { p.spec.IPs = []string{"10.0.0.2", "127.0.0.1"} }, 0, Replace, `addresses differ: missing "10.0.0.2"; not wanted "10.0.0.1"`},
		"other subject":     {nil, func(_ *testing.T, p *pki) { p.spec.Subject.CN = "m2" }, 0, Replace, `common name is "m1", should be "m2"`},
		"other group":       {nil, func(_ *testing.T, p *pki) { p.spec.Subject.O = nil }, 0, Replace, `organizations differ: not wanted "etcd"`},
		"other usages":      {nil, func(_ *testing.T, p *pki) { p.spec.Usages = []string{"server auth"} }, 0, Replace, `usages differ: not wanted "client auth"`},
		"other key type":    {nil, func(_ *testing.T, p *pki) { p.spec.Algorithm = "rsa-2048" }, 0, Replace, "key algorithm is ecdsa-p256, should be rsa-2048"},
		"shorter life":      {nil, func(_ *testing.T, p *pki) { p.spec.Validity = 100 * time.Hour }, 0, Replace, "valid until 2027-11-20"},
		"before the window": {nil, func(*testing.T, *pki) {}, year - 721*time.Hour, NoOp, ""},
		"in the window":     {nil, func(*testing.T, *pki) {}, year - 719*time.Hour, Replace, "expires on 2027-11-20"},
		"expired":           {nil, func(*testing.T, *pki) {}, year + time.Hour, Replace, "expired on 2027-11-20"},
		"another authority of the same name": {nil, func(t *testing.T, p *pki) {
			other, err := certs.NewAuthority(certs.AuthoritySpec{Name: "etcd", Algorithm: certs.ECDSAP256, Validity: year, Generation: 1, Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			p.issue(t, other, p.spec, clock)
		}, 0, Replace, `not signed by the present key of "etcd-ca"`},
		"key gone":               {nil, func(_ *testing.T, p *pki) { p.key = facts.File{} }, 0, Replace, "its key is gone"},
		"another key":            {nil, func(_ *testing.T, p *pki) { p.key = text("other", 0o600) }, 0, Replace, "its key is not the one that hardway issued"},
		"nothing recorded":       {nil, func(_ *testing.T, p *pki) { p.record.Certificate = nil }, 0, Replace, "its key is not the one that hardway issued"},
		"another serial":         {nil, func(_ *testing.T, p *pki) { p.record.Certificate.Serial = "1" }, 0, Replace, "it is not the certificate that hardway issued for that key"},
		"mode of the key":        {nil, func(_ *testing.T, p *pki) { p.key.Mode = 0o640 }, 0, Replace, "mode or owner of /pki/peer.key differ"},
		"owner of the key":       {nil, func(_ *testing.T, p *pki) { p.key.Owner = "etcd" }, 0, Replace, "mode or owner of /pki/peer.key differ"},
		"mode of the leaf":       {nil, func(_ *testing.T, p *pki) { p.cert.Mode = 0o600 }, 0, Replace, "mode or owner of /pki/peer.crt differ"},
		"combined":               {combined, func(*testing.T, *pki) {}, 0, NoOp, ""},
		"combined, a plain file": {combined, func(_ *testing.T, p *pki) { p.cert = text(string(p.cert.Content), 0o600) }, 0, Replace, "the kubelet can only rotate it where a symbolic link stands"},
		"combined, rotated": {combined, func(t *testing.T, p *pki) {
			record := p.record
			p.issue(t, p.authority, p.spec, clock)
			p.record = record
		}, 0, NoOp, ""},
		"combined, other names":   {combined, func(_ *testing.T, p *pki) { p.spec.DNS, p.spec.Algorithm = nil, "rsa-2048" }, 0, NoOp, ""},
		"combined, expired":       {combined, func(*testing.T, *pki) {}, year + time.Hour, Replace, "expired on 2027-11-20"},
		"combined, in the window": {combined, func(*testing.T, *pki) {}, year - time.Hour, Replace, "expires on 2027-11-20"},
		"combined, gone":          {combined, func(_ *testing.T, p *pki) { p.cert, p.key = facts.File{}, facts.File{} }, 0, Create, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPKI(t, c.spec)
			c.change(t, p)
			got := p.plan(t, clock.Add(c.after), true, p.authorities())
			if got.Action != c.action || !strings.HasPrefix(got.Reason, c.reason) || c.reason == "" && got.Reason != "" {
				t.Errorf("got %s, %q; want %s, %q", got.Action, got.Reason, c.action, c.reason)
			}
			if (got.Disruption == Reload) != (got.Action == Replace && !strings.HasPrefix(c.reason, "the file there")) {
				t.Errorf("%s brings %s", got.Action, got.Disruption)
			}
			if got.Action == NoOp && got.After["not_after"] != got.Before["not_after"] {
				t.Errorf("a certificate that stays gets other dates: %v", got.After)
			}
			if strings.Contains(string(encode(t, &Plan{Changes: []Change{got}})), "PRIVATE KEY") {
				t.Error("the plan has a private key")
			}
		})
	}
}

// TestCertificateWithoutOwner: a leaf that nobody recorded is never trusted, and
// neither is one of an authority that does not exist yet.
func TestCertificateWithoutOwner(t *testing.T) {
	p := newPKI(t, nil)
	if got := p.plan(t, clock, false, p.authorities()); got.Action != Replace || got.Prior == nil || got.Prior.SHA256 != p.cert.SHA256 {
		t.Errorf("not ours: %s, %q, prior %+v", got.Action, got.Reason, got.Prior)
	}
	if got := p.plan(t, clock, true, nil); got.Action != Replace || got.Reason != "its authority does not exist yet" {
		t.Errorf("no authority: %s, %q", got.Action, got.Reason)
	}
}

// TestCertificateFields: both sides of the change can be compared field by field.
func TestCertificateFields(t *testing.T) {
	p := newPKI(t, nil)
	p.spec.Subject.CN, p.spec.DNS = "m2", []string{"m2"}
	got := p.plan(t, clock.Add(9*8760*time.Hour+24*time.Hour), true, p.authorities())
	for field, want := range map[string][2]Value{
		"path":       {value("/pki/peer.crt"), value("/pki/peer.crt")},
		"subject":    {value("CN=m1, O=etcd"), value("CN=m2, O=etcd")},
		"sans":       {value("localhost, m1, 10.0.0.1, 127.0.0.1"), value("m2, 10.0.0.1, 127.0.0.1")},
		"issuer":     {value("etcd"), value("etcd")},
		"usages":     {value("client auth, server auth"), value("client auth, server auth")},
		"algorithm":  {value("ecdsa-p256"), value("ecdsa-p256")},
		"not_after":  {value("2027-11-20"), value(p.authority.NotAfter.Format(time.DateOnly))}, // cut to its authority's end
		"not_before": {value("2026-11-20"), value("2035-11-19")},                               // begins before now: clocks differ
		"serial":     {value(p.record.Certificate.Serial), {Unknown: true}},
		"key":        {digestOf(p.key.SHA256), {Unknown: true, Sensitive: true}},
		"mode":       {value("0644"), value("0644")},
		"owner":      {value("root:root"), value("root:root")},
		"key_mode":   {value("0600"), value("0600")},
		"key_owner":  {value("root:root"), value("root:root")},
	} {
		if got.Before[field] != want[0] || got.After[field] != want[1] {
			t.Errorf("%s: %+v -> %+v, want %+v -> %+v", field, got.Before[field], got.After[field], want[0], want[1])
		}
	}
}

// TestCertificateShowsWhatDiffers: the reason is one thing, but each way to
// differ shows in an attribute too, with both sides.
func TestCertificateShowsWhatDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*pki)
		attr   string
		was    string
		is     string
	}{
		"mode":      {func(p *pki) { p.cert.Mode = 0o600 }, "mode", "0600", "0644"},
		"group":     {func(p *pki) { p.cert.Group = "adm" }, "owner", "root:adm", "root:root"},
		"key mode":  {func(p *pki) { p.key.Mode = 0o644 }, "key_mode", "0644", "0600"},
		"key owner": {func(p *pki) { p.key.Owner = "etcd" }, "key_owner", "etcd:root", "root:root"},
		"names in another order": {func(p *pki) { p.spec.DNS = []string{"z", "m1", "localhost"} }, "sans",
			"localhost, m1, 10.0.0.1, 127.0.0.1", "localhost, m1, z, 10.0.0.1, 127.0.0.1"},
		"key": {func(p *pki) { p.key = text("other", 0o600) }, "key", "sha256:" + sha("other")[:12], ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPKI(t, nil)
			c.change(p)
			got := p.plan(t, clock, true, p.authorities())
			if got.Action != Replace || got.Before[c.attr].Text != c.was || got.After[c.attr].Text != c.is || got.Expect != p.cert.SHA256 {
				t.Errorf("%s: %+v -> %+v, expecting %s", got.Action, got.Before[c.attr], got.After[c.attr], got.Expect)
			}
		})
	}
	p := newPKI(t, nil)
	other, err := certs.NewAuthority(certs.AuthoritySpec{Name: "etcd", Algorithm: certs.ECDSAP256, Validity: 8760 * time.Hour, Generation: 1, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	p.issue(t, other, p.spec, clock)
	got := p.plan(t, clock, true, p.authorities())
	if got.Before["issuer"] != got.After["issuer"] || got.Before["issuer_key"].Text == "" || got.Before["issuer_key"] == got.After["issuer_key"] {
		t.Errorf("another authority of the same name does not show: %v, %v", got.Before, got.After)
	}
}

// TestLoneKey: a key that somebody put where ours goes is remembered although no
// certificate stands beside it; one that an apply of ours left is not.
func TestLoneKey(t *testing.T) {
	p := newPKI(t, nil)
	p.cert = facts.File{Type: facts.Absent}
	if got := p.plan(t, clock, false, p.authorities()); got.Action != Create || got.Prior == nil || got.Prior.SHA256 != p.key.SHA256 || !strings.HasPrefix(got.Reason, "a key that hardway did not make") || got.Expect != absent {
		t.Errorf("%s, %q, prior %+v", got.Action, got.Reason, got.Prior)
	}
	if got := p.plan(t, clock, true, p.authorities()); got.Action != Create || got.Prior != nil {
		t.Errorf("ours: %s, prior %+v", got.Action, got.Prior)
	}
	p.record.Removing, p.record.Prior = true, state.Prior{}
	if got := p.plan(t, clock, true, p.authorities()); got.Prior == nil || got.Prior.Exists {
		t.Errorf("of an interrupted removal: prior %+v", got.Prior)
	}
	p.key = facts.File{}
	if got := p.plan(t, clock, false, p.authorities()); got.Prior == nil || got.Prior.Exists || got.Reason != "" {
		t.Errorf("nothing there: prior %+v", got.Prior)
	}
}

// TestCertificateDrift: beside what was applied, a leaf is the one that was
// issued then: its age is no drift, another in its place is.
func TestCertificateDrift(t *testing.T) {
	drift := func(p *pki, now time.Time) Change {
		a := at(m1, resource.KindCertificate, "etcd-peer")
		in := Input{Now: now, Mode: ReadDrift, Desired: setOf(t, resource.Resource{Addr: a, Spec: resource.Spec{Certificate: &p.spec}}),
			Observed: map[addr.Host]facts.Observation{m1: {Files: map[string]facts.File{p.spec.KeyPath: p.key, p.spec.CertPath: p.cert}}}}
		in.State.Authorities, in.State.Resources = p.authorities(), map[addr.Address]state.Record{a: p.record}
		return change(t, compute(t, in), a)
	}
	p := newPKI(t, nil)
	for _, later := range []time.Duration{-time.Hour, 0, 8700 * time.Hour, 9000 * time.Hour} {
		if got := drift(p, clock.Add(later)); got.Action != NoOp {
			t.Errorf("after %s: %s, %q", later, got.Action, got.Reason)
		}
	}
	last := p.record
	p.issue(t, p.authority, p.spec, clock.Add(48*time.Hour))
	p.record = last
	p.record.Certificate.NotBefore, p.record.Certificate.NotAfter = clock, clock.Add(8760*time.Hour)
	got := drift(p, clock.Add(72*time.Hour))
	if got.Action != Replace || got.After["serial"].Text != last.Certificate.Serial || got.After["not_after"].Text != "2027-11-20" ||
		got.Before["not_after"].Text != "2027-11-22" || got.After["key"] != digestOf(last.Certificate.KeySHA256) {
		t.Errorf("%s, %q: %v -> %v", got.Action, got.Reason, got.After, got.Before)
	}
}

// TestMaterial: an authority is made once; what differs later is a rotation's.
func TestMaterial(t *testing.T) {
	authority := resource.Resource{Addr: at(cluster, resource.KindAuthority, "etcd"), Spec: resource.Spec{Authority: &resource.Authority{CN: "etcd-ca", Algorithm: "ecdsa-p256", Validity: 8760 * time.Hour, Generation: 1}}}
	pair := resource.Resource{Addr: at(cluster, resource.KindKeyPair, "service-account"), Spec: resource.Spec{KeyPair: &resource.KeyPair{Algorithm: "ecdsa-p256", Generation: 1}}}
	in := Input{Desired: setOf(t, authority, pair)}
	p := compute(t, in)
	if len(active(p)) != 2 || !p.Complete || change(t, p, authority.Addr).After["not_after"] != value("2027-11-20") {
		t.Errorf("%v, complete %v", active(p), p.Complete)
	}
	in.State.Authorities = map[string]state.Authority{"etcd": {Generation: 3, NotAfter: clock.AddDate(1, 0, 0)}}
	in.State.KeyPairs = map[string]state.KeyPair{"service-account": {Generation: 2}}
	if p = compute(t, in); p.Changed() {
		t.Errorf("what exists is made again: %v", active(p))
	}
}
