package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
)

// maxSkew is how far a host's clock may be from ours. Certificates are dated
// back by five minutes, so that is what a host may lag behind; beyond it what
// was just issued is not valid yet, and etcd members and tokens misbehave too.
const maxSkew = 5 * time.Minute

// noteSkew is from where on it is worth a word: time synchronisation is broken.
const noteSkew = 30 * time.Second

// clocks refuses hosts whose clock is too far off, and warns of those on the way.
func (c *comparison) clocks() error {
	for _, h := range slices.SortedFunc(maps.Keys(c.in.Observed), addr.Host.Compare) {
		o := c.in.Observed[h]
		skew := o.Skew.Abs().Round(time.Second)
		if !o.Reachable() || skew < noteSkew {
			continue
		}
		text := fmt.Sprintf("its clock is %s %s this machine's", skew, behindOrAhead(o))
		if skew > maxSkew {
			return fmt.Errorf("%s: %s, more than %s: certificates would not be valid there; set up time synchronisation (chrony, systemd-timesyncd) and run plan again", h, text, maxSkew)
		}
		c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: addr.Address{Host: h}, Summary: text + "; set up time synchronisation"})
	}
	return nil
}

func behindOrAhead(o facts.Observation) string {
	if o.Skew < 0 {
		return "behind"
	}
	return "ahead of"
}
