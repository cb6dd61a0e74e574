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

// rolling chains the restarts of running units across hosts, stage by stage:
// etcd members one at a time, then control planes one at a time, then the
// nodes. A first creation stays parallel: nothing runs that could be lost.
//
// The chain is made of dependencies, so apply needs no rule of its own for it:
// a failed gate leaves everything behind it undone, which is the breaker.
func rolling(changes []Change) {
	stages := []string{stageEtcd, stageControlPlane, stageNode}
	var before []addr.Address // the restarts of the stage before
	for _, stage := range stages {
		byHost := map[addr.Host][]int{}
		var hosts []addr.Host
		for i, c := range changes {
			if c.Spec.Unit == nil || c.Spec.Unit.Stage != stage || c.Disruption != Restart || c.Action == Delete {
				continue
			}
			if byHost[c.Addr.Host] == nil {
				hosts = append(hosts, c.Addr.Host)
			}
			byHost[c.Addr.Host] = append(byHost[c.Addr.Host], i)
		}
		if len(hosts) == 0 {
			continue
		}
		slices.SortFunc(hosts, addr.Host.Compare)
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
		before = all
	}
}
