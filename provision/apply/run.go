// Package apply carries out a plan: a small interpreter over its changes.
//
// It does what a change says and nothing else: it walks the changes in order of
// their dependencies, records each before and after it in the state, waits for
// the gates, and stops where a host is no longer what the plan read of it. It
// must never know HCL, never decide what should be, and never write to a terminal.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Store is what apply needs of the state: records that are durable when the
// call returns.
type Store interface {
	Snapshot() state.Snapshot
	Begin(context.Context, state.Begin) error
	BeginRemoval(context.Context, addr.Address) error
	Done(context.Context, state.Done) error
	Failed(context.Context, addr.Address, string) error
	Forget(context.Context, addr.Address) error
	PutKeys(context.Context, state.Keys) error
	PutAllocations(context.Context, state.Allocations) error
}

// Artifacts opens binaries and image archives by their SHA-256, verifying it
// while they are read.
type Artifacts interface {
	Open(sha256 string) (io.ReadCloser, int64, error)
}

// Env is the world that a plan is applied to.
type Env struct {
	Hosts      map[addr.Host]host.Host // connected and locked
	Masters    []addr.Host             // in the order in which kubectl is tried
	Store      Store
	Secrets    state.Secrets // opened; empty when the cluster has no keys yet
	Recipients []string      // whom new keys are sealed for
	Artifacts  Artifacts
	Now        func() time.Time
	// Parallelism is how many hosts are worked on at once; 0 means 10.
	Parallelism int
}

// perHost is how many changes run at once on one host: one on the control
// channel, and uploads beside it.
const perHost = 4

// Run applies the plan. When stop ends, operations under way are finished, the
// rest is skipped, and the next plan resumes. The error sums up what failed;
// the Result is valid beside it.
func Run(stop context.Context, p *plan.Plan, env Env, sink Sink) (Result, error) {
	r := &run{
		Env: env, mode: p.Mode, sink: sink, started: env.Now(),
		// What has begun is finished: an interrupt must not tear an operation.
		ctx: context.WithoutCancel(stop), stop: stop,
		keys: maps.Clone(env.Secrets.Keys),
	}
	if r.keys == nil {
		r.keys = map[string]state.Secret{}
	}
	if err := r.bound(p); err != nil {
		return Result{}, err
	}
	if p.Mode != plan.Destroy {
		if have := env.Store.Snapshot().Allocations; !have.Equal(p.Allocations) {
			if err := env.Store.PutAllocations(r.ctx, p.Allocations); err != nil {
				return Result{}, err
			}
		}
	}
	for _, c := range p.Changes {
		if active(c) {
			r.emit(Event{Phase: Planned, Addr: c.Addr, Action: c.Action})
		}
	}
	outcomes := walk(stop, p.Changes, orDefault(env.Parallelism, 10), perHost, r.one, r.skipped)
	if p.Mode == plan.Destroy {
		r.leave()
	}
	for _, c := range p.Changes {
		if active(c) {
			r.count(c, outcomes[c.Addr])
		}
	}
	r.result.Elapsed = env.Now().Sub(r.started)
	r.emit(Event{Phase: Finished, Elapsed: r.result.Elapsed})
	if r.result.Failed+r.result.Skipped > 0 {
		return r.result, r.verdict()
	}
	return r.result, nil
}

// run is one application of a plan.
type run struct {
	Env
	mode plan.Mode
	ctx  context.Context
	stop context.Context
	sink Sink

	mu      sync.Mutex
	seq     int
	started time.Time
	result  Result
	errs    []error
	uploads int // under way
	copying time.Time

	keyMu sync.Mutex
	keys  map[string]state.Secret
}

func active(c plan.Change) bool { return c.Action != plan.NoOp && c.Action != plan.Read }

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// bound refuses a plan that was made against another state.
func (r *run) bound(p *plan.Plan) error {
	now := r.Store.Snapshot()
	switch {
	case p.Lineage != now.Lineage:
		return fmt.Errorf("the plan was made for the cluster with lineage %s, this state has %s; run `hardway plan` here", p.Lineage, now.Lineage)
	case p.Serial != now.Serial:
		return fmt.Errorf("the plan is stale: it was made at serial %d, the state is at %d; run `hardway plan` again", p.Serial, now.Serial)
	}
	return nil
}

