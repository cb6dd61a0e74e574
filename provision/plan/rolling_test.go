package plan

import (
	"slices"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// upgrade changes the digests of pinned binaries, as a new version would.
func upgrade(w *world, components ...string) {
	for key, pin := range w.lock.Binaries {
		if slices.Contains(components, key.Component) {
			pin.SHA256 = sha(pin.SHA256)
			w.lock.Binaries[key] = pin
		}
	}
}

// precedes reports whether a must be done before b.
func precedes(p *Plan, a, b addr.Address) bool {
	byAddr := map[addr.Address]Change{}
	for _, c := range p.Changes {
		byAddr[c.Addr] = c
	}
	seen := map[addr.Address]bool{}
	var reaches func(x addr.Address) bool
	reaches = func(x addr.Address) bool {
		if x == a {
			return true
		}
		if seen[x] {
			return false
		}
		seen[x] = true
		return slices.ContainsFunc(byAddr[x].DependsOn, reaches)
	}
	return a != b && reaches(b)
}

// TestRolling: restarts of what runs go one host at a time, etcd first, then the
// control planes, then the nodes: of any two of different hosts, one waits for
// the other, so a failed gate leaves the rest untouched.
func TestRolling(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "etcd", "kube-apiserver", "kube-scheduler", "kubelet", "containerd", "kube-proxy")
	p := compute(t, w.input())
	rank := map[string]int{stageEtcd: 1, stageControlPlane: 2, stageNode: 3}
	var restarts []Change
	for _, c := range p.Changes {
		if c.Disruption == Restart {
			restarts = append(restarts, c)
		}
	}
	if want := 3*6 + 2*3; len(restarts) != want {
		t.Fatalf("%d restarts, want %d: %v", len(restarts), want, active(p))
	}
	for _, a := range restarts {
		for _, b := range restarts {
			stageA, stageB := rank[a.Spec.Unit.Stage], rank[b.Spec.Unit.Stage]
			switch {
			case stageA < stageB || stageA == stageB && a.Addr.Host.Compare(b.Addr.Host) < 0:
				if !precedes(p, a.Addr, b.Addr) {
					t.Errorf("%s does not wait for %s", b.Addr, a.Addr)
				}
			case a.Addr != b.Addr && a.Addr.Host != b.Addr.Host && precedes(p, a.Addr, b.Addr):
				t.Errorf("%s waits for %s", b.Addr, a.Addr)
			}
		}
	}
	// What a unit reads at its start is written when its host's turn has come, so
	// that a process which comes back by itself does not find it there before.
	read := map[addr.Address]addr.Address{}
	for _, c := range restarts {
		for _, a := range c.Spec.Unit.ReadAtStart {
			if change(t, p, a).Action != NoOp {
				read[a] = c.Addr
			}
		}
		if len(c.Restore) == 0 || c.Restore[len(c.Restore)-1] != c.Addr || c.Within == 0 {
			t.Errorf("%s: restores %v within %s", c.Addr, c.Restore, c.Within)
		}
	}
	for input, unit := range read {
		for _, other := range restarts {
			if other.Spec.Unit.Stage == change(t, p, unit).Spec.Unit.Stage && other.Addr.Host.Compare(unit.Host) < 0 && !precedes(p, other.Addr, input) {
				t.Errorf("%s is written before %s is healthy", input, other.Addr)
			}
		}
	}
	// What restarts nothing is not held up: all hosts get it at once.
	for _, c := range p.Changes {
		for _, d := range c.DependsOn {
			if _, chained := read[c.Addr]; !chained && c.Spec.Unit == nil && d.Host != c.Addr.Host && !d.Host.IsCluster() && !c.Addr.Host.IsCluster() {
				t.Errorf("%s waits for %s", c.Addr, d)
			}
		}
	}
	var waves []string
	for _, v := range p.Waves {
		waves = append(waves, v.Stage+" "+v.Host.Name)
	}
	if want := []string{"etcd m1", "etcd m2", "etcd m3", "control-plane m1", "control-plane m2", "control-plane m3", "node m1", "node m2", "node m3", "node n1", "node n2"}; !slices.Equal(waves, want) {
		t.Errorf("waves %v", waves)
	}
	for _, h := range []addr.Host{m1, m2, m3} {
		if q := change(t, p, at(h, resource.KindUnit, "etcd")).Quorum; q == nil || q.Need != 2 || len(q.Members) != 2 {
			t.Errorf("%s: quorum %+v", h, q)
		}
	}
	w.apply(p)
	w.settled()
}

// TestFirstCreationIsParallel: nothing runs that could be lost, and members of a
// new etcd wait for each other, so nothing may wait for one of them alone.
func TestFirstCreationIsParallel(t *testing.T) {
	p := compute(t, fresh(t))
	for _, kind := range []string{"etcd", "containerd"} {
		for _, a := range []addr.Host{m1, m2, m3} {
			for _, b := range []addr.Host{m1, m2, m3} {
				if x, y := at(a, resource.KindUnit, kind), at(b, resource.KindUnit, kind); precedes(p, x, y) {
					t.Errorf("%s waits for %s", y, x)
				}
			}
		}
	}
	for _, h := range []addr.Host{m1, m2, m3} {
		if c := change(t, p, at(h, resource.KindUnit, "etcd")); c.Unit.Start != "start-no-block" {
			t.Errorf("%s: start %q", c.Addr, c.Unit.Start)
		}
		for _, other := range []addr.Host{m1, m2, m3} {
			if !precedes(p, at(other, resource.KindUnit, "etcd"), at(h, resource.KindUnit, "kube-apiserver")) {
				t.Errorf("the API server of %s does not wait for etcd on %s", h, other)
			}
		}
	}
}

