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

// TestAddingANode: a new node changes of the others' resources only what names
// every host. The new one sorts before the others, so that nothing may be
// counted out anew.
func TestAddingANode(t *testing.T) {
	three := source(t, "three")
	before := build(t, input(t, three))
	in := input(t, changed(t, three, `node "n2" {`, "node \"n0\" {\n  address = \"192.168.10.30\"\n}\n\nnode \"n2\" {"))
	in.State.Allocations = before.Allocations
	after := build(t, in)
	if diff := cmp.Diff([]string{"block /etc/hosts", "file /etc/kubernetes/pod-routes", "unit hardway-routes"}, moved(before.Set, after.Set)); diff != "" {
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
	in.State.Allocations = after.Allocations
	if again := build(t, in); digest(again.Set) != digest(after.Set) {
		t.Error("with its own allocations the set is another")
	}
}

// TestMembersKeepWhatTheyWereMadeWith: the values that count only when a member
// is made come from the allocation table, not from the masters there are today.
func TestMembersKeepWhatTheyWereMadeWith(t *testing.T) {
	in := input(t, source(t, "three"))
	var hosts []state.EtcdHost
	for _, m := range in.Config.Masters() { // one after another, as they would join
		hosts = append(hosts, state.EtcdHost{Name: m.Name, PeerURL: "https://" + m.Address.String() + ":2380"})
		in.State.Allocations = in.State.Allocations.AssignEtcd(hosts)
	}
	in.State.Resources = map[addr.Address]state.Record{unit(m1, "etcd"): {}} // it lives
	set := build(t, in).Set
	const p1, p2, p3 = "m1=https://192.168.10.21:2380", "m2=https://192.168.10.22:2380", "m3=https://192.168.10.23:2380"
	for host, want := range map[string][2]string{"m1": {p1, "new"}, "m2": {p1 + "," + p2, "existing"}, "m3": {p1 + "," + p2 + "," + p3, "existing"}} {
		text := get(t, set, addr.Host{Role: addr.Master, Name: host}, resource.KindFile, "/etc/kubernetes/etcd-initial.env").Spec.File.Content
		for _, line := range []string{"ETCD_INITIAL_CLUSTER=\"" + want[0] + "\"\n", "ETCD_INITIAL_CLUSTER_STATE=\"" + want[1] + "\"\n"} {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", host, line, text)
			}
		}
	}
}

// TestRemovingANode: the others change only where they name it, and its range is
// kept until it is really gone.
func TestRemovingANode(t *testing.T) {
	three := source(t, "three")
	before := build(t, input(t, three))
	in := input(t, changed(t, three, "node \"n2\" {\n  address = \"192.168.10.32\"\n  arch    = \"arm64\"\n}", ""))
	in.State.Allocations = before.Allocations
	after := build(t, in)
	if diff := cmp.Diff([]string{"block /etc/hosts", "file /etc/kubernetes/pod-routes", "unit hardway-routes"}, moved(before.Set, after.Set)); diff != "" {
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
