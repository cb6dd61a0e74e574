package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// applied is a world in which the larger example was applied.
func applied(t testing.TB, name string) *world {
	t.Helper()
	w := newWorld(t, example(t, name))
	w.converge()
	return w
}

// TestDestroyOrder: everything that is ours goes, each before what it was built
// on, and the keys of the cluster last of all.
func TestDestroyOrder(t *testing.T) {
	w := applied(t, "three")
	p := compute(t, w.destruction(true))
	position := map[addr.Address]int{}
	for i, c := range p.Changes {
		position[c.Addr] = i
		if want := c.Addr.Host.IsCluster() && !inState(c.Spec); (c.Action == Forget) != want || c.Action != Forget && c.Action != Delete {
			t.Errorf("%s: %s", c.Addr, c.Action)
		}
		if (c.Disruption == Restart) != (c.Spec.Unit != nil) {
			t.Errorf("%s: disruption %s", c.Addr, c.Disruption)
		}
	}
	if want := len(w.snap.Resources) + 4; len(p.Changes) != want || !p.Complete {
		t.Errorf("%d changes, want %d; complete %v", len(p.Changes), want, p.Complete)
	}
	for a, r := range w.snap.Resources {
		for _, d := range r.DependsOn {
			if at, ok := position[d]; ok && at < position[a] && !inState(w.specOf(d)) {
				t.Errorf("%s goes before %s, which was built on it", d, a)
			}
		}
	}
	for i, c := range p.Changes[len(p.Changes)-4:] {
		if !inState(c.Spec) || len(c.DependsOn) < len(w.snap.Resources) {
			t.Errorf("change %d from the end is %s, behind %d others", 4-i, c.Addr, len(c.DependsOn))
		}
	}
}

func (w *world) specOf(a addr.Address) resource.Spec {
	if a.Kind == string(resource.KindAuthority) {
		return resource.Spec{Authority: &resource.Authority{}}
	}
	return w.snap.Resources[a].Spec
}

// TestDestroyKeepsData: etcd's data stays unless it was asked for.
func TestDestroyKeepsData(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.hosts[m1].Files["/var/lib/etcd"] = facts.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"} // as a volume would be
	w.converge()
	data := at(m1, resource.KindDirectory, "/var/lib/etcd")
	if c := change(t, compute(t, w.destruction(true)), data); c.Action != Delete {
		t.Errorf("with --destroy-data: %s", c.Action)
	}
	p := compute(t, w.destruction(false))
	if len(p.Warnings) != 1 || p.Warnings[0].Addr != data || !strings.Contains(p.Warnings[0].Summary, "--destroy-data") || !p.Complete {
		t.Errorf("without --destroy-data: complete %v, warnings %v", p.Complete, p.Warnings)
	}
	w.apply(p)
	if !w.hosts[m1].Files["/var/lib/etcd/member"].Exists() || len(w.snap.Resources) != 1 {
		t.Errorf("the data is gone, or the state owns more: %v", w.snap.Addresses())
	}
	w.apply(compute(t, w.destruction(true))) // on another day
	if w.hosts[m1].Files["/var/lib/etcd/member"].Exists() || len(w.snap.Resources) != 0 {
		t.Errorf("the data is there, or the state owns: %v", w.snap.Addresses())
	}
}

// TestDestroyPutsBack: a deletion carries what stood there, and says so.
func TestDestroyPutsBack(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	const path = "/etc/containerd/config.toml"
	w.hosts[n1].Files[path] = text("version = 2\n", 0o640)
	w.converge()
	p := compute(t, w.destruction(true))
	c := change(t, p, at(n1, resource.KindFile, path))
	if c.Prior == nil || c.Prior.SHA256 != sha("version = 2\n") || c.Prior.Mode != 0o640 || c.Reason != "what stood there before is put back" {
		t.Errorf("%q, prior %+v", c.Reason, c.Prior)
	}
	if c := change(t, p, at(n2, resource.KindFile, path)); c.Prior == nil || c.Prior.Exists || c.Reason != "" {
		t.Errorf("%q, prior %+v", c.Reason, c.Prior)
	}
	if c := change(t, p, at(n1, resource.KindSysctl, "net.ipv4.ip_forward")); c.Prior.Value != "0" || c.Before["value"] != value("1") {
		t.Errorf("prior %+v, before %v", c.Prior, c.Before)
	}
	w.apply(p)
	if got := w.hosts[n1].Files[path]; string(got.Content) != "version = 2\n" || got.Mode != 0o640 {
		t.Errorf("put back: %+v", got)
	}
}

