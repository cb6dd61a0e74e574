package plan

import (
	"fmt"
	"maps"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/facts"
)

// unknown lists the hosts of which nothing is known: that is never "no changes".
func (c *comparison) unknown() {
	c.unseen = map[addr.Host]string{}
	for h, o := range c.in.Observed {
		if !o.Reachable() {
			c.unseen[h] = o.Err
		}
	}
	for _, r := range c.in.Desired.All() {
		if _, asked := c.in.Observed[r.Addr.Host]; !asked && !r.Addr.Host.IsCluster() {
			c.unseen[r.Addr.Host] = "it was not observed"
		}
	}
	for _, h := range slices.SortedFunc(maps.Keys(c.unseen), addr.Host.Compare) {
		c.plan.Unknown = append(c.plan.Unknown, Unknown{Host: h, Reason: c.unseen[h]})
		c.plan.Complete = false
	}
}

// waitForUnseen leaves for later what needs a host that could not be read. What
// does not is done: one dead host costs the others nothing.
//
// A cluster whose API answers has what its nodes need of the masters, whichever
// of them is silent. Removing things needs nobody.
func (c *comparison) waitForUnseen() {
	if len(c.unseen) == 0 || c.in.Mode == Destroy {
		return
	}
	lives := false
	if o, ok := c.host(addr.Address{Host: addr.Host{Role: addr.Cluster}}); ok {
		lives = o.Kube.State == facts.Up
	}
	why := map[addr.Address]string{}
	for _, ch := range c.plan.Changes {
		if ch.Action == NoOp {
			continue
		}
		for _, d := range ch.DependsOn {
			if _, unseen := c.unseen[d.Host]; unseen && !(lives && d.Host.Role == addr.Master) {
				why[ch.Addr] = fmt.Sprintf("it needs %s, and %s could not be read", d, d.Host)
				break
			}
		}
	}
	c.postpone(why)
}

// postpone takes changes out of the plan, with all that depends on them, and
// lists them as decided later. What changes nothing anyway stays. What a running
// unit reads at its start is not written before the unit's own turn either: a
// process that falls over would come back with it.
func (c *comparison) postpone(why map[addr.Address]string) {
	if len(why) == 0 {
		return
	}
	inputs := map[addr.Address][]addr.Address{}
	for _, ch := range c.plan.Changes {
		if u := ch.Spec.Unit; u != nil && ch.Action != Delete && runs(ch.Before["state"].Text) {
			inputs[ch.Addr] = u.With(ch.Addr.Host, ch.DependsOn)
		}
	}
	dependents := map[addr.Address][]addr.Address{}
	for _, ch := range c.plan.Changes {
		if ch.Action == NoOp { // it is as it should be already, so nobody waits for it
			continue
		}
		for _, d := range ch.DependsOn {
			dependents[d] = append(dependents[d], ch.Addr)
		}
	}
	queue := slices.SortedFunc(maps.Keys(why), addr.Address.Compare)
	for len(queue) > 0 {
		a := queue[0]
		queue = queue[1:]
		for _, d := range dependents[a] {
			if _, known := why[d]; !known {
				why[d] = fmt.Sprintf("it needs %s, which is decided later", a)
				queue = append(queue, d)
			}
		}
		for _, read := range inputs[a] {
			if _, known := why[read]; !known {
				why[read] = fmt.Sprintf("%s reads it at its start, which is decided later", a)
				queue = append(queue, read)
			}
		}
	}
	c.plan.Changes = slices.DeleteFunc(c.plan.Changes, func(ch Change) bool {
		reason, later := why[ch.Addr]
		if !later || ch.Action == NoOp {
			return false
		}
		c.deferred(&ch, reason)
		return true
	})
}
