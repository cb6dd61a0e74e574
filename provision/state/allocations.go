package state

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/apparentlymart/go-cidr/cidr"
)

// Allocations is the table of what was given to hosts and must not move when
// others come or go. Both maps are keyed by the host's name. An entry is freed
// only when its host was really removed; until then its tombstone keeps it.
type Allocations struct {
	Pods map[string]PodRange   `json:"pods,omitempty"`
	Etcd map[string]EtcdMember `json:"etcd,omitempty"`
}

// PodRange is a host's share of the cluster's pod CIDR.
type PodRange struct {
	CIDR netip.Prefix `json:"cidr"`
	// Tombstone: the host left the configuration and is not yet removed.
	Tombstone bool `json:"tombstone,omitempty"`
}

// EtcdMember holds the values that only count when a member is created. They
// are rendered from here ever after, so that a new member changes no other's unit.
type EtcdMember struct {
	Name    string `json:"name"`
	PeerURL string `json:"peer_url"`
	// InitialCluster is the value of --initial-cluster, and InitialState of
	// --initial-cluster-state ("new" or "existing"), when the member was made.
	InitialCluster string `json:"initial_cluster"`
	InitialState   string `json:"initial_state"`
	Tombstone      bool   `json:"tombstone,omitempty"`
}

// EtcdHost is a host that should be an etcd member.
type EtcdHost struct {
	Name    string
	PeerURL string
}

// AssignPods returns the table with a range of the given prefix length for each
// host, and a tombstone on those that are not in hosts any more. Ranges once
// given stay; new hosts take the lowest free ones in the order of hosts. It
// fails when a given range lies outside the pool (the pod CIDR was changed under
// a living cluster) and when the pool is full.
func (a Allocations) AssignPods(pool netip.Prefix, length int, hosts []string) (Allocations, error) {
	a = a.clone()
	wanted := make(map[string]bool, len(hosts))
	for _, h := range hosts {
		wanted[h] = true
	}
	for _, name := range slices.Sorted(maps.Keys(a.Pods)) {
		r := a.Pods[name]
		r.Tombstone = !wanted[name]
		a.Pods[name] = r
		if !r.Tombstone && (pool.Bits() > r.CIDR.Bits() || !pool.Contains(r.CIDR.Addr())) {
			return a, fmt.Errorf("host %q has the pod range %s, which is not in pod_cidr %s: "+
				"the pod CIDR of a living cluster cannot be changed; put the old one back, or destroy the cluster first", name, r.CIDR, pool)
		}
	}
	next := 0
	for _, name := range hosts {
		if _, ok := a.Pods[name]; ok {
			continue
		}
		r, n, err := a.free(pool, length, next)
		if err != nil {
			return a, fmt.Errorf("a pod range for host %q: %w", name, err)
		}
		if a.Pods == nil {
			a.Pods = map[string]PodRange{}
		}
		a.Pods[name], next = PodRange{CIDR: r}, n+1
	}
	return a, nil
}

// free returns the first range from number n on that overlaps none in use.
func (a Allocations) free(pool netip.Prefix, length, n int) (netip.Prefix, int, error) {
	base := &net.IPNet{IP: pool.Masked().Addr().AsSlice(), Mask: net.CIDRMask(pool.Bits(), pool.Addr().BitLen())}
	for ; ; n++ {
		sub, err := cidr.Subnet(base, length-pool.Bits(), n)
		if err != nil {
			return netip.Prefix{}, 0, fmt.Errorf("%s has no free /%d left (%d are taken): widen pod_cidr or lower the size of a host's share", pool, length, len(a.Pods))
		}
		ip, _ := netip.AddrFromSlice(sub.IP)
		p := netip.PrefixFrom(ip.Unmap(), length)
		taken := false
		for _, r := range a.Pods {
			taken = taken || r.CIDR.Overlaps(p)
		}
		if !taken {
			return p, n, nil
		}
	}
}

// AssignEtcd returns the table with a member for each host, named like the
// host, and a tombstone on those that are not in hosts any more. Members that
// are there stay as they were made. While there is none, all new ones are made
// together as a new cluster; later ones join one after another, each knowing
// those before it.
func (a Allocations) AssignEtcd(hosts []EtcdHost) Allocations {
	a = a.clone()
	wanted := make(map[string]bool, len(hosts))
	for _, h := range hosts {
		wanted[h.Name] = true
	}
	var living []EtcdMember
	for name, m := range a.Etcd {
		m.Tombstone = !wanted[name]
		a.Etcd[name] = m
		living = append(living, m)
	}
	if a.Etcd == nil {
		a.Etcd = make(map[string]EtcdMember, len(hosts))
	}
	state := "existing"
	if len(living) == 0 {
		state = "new"
		for _, h := range hosts {
			living = append(living, EtcdMember{Name: h.Name, PeerURL: h.PeerURL})
		}
	}
	for _, h := range hosts {
		if _, ok := a.Etcd[h.Name]; ok {
			continue
		}
		m := EtcdMember{Name: h.Name, PeerURL: h.PeerURL, InitialState: state}
		if state == "existing" {
			living = append(living, m)
		}
		m.InitialCluster = initialCluster(living)
		a.Etcd[h.Name] = m
	}
	return a
}

func initialCluster(members []EtcdMember) string {
	sorted := slices.SortedFunc(slices.Values(members), func(a, b EtcdMember) int { return cmp.Compare(a.Name, b.Name) })
	parts := make([]string, len(sorted))
	for i, m := range sorted {
		parts[i] = m.Name + "=" + m.PeerURL
	}
	return strings.Join(parts, ",")
}

// Free returns the table without the entries of a host that was really removed.
func (a Allocations) Free(host string) Allocations {
	a = a.clone()
	delete(a.Pods, host)
	delete(a.Etcd, host)
	return a
}

// Equal reports whether both tables say the same.
func (a Allocations) Equal(b Allocations) bool {
	return maps.Equal(a.Pods, b.Pods) && maps.Equal(a.Etcd, b.Etcd)
}

func (a Allocations) clone() Allocations {
	return Allocations{Pods: maps.Clone(a.Pods), Etcd: maps.Clone(a.Etcd)}
}
