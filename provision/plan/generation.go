package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/semver"

	"hardway/provision/resource"
	"hardway/provision/state"
)

// Generation returns what should be when the cluster goes back to an earlier
// generation: what was applied then. It refuses what cannot be gone back on.
func Generation(now, then state.Public) (resource.Set, error) {
	if err := reversible(now, then); err != nil {
		return resource.Set{}, fmt.Errorf("going back to generation %d: %w", then.Serial, err)
	}
	return resource.NewSet(recorded(then, now))
}

// reversible refuses to go back across what is not a file on a host: a minor
// (what the newer one stored the older one may not read), an authority or a key
// pair (what it signed since would no longer be trusted), a member of etcd.
func reversible(now, then state.Public) error {
	if now.Lineage != then.Lineage {
		return fmt.Errorf("it has the lineage %s, the state %s", then.Lineage, now.Lineage)
	}
	var errs []error
	for _, a := range then.Addresses() {
		old, present := then.Resources[a].Spec.Binary, now.Resources[a].Spec.Binary
		if old == nil || present == nil {
			continue
		}
		if from, to := semver.MajorMinor("v"+present.Version), semver.MajorMinor("v"+old.Version); from != to {
			errs = append(errs, fmt.Errorf("%s is %s now and was %s: another minor cannot be gone back to, what the newer one stored the older one may not read", a, present.Version, old.Version))
			break // one says it all
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.Authorities)) {
		if a, b := then.Authorities[name].Generation, now.Authorities[name].Generation; a != b {
			errs = append(errs, fmt.Errorf("the authority %q has the generation %d now and had %d: what it signed since would not be trusted", name, b, a))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.KeyPairs)) {
		if a, b := then.KeyPairs[name].Generation, now.KeyPairs[name].Generation; a != b {
			errs = append(errs, fmt.Errorf("the keys %q have the generation %d now and had %d: what they signed or encrypted since could not be read", name, b, a))
		}
	}
	if !slices.Equal(members(now.Allocations), members(then.Allocations)) {
		errs = append(errs, fmt.Errorf("etcd has the members %v now and had %v: members join and leave one at a time", members(now.Allocations), members(then.Allocations)))
	}
	if a, b := hostsOf(then), hostsOf(now); !slices.Equal(a, b) {
		errs = append(errs, fmt.Errorf("there are the hosts %v now and there were %v: the others' routes and the Nodes belong to them", b, a))
	}
	return errors.Join(errs...)
}

func hostsOf(s state.Public) []string {
	var out []string
	for a := range s.Resources {
		if !a.Host.IsCluster() {
			out = append(out, a.Host.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func members(a state.Allocations) []string { return slices.Sorted(maps.Keys(a.Etcd)) }

// DriftSet returns what was applied last, to be compared with the hosts. That a
// certificate is due for renewal is no drift.
func DriftSet(s state.Public) (resource.Set, error) {
	list := Applied(s)
	for i, r := range list {
		list[i].DependsOn = nil // nothing is done, so there is no order
		if r.Spec.Certificate != nil {
			c := *r.Spec.Certificate
			c.RenewBefore = 0
			list[i].Spec.Certificate = &c
		}
	}
	return resource.NewSet(list)
}
