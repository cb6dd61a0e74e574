package apply

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// generationsKept is how many generations of what was replaced a host keeps.
const generationsKept = 3

// begin records the run, before any host is touched, and then marks the hosts
// with it: were it the other way round, a crash in between would leave hosts
// that know of a serial which the state never reached.
func (r *run) begin(p *plan.Plan) error {
	if !p.Changed() {
		if p.Retry && len(r.before.Holds) > 0 {
			return r.Store.Release(r.ctx, "")
		}
		return nil
	}
	r.record = &state.Run{Operation: string(p.Mode), ConfigDigest: p.ConfigDigest, Started: r.started.UTC().Round(0)}
	if err := r.Store.PutRun(r.ctx, *r.record); err != nil {
		return err
	}
	if err := r.release(p); err != nil {
		return err
	}
	return r.mark(p)
}

// release ends the holds that this run is not under. A rollback holds back all
// of the present configuration.
func (r *run) release(p *plan.Plan) error {
	if p.Mode == plan.Rollback {
		return r.Store.Hold(r.ctx, state.Held{Hold: state.Hold{
			ConfigDigest: p.ConfigDigest, Generation: p.Generation, Since: r.record.Started,
			Reason: fmt.Sprintf("the cluster was rolled back to generation %d", p.Generation),
		}})
	}
	keep := p.ConfigDigest
	if (p.Retry || p.Mode == plan.Destroy) && len(p.Targets) == 0 {
		keep = ""
	}
	if slices.ContainsFunc(r.before.Holds, func(h state.Hold) bool { return h.ConfigDigest != keep }) {
		return r.Store.Release(r.ctx, keep)
	}
	return nil
}

// serial is what the state will have when this run is stored, and the number of
// the generation that it makes.
func (r *run) serial() string { return strconv.FormatUint(r.before.Serial+1, 10) }

// mark leaves on every host that is about to be changed whose it is and how far
// the state has come. A host that was changed with a newer state refuses.
func (r *run) mark(p *plan.Plan) error {
	touched := map[addr.Host]bool{}
	for _, c := range p.Changes {
		if active(c) {
			touched[c.Addr.Host] = true
		}
	}
	var mu sync.Mutex
	var errs []error
	g := errgroup.Group{}
	g.SetLimit(orDefault(r.Parallelism, 10))
	for at, h := range r.Hosts {
		if !touched[at] {
			continue
		}
		g.Go(func() error {
			err := r.script(h, "mark", r.before.Lineage, r.serial(), r.before.Cluster, "")
			if err == nil || over(err) { // its changes will say so
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("%s: marking the host: %w", at, err))
			return nil
		})
	}
	_ = g.Wait() // the errors are collected
	if len(errs) == 0 {
		return nil
	}
	n := 0
	for _, c := range p.Changes {
		if active(c) {
			n++
		}
	}
	return &IncompleteError{Errs: errs, Skipped: n}
}

// end records how the run ended, and lets hosts drop what they need keep no longer.
func (r *run) end(p *plan.Plan) error {
	needed := map[addr.Host]bool{} // what is not settled may need an older one
	for a, record := range r.Store.Snapshot().Resources {
		if record.Last != nil {
			needed[a.Host] = true
		}
	}
	for at := range r.keeping {
		if needed[at] {
			continue
		}
		_ = r.script(r.Hosts[at], "keep-prune", strconv.Itoa(generationsKept)) // more is kept, that is all
	}
	if r.record == nil {
		return nil
	}
	r.record.Ended = r.Now().UTC().Round(0)
	r.record.Complete = p.Complete && r.result.Failed+r.result.Skipped == 0
	return r.Store.PutRun(r.ctx, *r.record)
}

// keep has the host keep what the change replaces.
func (r *run) keep(h host.Host, c plan.Change) error {
	r.mu.Lock()
	r.keeping[c.Addr.Host] = true
	r.mu.Unlock()
	if err := r.script(h, "keep", append([]string{r.serial()}, paths(c.Spec)...)...); err != nil {
		return fmt.Errorf("keeping what is to be replaced: %w", err)
	}
	return nil
}

// copyPath is where a master keeps its sealed copy of the state.
const copyPath = home + "/state.age"

// Copies leaves a sealed copy of the stored state on every master that is still
// part of the cluster, and marks it there: whoever has the configuration and an
// identity can go on from it when the state is lost. It is the last thing that a
// run does; masters that are not connected keep an older copy.
func Copies(ctx context.Context, stored state.Snapshot, env Env) error {
	if len(env.Recipients) == 0 {
		return nil
	}
	lives := map[addr.Host]bool{}
	for a, r := range stored.Resources {
		if d := r.Spec.Directory; d == nil || !d.Data { // data that a destruction kept needs nothing of ours beside it
			lives[a.Host] = true
		}
	}
	if !slices.ContainsFunc(env.Masters, func(h addr.Host) bool { return lives[h] }) {
		return nil
	}
	sealed, err := state.SealSnapshot(stored, env.Recipients)
	if err != nil {
		return err
	}
	digest := resource.SHA256(sealed)
	var errs []error
	for _, at := range env.Masters {
		h, ok := env.Hosts[at]
		if !ok || !lives[at] {
			continue
		}
		err := h.Put(ctx, content(path.Clean(copyPath), resource.Root(0o600), "", sealed))
		if err == nil {
			_, err = h.Run(ctx, host.Script{Name: "mark", Args: []string{stored.Lineage, strconv.FormatUint(stored.Serial, 10), stored.Cluster, digest}})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: leaving a sealed copy of the state: %w", at, err))
		}
	}
	if len(errs) > 0 {
		return &IncompleteError{Errs: errs}
	}
	return nil
}
