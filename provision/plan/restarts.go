package plan

import "hardway/provision/addr"

// foreignInputs restarts the units that may run with something foreign: a file,
// binary or certificate that they read at their start was replaced by somebody,
// and this plan puts it right. The digest of the inputs cannot show it, since
// what should be there has not changed.
func foreignInputs(changes []Change) {
	replaced := map[addr.Address]bool{}
	for _, c := range changes {
		if (c.Action == Update || c.Action == Replace) && !metaOnly(c) && !rewritten(c) {
			replaced[c.Addr] = true
		}
	}
	for i := range changes {
		c := &changes[i]
		u := c.Spec.Unit
		if u == nil || !u.Running || c.Unit == nil || c.Unit.Start != "" || (c.Action != NoOp && c.Action != Update) {
			continue
		}
		for _, a := range u.ReadAtStart {
			if replaced[a] {
				c.note(Update, "it may run with what stood in "+a.String()+" before")
				c.Unit.Start, c.Disruption = "restart", Restart
				break
			}
		}
	}
}

// metaOnly reports whether a change is about mode or owner alone.
func metaOnly(c Change) bool {
	same := func(attr string) bool { return c.Before[attr] == c.After[attr] }
	return c.Action == Update && same("content") && same("sha256") && !(same("mode") && same("owner"))
}