// TestUnitFilesGoneEverywhere: putting files back under running members is a
// rolling restart too, and never one of all members at once.
func TestUnitFilesGoneEverywhere(t *testing.T) {
	w := applied(t, "three")
	for _, h := range []addr.Host{m1, m2, m3} {
		delete(w.hosts[h].Files, "/etc/systemd/system/etcd.service")
	}
	p := compute(t, w.input())
	etcd := func(h addr.Host) addr.Address { return at(h, resource.KindUnit, "etcd") }
	for _, h := range []addr.Host{m1, m2, m3} {
		if c := change(t, p, etcd(h)); c.Action != Create || c.Unit.Start != "restart" || c.Disruption != Restart {
			t.Errorf("%s: %s, start %q, %s", c.Addr, c.Action, c.Unit.Start, c.Disruption)
		}
	}
	if !precedes(p, etcd(m1), etcd(m2)) || !precedes(p, etcd(m2), etcd(m3)) {
		t.Errorf("the members are not chained: %v", active(p))
	}
}

// TestStoppedUnitsAreNotChained: what does not run cannot be lost by a start.
func TestStoppedUnitsAreNotChained(t *testing.T) {
	w := applied(t, "three")
	for _, h := range []addr.Host{n1, n2} {
		w.hosts[h].live("kubelet.service", func(u *facts.Unit) { u.Active = "failed" })
	}
	p := compute(t, w.input())
	if len(active(p)) != 2 || precedes(p, at(n1, resource.KindUnit, "kubelet"), at(n2, resource.KindUnit, "kubelet")) {
		t.Errorf("%v", active(p))
	}
}

// TestOneRestart: a restart owed on one host alone waits for
// nobody, and the Node waits for it.
func TestOneRestart(t *testing.T) {
	w := applied(t, "three")
	w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.Inputs = "older" })
	p := compute(t, w.input())
	c := change(t, p, at(n1, resource.KindUnit, "kubelet"))
	for _, d := range c.DependsOn {
		if change(t, p, d).Action != NoOp {
			t.Errorf("it waits for %s", d)
		}
	}
	if !strings.HasPrefix(c.Reason, "the running process has older inputs") || c.Unit.Write || !precedes(p, c.Addr, at(cluster, resource.KindNode, "n1")) {
		t.Errorf("%q, %+v", c.Reason, *c.Unit)
	}
}

// TestQuorum: a member that is down comes before the healthy ones; where there is
// no quorum to lose, the members that are to be started do not wait for each other.
func TestQuorum(t *testing.T) {
	base := applied(t, "three")
	etcd := func(h addr.Host) addr.Address { return at(h, resource.KindUnit, "etcd") }
	owed := func(u *facts.Unit) { u.Inputs = "older" }
	down := func(u *facts.Unit) { u.Active, u.Inputs = "failed", "" }
	for name, c := range map[string]struct {
		m1, m2, m3 func(*facts.Unit)
		starts     [3]string
		chain      []addr.Host // each before the next; the others wait for none of these
	}{
		"all run, all are owed":      {owed, owed, owed, [3]string{"restart", "restart", "restart"}, []addr.Host{m1, m2, m3}},
		"the last one is down":       {owed, owed, down, [3]string{"restart", "restart", "start-no-block"}, []addr.Host{m3, m1, m2}},
		"one is down":                {nil, down, nil, [3]string{"", "start-no-block", ""}, nil},
		"two are down, one is owed":  {owed, down, down, [3]string{"restart-no-block", "start-no-block", "start-no-block"}, nil},
		"all are down":               {down, down, down, [3]string{"start-no-block", "start-no-block", "start-no-block"}, nil},
		"one waits to be ready, too": {func(u *facts.Unit) { u.Active, u.Inputs = "activating", "older" }, owed, owed, [3]string{"restart", "restart", "restart"}, []addr.Host{m1, m2, m3}},
	} {
		t.Run(name, func(t *testing.T) {
			w := base.clone(t)
			for h, change := range map[addr.Host]func(*facts.Unit){m1: c.m1, m2: c.m2, m3: c.m3} {
				if change != nil {
					w.hosts[h].live("etcd.service", change)
				}
			}
			p := compute(t, w.input())
			hosts := []addr.Host{m1, m2, m3}
			for i, h := range hosts {
				if got := change(t, p, etcd(h)).Unit.Start; got != c.starts[i] {
					t.Errorf("%s: start %q, want %q", h, got, c.starts[i])
				}
			}
			for i, a := range c.chain[:max(0, len(c.chain)-1)] {
				if b := c.chain[i+1]; !precedes(p, etcd(a), etcd(b)) {
					t.Errorf("%s does not wait for %s", b, a)
				}
			}
			for _, a := range hosts {
				for _, b := range hosts {
					if c.chain == nil && precedes(p, etcd(a), etcd(b)) {
						t.Errorf("%s waits for %s", b, a)
					}
				}
			}
			w.apply(p)
			w.converge()
		})
	}
}
