package desired

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/mod/semver"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/units"
	"hardway/units/unitfile"
)

// living refuses what a cluster that exists cannot change in one convergence
// step: applied as it stands it would break what runs, or lose data. What runs
// is read from the state: from the units and binaries that were applied last.
func (b *builder) living() {
	if etcdLives(b.state) {
		if err := sameMembers(b.cfg, b.state.Allocations); err != nil {
			b.errs = append(b.errs, err)
		}
	}
	b.sameHosts()
	b.samePKI()
	b.sameManager()
	for _, m := range b.cfg.Masters() {
		b.sameRelease(m.Addr, units.ComponentAPIServer, b.cfg.Version, b.cfg.VersionRange, "kubernetes_version")
		b.sameRelease(m.Addr, units.ComponentEtcd, b.cfg.Etcd.Version, b.cfg.Etcd.VersionRange, "etcd.version")
		etcd := b.flagsThen(m.Addr, units.ComponentEtcd)
		b.unchanged(etcd, "data-dir", b.lay.data("etcd"), b.cfg.Range, "directories.data",
			"etcd would start with an empty directory, as a new cluster")
		api := b.flagsThen(m.Addr, units.ComponentAPIServer)
		b.unchanged(api, "service-cluster-ip-range", b.cfg.ServiceCIDR.String(), b.cfg.ServiceCIDRRange, "service_cidr",
			"Services keep their old addresses, which nothing would answer any more")
		b.unchanged(api, "service-account-issuer", "https://kubernetes.default.svc."+b.cfg.DNSDomain, b.cfg.Range, "dns_domain",
			"every token that was issued would be refused at once")
		b.unchanged(api, "advertise-address", m.Address.String(), m.AddressRange, "the address of "+m.Addr.String(),
			"etcd knows its member by the old one")
	}
}

// flagsThen are the flags that a unit was applied with, nil if it never was.
func (b *builder) flagsThen(h addr.Host, component string) map[string]string {
	u := b.state.Resources[unit(h, component)].Spec.Unit
	if u == nil {
		return nil
	}
	argv, err := unitfile.ParseExec(u.Content)
	if err != nil {
		return nil // not a command line of ours; the plan shows the difference
	}
	_, flags, _ := unitfile.SplitFlags(argv)
	return flags
}

func (b *builder) unchanged(then map[string]string, flag, now string, at hcl.Range, setting, why string) {
	if old, ok := then[flag]; ok && old != now {
		b.fail("%s: %s of a living cluster cannot be changed from %s to %s: %s; put the old value back, or destroy the cluster first", at, setting, old, now, why)
	}
}

// sameRelease allows another, not older patch of what runs. A minor is an
// upgrade: it has an order across components and hosts, drains, and a snapshot
// of etcd before it, and going back is not possible at all.
func (b *builder) sameRelease(h addr.Host, component, want string, at hcl.Range, setting string) {
	then := b.state.Resources[addr.Address{Host: h, Kind: string(resource.KindBinary), Name: component}].Spec.Binary
	if then == nil || then.Version == want {
		return
	}
	from, to := "v"+then.Version, "v"+want
	switch {
	case semver.MajorMinor(from) != semver.MajorMinor(to):
		b.fail("%s: changing %s of a living cluster from %s to %s is not supported yet: only another patch of %s can be applied", at, setting, then.Version, want, semver.MajorMinor(from)[1:])
	case semver.Compare(to, from) < 0:
		b.fail("%s: %s of a living cluster cannot go back from %s to %s: what the newer one stored, the older one may not read", at, setting, then.Version, want)
	}
}

// sameHosts refuses to forget a host on which something of ours still runs.
func (b *builder) sameHosts() {
	known := map[addr.Host]bool{}
	for _, h := range b.cfg.Hosts {
		known[h.Addr] = true
	}
	gone := map[addr.Host]bool{}
	for _, a := range b.state.Addresses() {
		if !a.Host.IsCluster() && !known[a.Host] && !gone[a.Host] {
			gone[a.Host] = true
			b.fail("%s: %s has no block any more, but it still runs what hardway put there. Put its block back, run `hardway destroy --target='%s'`, and then remove the block", b.cfg.Range, a.Host, a.Host)
		}
	}
}

// etcdLives reports whether any member was begun: until then, members are names
// on paper, and a master that turns out to be broken can still be left out.
func etcdLives(s state.Public) bool {
	for a := range s.Resources {
		if a.Kind == string(resource.KindUnit) && a.Name == units.ComponentEtcd {
			return true
		}
	}
	return false
}

// sameMembers refuses to change who the members of a living etcd are: a member
// joins and leaves by a procedure of its own, one at a time, and a new unit on a
// new host would wait for ever for a cluster that does not know it.
func sameMembers(cfg *config.Cluster, table state.Allocations) error {
	wanted := map[string]bool{}
	for _, m := range cfg.Masters() {
		wanted[m.Name] = true
		if _, ok := table.Etcd[m.Name]; !ok {
			return fmt.Errorf("%s: adding the master %q to a living cluster is not supported yet: etcd would have to take it in first; remove its block", m.Range, m.Name)
		}
	}
	for _, name := range sortedKeys(table.Etcd) {
		if !wanted[name] {
			return fmt.Errorf("%s: removing the master %q from a living cluster is not supported yet: etcd would have to let it go first; put its block back", cfg.Range, name)
		}
	}
	return nil
}
