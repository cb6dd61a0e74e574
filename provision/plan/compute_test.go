package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// fresh is the input of a first plan of the larger example.
func fresh(t testing.TB) Input {
	t.Helper()
	return newWorld(t, example(t, "three")).input()
}

// TestFirstPlan: everything is made but what was right already, and the plan is
// the whole way.
func TestFirstPlan(t *testing.T) {
	p := compute(t, fresh(t))
	if !p.Complete || len(p.Deferred)+len(p.Unknown)+len(p.Warnings) > 0 {
		t.Errorf("complete %v, deferred %v, unknown %v, warnings %v", p.Complete, p.Deferred, p.Unknown, p.Warnings)
	}
	for _, c := range p.Changes {
		if found := c.Action == NoOp; found != (c.Addr.Kind == "module" && c.Addr.Name == "overlay" || c.Addr.Name == "vm.overcommit_memory") {
			t.Errorf("%s: %s", c.Addr, c.Action)
		}
		if c.Disruption != None {
			t.Errorf("%s disrupts what does not run: %s", c.Addr, c.Disruption)
		}
	}
	want := Counts{}
	for _, c := range p.Changes {
		switch c.Action {
		case Create:
			want.Add++
		case Update:
			want.Change++
		}
	}
	if got := p.Counts(); got != want || got.Add < 300 {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// TestUnreachable: a host that does not answer is unknown, and so is one that
// nobody asked; neither is ever "no changes".
func TestUnreachable(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	in := w.input()
	in.Observed[n1] = facts.Observation{Err: "dial tcp: i/o timeout"}
	delete(in.Observed, n2)
	p := compute(t, in)
	want := []Unknown{{Host: n1, Reason: "dial tcp: i/o timeout"}, {Host: n2, Reason: "it was not observed"}}
	if diff := cmp.Diff(want, p.Unknown); diff != "" || p.Complete || p.Changed() {
		t.Errorf("complete %v, changes %v, unknown (-want +got):\n%s", p.Complete, active(p), diff)
	}
	for _, c := range p.Changes {
		if c.Addr.Host == n1 || c.Addr.Host == n2 {
			t.Errorf("%s is in the plan", c.Addr)
		}
	}
}

func parse(t testing.TB, texts ...string) []addr.Address {
	t.Helper()
	var out []addr.Address
	for _, s := range texts {
		a, err := addr.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func TestReplace(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	for name, want := range map[string][]string{
		`node["n1"].unit["kubelet"]`:         {`-/+ node["n1"].unit["kubelet"]: replacement was asked for`},
		`node["n1"].cert["kubelet-serving"]`: {`-/+ node["n1"].cert["kubelet-serving"]: replacement was asked for`},
		`node["n1"].cert["kubelet-client"]`: {`-/+ node["n1"].cert["kubelet-client"]: replacement was asked for`,
			`~ node["n1"].unit["kubelet"]: it may run with what stood in node["n1"].cert["kubelet-client"] before`},
		`master["m1"].binary["kubectl"]`:           {`-/+ master["m1"].binary["kubectl"]: replacement was asked for`},
		`master["m1"].cert["etcd-peer"]`:           {`-/+ master["m1"].cert["etcd-peer"]: replacement was asked for`},
		`node["n2"].image`:                         {`-/+ node["n2"].image["hardway.local/agnhost:1"]: replacement was asked for`, `-/+ node["n2"].image["hardway.local/pause:1"]: replacement was asked for`},
		`cluster.object["hardway:cluster-admins"]`: {`-/+ cluster.object["hardway:cluster-admins"]: replacement was asked for`},
	} {
		t.Run(name, func(t *testing.T) {
			in := w.input()
			in.Replace = parse(t, name)
			p := compute(t, in)
			if diff := cmp.Diff(want, active(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, c := range p.Changes {
				switch {
				case c.Action == NoOp:
				case c.Spec.Unit != nil && c.Action == Replace && (*c.Unit != UnitSteps{Write: true, Enable: true, Start: "restart"} || c.Disruption != Restart):
					t.Errorf("%s: %+v, %s", c.Addr, *c.Unit, c.Disruption)
				case c.Spec.Certificate != nil && (c.Disruption != Reload || !c.After["serial"].Unknown):
					t.Errorf("%s: %s, %v", c.Addr, c.Disruption, c.After)
				}
			}
			w.apply(p)
			w.settled()
		})
	}
}

// TestReplaceRefuses: what running processes trust, and where data lies, is
// changed by a guided procedure, however it was named.
func TestReplaceRefuses(t *testing.T) {
	in := fresh(t)
	for name, want := range map[string]string{
		`cluster.authority["etcd"]`:               `cluster.authority["etcd"] is trusted by running processes`,
		`cluster.keypair["service-account"]`:      `cluster.keypair["service-account"] is trusted by running processes`,
		`cluster.authority`:                       `--replace cluster.authority[""]: cluster.authority["etcd"] is trusted`,
		`cluster`:                                 `--replace cluster: cluster.authority["etcd"] is trusted`,
		`master["m2"].unit["etcd"]`:               `belongs to a member of etcd`,
		`master["m2"].directory["/var/lib/etcd"]`: `belongs to a member of etcd`,
		`master["m2"]`:                            `--replace master["m2"]: master["m2"].directory["/var/lib/etcd"] belongs to a member of etcd`,
		`node["n9"]`:                              `--replace node["n9"]: no such resource`,
		`node["n1"].unit["etcd"]`:                 `no such resource`,
	} {
		in.Replace = parse(t, name)
		if _, err := Compute(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--replace %s: got %v, want an error with %q", name, err, want)
		}
	}
}

// TestTarget: a target brings what it needs, and nothing else.
func TestTarget(t *testing.T) {
	in := fresh(t)
	all := compute(t, in)
	in.Targets = parse(t, `master["m2"].unit["etcd"]`)
	p := compute(t, in)
	var want []addr.Address
	for _, c := range all.Changes {
		if c.Addr.Host == m2 && (slices.Contains(change(t, all, in.Targets[0]).DependsOn, c.Addr) || c.Addr == in.Targets[0]) {
			want = append(want, c.Addr)
		}
	}
	for _, a := range append(want, parse(t, `cluster.authority["etcd"]`, `master["m2"].directory["/etc/kubernetes"]`)...) {
		change(t, p, a)
	}
	for _, c := range p.Changes {
		if c.Addr.Host != m2 && c.Addr != at(cluster, "authority", "etcd") {
			t.Errorf("%s is in the plan", c.Addr)
		}
		for _, d := range c.DependsOn {
			change(t, p, d)
		}
	}
	if len(p.Changes) < 12 || !p.Complete || !cmp.Equal(p.Targets, in.Targets) {
		t.Errorf("%d changes, complete %v", len(p.Changes), p.Complete)
	}

	in.Targets = parse(t, `node["n9"]`)
	if _, err := Compute(in); err == nil || !strings.Contains(err.Error(), `--target node["n9"]: no such resource`) {
		t.Errorf("an unknown target: %v", err)
	}
}

// TestTargetAndUnknown: hosts that the targets do not speak of may be away, and
// a target that is away is no typing error.
func TestTargetAndUnknown(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	w.hosts[n2].Err = "i/o timeout"
	for target, complete := range map[string]bool{
		`node["n1"]`: true, `master["m1"].unit`: true, `cluster.node["n1"]`: true,
		`node["n2"]`: false, `node["n2"].unit["kubelet"]`: false,
	} {
		in := w.input()
		in.Targets = parse(t, target)
		if p := compute(t, in); p.Complete != complete || len(p.Unknown) > 0 == complete {
			t.Errorf("--target %s: complete %v, unknown %v", target, p.Complete, p.Unknown)
		}
	}
	w.hosts[n2].Err, w.hosts[m1].Err = "", "i/o timeout"
	for target, complete := range map[string]bool{`node["n1"]`: true, `cluster.node["n1"]`: false, `cluster`: false} {
		in := w.input()
		in.Targets = parse(t, target)
		if p := compute(t, in); p.Complete != complete {
			t.Errorf("without the master, --target %s: complete %v, unknown %v", target, p.Complete, p.Unknown)
		}
	}
}

// TestTargetAndDeferred: what is deferred elsewhere is no matter of the target's.
func TestTargetAndDeferred(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	w.hosts[m1].live("kube-apiserver.service", func(u *facts.Unit) { u.Active = "failed" })
	in := w.input()
	if p := compute(t, in); p.Complete || len(p.Deferred) != 5 || len(active(p)) != 1 {
		t.Fatalf("complete %v, deferred %v, changes %v", p.Complete, p.Deferred, active(p))
	}
	in.Targets = parse(t, `node["n1"]`)
	if p := compute(t, in); !p.Complete || len(p.Deferred) > 0 {
		t.Errorf("complete %v, deferred %v", p.Complete, p.Deferred)
	}
	in.Targets = parse(t, `cluster.node`)
	if p := compute(t, in); p.Complete || len(p.Deferred) != 3 {
		t.Errorf("complete %v, deferred %v", p.Complete, p.Deferred)
	}
	in.Targets = nil
	w.apply(compute(t, in))
	w.settled() // the step after
}

// TestPending: whatever the kind, a begun operation is finished.
func TestPending(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	for a, r := range w.snap.Resources {
		if !inState(r.Spec) {
			w.record(state.Entry{Begin: &state.Begin{Addr: a, Spec: r.Spec, DependsOn: r.DependsOn}})
		}
	}
	p := compute(t, w.input())
	for _, c := range p.Changes {
		if _, owned := w.snap.Resources[c.Addr]; !owned {
			continue
		}
		if c.Action != Update || !strings.HasPrefix(c.Reason, "an earlier apply was interrupted") || c.Prior != nil {
			t.Errorf("%s: %s %q, prior %v", c.Addr, c.Action, c.Reason, c.Prior)
		}
	}
	w.apply(p)
	w.settled()
}

// TestEveryKindIsCompared: a kind without a comparison would be forgotten.
func TestEveryKindIsCompared(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"lab", "three"} {
		for _, r := range newWorld(t, example(t, name)).want().Set.All() {
			seen[r.Addr.Kind] = true
		}
	}
	for _, k := range []resource.Kind{resource.KindAuthority, resource.KindKeyPair, resource.KindDirectory, resource.KindFile, resource.KindBlock, resource.KindBinary,
		resource.KindImage, resource.KindCertificate, resource.KindSysctl, resource.KindModule, resource.KindSwap, resource.KindUnit, resource.KindObject, resource.KindNode} {
		if !seen[string(k)] {
			t.Errorf("no example has a %s", k)
		}
	}
}