// one carries out one change, recorded before and after.
func (r *run) one(c plan.Change) error {
	if !active(c) {
		return r.adopt(c)
	}
	began := r.Now()
	r.emit(Event{Phase: Started, Addr: c.Addr, Action: c.Action})
	err := r.change(c)
	elapsed := r.Now().Sub(began)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Addr, err)
		r.mu.Lock()
		r.errs = append(r.errs, err)
		r.mu.Unlock()
		// The record makes the next plan finish the job; when even that cannot be
		// written, the begun operation itself stands in the journal.
		_ = r.Store.Failed(r.ctx, c.Addr, err.Error())
		r.emit(Event{Phase: Failed, Addr: c.Addr, Action: c.Action, Elapsed: elapsed, Err: err.Error()})
		return err
	}
	r.emit(Event{Phase: Done, Addr: c.Addr, Action: c.Action, Elapsed: elapsed})
	return nil
}

// adopt records what was right before hardway came: a kernel parameter that
// somebody else changes later is then put back to what it was at the beginning,
// not to the stranger's value.
func (r *run) adopt(c plan.Change) error {
	if c.Prior == nil || c.Spec.Sysctl == nil && c.Spec.Module == nil && c.Spec.Swap == nil {
		return nil
	}
	if err := r.Store.Begin(r.ctx, state.Begin{Addr: c.Addr, Spec: c.Spec, DependsOn: c.DependsOn, Prior: *c.Prior}); err != nil {
		return err
	}
	return r.Store.Done(r.ctx, state.Done{Addr: c.Addr})
}

func (r *run) change(c plan.Change) error {
	switch c.Action {
	case plan.Forget:
		return r.Store.Forget(r.ctx, c.Addr)
	case plan.Delete:
		return r.remove(c)
	}
	if c.Spec.Authority != nil || c.Spec.KeyPair != nil {
		return r.material(c)
	}
	h, err := r.hostOf(c)
	if err != nil {
		return err
	}
	if c.Prior != nil {
		if err := r.savePrior(h, &c); err != nil {
			return err
		}
	}
	begin := state.Begin{Addr: c.Addr, Spec: c.Spec, DependsOn: c.DependsOn}
	if c.Prior != nil {
		begin.Prior = *c.Prior
	}
	if err := r.Store.Begin(r.ctx, begin); err != nil {
		return err
	}
	done, err := r.make(h, c)
	if err != nil {
		return err
	}
	done.Addr = c.Addr
	return r.Store.Done(r.ctx, done)
}

// hostOf returns the connection on which a change happens: for what belongs to
// the cluster, the first master.
func (r *run) hostOf(c plan.Change) (host.Host, error) {
	if !c.Addr.Host.IsCluster() {
		if h, ok := r.Hosts[c.Addr.Host]; ok {
			return h, nil
		}
		return nil, fmt.Errorf("%s is not connected", c.Addr.Host)
	}
	for _, m := range r.Masters {
		if h, ok := r.Hosts[m]; ok {
			return h, nil
		}
	}
	return nil, errors.New("no master is connected")
}

func (r *run) skipped(c plan.Change, why string) {
	if active(c) {
		r.emit(Event{Phase: Skipped, Addr: c.Addr, Action: c.Action, Message: why})
	}
}

func (r *run) count(c plan.Change, o outcome) {
	switch o {
	case failed:
		r.result.Failed++
	case skipped:
		r.result.Skipped++
	case succeeded:
		one := plan.Plan{Changes: []plan.Change{c}}
		n := one.Counts()
		r.result.Counts.Add += n.Add
		r.result.Counts.Change += n.Change
		r.result.Counts.Destroy += n.Destroy
		r.result.Counts.Forget += n.Forget
	}
}

