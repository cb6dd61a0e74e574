package config

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hardway/certs"
)

func pkiSchema() schema {
	return schema{
		attributes: []string{"algorithm", "certificate_validity", "ca_validity", "renew_before", "csr_signing", "files"},
		blocks:     []childBlock{{name: "subject"}, {name: "authority", label: "name"}, {name: "certificate", label: "name"}, {name: "service_account"}},
		later:      []string{"backdate", "external_ca", "vault"},
		instead: map[string]string{
			"authority_validity": "Write ca_validity.",
			"validity":           "Write certificate_validity, or ca_validity for the authorities.",
			"key_algorithm":      "Write algorithm.",
			"country":            "Write subject { country = … } inside of pki.",
			"organization":       "Write subject { organization = … } inside of pki.",
			"directory":          "Write directories { cert = … }.",
			"cert_dir":           "Write directories { cert = … }.",
			"user":               "A person's certificate is made by hardway kubeconfig.",
		},
	}
}

func (l *loader) readPKI(c *Cluster) {
	r, blocks := l.block("pki", pkiSchema())
	c.PKI = PKI{
		Range:               r.rng,
		Algorithm:           r.algorithm(defaultAlgorithm),
		CertificateValidity: r.duration("certificate_validity", defaultValidity),
		CAValidity:          r.duration("ca_validity", defaultCAValidity),
		RenewBefore:         r.duration("renew_before", defaultRenewBefore),
		CSRSigning:          r.flag("csr_signing", true),
	}
	var schemes []string
	for _, s := range certs.Schemes() {
		schemes = append(schemes, string(s))
	}
	naming, err := certs.NewNaming(certs.Scheme(r.choice("files", schemes[0], schemes...)))
	if err != nil { // choice has seen to it
		panic("config: " + err.Error())
	}
	c.PKI.Naming = naming
	l.readSubject(c, r, l.one(blocks, "subject"))
	l.readServiceAccount(c, r, l.one(blocks, "service_account"))
	l.readAuthorities(c, r, blocks.OfType("authority"))
	l.readCertificates(c, r, blocks.OfType("certificate"))
	r.checkLifetimes(c.PKI)
	if a, b, found := c.PKI.Naming.Collision(func(p string) string { return joinBelow(c.Directories.Cert, p) }); found {
		l.diags.add(errorAt(r.rng, "Two files in one place", "%s and %s of %s would be %s and %s. Name one of them otherwise.", a.What, b.What, r.where, quote(a.Path), quote(b.Path)))
	}
}

// checkLifetimes refuses lifetimes that could not work.
func (r reader) checkLifetimes(p PKI) {
	for _, name := range sortedKeys(p.Certificates) {
		c := p.Certificates[name]
		row, _ := certs.Lookup(name)
		if a := p.Authorities[row.Authority]; c.Validity > a.Validity {
			at := "certificate_validity"
			if c.Range != p.Range {
				at = "validity"
			}
			r.l.diags.add(errorAt(r.placeOf(c.Range, "certificate_validity"), "Certificates outlive their CA", "%s of %s (%s) is longer than the %s of its authority %s; a certificate is worth nothing after its CA has expired.",
				at, name, c.Validity, a.Validity, row.Authority))
			return // each of them would say the same
		}
		if c.RenewBefore >= c.Validity {
			r.l.diags.add(errorAt(r.placeOf(c.Range, "renew_before"), "Certificates always due", "renew_before (%s) is not shorter than the validity of %s (%s), so every plan would renew it.",
				c.RenewBefore, name, c.Validity))
			return
		}
	}
}

// placeOf is a block's own place, or that of an attribute of the pki block.
func (r reader) placeOf(own hcl.Range, name string) hcl.Range {
	if own != r.rng {
		return own
	}
	return r.rangeOf(name)
}

func (r reader) algorithm(fallback string) string {
	if s, ok := r.text("algorithm"); ok && strings.EqualFold(s, "ed25519") {
		r.fail("algorithm", "Unknown value", "Ed25519 is not possible: Kubernetes signs service account tokens and certificate requests with RSA or ECDSA keys only. Use %q.", defaultAlgorithm)
		return fallback
	}
	var names []string
	for _, a := range certs.Algorithms() {
		names = append(names, string(a))
	}
	return r.choice("algorithm", fallback, names...)
}

