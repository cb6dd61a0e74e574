package state

import (
	"encoding/json"
	"regexp"
	"strings"

	"hardway/provision/resource"
)

// Redacted returns the record as it may be shown. A record holds no private key
// and no secret by itself; what looks like one all the same, because somebody wrote
// it into the configuration, is left out, and so is the manifest of a Secret. The
// digests stay.
func (r Record) Redacted() Record {
	if f := r.Spec.File; f != nil && looksSecret(f.Content) {
		c := *f
		if c.Digest == "" {
			c.Digest = resource.SHA256([]byte(f.Content))
		}
		c.Content = hidden
		r.Spec.File = &c
	}
	if b := r.Spec.Block; b != nil && looksSecret(b.Content) {
		c := *b
		c.Content = hidden
		r.Spec.Block = &c
	}
	if u := r.Spec.Unit; u != nil && looksSecret(u.Content) {
		c := *u
		c.Content = hidden
		r.Spec.Unit = &c
	}
	if o := r.Spec.Object; o != nil && (strings.EqualFold(o.Kind, "secret") || looksSecret(string(o.Manifest))) {
		c := *o
		c.Manifest = json.RawMessage(`"` + hidden + `"`)
		r.Spec.Object = &c
	}
	return r
}

// secretive finds what may be a credential in a text: a PEM key, or the fields
// of a kubeconfig and their like.
var secretive = regexp.MustCompile(`PRIVATE KEY-----|(?im)^[\s"'-]*(client-key-data|id-token|refresh-token|client-secret|token|password|secret)["']?\s*[:=]`)

func looksSecret(text string) bool { return secretive.MatchString(text) }
