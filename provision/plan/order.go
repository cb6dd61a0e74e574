package plan

import (
	"fmt"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// order sorts the changes so that each stands behind what it depends on, and
// otherwise by address, so that equal plans read equally. Dependencies on
// resources that are not in the plan (targets, deferred ones) are dropped.
func order(changes []Change) ([]Change, error) {
	index := make(map[addr.Address]int, len(changes))
	for i, c := range changes {
		index[c.Addr] = i
	}
	waiting := make([]int, len(changes)) // how many dependencies are still to come
	dependents := make([][]int, len(changes))
	for i := range changes {
		c := &changes[i]
		c.DependsOn = slices.DeleteFunc(slices.Clone(c.DependsOn), func(a addr.Address) bool {
			_, ok := index[a]
			return !ok
		})
		slices.SortFunc(c.DependsOn, addr.Address.Compare)
		c.DependsOn = slices.Compact(c.DependsOn)
		waiting[i] = len(c.DependsOn)
		for _, d := range c.DependsOn {
			dependents[index[d]] = append(dependents[index[d]], i)
		}
	}
	var ready []int
	for i, n := range waiting {
		if n == 0 {
			ready = append(ready, i)
		}
	}
	less := func(a, b int) int { return changes[a].Addr.Compare(changes[b].Addr) }
	out := make([]Change, 0, len(changes))
	for len(ready) > 0 { // layer by layer: what can run together stands together
		slices.SortFunc(ready, less)
		var next []int
		for _, i := range ready {
			out = append(out, changes[i])
			for _, d := range dependents[i] {
				if waiting[d]--; waiting[d] == 0 {
					next = append(next, d)
				}
			}
		}
		ready = next
	}
	if len(out) != len(changes) {
		var stuck []string
		for i, n := range waiting {
			if n > 0 {
				stuck = append(stuck, changes[i].Addr.String())
			}
		}
		return nil, fmt.Errorf("dependency cycle among %s", strings.Join(stuck, ", "))
	}
	return out, nil
}

// target keeps what the targets cover and everything that it depends on.
func (c *comparison) target() error {
	if len(c.in.Targets) == 0 {
		return nil
	}
	byAddr := make(map[addr.Address]Change, len(c.plan.Changes))
	for _, ch := range c.plan.Changes {
		byAddr[ch.Addr] = ch
	}
	keep := map[addr.Address]bool{}
	var pull func(a addr.Address)
	pull = func(a addr.Address) {
		ch, ok := byAddr[a]
		if !ok || keep[a] {
			return
		}
		keep[a] = true
		for _, d := range ch.DependsOn {
			pull(d)
		}
	}
	for _, t := range c.in.Targets {
		for a := range byAddr {
			if t.Covers(a) {
				pull(a)
			}
		}
		if !c.exists(t) {
			return fmt.Errorf("--target %s: no such resource; `hardway plan --verbose` lists them", t)
		}
	}
	c.plan.Changes = slices.DeleteFunc(c.plan.Changes, func(ch Change) bool { return !keep[ch.Addr] })
	c.plan.Deferred = slices.DeleteFunc(c.plan.Deferred, func(d Deferred) bool {
		return !slices.ContainsFunc(c.in.Targets, func(t addr.Address) bool { return t.Covers(d.Addr) })
	})
	// Hosts that the targets do not speak of may be out of reach. What belongs
	// to the cluster is seen through the masters.
	c.plan.Unknown = slices.DeleteFunc(c.plan.Unknown, func(u Unknown) bool {
		return !slices.ContainsFunc(c.in.Targets, func(t addr.Address) bool {
			return t.Host == u.Host || t.Host.IsCluster() && u.Host.Role == addr.Master
		})
	})
	c.plan.Warnings = slices.DeleteFunc(c.plan.Warnings, func(w Warning) bool {
		return !slices.ContainsFunc(c.in.Targets, func(t addr.Address) bool { return t.Host == w.Addr.Host })
	})
	c.plan.Held = slices.DeleteFunc(c.plan.Held, func(h Held) bool {
		return !h.Addr.Host.IsCluster() && !slices.ContainsFunc(c.in.Targets, func(t addr.Address) bool { return t.Covers(h.Addr) })
	})
	gone := slices.ContainsFunc(c.in.Targets, func(t addr.Address) bool { return c.gone[t.Host] })
	c.plan.Complete = len(c.plan.Deferred)+len(c.plan.Unknown)+len(c.plan.Held) == 0 && !gone
	return nil
}

// exists reports whether the target names anything that is or should be, seen
// or not.
func (c *comparison) exists(t addr.Address) bool {
	covers := func(a addr.Address) bool { return t.Covers(a) }
	return slices.ContainsFunc(c.in.Desired.All(), func(r resource.Resource) bool { return covers(r.Addr) }) ||
		slices.ContainsFunc(c.in.State.Addresses(), covers) ||
		slices.ContainsFunc(c.plan.Changes, func(ch Change) bool { return covers(ch.Addr) })
}
