package plan

import (
	"maps"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// deletion plans the removal of something we own and no longer want. What
// depended on it goes first, or is changed so that it no longer does: the
// recorded dependencies are turned around.
func (c *comparison) deletion(a addr.Address, r state.Record) {
	ch := Change{Addr: a, Action: Delete, Spec: r.Spec, Prior: &r.Prior, Disruption: None}
	if c.dependents == nil {
		c.dependents = map[addr.Address][]addr.Address{}
		for other, record := range c.in.State.Resources {
			for _, d := range record.DependsOn {
				c.dependents[d] = append(c.dependents[d], other)
			}
		}
	}
	ch.DependsOn = c.dependents[a] // order sorts them
	// With targets the cluster lives on, and its objects have to be told.
	whole := c.in.Mode == Destroy && len(c.in.Targets) == 0
	switch {
	case inState(r.Spec):
		if !whole {
			return // authorities outlive the configuration that named them
		}
	case a.Host.IsCluster():
		if whole {
			ch.Action, ch.Reason = Forget, "it goes with the cluster"
		} else if obs, ok := c.host(a); !ok || obs.Kube.State != facts.Up {
			c.deferred(&ch, "the API server does not answer")
			return
		}
	default:
		obs, ok := c.in.Observed[a.Host]
		if !ok {
			if !c.gone[a.Host] { // once a host
				c.gone[a.Host] = true
				c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: addr.Address{Host: a.Host}, Summary: "the host is no longer in the configuration; put its block back and run `hardway destroy --target`"})
			}
			c.plan.Complete = false
			return
		}
		if !obs.Reachable() {
			return // listed under Unknown
		}
		if d := r.Spec.Directory; d != nil && d.Data && !c.in.DestroyData {
			c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: a, Summary: d.Path + " and its data are kept; `hardway destroy --destroy-data` removes them"})
			return // and its record, for the day when somebody does
		}
		if c.in.Mode != Destroy && r.Spec.Packages != nil {
			ch.Action, ch.Reason = Forget, "what was installed stays; only destroy removes it"
			c.plan.Changes = append(c.plan.Changes, ch)
			return
		}
		if by, taken := c.taken(a, r.Spec); taken && !isFormer(a, r) {
			ch.Action, ch.Reason = Forget, "its place is that of "+by.String()+" now"
			c.plan.Changes = append(c.plan.Changes, ch)
			return
		}
		if c.in.Mode != Destroy && isFormer(a, r) && !c.deleteFormer(&ch) || c.in.Mode != Destroy && c.stillInside(&ch) {
			return
		}
		if u := r.Spec.Unit; u != nil && obs.Units[u.Name].Active == "active" {
			ch.Disruption = Restart
		}
		ch.Before = before(r.Spec, obs)
		if r.Prior.Exists && ch.Action == Delete {
			ch.Reason = "what stood there before is put back"
		}
	}
	c.plan.Changes = append(c.plan.Changes, ch)
}

// taken reports whether something else is wanted at a path of what is to go, such
// as an authority under the name that a certificate had.
func (c *comparison) taken(a addr.Address, s resource.Spec) (by addr.Address, taken bool) {
	if c.owners == nil {
		c.owners = map[place]addr.Address{}
		for _, r := range c.in.Desired.All() {
			for _, path := range placesOf(r.Spec) {
				c.owners[place{r.Addr.Host, path}] = r.Addr
			}
		}
	}
	for _, path := range placesOf(s) {
		if by, ok := c.owners[place{a.Host, path}]; ok && by != a {
			return by, true
		}
	}
	return addr.Address{}, false
}

// place is a path on a host.
type place struct {
	host addr.Host
	path string
}

// dropMaterial plans to forget the authorities and key pairs, last of all: as
// long as anything of the cluster is left, its keys are kept.
func (c *comparison) dropMaterial() {
	var all []addr.Address
	for _, ch := range c.plan.Changes {
		all = append(all, ch.Addr)
	}
	for _, name := range slices.Sorted(maps.Keys(c.in.State.Authorities)) {
		a := c.in.State.Authorities[name]
		c.plan.Changes = append(c.plan.Changes, Change{
			Addr: addr.Address{Host: addr.Host{Role: addr.Cluster}, Kind: string(resource.KindAuthority), Name: name}, Action: Delete,
			Spec: resource.Spec{Authority: &resource.Authority{Generation: a.Generation}}, DependsOn: all, Disruption: None,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(c.in.State.KeyPairs)) {
		c.plan.Changes = append(c.plan.Changes, Change{
			Addr: addr.Address{Host: addr.Host{Role: addr.Cluster}, Kind: string(resource.KindKeyPair), Name: name}, Action: Delete,
			Spec: resource.Spec{KeyPair: &resource.KeyPair{Generation: c.in.State.KeyPairs[name].Generation}}, DependsOn: all, Disruption: None,
		})
	}
}

// before describes what a deletion removes.
func before(s resource.Spec, obs facts.Observation) Attrs {
	if path := s.Path(); path != "" {
		f := obs.Files[path]
		out := Attrs{"path": value(path)}
		if f.Exists() {
			out["mode"], out["owner"] = mode(f.Mode), owner(f.Owner, f.Group)
		}
		return out
	}
	switch {
	case s.Sysctl != nil:
		return Attrs{"key": value(s.Sysctl.Key), "value": value(obs.Sysctls[s.Sysctl.Key])}
	case s.Module != nil:
		return Attrs{"module": value(s.Module.Name)}
	case s.Image != nil:
		return Attrs{"ref": value(s.Image.Ref)}
	case s.Packages != nil && !s.Packages.Remove:
		return Attrs{"packages": value("stay installed: host.remove_packages is false")}
	case s.Packages != nil:
		return Attrs{"packages": value("those that hardway installed")}
	case s.Firewall != nil:
		return Attrs{"mode": value(s.Firewall.Mode)}
	case s.SELinux != nil:
		return Attrs{"selinux": value(s.SELinux.Mode)}
	}
	return nil
}

// priorOf describes what stands where hardway is about to put something for
// the first time, so that destroy can put it back.
func priorOf(s resource.Spec, obs facts.Observation) *state.Prior {
	p := &state.Prior{}
	if path := s.Path(); path != "" {
		*p = state.PriorFile(obs.Files[path])
	}
	switch {
	case s.Sysctl != nil:
		p.Value, p.Exists = obs.Sysctls[s.Sysctl.Key], true
	case s.Module != nil:
		p.Exists = obs.Modules[s.Module.Name]
	case s.Swap != nil:
		p.Exists, p.Swaps = len(obs.Swaps) > 0 || len(swapAtBoot(obs)) > 0, obs.Swaps
	case s.Image != nil:
		_, p.Exists = obs.Images[s.Image.Ref]
	case s.Unit != nil:
		u := obs.Units[s.Unit.Name]
		p.Unit = &state.PriorUnit{Load: u.Load, Enabled: u.Enabled, Active: u.Active}
	}
	return p
}