// readSubject reads what the names of certificates say beside the identity.
func (l *loader) readSubject(c *Cluster, outer reader, b *hcl.Block) {
	if b == nil {
		return
	}
	const identity = "It is the identity that Kubernetes knows the holder by, so hardway sets it for each certificate."
	r, _ := l.readerIn(b.Body, outer.ctx, schema{
		attributes: []string{"country", "province", "locality", "organization", "organizational_unit"},
		instead: map[string]string{
			"common_name": identity + ` An authority may have another: authority "kubernetes" { common_name = "…" }.`,
			"cn":          identity + ` An authority may have another: authority "kubernetes" { common_name = "…" }.`,
			"state":       "Write province.",
			"city":        "Write locality.",
			"o":           "Write organization.", "ou": "Write organizational_unit.", "l": "Write locality.", "st": "Write province.", "c": "Write country.",
		},
	}, b.DefRange, "subject of pki")
	s := &c.PKI.Subject
	for _, part := range []struct {
		name string
		into *[]string
		one  func(string) certs.Subject
	}{
		{"country", &s.C, func(v string) certs.Subject { return certs.Subject{C: []string{v}} }},
		{"province", &s.ST, func(v string) certs.Subject { return certs.Subject{ST: []string{v}} }},
		{"locality", &s.L, func(v string) certs.Subject { return certs.Subject{L: []string{v}} }},
		{"organization", &s.O, func(v string) certs.Subject { return certs.Subject{O: []string{v}} }},
		{"organizational_unit", &s.OU, func(v string) certs.Subject { return certs.Subject{OU: []string{v}} }},
	} {
		v, ok := r.word(part.name)
		if !ok {
			continue
		}
		if err := part.one(v).Check(); err != nil {
			r.fail(part.name, "Invalid name", "%s of %s: %v.", part.name, r.where, err)
			continue
		}
		if part.name == "organization" && strings.HasPrefix(v, "system:") {
			r.fail(part.name, "Reserved name", "%s is a group of Kubernetes, not an organization: hardway puts the groups that a certificate needs into it.", quote(v))
			continue
		}
		*part.into = []string{v}
	}
}

func (l *loader) readServiceAccount(c *Cluster, outer reader, b *hcl.Block) {
	c.PKI.ServiceAccountAlgorithm, c.PKI.ServiceAccountRange = c.PKI.Algorithm, outer.rng
	if b == nil {
		return
	}
	r, _ := l.readerIn(b.Body, outer.ctx, schema{attributes: []string{"algorithm", "public_key", "private_key"}}, b.DefRange, "service_account of pki")
	c.PKI.ServiceAccountAlgorithm, c.PKI.ServiceAccountRange = r.algorithm(c.PKI.Algorithm), b.DefRange
	files := &c.PKI.Naming.ServiceAccount
	files.Cert, files.Key = r.pkiFile("public_key", files.Cert), r.pkiFile("private_key", files.Key)
}

func (l *loader) readAuthorities(c *Cluster, outer reader, blocks hcl.Blocks) {
	c.PKI.Authorities = map[string]PKIAuthority{}
	var names []string
	for _, row := range certs.Authorities() {
		names = append(names, row.Name)
		c.PKI.Authorities[row.Name] = PKIAuthority{Range: outer.rng, CommonName: row.CN, Algorithm: c.PKI.Algorithm, Validity: c.PKI.CAValidity}
	}
	written := l.labelled(blocks, "authority", names)
	for _, name := range sortedKeys(written) {
		b := written[name]
		s := schema{attributes: []string{"common_name", "algorithm", "validity", "cert"}}
		if name == certs.AuthorityKubernetes {
			s.attributes = append(s.attributes, "signing_cert", "signing_key")
		} else {
			s.instead = map[string]string{
				"signing_cert": "Only the kubernetes authority signs on the masters.", "signing_key": "Only the kubernetes authority has its key on the masters; the others' are in the sealed state alone.",
			}
		}
		r, _ := l.readerIn(b.Body, outer.ctx, s, b.DefRange, "authority "+quote(name)+" of pki")
		a := c.PKI.Authorities[name]
		a.Range, a.Algorithm, a.Validity = b.DefRange, r.algorithm(a.Algorithm), r.duration("validity", a.Validity)
		if cn, ok := r.word("common_name"); ok {
			a.CommonName = cn
		}
		c.PKI.Authorities[name] = a
		n := &c.PKI.Naming
		n.Bundles[name] = r.pkiFile("cert", n.Bundles[name])
		if name == certs.AuthorityKubernetes {
			n.Signing.Cert, n.Signing.Key = r.pkiFile("signing_cert", n.Signing.Cert), r.pkiFile("signing_key", n.Signing.Key)
		}
	}
	seen := map[string]string{}
	for _, name := range names {
		a := c.PKI.Authorities[name]
		if other, twice := seen[a.CommonName]; twice {
			l.diags.add(errorAt(a.Range, "Two authorities with one name", "The authorities %s and %s would both be called %s: who reads a certificate could not say which of them signed it. Give one another common_name.", other, name, quote(a.CommonName)))
		}
		seen[a.CommonName] = name
	}
}

