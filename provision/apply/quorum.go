package apply

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hardway/provision/health"
	"hardway/provision/plan"
)

// quorumWait is how long the other members of etcd may take to be healthy: one
// that was restarted just before has to catch up.
const quorumWait = 30 * time.Second

// quorum asks the other members of etcd right before one is touched. The plan
// cannot know: minutes may lie between.
func (r *run) quorum(c plan.Change) error {
	q := c.Quorum
	if q == nil {
		return nil
	}
	for deadline := time.Now().Add(quorumWait); ; {
		healthy, why := r.healthyMembers(q)
		if healthy >= q.Need {
			return nil
		}
		if time.Now().After(deadline) || r.stop.Err() != nil {
			return fmt.Errorf("restarting it would cost etcd its quorum: %d of the %d other members are healthy, and %d have to be; it was not restarted. See to the others first:\n%s",
				healthy, len(q.Members), q.Need, strings.Join(why, "\n"))
		}
		r.emit(Event{Phase: Waiting, Addr: c.Addr, Action: c.Action, Message: "the other members of etcd to be healthy"})
		select {
		case <-r.stop.Done():
		case <-time.After(time.Second):
		}
	}
}

// healthyMembers counts the members that answer, and says what is wrong with the rest.
func (r *run) healthyMembers(q *plan.Quorum) (healthy int, why []string) {
	for _, m := range q.Members {
		err := errors.New("not connected")
		if h, ok := r.Hosts[m.Host]; ok {
			err = health.Once(r.ctx, h, m.Gate)
		}
		if err == nil {
			healthy++
			continue
		}
		why = append(why, fmt.Sprintf("  %s: %v", m.Host, err))
	}
	return healthy, why
}
