package state

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAssignPods(t *testing.T) {
	pool := netip.MustParsePrefix("10.244.0.0/16")
	show := func(a Allocations) map[string]string {
		out := map[string]string{}
		for n, r := range a.Pods {
			out[n] = r.CIDR.String()
			if r.Tombstone {
				out[n] += " tombstone"
			}
		}
		return out
	}
	var a Allocations
	for _, step := range []struct {
		name  string
		free  string
		hosts []string
		want  map[string]string
	}{
		{"first", "", []string{"m1", "n1", "n2"}, map[string]string{"m1": "10.244.0.0/24", "n1": "10.244.1.0/24", "n2": "10.244.2.0/24"}},
		{"a new host renumbers nobody", "", []string{"a0", "m1", "n1", "n2"}, map[string]string{"a0": "10.244.3.0/24", "m1": "10.244.0.0/24", "n1": "10.244.1.0/24", "n2": "10.244.2.0/24"}},
		{"a host leaves", "", []string{"a0", "m1", "n2"}, map[string]string{"a0": "10.244.3.0/24", "m1": "10.244.0.0/24", "n1": "10.244.1.0/24 tombstone", "n2": "10.244.2.0/24"}},
		{"its range is not given away", "", []string{"a0", "m1", "n2", "n3"}, map[string]string{"a0": "10.244.3.0/24", "m1": "10.244.0.0/24", "n1": "10.244.1.0/24 tombstone", "n2": "10.244.2.0/24", "n3": "10.244.4.0/24"}},
		{"but is once it is gone", "n1", []string{"a0", "m1", "n2", "n3", "n4"}, map[string]string{"a0": "10.244.3.0/24", "m1": "10.244.0.0/24", "n2": "10.244.2.0/24", "n3": "10.244.4.0/24", "n4": "10.244.1.0/24"}},
	} {
		if step.free != "" {
			a = a.Free(step.free)
		}
		next, err := a.AssignPods(pool, 24, step.hosts)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if d := cmp.Diff(step.want, show(next)); d != "" {
			t.Errorf("%s: %s", step.name, d)
		}
		again, err := next.AssignPods(pool, 24, step.hosts)
		if err != nil || !again.Equal(next) {
			t.Errorf("%s: not stable", step.name)
		}
		a = next
	}
	if _, err := a.AssignPods(netip.MustParsePrefix("10.200.0.0/16"), 24, []string{"m1"}); err == nil || !strings.Contains(err.Error(), `host "m1" has the pod range 10.244.0.0/24`) {
		t.Errorf("a moved pool: %v", err)
	}
	if _, err := (Allocations{}).AssignPods(netip.MustParsePrefix("10.0.0.0/23"), 24, []string{"a", "b", "c"}); err == nil || !strings.Contains(err.Error(), "no free /24") {
		t.Errorf("a full pool: %v", err)
	}
	six, err := (Allocations{}).AssignPods(netip.MustParsePrefix("fd00:10::/48"), 64, []string{"a", "b"})
	if err != nil || six.Pods["b"].CIDR.String() != "fd00:10:0:1::/64" {
		t.Errorf("IPv6: %v, %v", six.Pods, err)
	}
}

// Whatever comes and goes, with whatever share: no two ranges overlap, all lie
// in the pool and nobody who stays is renumbered.
func TestPodRangesNeverMoveNorOverlap(t *testing.T) {
	pool := netip.MustParsePrefix("10.0.0.0/20")
	rapid.Check(t, func(t *rapid.T) {
		var a Allocations
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			hosts := rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 6, rapid.ID).Draw(t, "hosts")
			names := make([]string, len(hosts))
			for i, h := range hosts {
				names[i] = fmt.Sprint("h", h)
			}
			if rapid.Bool().Draw(t, "free") {
				a = a.Free(fmt.Sprint("h", rapid.IntRange(0, 9).Draw(t, "gone")))
			}
			next, err := a.AssignPods(pool, rapid.IntRange(22, 26).Draw(t, "length"), names)
			if err != nil {
				if strings.Contains(err.Error(), "no free") {
					continue
				}
				t.Fatal(err)
			}
			for n, r := range a.Pods {
				if next.Pods[n].CIDR != r.CIDR {
					t.Fatalf("%s moved from %s to %s", n, r.CIDR, next.Pods[n].CIDR)
				}
			}
			for n, r := range next.Pods {
				for m, q := range next.Pods {
					if n != m && r.CIDR.Overlaps(q.CIDR) {
						t.Fatalf("%s of %s overlaps %s of %s", r.CIDR, n, q.CIDR, m)
					}
				}
			}
			a = next
		}
	})
}

func TestAssignEtcd(t *testing.T) {
	a := Allocations{}.AssignEtcd([]EtcdHost{{"m2", "https://10.0.0.2:2380"}, {"m1", "https://10.0.0.1:2380"}})
	first := "m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380"
	want := map[string]EtcdMember{
		"m1": {Name: "m1", PeerURL: "https://10.0.0.1:2380", InitialCluster: first, InitialState: "new"},
		"m2": {Name: "m2", PeerURL: "https://10.0.0.2:2380", InitialCluster: first, InitialState: "new"},
	}
	if d := cmp.Diff(want, a.Etcd); d != "" {
		t.Error(d)
	}
	a = a.AssignEtcd([]EtcdHost{{"m1", "https://10.0.0.1:2380"}, {"m3", "https://10.0.0.3:2380"}})
	gone := want["m2"]
	gone.Tombstone = true
	want["m2"] = gone
	want["m3"] = EtcdMember{Name: "m3", PeerURL: "https://10.0.0.3:2380", InitialCluster: first + ",m3=https://10.0.0.3:2380", InitialState: "existing"}
	if d := cmp.Diff(want, a.Etcd); d != "" {
		t.Error(d)
	}
	if a = a.Free("m2"); len(a.Etcd) != 2 {
		t.Errorf("freed: %v", a.Etcd)
	}
}
