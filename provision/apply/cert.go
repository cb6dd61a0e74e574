package apply

import (
	"cmp"

	"hardway/certs"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// certificate issues a leaf and writes it. The key goes first: whoever watches
// the certificate's file finds the key that belongs to it. So what stands there
// is held against what the plan read before either is written.
func (r *run) certificate(h host.Host, ch plan.Change) (state.Done, error) {
	c := ch.Spec.Certificate
	if err := r.unmoved(h, ch.Expect, c); err != nil {
		return state.Done{}, err
	}
	authority, err := r.authority(c.Authority)
	if err != nil {
		return state.Done{}, err
	}
	leaf, err := certs.Issue(authority, plan.Request(c), r.Now())
	if err != nil {
		return state.Done{}, err
	}
	certMode, keyMode := plan.CertificateModes(c)
	record := &state.Certificate{
		PEM: string(leaf.CertPEM), CertSHA256: resource.SHA256(leaf.CertPEM), KeySHA256: resource.SHA256(leaf.KeyPEM.Reveal()),
		Serial: leaf.Info.Serial, Authority: authority.Name, Generation: authority.Generation,
		NotBefore: leaf.Info.NotBefore, NotAfter: leaf.Info.NotAfter,
	}
	if c.Combined {
		text := leaf.Combined().Reveal()
		record.CertSHA256, record.KeySHA256 = resource.SHA256(text), resource.SHA256(text)
		file := c.CombinedFile()
		if err := h.Put(r.ctx, content(file, resource.Meta{Mode: certMode, Owner: c.Owner, Group: c.Group}, "", text)); err != nil {
			return state.Done{}, err
		}
		return state.Done{SHA256: record.CertSHA256, Certificate: record}, r.script(h, "link", file, c.CertPath)
	}
	if err := h.Put(r.ctx, content(c.KeyPath, resource.Meta{Mode: keyMode, Owner: c.Owner, Group: c.Group}, "", leaf.KeyPEM.Reveal())); err != nil {
		return state.Done{}, err
	}
	err = h.Put(r.ctx, content(c.CertPath, resource.Meta{Mode: certMode, Owner: c.Owner, Group: c.Group}, ch.Expect, leaf.CertPEM))
	return state.Done{SHA256: record.CertSHA256, Certificate: record}, err
}

// unmoved refuses to write a key where the certificate is no longer the one that
// the plan read. Where there was none, writing the certificate finds out.
func (r *run) unmoved(h host.Host, expect string, c *resource.Certificate) error {
	if expect == "" || expect == "absent" || c.Combined { // the kubelet turns its link by itself
		return nil
	}
	o, err := h.Observe(r.ctx, facts.Request{Files: []facts.FileRequest{{Path: c.CertPath}}})
	if err != nil {
		return err
	}
	if got := o.Files[c.CertPath]; got.SHA256 != expect {
		return &host.ChangedError{Path: c.CertPath, Want: expect, Got: cmp.Or(got.SHA256, string(got.Type))}
	}
	return nil
}
