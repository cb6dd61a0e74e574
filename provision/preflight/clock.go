package preflight

import (
	"fmt"
	"time"
)

// maxSkew is how far a host's clock may be from ours. Certificates are dated
// back by five minutes, so that is what a host may lag behind; beyond it what
// was just issued is not valid yet, and etcd members and tokens misbehave too.
const maxSkew = 5 * time.Minute

// noteSkew is from where on it is worth a word: time synchronisation is broken.
const noteSkew = 30 * time.Second

// clock judges every host at every plan: what would be issued would not be valid.
func (c *check) clock() {
	skew := c.o.Skew.Abs().Round(time.Second)
	if skew < noteSkew {
		return
	}
	behind := "ahead of"
	if c.o.Skew < 0 {
		behind = "behind"
	}
	found := fmt.Sprintf("its clock is %s %s this machine's", skew, behind)
	const do = "set up time synchronisation (chrony, systemd-timesyncd) and run the command again"
	if skew > maxSkew {
		c.fail("clock", c.h.Range, fmt.Sprintf("%s, more than %s: certificates would not be valid there", found, maxSkew), do)
		return
	}
	c.warn("clock", c.h.Range, found, do)
}