func (l *loader) readCertificates(c *Cluster, outer reader, blocks hcl.Blocks) {
	c.PKI.Certificates = map[string]PKICertificate{}
	var names []string
	for _, row := range certs.Catalogue() {
		if row.Scope == certs.ScopeCluster {
			continue // made for one run, with a lifetime of its own
		}
		names = append(names, row.Name)
		c.PKI.Certificates[row.Name] = PKICertificate{Range: outer.rng, Algorithm: c.PKI.Algorithm, Validity: c.PKI.CertificateValidity, RenewBefore: c.PKI.RenewBefore}
	}
	const identity = "Kubernetes takes the common name for the user and the organization for a group, so hardway sets both."
	written := l.labelled(blocks, "certificate", names)
	for _, name := range sortedKeys(written) {
		b := written[name]
		s := schema{attributes: []string{"algorithm", "validity", "renew_before"}, instead: map[string]string{
			"common_name": identity, "cn": identity, "organization": identity, "groups": identity,
			"subject":    "It is the same for all certificates: write subject { … } beside this block.",
			"sans":       `Write api "external" { extra_sans = [ … ] }; the names of hosts follow from their blocks.`,
			"extra_sans": `Write api "external" { extra_sans = [ … ] }; the names of hosts follow from their blocks.`,
		}}
		if row, _ := certs.Lookup(name); row.Nameable() {
			s.attributes = append(s.attributes, "cert", "key")
		} else {
			const own = "The kubelet names the file of its client certificate itself, when it renews it: kubelet-client-current.pem."
			s.instead["cert"], s.instead["key"] = own, own
		}
		r, _ := l.readerIn(b.Body, outer.ctx, s, b.DefRange, "certificate "+quote(name)+" of pki")
		cert := c.PKI.Certificates[name]
		cert.Range, cert.Algorithm = b.DefRange, r.algorithm(cert.Algorithm)
		cert.Validity, cert.RenewBefore = r.duration("validity", cert.Validity), r.duration("renew_before", min(cert.RenewBefore, shorterThan(r, cert)))
		c.PKI.Certificates[name] = cert
		if p, ok := c.PKI.Naming.Leaves[name]; ok {
			c.PKI.Naming.Leaves[name] = certs.FilePair{Cert: r.pkiFile("cert", p.Cert), Key: r.pkiFile("key", p.Key)}
		}
	}
}

// shorterThan is the renewal window of a certificate that has a lifetime of its
// own: the last third of it, when the common window does not fit.
func shorterThan(r reader, c PKICertificate) time.Duration {
	if !r.has("validity") {
		return c.RenewBefore
	}
	return r.duration("validity", c.Validity) / 3
}

// labelled returns the blocks by label, and refuses labels that are not among the
// names, and second blocks of one name.
func (l *loader) labelled(blocks hcl.Blocks, kind string, names []string) map[string]*hcl.Block {
	out := map[string]*hcl.Block{}
	for _, b := range blocks {
		name := b.Labels[0]
		first, twice := out[name]
		switch {
		case nearest(name, names) != name:
			l.diags.add(errorAt(b.LabelRanges[0], "Unknown "+kind, "There is no %s %s; there are %s.%s", kind, quote(name), enumerate(names, "and"), didYouMean(name, names)))
		case twice:
			l.diags.add(errorAt(b.DefRange, "Duplicate block", "There is a block %s %s already at %s. Merge the two.", kind, quote(name), at(first.DefRange)))
		default:
			out[name] = b
		}
	}
	return out
}

// pkiFile reads the name of a file: relative to directories.cert, or absolute.
func (r reader) pkiFile(name, fallback string) string {
	s, ok := r.word(name)
	if !ok {
		return fallback
	}
	if why := badHostPath(joinBelow("/x", s)); why != "" {
		r.fail(name, "Invalid file name", "%s of %s is %s, which %s. Write a name such as %s, which counts from directories.cert, or an absolute path.", name, r.where, quote(s), why, fallback)
		return fallback
	}
	return s
}

// joinBelow makes a path of a host absolute, without tidying it up.
func joinBelow(dir, p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return dir + "/" + p
}
