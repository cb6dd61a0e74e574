package provision

import (
	"context"
	"fmt"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/plan"
	"hardway/provision/preflight"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// PlanOptions narrow or turn a plan.
type PlanOptions struct {
	Destroy     bool
	DestroyData bool // with Destroy: etcd's data too
	Targets     []addr.Address
	Replace     []addr.Address
	// ToGeneration goes back to an earlier generation instead of to what the
	// configuration says; 0 does not.
	ToGeneration uint64
	// Retry tries again what failed before and is held back.
	Retry bool
	// Deep has every digest computed from the bytes on the disks.
	Deep bool
	// OnHost is told of each connection, as it comes up or fails.
	OnHost func(addr.Host, error)
}

func (o PlanOptions) mode() plan.Mode {
	switch {
	case o.Destroy:
		return plan.Destroy
	case o.ToGeneration > 0:
		return plan.Rollback
	}
	return plan.Normal
}

// Plan observes the hosts and computes what to do. It changes nothing, takes no
// lock and needs no identity.
func (s *Session) Plan(ctx context.Context, o PlanOptions) (*plan.Plan, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return s.plan(ctx, snap.Public, o)
}

func (s *Session) plan(ctx context.Context, public state.Public, o PlanOptions) (*plan.Plan, error) {
	if err := s.sameCluster(public); err != nil {
		return nil, err
	}
	in := desired.Input{Config: s.cfg, State: public}
	var err error
	if in.Lock, err = s.readLock(); err != nil {
		return nil, err
	}
	// Compiled without facts first: what to observe does not depend on them.
	want, err := s.want(in, o)
	if err != nil {
		return nil, err
	}
	kept := s.kept(public, o)
	asked, err := union(want.Set, kept)
	if err != nil {
		return nil, err
	}
	asks, judge := requests(s.cfg, asked, public, o.Deep), s.judged(public, o)
	for _, h := range s.cfg.Hosts {
		if judge[h.Addr] {
			asks[h.Addr] = preflight.Ask(s.cfg, h, asks[h.Addr])
		}
	}
	in.Facts = s.read(ctx, asks, o.OnHost)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	warnings, err := s.fit(public, o, judge, in.Facts)
	if err != nil {
		return nil, err
	}
	if want, err = s.want(in, o); err != nil {
		return nil, err
	}
	p, err := plan.Compute(plan.Input{
		Tool: s.opts.Version, Cluster: s.cfg.Name, ConfigDigest: s.cfg.Digest, Now: s.opts.Now().UTC(), Mode: o.mode(),
		DestroyData: o.DestroyData, Targets: o.Targets, Replace: o.Replace, Generation: o.ToGeneration, Retry: o.Retry,
		Recipients: s.cfg.State.Recipients, Desired: want.Set, Kept: kept, Allocations: want.Allocations, Observed: in.Facts, State: public,
	})
	if err != nil {
		return nil, err
	}
	p.Warnings = append(warnings, p.Warnings...)
	return p, nil
}

func (s *Session) sameCluster(public state.Public) error {
	if public.Cluster != s.cfg.Name {
		return fmt.Errorf("%s: the state %s is of the cluster %q, this configuration of %q; a directory is one cluster: put the right name back, or run `hardway state recover`",
			s.cfg.Range, s.store.Path(), public.Cluster, s.cfg.Name)
	}
	return nil
}

// requests compiles what is asked of each host.
func requests(cfg *config.Cluster, want resource.Set, public state.Public, deep bool) map[addr.Host]facts.Request {
	var hosts []addr.Host
	for _, h := range cfg.Hosts {
		hosts = append(hosts, h.Addr)
	}
	out := desired.Requests(hosts, want, public)
	if deep {
		for h, q := range out {
			q.Deep = true
			out[h] = q
		}
	}
	return out
}

// want compiles what should be; a destruction wants nothing, and a rollback what
// was applied then.
func (s *Session) want(in desired.Input, o PlanOptions) (desired.Result, error) {
	switch o.mode() {
	case plan.Destroy:
		set, err := resource.NewSet(nil)
		return desired.Result{Set: set, Allocations: in.State.Allocations}, err
	case plan.Rollback:
		set, err := s.generation(in.State, o.ToGeneration)
		return desired.Result{Set: set, Allocations: in.State.Allocations}, err
	}
	return desired.Build(in)
}

// generation is what should be of an earlier generation, on the hosts that the
// configuration still has.
func (s *Session) generation(now state.Public, serial uint64) (resource.Set, error) {
	then, err := s.store.Generation(serial)
	if err != nil {
		return resource.Set{}, err
	}
	set, err := plan.Generation(now, then.Public)
	if err != nil {
		return resource.Set{}, err
	}
	return onHosts(set, s.cfg), nil
}

// kept is what a hold of everything keeps: the generation that was gone back to.
// One that is not kept any more stands for what was applied last.
func (s *Session) kept(public state.Public, o PlanOptions) []resource.Resource {
	for _, h := range public.Holds {
		if h.Unit == "" && h.Covers("", s.cfg.Digest) && o.mode() == plan.Normal && !o.Retry {
			if set, err := s.generation(public, h.Generation); err == nil {
				return set.All()
			}
		}
	}
	return nil
}

// onHosts leaves out what stands on hosts that the configuration has no more.
func onHosts(set resource.Set, cfg *config.Cluster) resource.Set {
	known := map[addr.Host]bool{{Role: addr.Cluster}: true}
	for _, h := range cfg.Hosts {
		known[h.Addr] = true
	}
	var list []resource.Resource
	for _, r := range set.All() {
		if !known[r.Addr.Host] {
			continue
		}
		r.DependsOn = slices.DeleteFunc(slices.Clone(r.DependsOn), func(a addr.Address) bool { return !known[a.Host] })
		list = append(list, r)
	}
	out, err := resource.NewSet(list)
	if err != nil { // a part of a set, without what leads out of it, is a set
		panic("provision: " + err.Error())
	}
	return out
}

// union adds to a set what it does not have, without dependencies: it is for asking.
func union(set resource.Set, more []resource.Resource) (resource.Set, error) {
	if len(more) == 0 {
		return set, nil
	}
	list := slices.Clone(set.All())
	for _, r := range more {
		if _, ok := set.Get(r.Addr); !ok {
			r.DependsOn = nil
			list = append(list, r)
		}
	}
	return resource.NewSet(list)
}
