package plan

import (
	"fmt"
	"path"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Former is the old place of a program or of a certificate that gets another one
// under the same address. What reads it there is restarted by the same plan; a
// later one removes it. Until then its record stands under an address that is
// named by the path, so that an apply that is interrupted forgets nothing.
type Former struct {
	Addr addr.Address  `json:"address"`
	Spec resource.Spec `json:"spec"`
}

// former returns what a change of place leaves behind; nil where all stays, or
// where the kubelet has turned the file since.
func former(a addr.Address, was, is resource.Spec) *Former {
	old := was
	switch {
	case was.Binary != nil && is.Binary != nil:
		if was.Binary.Path == is.Binary.Path {
			return nil
		}
	case was.Certificate != nil && is.Certificate != nil && !was.Certificate.Combined && !is.Certificate.Combined:
		from, to := *was.Certificate, is.Certificate
		used := func(p string) bool { return p == to.CertPath || p == to.KeyPath }
		switch cert, key := used(from.CertPath), used(from.KeyPath); {
		case cert && key:
			return nil
		case cert: // Combined is one file
			from.CertPath, from.Combined = from.KeyPath, true
		case key:
			from.KeyPath, from.Combined = from.CertPath, true
		}
		old = resource.Spec{Certificate: &from}
	default:
		return nil
	}
	return &Former{Addr: addr.Address{Host: a.Host, Kind: a.Kind, Name: old.Path()}, Spec: old}
}

// isFormer reports whether a record is of an old place.
func isFormer(a addr.Address, r state.Record) bool {
	return (r.Spec.Binary != nil || r.Spec.Certificate != nil) && a.Name == r.Path() && strings.HasPrefix(a.Name, "/")
}

// moves notes that a resource gets another place, where whatever stands is not
// ours, and what is left at the old one. It reports whether it does.
func (c *comparison) moves(ch *Change, record state.Record) bool {
	f := former(ch.Addr, record.Spec, ch.Spec)
	if f == nil && record.Path() == ch.Spec.Path() {
		return false
	}
	if f == nil {
		c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: ch.Addr,
			Summary: fmt.Sprintf("it moves from %s to %s; what stands at the old place is left there: remove it by hand", record.Path(), ch.Spec.Path())})
		return true
	}
	ch.Former = f
	if _, waits := c.in.State.Resources[f.Addr]; !waits { // else its removal is planned already
		c.deferred(&Change{Addr: f.Addr}, "it is removed by the next plan, when nothing reads it any more")
	}
	return true
}

// back is what stood at a path before hardway came, where a resource returns to a
// place from which its own files were not removed yet.
func (c *comparison) back(ch *Change) *state.Prior {
	a := addr.Address{Host: ch.Addr.Host, Kind: ch.Addr.Kind, Name: ch.Spec.Path()}
	if r, ok := c.in.State.Resources[a]; ok && isFormer(a, r) {
		prior := r.Prior
		return &prior
	}
	return nil
}

// deleteFormer finishes the plan to remove an old place: not while a unit that
// reads it is held back, not before what still reads it is restarted, and not at
// all where its files are wanted again.
func (c *comparison) deleteFormer(ch *Change) (planned bool) {
	for _, r := range c.in.Desired.All() {
		if r.Addr.Host != ch.Addr.Host {
			continue
		}
		for _, p := range placesOf(r.Spec) {
			for _, old := range placesOf(ch.Spec) {
				if p == old {
					ch.Action, ch.Reason, ch.DependsOn = Forget, "it is in its old place again", []addr.Address{r.Addr}
					return true
				}
			}
		}
		if r.Spec.Unit != nil {
			ch.DependsOn = append(ch.DependsOn, r.Addr)
		}
	}
	if len(c.plan.Held) > 0 {
		return c.deferred(ch, "what is held back may still read it")
	}
	return true
}

// stillInside defers the removal of a directory out of which something is moved
// that a later plan removes.
func (c *comparison) stillInside(ch *Change) bool {
	d := ch.Spec.Directory
	if d == nil {
		return false
	}
	for _, other := range c.plan.Changes {
		if other.Former == nil || other.Addr.Host != ch.Addr.Host {
			continue
		}
		for _, p := range placesOf(other.Former.Spec) {
			if strings.HasPrefix(p, path.Clean(d.Path)+"/") {
				c.deferred(ch, "what was moved out of it is removed first")
				return true
			}
		}
	}
	return false
}

// placesOf are the paths of a file, a program or a certificate with its key.
func placesOf(s resource.Spec) []string {
	if cert := s.Certificate; cert != nil && !cert.Combined {
		return []string{cert.CertPath, cert.KeyPath}
	}
	if s.Certificate != nil || s.Binary != nil || s.File != nil {
		return []string{s.Path()}
	}
	return nil
}
