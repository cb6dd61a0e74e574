package plan

import (
	"fmt"
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// The stages of a rolling change, in order.
const (
	stageEtcd         = "etcd"
	stageControlPlane = "control-plane"
	stageNode         = "node"
)

// restoreWithin is how long a unit that ran before may take until its gate opens
// again. It is what decides how long a broken change stays in force; a unit of
// a first creation has its gate's own, longer time.
const restoreWithin = 45 * time.Second

// waves chains what happens to running units across hosts, stage by stage:
// etcd members one at a time, then control planes one at a time, then the
// nodes. A first creation stays parallel: nothing runs that could be lost.
//
// The chain is made of dependencies, so apply needs no rule of its own for it:
// a failed gate leaves everything behind it undone, which is the breaker. What
// a unit reads at its start is written only when its host's turn has come: a
// process that comes back by itself on another host must not find it there.
func (c *comparison) waves() []Wave {
	changes := c.plan.Changes
	index := make(map[addr.Address]int, len(changes))
	for i, ch := range changes {
		index[ch.Addr] = i
	}
	units := map[addr.Address]int{} // how many units of its host need a resource
	for _, ch := range changes {
		if ch.Spec.Unit == nil {
			continue
		}
		for _, d := range ch.DependsOn {
			if d.Host == ch.Addr.Host {
				units[d]++
			}
		}
	}
	quorum := c.etcdQuorum()
	if !quorum {
		withoutQuorum(changes)
	}
	var out []Wave
	var before []addr.Address          // what the stage before did
	chained := map[addr.Address]bool{} // by the first stage that reads it, or needed by one before
	for _, stage := range []string{stageEtcd, stageControlPlane, stageNode} {
		hosts, byHost := c.chain(stage)
		if stage == stageEtcd && !quorum { // nothing to chain: there is no quorum to lose
			for _, h := range hosts {
				out = c.wave(out, stage, h, byHost[h], "etcd has no quorum now: its members start together")
			}
			continue
		}
		previous := before
		var all []addr.Address
		for _, h := range hosts {
			var mine []addr.Address
			for _, i := range byHost[h] {
				ch := &changes[i]
				with := ch.Spec.Unit.With(h, ch.DependsOn)
				ch.waitFor(previous...)
				mine = append(mine, ch.Addr)
				for _, a := range with {
					j, ok := index[a]
					if !ok || chained[a] || changes[j].Action == NoOp {
						continue
					}
					chained[a] = true
					changes[j].waitFor(previous...)
					if units[a] <= 1 { // a shared one cannot wait for those that it is for
						changes[j].waitFor(c.unitsBefore(ch, index)...)
					}
				}
				c.restorable(ch, index)
			}
			out = c.wave(out, stage, h, byHost[h], c.risk(stage, byHost[h]))
			previous = mine
			all = append(all, mine...)
		}
		for _, h := range hosts {
			for _, i := range byHost[h] {
				for _, a := range changes[i].DependsOn {
					chained[a] = true
				}
			}
		}
		if len(all) > 0 {
			before = all
		}
	}
	return out
}

// chain lists the hosts of a stage in the order of their turn, and which changes
// of units happen then: those that restart what runs and, beside them or for etcd
// in any case, what is not healthy or whose gate an earlier apply did not pass.
// That comes first: until it is healthy, nothing healthy may be touched.
func (c *comparison) chain(stage string) (hosts []addr.Host, byHost map[addr.Host][]int) {
	var all []int
	restarts := false
	for i, ch := range c.plan.Changes {
		if ch.Spec.Unit == nil || ch.Spec.Unit.Stage != stage || ch.Action == Delete {
			continue
		}
		if disturbs(ch) || c.sick(ch) {
			all = append(all, i)
			restarts = restarts || ch.Disruption == Restart
		}
	}
	byHost = map[addr.Host][]int{}
	for _, i := range all {
		ch := c.plan.Changes[i]
		if !restarts && !disturbs(ch) { // nothing runs that could be lost
			continue
		}
		if byHost[ch.Addr.Host] == nil {
			hosts = append(hosts, ch.Addr.Host)
		}
		byHost[ch.Addr.Host] = append(byHost[ch.Addr.Host], i)
	}
	sick := func(h addr.Host) bool {
		return slices.ContainsFunc(byHost[h], func(i int) bool { return c.sick(c.plan.Changes[i]) })
	}
	slices.SortFunc(hosts, func(a, b addr.Host) int {
		if x, y := sick(a), sick(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return a.Compare(b)
	})
	return hosts, byHost
}

// sick reports whether a unit that is there is not running, or whether an earlier
// apply did not see it healthy.
func (c *comparison) sick(ch Change) bool {
	u := ch.Spec.Unit
	if u == nil || !u.Running || ch.Action != Update && ch.Action != Replace {
		return false
	}
	return ch.Before["state"].Text != "active" || c.in.State.Resources[ch.Addr].Pending
}

// unitsBefore are the units of the same host that have to be healthy before the
// unit is touched: what it alone reads is not written before that either.
func (c *comparison) unitsBefore(ch *Change, index map[addr.Address]int) []addr.Address {
	var out []addr.Address
	for _, d := range ch.DependsOn {
		if i, ok := index[d]; ok && d.Host == ch.Addr.Host && c.plan.Changes[i].Spec.Unit != nil {
			out = append(out, d)
		}
	}
	return out
}

// wave appends a wave of the units that it interrupts; waiting once more for a
// gate interrupts nothing.
func (c *comparison) wave(out []Wave, stage string, h addr.Host, indices []int, risk string) []Wave {
	w := Wave{Stage: stage, Host: h, Risk: risk}
	for _, i := range indices {
		if ch := c.plan.Changes[i]; ch.Disruption != None {
			w.Units = append(w.Units, WaveUnit{Addr: ch.Addr, Disruption: ch.Disruption, Restores: len(ch.Restore) > 0})
		}
	}
	if len(w.Units) == 0 {
		return out
	}
	return append(out, w)
}

// restorable lists what apply puts back when the unit does not become healthy.
// Only what hardway itself left there is put back: what somebody else wrote, or
// what nobody knows whether it worked, is no better.
func (c *comparison) restorable(ch *Change, index map[addr.Address]int) {
	unsettled := c.in.State.Resources[ch.Addr].Last // of an apply that ended before the unit was seen healthy
	ran := ch.Disruption == Restart && ch.Before["state"].Text == "active"
	if !ran && (unsettled == nil || unsettled.Spec.Unit == nil) {
		return
	}
	var list []addr.Address
	for _, a := range append(ch.Spec.Unit.With(ch.Addr.Host, ch.DependsOn), ch.Addr) {
		record, ours := c.in.State.Resources[a]
		i, planned := index[a]
		switch {
		case ours && record.Last != nil: // its host keeps what was there before that apply
		case !planned || c.plan.Changes[i].Action == NoOp:
			if record.Changed.After(c.in.State.Resources[ch.Addr].Applied) {
				return // it was changed since the unit was last seen healthy, and nobody kept what it was then
			}
			continue
		case c.plan.Changes[i].Action == Create && !ours && a != ch.Addr: // a new file: it goes again
		case !ours || record.Pending || record.Removing || record.RestartOwed:
			return
		case c.plan.Changes[i].Expect != "" && record.SHA256 != "" && c.plan.Changes[i].Expect != record.SHA256:
			return
		}
		list = append(list, a)
	}
	if len(list) == 0 || !slices.Contains(list, ch.Addr) {
		return
	}
	ch.Restore = list
	if g := ch.Spec.Unit.Gate; g != nil {
		ch.Within = min(g.Timeout, restoreWithin)
	} else {
		ch.Within = restoreWithin
	}
}

// risk says what the cluster lacks while the units of a wave restart.
func (c *comparison) risk(stage string, indices []int) string {
	switch stage {
	case stageEtcd:
		if !anyRestart(c.plan.Changes, indices) {
			return ""
		}
		members, healthy := c.etcdMembers(c.plan.Changes[indices[0]].Addr.Host)
		n := len(members) + 1
		switch q := n/2 + 1; {
		case n == 1:
			return "etcd has one member: the API stands still while it restarts"
		case healthy < q:
			return fmt.Sprintf("etcd loses its quorum while it restarts: %d of %d members stay, %d are needed", healthy, n, q)
		case healthy == q:
			return fmt.Sprintf("%d of %d members stay, exactly the quorum: no other may fail meanwhile", healthy, n)
		}
	case stageControlPlane:
		for _, i := range indices {
			ch := c.plan.Changes[i]
			if ch.Addr.Name != apiServer || ch.Disruption != Restart {
				continue
			}
			switch masters, running := c.apiServers(ch.Addr.Host); {
			case masters == 0:
				return "the API does not answer while kube-apiserver restarts: there is one master"
			case running == 0:
				return "the API does not answer while kube-apiserver restarts: no other one is running"
			}
		}
	}
	return ""
}

const apiServer = "kube-apiserver"

// apiServers counts the API servers of other hosts, and those of them that were
// seen running.
func (c *comparison) apiServers(except addr.Host) (others, running int) {
	for _, r := range c.in.Desired.All() {
		if r.Spec.Unit == nil || r.Addr.Name != apiServer || r.Addr.Host == except {
			continue
		}
		others++
		if c.seen(r.Addr.Host) && c.in.Observed[r.Addr.Host].Units[r.Spec.Unit.Name].Active == "active" {
			running++
		}
	}
	return others, running
}

// disturbs reports whether a change belongs into the chain: it restarts what
// runs or, for etcd, anything else that happens to a member of a living cluster,
// such as waiting again for a gate that an earlier apply did not pass.
func disturbs(c Change) bool {
	if c.Action == Delete {
		return false
	}
	return c.Disruption == Restart || c.Spec.Unit.Stage == stageEtcd && c.Action == Update
}

func anyRestart(changes []Change, indices []int) bool {
	return slices.ContainsFunc(indices, func(i int) bool { return changes[i].Disruption == Restart })
}

// etcdQuorum reports whether there may be a quorum to lose. A member is active
// only once it has joined one: its unit is of Type=notify. One that could not be
// seen may be running.
func (c *comparison) etcdQuorum() bool {
	members, running := c.etcdMembers(addr.Host{})
	unseen := 0
	for _, m := range members {
		if !c.seen(m.Host) {
			unseen++
		}
	}
	return running+unseen >= len(members)/2+1
}

// withoutQuorum starts all members together: each says that it is ready only
// when it has joined a quorum, so whoever waits for the first never starts the
// second. There is no quorum that a restart could cost.
func withoutQuorum(changes []Change) {
	for i := range changes {
		if c := &changes[i]; c.Spec.Unit != nil && c.Spec.Unit.Stage == stageEtcd && c.Unit != nil && c.Unit.Start == "restart" {
			c.Unit.Start = "restart-no-block"
		}
	}
}

// etcdMembers are the other members of etcd, whether this plan is about them or
// not, and how many of them were seen running.
func (c *comparison) etcdMembers(except addr.Host) (others []Member, running int) {
	seen := map[addr.Host]bool{except: true}
	add := func(a addr.Address, u *resource.Unit, active bool) {
		if u == nil || u.Stage != stageEtcd || seen[a.Host] {
			return
		}
		seen[a.Host] = true
		m := Member{Host: a.Host}
		if u.Gate != nil {
			m.Gate = *u.Gate
		}
		others = append(others, m)
		if active {
			running++
		}
	}
	for _, ch := range c.plan.Changes {
		if ch.Action != Delete {
			add(ch.Addr, ch.Spec.Unit, ch.Before["state"].Text == "active")
		}
	}
	observed := func(a addr.Address, u *resource.Unit) {
		add(a, u, u != nil && c.seen(a.Host) && c.in.Observed[a.Host].Units[u.Name].Active == "active")
	}
	for _, r := range c.in.Desired.All() {
		observed(r.Addr, r.Spec.Unit)
	}
	for _, a := range c.in.State.Addresses() {
		observed(a, c.in.State.Resources[a].Spec.Unit)
	}
	slices.SortFunc(others, func(a, b Member) int { return a.Host.Compare(b.Host) })
	return others, running
}

// guardQuorum lets a running member of etcd be restarted only where enough of the
// others are healthy: apply asks them again right before. Where they cannot be,
// the change waits.
func (c *comparison) guardQuorum() {
	why := map[addr.Address]string{}
	for i := range c.plan.Changes {
		ch := &c.plan.Changes[i]
		if ch.Spec.Unit == nil || ch.Spec.Unit.Stage != stageEtcd || ch.Disruption != Restart || ch.Action == Delete || ch.Before["state"].Text != "active" {
			continue
		}
		others, running := c.etcdMembers(ch.Addr.Host)
		n := len(others) + 1
		if n == 1 || !c.etcdQuorum() { // nobody else, or no quorum that could be lost
			continue
		}
		need := min(n/2+1, n-1)
		if running < need && c.anyUnseen(others) {
			why[ch.Addr] = fmt.Sprintf("restarting it would cost etcd its quorum: %d of the %d other members could be seen running, %d are needed", running, n-1, need)
			continue
		}
		ch.Quorum = &Quorum{Need: need, Members: others}
	}
	c.postpone(why)
}

func (c *comparison) anyUnseen(members []Member) bool {
	return slices.ContainsFunc(members, func(m Member) bool { return !c.seen(m.Host) })
}

func (c *comparison) seen(h addr.Host) bool {
	o, ok := c.in.Observed[h]
	return ok && o.Reachable()
}
