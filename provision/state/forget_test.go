package state

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// members is a state of two masters and a node.
func members(t *testing.T, masters ...string) Snapshot {
	t.Helper()
	s := New("lab", "0", clock)
	alloc := Allocations{Pods: map[string]PodRange{}, Etcd: map[string]EtcdMember{}}
	begin := func(a addr.Address, spec resource.Spec) {
		apply(t, &s, Entry{Begin: &Begin{Addr: a, Spec: spec}}, Entry{Done: &Done{Addr: a}})
	}
	for i, name := range append(masters, "n1") {
		h := addr.Host{Role: addr.Master, Name: name}
		if name == "n1" {
			h.Role = addr.Node
		} else {
			alloc.Etcd[name] = EtcdMember{Name: name}
			begin(addr.Address{Host: h, Kind: "unit", Name: "etcd"}, resource.Spec{Unit: &resource.Unit{Name: "etcd.service"}})
			begin(addr.Address{Host: h, Kind: "directory", Name: "/var/lib/etcd"}, resource.Spec{Directory: &resource.Directory{Path: "/var/lib/etcd", Data: true}})
		}
		alloc.Pods[name] = PodRange{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24)}
		begin(addr.Address{Host: h, Kind: "unit", Name: "kubelet"}, resource.Spec{Unit: &resource.Unit{Name: "kubelet.service"}})
		begin(addr.Address{Kind: "node", Name: name}, resource.Spec{Node: &resource.Node{Name: name, Host: h}})
	}
	begin(rbac, resource.Spec{Object: &resource.Object{Kind: "clusterrolebinding", Name: "x", Manifest: json.RawMessage("{}")}})
	apply(t, &s, Entry{Allocations: &alloc}, Entry{Keys: &Keys{Authorities: map[string]Authority{"kubernetes": {Generation: 1}}}})
	return s
}

func TestForgetting(t *testing.T) {
	for _, c := range []struct {
		name    string
		masters []string
		targets []string
		want    []string
		hosts   []string
		pods    int // ranges left of those given
		err     string
	}{
		{name: "one resource", masters: []string{"m1"}, targets: []string{`node["n1"].unit["kubelet"]`, `cluster.object["clusterrolebinding/x"]`},
			want: []string{`cluster.object["clusterrolebinding/x"]`, `node["n1"].unit["kubelet"]`}, hosts: []string{`node["n1"]`}, pods: 1},
		{name: "a dead node", masters: []string{"m1"}, targets: []string{`node["n1"]`},
			want: []string{`cluster.node["n1"]`, `node["n1"].unit["kubelet"]`}, hosts: []string{`node["n1"]`}, pods: 1},
		{name: "one of two masters", masters: []string{"m1", "m2"}, targets: []string{`master["m2"]`},
			want:  []string{`cluster.node["m2"]`, `master["m2"].directory["/var/lib/etcd"]`, `master["m2"].unit["etcd"]`, `master["m2"].unit["kubelet"]`},
			hosts: []string{`master["m2"]`}, pods: 2},
		{name: "a kind", masters: []string{"m1"}, targets: []string{`cluster.node`}, want: []string{`cluster.node["m1"]`, `cluster.node["n1"]`}, pods: 2},
		{name: "a part of a host", masters: []string{"m1"}, targets: []string{`master["m1"].unit["kubelet"]`}, want: []string{`master["m1"].unit["kubelet"]`}, pods: 2},
		{name: "the last master", masters: []string{"m1"}, targets: []string{`master["m1"]`}, err: `master["m1"]: the last member of etcd is not forgotten`},
		{name: "all masters", masters: []string{"m1", "m2"}, targets: []string{`master["m1"]`, `master["m2"]`}, err: "the last member of etcd"},
		{name: "the last etcd", masters: []string{"m1"}, targets: []string{`master["m1"].unit["etcd"]`}, err: "the last member of etcd"},
		{name: "the last data", masters: []string{"m1"}, targets: []string{`master["m1"].directory`}, err: "the last member of etcd"},
		{name: "an authority", masters: []string{"m1"}, targets: []string{`cluster.authority["kubernetes"]`}, err: "authorities and key pairs are not forgotten"},
		{name: "key pairs", masters: []string{"m1"}, targets: []string{`cluster.keypair`}, err: "authorities and key pairs are not forgotten"},
		{name: "the cluster", masters: []string{"m1"}, targets: []string{`cluster`}, err: "authorities and key pairs are not forgotten"},
		{name: "unknown", masters: []string{"m1"}, targets: []string{`node["n2"]`}, err: `node["n2"]: not in the state; ` + "`hardway state list`"},
		{name: "unknown beside a known one", masters: []string{"m1"}, targets: []string{`node["n1"]`, `node["n1"].unit["etcd"]`}, err: "not in the state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var targets []addr.Address
			for _, text := range c.targets {
				a, err := addr.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				targets = append(targets, a)
			}
			s := members(t, c.masters...)
			f, err := s.Forgetting(targets)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want an error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got, hosts []string
			for _, a := range f.Addresses {
				got = append(got, a.String())
			}
			for _, h := range f.Hosts {
				hosts = append(hosts, h.String())
			}
			if d := cmp.Diff(c.want, got) + cmp.Diff(c.hosts, hosts); d != "" {
				t.Error(d)
			}
			if table := f.Free(s.Allocations); len(table.Pods) != c.pods {
				t.Errorf("%d pod ranges are left, want %d", len(table.Pods), c.pods)
			}
		})
	}
	// A host that was given something and has no record: an apply that never came to it.
	s := New("lab", "0", clock)
	s.Allocations.Pods = map[string]PodRange{"n1": {}}
	if f, err := s.Forgetting([]addr.Address{{Host: n1}}); err != nil || len(f.Addresses) != 0 || len(f.Free(s.Allocations).Pods) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}