// TestDestroyKeepsTheKeysOfWhatStays: while a host was not seen, or a part is
// kept, the cluster still needs its authorities.
func TestDestroyKeepsTheKeysOfWhatStays(t *testing.T) {
	keys := func(p *Plan) int {
		return len(slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return !inState(c.Spec) }))
	}
	w := applied(t, "lab")
	in := w.destruction(true)
	in.Observed[n2] = facts.Observation{Err: "i/o timeout"}
	p := compute(t, in)
	if keys(p) != 0 || p.Complete || slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Addr.Host == n2 }) {
		t.Errorf("n2 is away: %d keys go, complete %v", keys(p), p.Complete)
	}
	in = w.destruction(true)
	in.Targets = parse(t, `node["n2"]`)
	if p = compute(t, in); keys(p) != 0 || slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Addr.Host != n2 && !c.Addr.Host.IsCluster() }) || len(p.Changes) < 40 {
		t.Errorf("only n2: %d changes, %d keys go", len(p.Changes), keys(p))
	}
	if p = compute(t, w.destruction(true)); keys(p) != 4 {
		t.Errorf("the whole cluster: %d keys go", keys(p))
	}
}

// TestRemovedFromTheConfiguration: what is no longer wanted goes, on hosts that
// stay; a whole host that went is warned of, once.
func TestRemovedFromTheConfiguration(t *testing.T) {
	w := applied(t, "lab")
	source := string(readFile(t, "../desired/testdata/lab.hcl"))
	w.cfg = load(t, strings.Replace(source, `    "hardway.local/agnhost:1" = "agnhost.tar"`+"\n", "", 1))
	want := []string{`- master["m1"].image["hardway.local/agnhost:1"]`, `- node["n1"].image["hardway.local/agnhost:1"]`, `- node["n2"].image["hardway.local/agnhost:1"]`}
	p := compute(t, w.input())
	if diff := cmp.Diff(want, active(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.apply(p)
	w.settled()

	// Package desired refuses to forget a host; a plan that is made all the same
	// touches nothing on it.
	in := w.input()
	in.Desired = setOf(t, slices.DeleteFunc(slices.Clone(in.Desired.All()), func(r resource.Resource) bool {
		return r.Addr.Host == n2 || r.Addr == at(cluster, resource.KindNode, "n2")
	})...)
	delete(in.Observed, n2)
	p = compute(t, in)
	if len(p.Warnings) != 1 || p.Warnings[0].Addr != (addr.Address{Host: n2}) || p.Complete {
		t.Errorf("complete %v, warnings %v", p.Complete, p.Warnings)
	}
	for _, c := range p.Changes {
		if c.Addr.Host == n2 {
			t.Errorf("%s is planned on a host that cannot be reached", c.Addr)
		}
	}
	if c := change(t, p, at(cluster, resource.KindNode, "n2")); c.Action != Delete {
		t.Errorf("the Node: %s", c.Action)
	}
	master := in.Observed[m1]
	master.Kube = facts.Kube{State: facts.Down}
	in.Observed[m1] = master
	if p = compute(t, in); !slices.ContainsFunc(p.Deferred, func(d Deferred) bool { return d.Addr == at(cluster, resource.KindNode, "n2") }) {
		t.Errorf("without the API the Node is not deferred: %v", p.Deferred)
	}
}

// TestDestroyOneHost: a node goes with its Node, which the API is told; a member
// of etcd does not go alone.
func TestDestroyOneHost(t *testing.T) {
	w := applied(t, "three")
	in := w.destruction(true)
	in.Targets = parse(t, `node["n2"]`, `cluster.node["n2"]`)
	p := compute(t, in)
	if c := change(t, p, at(cluster, resource.KindNode, "n2")); c.Action != Delete {
		t.Errorf("the Node: %s %q", c.Action, c.Reason)
	}
	w.apply(p)
	if _, registered := w.nodes["n2"]; registered || len(w.nodes) != 4 {
		t.Errorf("Nodes are left: %d", len(w.nodes))
	}
	for _, target := range []string{`master["m2"]`, `master["m2"].unit["etcd"]`} {
		in := w.destruction(true)
		in.Targets = parse(t, target)
		if _, err := Compute(in); err == nil || !strings.Contains(err.Error(), `master["m2"]: destroying one of 3 etcd members is not supported yet`) {
			t.Errorf("--target %s: %v", target, err)
		}
	}
	in = w.destruction(true)
	in.Targets = parse(t, `master["m1"]`, `master["m2"]`, `master["m3"]`)
	if _, err := Compute(in); err != nil {
		t.Errorf("all members: %v", err)
	}
}
