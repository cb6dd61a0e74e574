package provision

import (
	"context"
	"fmt"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/binaries"
	"hardway/provision/desired"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// PlanOptions narrow or turn a plan.
type PlanOptions struct {
	Destroy     bool
	DestroyData bool // with Destroy: etcd's data too
	Targets     []addr.Address
	Replace     []addr.Address
	// OnHost is told of each connection, as it comes up or fails.
	OnHost func(addr.Host, error)
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
	if public.Cluster != s.cfg.Name {
		return nil, fmt.Errorf("%s: the state %s is of the cluster %q, this configuration of %q; a directory is one cluster",
			s.cfg.Range, s.store.Path(), public.Cluster, s.cfg.Name)
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
	if err := s.connect(ctx, o.OnHost); err != nil {
		return nil, err
	}
	var hosts []addr.Host
	for _, h := range s.cfg.Hosts {
		hosts = append(hosts, h.Addr)
	}
	in.Facts = s.observe(ctx, desired.Requests(hosts, want.Set, public))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if want, err = s.want(in, o); err != nil {
		return nil, err
	}
	mode := plan.Normal
	if o.Destroy {
		mode = plan.Destroy
	}
	return plan.Compute(plan.Input{
		Tool: s.opts.Version, Cluster: s.cfg.Name, ConfigDigest: s.cfg.Digest, Now: s.opts.Now().UTC(), Mode: mode,
		DestroyData: o.DestroyData, Targets: o.Targets, Replace: o.Replace,
		Desired: want.Set, Allocations: want.Allocations, Observed: in.Facts, State: public,
	})
}

// want compiles what should be; a destruction wants nothing.
func (s *Session) want(in desired.Input, o PlanOptions) (desired.Result, error) {
	if o.Destroy {
		set, err := resource.NewSet(nil)
		return desired.Result{Set: set, Allocations: in.State.Allocations}, err
	}
	return desired.Build(in)
}

// ApplyOptions of an application.
type ApplyOptions struct {
	Sink apply.Sink
}

// Apply carries out a plan that was made by this session or saved by another.
// When ctx ends, operations under way are finished and recorded, and the error
// says how to resume.
func (s *Session) Apply(ctx context.Context, p *plan.Plan, o ApplyOptions) (apply.Result, error) {
	if p.ConfigDigest != s.cfg.Digest {
		return apply.Result{}, fmt.Errorf("the plan is stale: the configuration in %s changed since it was made; run `hardway plan` again", s.cfg.Dir)
	}
	snap, err := s.lock(ctx, string(p.Mode))
	if err != nil {
		return apply.Result{}, err
	}
	secrets, err := s.open(snap)
	if err != nil {
		return apply.Result{}, err
	}
	if err := s.connect(ctx, nil); err != nil {
		return apply.Result{}, err
	}
	if err := s.lockHosts(ctx, string(p.Mode)); err != nil {
		return apply.Result{}, err
	}
	if err := s.reseal(ctx, snap, secrets); err != nil {
		return apply.Result{}, err
	}
	result, err := apply.Run(ctx, p, apply.Env{
		Hosts: s.hosts, Masters: masters(s.cfg), Store: s.store, Secrets: secrets, Recipients: s.recipients(snap.Public),
		Artifacts: binaries.NewCache(s.cfg.Binaries.Cache), Now: s.opts.Now, Parallelism: s.parallelism(),
	}, o.Sink)
	if commitErr := s.store.Commit(context.WithoutCancel(ctx)); commitErr != nil {
		return result, fmt.Errorf("saving the state: %w", commitErr)
	}
	return result, err
}

// reseal seals the keys for the recipients of the configuration where they were
// sealed for others: somebody who was added must be able to open them when the
// one who is trusted today is gone.
func (s *Session) reseal(ctx context.Context, snap state.Snapshot, secrets state.Secrets) error {
	to := s.recipients(snap.Public)
	if len(snap.Sealed) == 0 || slices.Equal(slices.Sorted(slices.Values(to)), slices.Sorted(slices.Values(snap.Recipients))) {
		return nil
	}
	sealed, err := snap.Seal(to, secrets)
	if err != nil {
		return fmt.Errorf("sealing the keys for the recipients of the state block: %w", err)
	}
	return s.store.PutKeys(context.WithoutCancel(ctx), state.Keys{
		Recipients: to, Authorities: snap.Authorities, KeyPairs: snap.KeyPairs, Sealed: sealed,
	})
}

// recipients are whom the keys are sealed for: the configuration's, else those
// that init chose.
func (s *Session) recipients(p state.Public) []string {
	if len(s.cfg.State.Recipients) > 0 {
		return s.cfg.State.Recipients
	}
	return p.Recipients
}
