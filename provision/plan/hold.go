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
		units := c.heldUnits(list, h)
		for _, a := range units {
			list, changed = c.asApplied(list, a), true
			c.holds(Held{Addr: a, Reason: h.Reason, Since: h.Since})
		}
		if len(units) > 0 {
			list = c.behind(list, units, h)
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
		if then, ours := c.in.State.Resources[r.Addr].Was(); ours && then.Spec.Unit != nil && then.Spec.Unit.Content != u.Content {
			out = append(out, r.Addr)
		}
	}
	return out
}

// asApplied puts a unit, and what it reads at its start, back to what was
// applied last.
func (c *comparison) asApplied(list []resource.Resource, unit addr.Address) []resource.Resource {
	back := map[addr.Address]bool{unit: true}
	for _, r := range list {
		if r.Addr == unit && r.Spec.Unit != nil {
			for _, a := range r.Spec.Unit.With(unit.Host, r.DependsOn) {
				back[a] = true
			}
		}
	}
	if then, ours := c.in.State.Resources[unit].Was(); ours && then.Spec.Unit != nil {
		for _, a := range then.Spec.Unit.With(unit.Host, then.DependsOn) {
			back[a] = true
		}
	}
	out := slices.DeleteFunc(slices.Clone(list), func(r resource.Resource) bool { return back[r.Addr] })
	for a := range back {
		if record, ok := c.in.State.Resources[a]; ok && !record.Removing {
			if was, ours := record.Was(); ours {
				out = append(out, resource.Resource{Addr: a, Spec: known(was.Spec, c.in.State), DependsOn: was.DependsOn})
			}
		}
	}
	return out
}

// behind keeps as it was applied, too, all that depends on units which are held
// back: what was skipped when they failed is no better without them. What would
// be new waits.
func (c *comparison) behind(list []resource.Resource, units []addr.Address, h state.Hold) []resource.Resource {
	dependents := map[addr.Address][]addr.Address{}
	specs := map[addr.Address]resource.Resource{}
	for _, r := range list {
		specs[r.Addr] = r
		for _, d := range r.DependsOn {
			dependents[d] = append(dependents[d], r.Addr)
		}
	}
	for _, a := range c.in.State.Addresses() { // the old edges count as well
		for _, d := range c.in.State.Resources[a].DependsOn {
			dependents[d] = append(dependents[d], a)
		}
	}
	seen := map[addr.Address]bool{}
	for _, a := range units {
		seen[a] = true
	}
	for queue := slices.Clone(units); len(queue) > 0; queue = queue[1:] {
		for _, a := range dependents[queue[0]] {
			r, wanted := specs[a]
			if seen[a] || !wanted {
				continue
			}
			seen[a] = true
			queue = append(queue, a)
			record, made := c.in.State.Resources[a]
			switch was, ours := record.Was(); {
			case !made || !ours:
				list = slices.DeleteFunc(list, func(x resource.Resource) bool { return x.Addr == a })
				c.deferred(&Change{Addr: a}, fmt.Sprintf("it needs %s, which is held back", queue[0]))
			case r.Spec.Digest() == known(was.Spec, c.in.State).Digest():
			default:
				list = c.asApplied(list, a)
				if r.Spec.Unit != nil {
					c.holds(Held{Addr: a, Reason: fmt.Sprintf("it needs %s, which is held back", queue[0]), Since: h.Since})
				}
			}
		}
	}
	return list
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
