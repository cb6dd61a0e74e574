package plan

import (
	"slices"

	"hardway/provision/addr"
)

// The stages of a rolling change, in order.
const (
	stageEtcd         = "etcd"
	stageControlPlane = "control-plane"
	stageNode         = "node"
)

// rolling chains what happens to running units across hosts, stage by stage:
// etcd members one at a time, then control planes one at a time, then the
// nodes. A first creation stays parallel: nothing runs that could be lost.
//
// The chain is made of dependencies, so apply needs no rule of its own for it:
// a failed gate leaves everything behind it undone, which is the breaker.
func rolling(changes []Change) {
	quorum := etcdQuorum(changes)
	if !quorum {
		withoutQuorum(changes)
	}
	var before []addr.Address // what the stage before did
	for _, stage := range []string{stageEtcd, stageControlPlane, stageNode} {
		if stage == stageEtcd && !quorum {
			continue
		}
		byHost := map[addr.Host][]int{}
		var hosts []addr.Host
		for i, c := range changes {
			if c.Spec.Unit == nil || c.Spec.Unit.Stage != stage || !disturbs(c) {
				continue
			}
			if byHost[c.Addr.Host] == nil {
				hosts = append(hosts, c.Addr.Host)
			}
			byHost[c.Addr.Host] = append(byHost[c.Addr.Host], i)
		}
		// A member that is down, or whose gate was never passed, comes first: until
		// it is healthy, no healthy one may be touched.
		slices.SortFunc(hosts, func(a, b addr.Host) int {
			if x, y := anyRestart(changes, byHost[a]), anyRestart(changes, byHost[b]); x != y {
				if y {
					return -1
				}
				return 1
			}
			return a.Compare(b)
		})
		previous := before
		var all []addr.Address
		for _, h := range hosts {
			var mine []addr.Address
			for _, i := range byHost[h] {
				changes[i].DependsOn = append(slices.Clone(changes[i].DependsOn), previous...)
				mine = append(mine, changes[i].Addr)
			}
			previous = mine
			all = append(all, mine...)
		}
		if len(all) > 0 {
			before = all
		}
	}
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

// etcdQuorum reports whether enough members run that there is a quorum to lose.
// A member is active only once it has joined one: its unit is of Type=notify.
func etcdQuorum(changes []Change) bool {
	members, active := 0, 0
	for _, c := range changes {
		if c.Spec.Unit == nil || c.Spec.Unit.Stage != stageEtcd || c.Action == Delete {
			continue
		}
		members++
		if c.Before["state"].Text == "active" {
			active++
		}
	}
	return active >= members/2+1
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
