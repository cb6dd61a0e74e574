package desired

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// moved lists what differs between two sets in the specs of resources that both
// have, as "kind name" for each host's own and "cluster …" for the shared ones.
func moved(before, after resource.Set) []string {
	var out []string
	for _, r := range after.All() {
		old, ok := before.Get(r.Addr)
		if !ok || old.Spec.Digest() == r.Spec.Digest() {
			continue
		}
		name := r.Addr.Kind + " " + r.Addr.Name
		if r.Addr.Host.IsCluster() {
			name = "cluster " + r.Addr.Kind
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestAddingAHost: a new host changes of the others' resources only what names
// every host. The new one sorts before the others, so that nothing may be
// counted out anew.
func TestAddingAHost(t *testing.T) {
	three := source(t, "three")
	first := input(t, three)
	before := build(t, first)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"node": {changed(t, three, `node "n2" {`, "node \"n0\" {\n  address = \"192.168.10.30\"\n}\n\nnode \"n2\" {"),
			[]string{"block /etc/hosts", "unit hardway-routes"}},
		// The API servers know every member of etcd, and answer by every master's
		// name; objects are written through the first master.
		"master": {changed(t, three, "masters = {", "masters = {\n    m0 = { ip = \"192.168.10.20\", arch = \"amd64\" }"),
			[]string{"block /etc/hosts", "cert apiserver", "cluster node", "cluster object", "unit hardway-routes", "unit kube-apiserver"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.text)
			in.State.Allocations = before.Allocations
			after := build(t, in)
			if diff := cmp.Diff(c.want, moved(before.Set, after.Set)); diff != "" {
				t.Errorf("changed on the hosts that were there (-want +got):\n%s", diff)
			}
			for host, r := range before.Allocations.Pods {
				if after.Allocations.Pods[host] != r {
					t.Errorf("the pod range of %s went from %v to %v", host, r, after.Allocations.Pods[host])
				}
			}
			for host, m := range before.Allocations.Etcd {
				if after.Allocations.Etcd[host] != m {
					t.Errorf("the member %s went from %v to %v", host, m, after.Allocations.Etcd[host])
				}
			}
			if again := build(t, Input{Config: in.Config, Lock: in.Lock, State: withAllocations(in.State, after.Allocations)}); digest(again.Set) != digest(after.Set) {
				t.Error("with its own allocations the set is another")
			}
		})
	}
}

func withAllocations(p state.Public, a state.Allocations) state.Public {
	p.Allocations = a
	return p
}

// TestJoiningEtcd: members that come later join an existing cluster, one after
// another, each knowing those before it; the first ones keep what they were made with.
func TestJoiningEtcd(t *testing.T) {
	three := source(t, "three")
	in := input(t, changed(t, three, "m2 = {", "# m2 = {", "m3 = {", "# m3 = {"))
	alone := build(t, in)
	in = input(t, three)
	in.State.Allocations = alone.Allocations
	grown := build(t, in).Set
	env := func(s resource.Set, host string) string {
		return get(t, s, addr.Host{Role: addr.Master, Name: host}, resource.KindFile, "/etc/kubernetes/etcd-initial.env").Spec.File.Content
	}
	const p1, p2, p3 = "m1=https://192.168.10.21:2380", "m2=https://192.168.10.22:2380", "m3=https://192.168.10.23:2380"
	for host, want := range map[string][2]string{"m1": {p1, "new"}, "m2": {p1 + "," + p2, "existing"}, "m3": {p1 + "," + p2 + "," + p3, "existing"}} {
		text := env(grown, host)
		for _, line := range []string{"ETCD_INITIAL_CLUSTER=\"" + want[0] + "\"\n", "ETCD_INITIAL_CLUSTER_STATE=\"" + want[1] + "\"\n"} {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", host, line, text)
			}
		}
	}
	if env(grown, "m1") != env(alone.Set, "m1") {
		t.Error("the first member's file changed")
	}
}

// TestRemovingAHost: the others change only where they name it, and its range is
// kept until it is really gone.
func TestRemovingAHost(t *testing.T) {
	three := source(t, "three")
	before := build(t, input(t, three))
	in := input(t, changed(t, three, "node \"n2\" {\n  address = \"192.168.10.32\"\n  arch    = \"arm64\"\n}", ""))
	in.State.Allocations = before.Allocations
	after := build(t, in)
	if diff := cmp.Diff([]string{"block /etc/hosts", "unit hardway-routes"}, moved(before.Set, after.Set)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := before.Allocations.Pods["n2"]
	want.Tombstone = true
	if got := after.Allocations.Pods["n2"]; got != want {
		t.Errorf("the range of the host that went is %v, want %v", got, want)
	}
	for _, r := range after.Set.All() {
		if r.Addr.Host == n2 || r.Addr.Host.IsCluster() && r.Addr.Name == "n2" {
			t.Errorf("%s is still wanted", r.Addr)
		}
	}
}
