package runbook

import (
	"fmt"
	"path"
	"strings"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/resource"
)

// workstation is the place of what is done on no host.
var workstation = addr.Host{Role: addr.Cluster}

const day = 24 * time.Hour

// authorities makes the authorities and bare key pairs.
func (w *writer) authorities(g group) error {
	s := w.workstation()
	s.line("mkdir -p ca")
	for _, r := range g.resources {
		base := "ca/" + r.Addr.Name
		if k := r.Spec.KeyPair; k != nil {
			if err := s.key(k.Algorithm, base+".key"); err != nil {
				return fmt.Errorf("%s: %w", r.Addr, err)
			}
			s.line("openssl pkey -in %s -pubout -out %s", quote(base+".key"), quote(base+".pub"))
			continue
		}
		a := r.Spec.Authority
		if err := s.key(a.Algorithm, base+".key"); err != nil {
			return fmt.Errorf("%s: %w", r.Addr, err)
		}
		hash := digestOf(a.Algorithm)
		s.line("openssl req -new %s -key %s -subj %s -out %s", hash, quote(base+".key"), quote(distinguished(authorityName(a))), quote(base+".csr"))
		s.here(fmt.Sprintf("openssl x509 -req %s -in %s -signkey %s -days %d -out %s -extfile /dev/stdin", hash, quote(base+".csr"), quote(base+".key"), days(a.Validity), quote(base+".crt")),
			"basicConstraints = critical, CA:TRUE, pathlen:0\n"+
				"keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign, cRLSign\n"+
				"subjectKeyIdentifier = hash\n")
	}
	w.step(g, "Authorities", whyAuthorities, s.block(workstation))
	return nil
}

// certificates makes all certificates and keys of a host and brings them there.
func (w *writer) certificates(g group) error {
	h := g.topic.host
	s := w.workstation()
	tree := plainName(h.Name)
	made := map[string]bool{}
	dir := func(file string) {
		if d := tree + path.Dir(file); !made[d] {
			made[d] = true
			s.line("mkdir -p %s", quote(d))
		}
	}
	for _, r := range g.resources {
		switch {
		case r.Spec.Certificate != nil:
			c := r.Spec.Certificate
			dir(c.CertPath)
			dir(c.KeyPath)
			if err := s.leaf(c, tree, w.authority(c.Authority)); err != nil {
				return fmt.Errorf("%s: %w", r.Addr, err)
			}
		case r.Spec.File != nil:
			f := r.Spec.File
			dir(f.Path)
			what, whose := material(f.Material)
			from, ok := map[string]string{"bundle": ".crt", "cert": ".crt", "key": ".key", "public": ".pub", "private": ".key"}[what]
			if !ok {
				return fmt.Errorf("%s: no command makes %s", r.Addr, f.Material)
			}
			s.line("install -m %04o %s %s", f.Mode, quote("ca/"+whose+from), quote(tree+f.Path))
		}
	}
	w.carry(s, tree, h)
	t := &script{}
	w.unpack(t, h)
	w.step(g, "Certificates of "+h.Name, whyCertificates, s.block(workstation), t.block(h))
	return nil
}

