package bench

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hardway/provision"
	"hardway/provision/facts"
)

// A plan that finds all as it should be costs each host one connection and at
// most two channels, through everything that a command goes through.
func TestNothingToDoCostsOneConnection(t *testing.T) {
	connections, channels := costOfNothing(t, 5)
	if connections != 1 || channels < 1 || channels > maxChannels {
		t.Errorf("%d connections and %d channels to a host; want 1, and at most %d", connections, channels, maxChannels)
	}
}

// maxChannels is how many channels a plan may open to a host.
const maxChannels = 2

// costOfNothing makes a plan with nothing to do, and returns the most that it
// opened to any host. What an apply opens is held by package ssh.
func costOfNothing(t *testing.T, hosts int) (connections, channels int64) {
	t.Helper()
	c := newCluster(t, hosts)
	c.settle()
	s := c.session(nil)
	defer c.close(s)
	p, err := s.Plan(t.Context(), provision.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Changed() || !p.Complete {
		t.Fatalf("changed %v, complete %v, unknown %v, deferred %v", p.Changed(), p.Complete, p.Unknown, p.Deferred)
	}
	for _, h := range c.farm.hosts {
		connections, channels = max(connections, h.connections.Load()), max(channels, h.channels.Load())
	}
	return connections, channels
}

func countFigures(t *testing.T, b *board) {
	connections, channels := costOfNothing(t, 20)
	b.add("P3", "TCP connections, channels a host, nothing to do", fmt.Sprintf("%d, %d", connections, channels), "1, ≤ 2", verdict(connections == 1 && channels <= maxChannels))
}

// What the farm answers over SSH is what the machine in memory says, or none of
// the figures would be of a real plan.
func TestFarmAnswersAsTheMachines(t *testing.T) {
	c := newCluster(t, 2)
	c.settle()
	asked := map[string]facts.Request{}
	for _, h := range c.farm.hosts {
		direct := h.observe
		h.observe = func(q facts.Request) facts.Observation {
			asked[h.address] = q // one host at a time below
			return direct(q)
		}
	}
	s := c.session(nil)
	defer c.close(s)
	for _, h := range s.Config().Hosts {
		at := fmt.Sprintf("%s:%d", h.SSH.Host, h.SSH.Port)
		q := requestOf(t, s, h.Addr)
		conn := dialFarm(t, c.farm, at)
		got, err := conn.Observe(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.machines[h.Addr].Connect().Observe(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(facts.Observation{}, "Clock", "Skew")); diff != "" {
			t.Errorf("%s (-in memory +over SSH):\n%s", h.Addr, diff)
		}
		if len(asked[at].Files) != len(q.Files) {
			t.Errorf("%s: %d files were asked for, the host heard of %d", h.Addr, len(q.Files), len(asked[at].Files))
		}
	}
}
