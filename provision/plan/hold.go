package plan

import (
	"fmt"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// hold replaces what should be by what was applied last, where the state holds
// a change back: it failed and was taken back, or the cluster was rolled back.
// The same configuration would only fail again.
func (c *comparison) hold() error {
	if c.in.Mode != Normal || c.in.Retry {
		return nil
	}
	list := c.in.Desired.All()
	changed := false
	for _, h := range c.in.State.Holds {
		if h.ConfigDigest != c.in.ConfigDigest {
			continue
		}
		if h.Unit == "" { // everything
			kept := c.in.Kept
			if kept == nil {
				kept = Applied(c.in.State)
			}
			if !sameSpecs(list, kept) {
				list, changed = kept, true
				c.holds(Held{Addr: addr.Address{Host: addr.Host{Role: addr.Cluster}}, Reason: h.Reason, Since: h.Since})
			}
			break
		}
		for _, a := range c.heldUnits(list, h) {
			list, changed = c.asApplied(list, a), true
			c.holds(Held{Addr: a, Reason: h.Reason, Since: h.Since})
		}
	}
	if !changed {
		return nil
	}
	set, err := resource.NewSet(closed(list))
	if err != nil {
		return fmt.Errorf("holding back what failed: %w; run `hardway apply --retry`", err)
	}
	c.in.Desired = set
	return nil
}

func (c *comparison) holds(h Held) {
	c.plan.Held = append(c.plan.Held, h)
	c.plan.Complete = false
}

// heldUnits are the units of the hold's name that would be changed.
func (c *comparison) heldUnits(list []resource.Resource, h state.Hold) []addr.Address {
	var out []addr.Address
	for _, r := range list {
		u := r.Spec.Unit
		if u == nil || u.Name != h.Unit {
			continue
		}
		if then := c.in.State.Resources[r.Addr].Spec.Unit; then != nil && then.Content != u.Content {
			out = append(out, r.Addr)
		}
	}
	return out
}

// asApplied puts a unit, and what it reads at its start, back to what was
// applied last.
func (c *comparison) asApplied(list []resource.Resource, unit addr.Address) []resource.Resource {
	then := c.in.State.Resources[unit]
	back := map[addr.Address]bool{unit: true}
	for _, r := range list {
		if r.Addr == unit {
			for _, a := range r.Spec.Unit.ReadAtStart {
				back[a] = true
			}
		}
	}
	for _, a := range then.Spec.Unit.ReadAtStart {
		back[a] = true
	}
	out := slices.DeleteFunc(slices.Clone(list), func(r resource.Resource) bool { return back[r.Addr] })
	for a := range back {
		if record, ok := c.in.State.Resources[a]; ok && !record.Removing {
			out = append(out, resource.Resource{Addr: a, Spec: known(record.Spec, c.in.State), DependsOn: record.DependsOn})
		}
	}
	return out
}

// Applied returns everything that the state records as a set that should be.
func Applied(s state.Public) []resource.Resource { return recorded(s, s) }

// recorded returns what a state records, with the material of another, newer one.
func recorded(s, material state.Public) []resource.Resource {
	var out []resource.Resource
	for _, a := range s.Addresses() {
		if r := s.Resources[a]; !r.Removing {
			out = append(out, resource.Resource{Addr: a, Spec: known(r.Spec, material), DependsOn: r.DependsOn})
		}
	}
	return closed(out)
}

// known fills in what was known only after the apply that made the record: the
// material that stands in the state by now.
func known(s resource.Spec, material state.Public) resource.Spec {
	if s.File == nil || s.File.Material == "" {
		return s
	}
	text, digest, ok := material.Material(s.File.Material)
	if !ok {
		return s
	}
	f := *s.File
	f.Content, f.Digest = string(text), digest
	s.File = &f
	return s
}

// closed drops the dependencies on what is not in the list, such as authorities,
// which live in the state.
func closed(list []resource.Resource) []resource.Resource {
	known := make(map[addr.Address]bool, len(list))
	for _, r := range list {
		known[r.Addr] = true
	}
	out := make([]resource.Resource, 0, len(list))
	for _, r := range list {
		r.DependsOn = slices.DeleteFunc(slices.Clone(r.DependsOn), func(a addr.Address) bool { return !known[a] })
		out = append(out, r)
	}
	return out
}

// sameSpecs reports whether two lists want the same of the hosts.
func sameSpecs(a, b []resource.Resource) bool {
	digests := func(list []resource.Resource) map[addr.Address]string {
		out := map[addr.Address]string{}
		for _, r := range list {
			if !inState(r.Spec) {
				out[r.Addr] = r.Spec.Digest()
			}
		}
		return out
	}
	x, y := digests(a), digests(b)
	if len(x) != len(y) {
		return false
	}
	for k, v := range x {
		if y[k] != v {
			return false
		}
	}
	return true
}