// leaf makes a key and a certificate below a tree that stands for a host's root.
// It does not outlive the authority: clients would refuse it without a word on why.
func (s *script) leaf(c *resource.Certificate, tree string, by resource.Authority) error {
	key, cert := tree+c.KeyPath, tree+c.CertPath
	if c.Combined {
		key, cert = "ca/"+plainName(c.Name)+".key", "ca/"+plainName(c.Name)+".crt"
	}
	s.line("# %s", c.Name)
	if err := s.key(c.Algorithm, key); err != nil {
		return err
	}
	request := "ca/" + plainName(c.Name) + ".csr"
	ca := "ca/" + c.Authority
	s.line("openssl req -new %s -key %s \\\n    -subj %s -out %s", digestOf(c.Algorithm), quote(key), quote(distinguished(c.Subject)), quote(request))
	var ext strings.Builder
	ext.WriteString("basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature, keyEncipherment\n")
	var usages []string
	for _, u := range c.Usages {
		name, ok := map[string]string{certs.UsageServerAuth: "serverAuth", certs.UsageClientAuth: "clientAuth"}[u]
		if !ok {
			return fmt.Errorf("no command makes the usage %q", u)
		}
		usages = append(usages, name)
	}
	fmt.Fprintf(&ext, "extendedKeyUsage = %s\n", strings.Join(usages, ", "))
	var names []string
	for _, n := range c.DNS {
		names = append(names, "DNS:"+n)
	}
	for _, ip := range c.IPs {
		names = append(names, "IP:"+ip)
	}
	if len(names) > 0 {
		fmt.Fprintf(&ext, "subjectAltName = %s\n", strings.Join(names, ", "))
	}
	ext.WriteString("subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n")
	s.here(fmt.Sprintf("openssl x509 -req %s -in %s -CA %s -CAkey %s -CAcreateserial -days %d \\\n    -out %s -extfile /dev/stdin",
		digestOf(by.Algorithm), quote(request), quote(ca+".crt"), quote(ca+".key"), days(min(c.Validity, by.Validity)), quote(cert)), ext.String())
	if c.Combined {
		s.line("cat %s %s >%s", quote(cert), quote(key), quote(tree+c.CombinedFile()))
		s.line("rm %s %s", quote(cert), quote(key))
		s.line("ln -s %s %s # a link, which the component turns to the next one", quote(path.Base(c.CombinedFile())), quote(tree+c.CertPath))
		return nil
	}
	s.line("chmod 0644 %s", quote(cert)) // the key keeps the 0600 that umask gave it
	return nil
}

// key makes a private key.
func (s *script) key(algorithm, file string) error {
	alg, err := certs.ParseAlgorithm(algorithm)
	if err != nil {
		return err
	}
	options := map[certs.Algorithm]string{
		certs.ECDSAP256: "EC -pkeyopt ec_paramgen_curve:P-256", certs.ECDSAP384: "EC -pkeyopt ec_paramgen_curve:P-384",
		certs.RSA2048: "RSA -pkeyopt rsa_keygen_bits:2048", certs.RSA3072: "RSA -pkeyopt rsa_keygen_bits:3072", certs.RSA4096: "RSA -pkeyopt rsa_keygen_bits:4096",
	}[alg]
	if options == "" {
		return fmt.Errorf("no command makes a key of %s", alg)
	}
	s.line("openssl genpkey -algorithm %s -out %s", options, quote(file))
	return nil
}

// digestOf is the digest that is signed with a key of an algorithm: one as
// strong as the key, as cfssl chooses it.
func digestOf(algorithm string) string {
	switch certs.Algorithm(algorithm) {
	case certs.ECDSAP384, certs.RSA3072:
		return "-sha384"
	case certs.RSA4096:
		return "-sha512"
	}
	return "-sha256"
}

// days is a lifetime in openssl's unit, at least one.
func days(d time.Duration) int { return max(int(d/day), 1) }

// distinguished writes a subject as openssl's -subj takes it. Every group is an
// attribute of its own.
func distinguished(s resource.Subject) string {
	escape := strings.NewReplacer(`\`, `\\`, "/", `\/`, "+", `\+`)
	var out strings.Builder
	for _, part := range []struct {
		name   string
		values []string
	}{{"C", s.C}, {"O", s.O}, {"OU", s.OU}, {"L", s.L}, {"ST", s.ST}, {"CN", []string{s.CN}}} {
		for _, v := range part.values {
			out.WriteString("/" + part.name + "=" + escape.Replace(v))
		}
	}
	return out.String()
}

// authorityName is the whole subject of an authority.
func authorityName(a *resource.Authority) resource.Subject {
	name := a.Names
	name.CN = a.CN
	return name
}

// carry packs the files and links of a tree, and not its directories, whose modes are the
// host's, and brings the archive into the login user's home directory.
func (w *writer) carry(s *script, tree string, h addr.Host) {
	s.line("(cd %s && find . -type f -o -type l | sort | tar --owner=0 --group=0 -T - -cf -) | %s 'umask 077; cat >hardway-files.tar'", quote(tree), w.ssh(h))
}

// unpack puts what was carried where it belongs.
func (w *writer) unpack(s *script, h addr.Host) {
	s.line("tar -C / -xpf %s/hardway-files.tar", w.home(h))
	s.line("rm %s/hardway-files.tar", w.home(h))
}
