package plan

import (
	"fmt"
	"slices"
)

// checkMembers refuses to destroy some members of etcd and leave others: the
// API servers depend on all of them, so the whole cluster would go down with
// one, and etcd would still count the member that is gone.
func (c *comparison) checkMembers() error {
	if c.in.Mode != Destroy || len(c.in.Targets) == 0 {
		return nil
	}
	isMember := func(u *Change) bool { return u.Spec.Unit != nil && u.Spec.Unit.Stage == stageEtcd }
	members, going := 0, 0
	for _, r := range c.in.State.Resources {
		if r.Spec.Unit != nil && r.Spec.Unit.Stage == stageEtcd {
			members++
		}
	}
	first := slices.IndexFunc(c.plan.Changes, func(ch Change) bool { return isMember(&ch) && ch.Action == Delete })
	for _, ch := range c.plan.Changes {
		if isMember(&ch) && ch.Action == Delete {
			going++
		}
	}
	if first >= 0 && going < members {
		return fmt.Errorf("%s: destroying one of %d etcd members is not supported yet: etcd would have to let it go first; destroy the whole cluster, or only nodes", c.plan.Changes[first].Addr.Host, members)
	}
	return nil
}