// verdict is the error of a run that did not do everything.
func (r *run) verdict() error {
	if len(r.errs) == 0 {
		return &IncompleteError{Skipped: r.result.Skipped}
	}
	return &IncompleteError{Errs: r.errs, Skipped: r.result.Skipped}
}

// IncompleteError says that a plan was not carried out in full. What was done
// is recorded; running apply again resumes.
type IncompleteError struct {
	Errs    []error
	Skipped int
}

func (e *IncompleteError) Error() string {
	if len(e.Errs) == 0 {
		return fmt.Sprintf("interrupted: %d changes were not started; run `hardway apply` again to resume", e.Skipped)
	}
	return errors.Join(e.Errs...).Error()
}

// Unwrap returns the failures.
func (e *IncompleteError) Unwrap() []error { return e.Errs }

func (r *run) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	e.Seq, e.Time = r.seq, r.Now()
	if r.sink != nil {
		r.sink(e)
	}
}

// material makes an authority or a key pair. It is durable, sealed, before any
// host can hold something of it: hosts' changes depend on this one.
func (r *run) material(c plan.Change) error {
	r.keyMu.Lock()
	defer r.keyMu.Unlock()
	now := r.Store.Snapshot()
	keys := state.Keys{Recipients: r.Recipients, Authorities: maps.Clone(now.Authorities), KeyPairs: maps.Clone(now.KeyPairs)}
	switch {
	case c.Spec.Authority != nil:
		spec := c.Spec.Authority
		a, err := certs.NewAuthority(certs.AuthoritySpec{
			Name: c.Addr.Name, CN: spec.CN, Algorithm: certs.Algorithm(spec.Algorithm),
			Validity: spec.Validity, Generation: spec.Generation, Now: r.Now(),
		})
		if err != nil {
			return err
		}
		if keys.Authorities == nil {
			keys.Authorities = map[string]state.Authority{}
		}
		r.keys[resource.MaterialKey(c.Addr.Name)] = state.NewSecret(string(a.KeyPEM.Reveal()))
		keys.Authorities[c.Addr.Name] = state.Authority{
			Generation: spec.Generation, CertPEM: string(a.CertPEM),
			KeySHA256: resource.SHA256(a.KeyPEM.Reveal()), NotAfter: a.NotAfter,
		}
	default:
		pair, err := certs.NewKeyPair(certs.Algorithm(c.Spec.KeyPair.Algorithm))
		if err != nil {
			return err
		}
		if keys.KeyPairs == nil {
			keys.KeyPairs = map[string]state.KeyPair{}
		}
		r.keys[resource.MaterialPrivate(c.Addr.Name)] = state.NewSecret(string(pair.PrivatePEM.Reveal()))
		keys.KeyPairs[c.Addr.Name] = state.KeyPair{
			Generation: c.Spec.KeyPair.Generation, PublicPEM: string(pair.PublicPEM),
			PrivateSHA256: resource.SHA256(pair.PrivatePEM.Reveal()),
		}
	}
	var err error
	if keys.Sealed, err = now.Seal(r.Recipients, state.Secrets{Keys: r.keys}); err != nil {
		return err
	}
	return r.Store.PutKeys(r.ctx, keys)
}

// authority puts an authority together from the state and the opened keys.
func (r *run) authority(name string) (certs.Authority, error) {
	a, ok := r.Store.Snapshot().Authorities[name]
	if !ok {
		return certs.Authority{}, fmt.Errorf("the state has no authority %q", name)
	}
	r.keyMu.Lock()
	key, ok := r.keys[resource.MaterialKey(name)]
	r.keyMu.Unlock()
	if !ok {
		return certs.Authority{}, fmt.Errorf("the key of the authority %q is not in the sealed part of the state", name)
	}
	return certs.LoadAuthority(name, a.Generation, []byte(a.CertPEM), certs.NewSecret([]byte(key.Reveal())))
}
