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
	"strings"
	"sync"
	"time"

	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/state"
)

// Store is what apply needs of the state: records that are durable when the
// call returns.
type Store interface {
	Snapshot() state.Snapshot
	// Material has the authorities and key pairs alone.
	Material() state.Public
	Begin(context.Context, state.Begin) error
	BeginRemoval(context.Context, addr.Address) error
	Done(context.Context, state.Done) error
	Failed(context.Context, addr.Address, string) error
	Forget(context.Context, addr.Address) error
	PutKeys(context.Context, state.Keys) error
	PutAllocations(context.Context, state.Allocations) error
	PutRun(context.Context, state.Run) error
	Hold(context.Context, state.Held) error
	Release(ctx context.Context, configDigest string) error
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
	// Settle is how long a process that ran before must stay up once its gate is
	// open; 0 means 2 s.
	Settle time.Duration
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
		keys: maps.Clone(env.Secrets.Keys), left: map[addr.Host]int{},
		kept: map[addr.Address]bool{}, keeping: map[addr.Host]bool{},
	}
	if r.keys == nil {
		r.keys = map[string]state.Secret{}
	}
	before := env.Store.Snapshot()
	r.before = before
	planned := map[addr.Address]bool{}
	for _, c := range p.Changes {
		planned[c.Addr] = true
		for _, a := range c.Restore {
			r.kept[a] = true
		}
	}
	for a, record := range before.Resources {
		// Data that the plan keeps needs nothing of ours beside it.
		if d := record.Spec.Directory; d == nil || !d.Data || planned[a] {
			r.left[a.Host]++
		}
	}
	if err := plan.Bound(p, before.Lineage, before.Serial, p.ConfigDigest, p.Cluster); err != nil {
		return Result{}, err
	}
	if p.Mode == plan.Rollback {
		if err := r.available(p.Changes); err != nil {
			return Result{}, err
		}
	}
	if err := r.begin(p); err != nil {
		return Result{}, err
	}
	if p.Mode != plan.Destroy {
		if have := env.Store.Snapshot().Allocations; !have.Equal(p.Allocations) {
			if err := env.Store.PutAllocations(r.ctx, p.Allocations); err != nil {
				return Result{}, err
			}
		}
	}
	if err := r.owe(p.Changes, before); err != nil {
		return Result{}, err
	}
	for _, c := range p.Changes {
		if active(c) {
			r.emit(Event{Phase: Planned, Addr: c.Addr, Action: c.Action})
		}
	}
	outcomes := walk(stop, p.Changes, orDefault(env.Parallelism, 10), perHost, r.one, r.skipped)
	if p.Mode == plan.Destroy {
		r.leaveUnused(before)
	}
	for _, c := range p.Changes {
		if active(c) || outcomes[c.Addr] == failed {
			r.count(c, outcomes[c.Addr])
		}
	}
	if err := r.end(p); err != nil {
		r.errs = append(r.errs, err)
		r.result.Failed++
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
	left    map[addr.Host]int // records a host had, less those that a removal is through with

	keyMu sync.Mutex
	keys  map[string]state.Secret

	before  state.Snapshot        // when the run began
	kept    map[addr.Address]bool // what is kept on its host before it is changed
	keeping map[addr.Host]bool    // where something was; guarded by mu
	record  *state.Run            // nil when nothing is changed

	allocMu sync.Mutex // while the allocation table is read, changed and written
}

func active(c plan.Change) bool { return c.Action != plan.NoOp && c.Action != plan.Read }

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// one carries out one change, recorded before and after.
func (r *run) one(c plan.Change) error {
	began, do := r.Now(), r.adopt
	if active(c) {
		do = r.change
		r.emit(Event{Phase: Started, Addr: c.Addr, Action: c.Action})
	}
	err := do(c)
	elapsed := r.Now().Sub(began)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Addr, err)
		r.mu.Lock()
		r.errs = append(r.errs, err)
		r.mu.Unlock()
		// The record makes the next plan finish the job; when even that cannot be
		// written, the begun operation itself stands in the journal.
		_ = r.Store.Failed(r.ctx, c.Addr, firstLine(err))
		r.emit(Event{Phase: Failed, Addr: c.Addr, Action: c.Action, Elapsed: elapsed, Err: err.Error()})
		return err
	}
	if active(c) {
		r.emit(Event{Phase: Done, Addr: c.Addr, Action: c.Action, Elapsed: elapsed})
	}
	return nil
}

// firstLine is what the state keeps of an error: what follows may be a log of the
// host, which has no business in the state.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line[:min(len(line), 1024)]
}

// adopt records what was right before hardway came: a kernel parameter that
// somebody else changes later is then put back to what it was at the beginning,
// not to the stranger's value.
func (r *run) adopt(c plan.Change) error {
	if c.Prior == nil || c.Spec.Sysctl == nil && c.Spec.Module == nil && c.Spec.Swap == nil {
		return nil
	}
	if err := r.Store.Begin(r.ctx, state.Begin{Addr: c.Addr, Spec: c.Spec, DependsOn: c.Needs(), Prior: *c.Prior}); err != nil {
		return err
	}
	return r.Store.Done(r.ctx, state.Done{Addr: c.Addr})
}

func (r *run) change(c plan.Change) error {
	switch c.Action {
	case plan.Forget:
		return r.forget(c.Addr)
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
	begin := state.Begin{Addr: c.Addr, Spec: c.Spec, DependsOn: c.Needs()}
	if r.kept[c.Addr] && r.before.Resources[c.Addr].Last == nil { // else an earlier run's is the one to go back to
		if err := r.keep(h, c); err != nil {
			return err
		}
		begin.Keep = r.before.Serial + 1
	}
	if c.Prior != nil {
		begin.Prior = *c.Prior
	}
	if err := r.rememberFormer(c); err != nil {
		return err
	}
	if err := r.Store.Begin(r.ctx, begin); err != nil {
		return err
	}
	done, err := r.make(h, c)
	if _, moved := errors.AsType[*host.ChangedError](err); moved && c.Prior != nil {
		// Nothing of ours stands there, and what does is to be kept: the next plan
		// must not take it for our own.
		return errors.Join(err, r.Store.Forget(r.ctx, c.Addr))
	}
	if err != nil {
		return err
	}
	done.Addr = c.Addr
	switch u := c.Spec.Unit; {
	case u != nil:
		done.Settles = append(u.With(c.Addr.Host, c.DependsOn), c.Addr)
	case !r.kept[c.Addr]:
		done.Settles = []addr.Address{c.Addr}
	}
	return r.Store.Done(r.ctx, done)
}

// rememberFormer records what a change leaves at its old place, before the record
// of the resource itself speaks of the new one.
func (r *run) rememberFormer(c plan.Change) error {
	if c.Former == nil {
		return nil
	}
	was := r.before.Resources[c.Addr]
	if err := r.Store.Begin(r.ctx, state.Begin{Addr: c.Former.Addr, Spec: c.Former.Spec, DependsOn: was.DependsOn, Prior: was.Prior}); err != nil {
		return err
	}
	return r.Store.Done(r.ctx, state.Done{Addr: c.Former.Addr, SHA256: was.SHA256, Certificate: was.Certificate})
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

func (r *run) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	e.Seq, e.Time = r.seq, r.Now()
	if r.sink != nil {
		r.sink(e)
	}
}
