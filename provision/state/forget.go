package state

import (
	"fmt"
	"maps"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Forgetting is what goes from the state when resources are forgotten. The
// hosts stay as they are.
type Forgetting struct {
	Addresses []addr.Address // in order
	// Hosts are those of which nothing stays in the state: what was allocated to
	// them is freed.
	Hosts []addr.Host
}

// etcdUnit is the name of the unit whose record makes a host a member of etcd.
const etcdUnit = "etcd"

// Forgetting returns what the targets cover. A target is a resource, a kind of a
// host, or a host; with a host goes the cluster's record of its Node. It refuses
// a target that covers nothing, authorities and key pairs (their keys exist
// nowhere else), and the last member of etcd (its data is the cluster).
func (p Public) Forgetting(targets []addr.Address) (Forgetting, error) {
	var f Forgetting
	gone := map[addr.Address]bool{}
	for _, t := range targets {
		t = canonical(t)
		if k := resource.Kind(t.Kind); t.Host.IsCluster() && (k == resource.KindAuthority || k == resource.KindKeyPair || t.Kind == "") {
			return f, fmt.Errorf("%s: authorities and key pairs are not forgotten: their private keys exist nowhere else; `hardway destroy` removes them with the cluster", t)
		}
		found := false
		for _, a := range p.Addresses() {
			if n := p.Resources[a].Spec.Node; t.Covers(a) || t.Kind == "" && n != nil && n.Host == t.Host {
				gone[a], found = true, true
			}
		}
		if !found && !(t.Kind == "" && p.allocated(t.Host)) {
			return f, fmt.Errorf("%s: not in the state; `hardway state list` shows what is", t)
		}
		if !found {
			f.Hosts = append(f.Hosts, t.Host)
		}
	}
	left := map[addr.Host]bool{}
	for _, a := range p.Addresses() {
		if gone[a] {
			f.Addresses = append(f.Addresses, a)
		} else {
			left[a.Host] = true
		}
	}
	for _, a := range f.Addresses {
		if !a.Host.IsCluster() && !left[a.Host] {
			f.Hosts = append(f.Hosts, a.Host)
		}
	}
	slices.SortFunc(f.Hosts, addr.Host.Compare)
	f.Hosts = slices.Compact(f.Hosts)
	return f, p.keepsEtcd(gone)
}

// allocated reports whether a host was given anything.
func (p Public) allocated(h addr.Host) bool {
	_, pods := p.Allocations.Pods[h.Name]
	_, etcd := p.Allocations.Etcd[h.Name]
	return pods || etcd
}

// keepsEtcd refuses to forget what makes the last member of etcd one: its unit,
// without which the next plan would found a new cluster, or its data.
func (p Public) keepsEtcd(gone map[addr.Address]bool) error {
	members, lost := map[addr.Host]bool{}, map[addr.Host]bool{}
	for a, r := range p.Resources {
		if unit := r.Spec.Unit != nil && a.Name == etcdUnit; unit || r.Spec.Directory != nil && r.Spec.Directory.Data {
			members[a.Host] = true
			if gone[a] {
				lost[a.Host] = true
			}
		}
	}
	if len(lost) == 0 || len(lost) < len(members) {
		return nil
	}
	last := slices.MinFunc(slices.Collect(maps.Keys(lost)), addr.Host.Compare)
	return fmt.Errorf("%s: the last member of etcd is not forgotten: its data is the cluster; `hardway destroy --destroy-data` removes both", last)
}

// Free returns the allocation table without the hosts that are forgotten.
func (f Forgetting) Free(table Allocations) Allocations {
	for _, h := range f.Hosts {
		table = table.Free(h.Name)
	}
	return table
}
