package apply

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// restore puts back what was there before a change with which the unit does not
// become healthy: the files that the plan lists, then the process. What comes
// out is always an error; it says whether the former one is in force again.
//
// The hold is recorded before anything is put back, together with the records
// as they were: whatever happens from here on, the next plan takes the same way
// back and does not try the change again.
func (r *run) restore(h host.Host, c plan.Change, began time.Time, failure error) error {
	u := c.Spec.Unit
	r.emit(Event{Phase: Restoring, Addr: c.Addr, Action: c.Action, Message: reason(failure, u.Name)})
	held := state.Held{
		Hold: state.Hold{Unit: u.Name, ConfigDigest: r.record.ConfigDigest, Host: c.Addr.Host, Reason: reason(failure, u.Name), Since: r.Now().UTC().Round(0)},
	}
	if r.mode != plan.Normal { // going back is not what the configuration asks for
		held.Hold.ConfigDigest = ""
	}
	var files []kept
	var fresh []addr.Address // not hardway's before, and gone again
	now := r.Store.Snapshot()
	held.Records = map[addr.Address]state.Record{}
	for _, a := range c.Restore {
		record := now.Resources[a]
		if record.Last == nil {
			continue // it was not reached, so it is what it was
		}
		files = append(files, kept{strconv.FormatUint(record.Last.Generation, 10), paths(record.Spec)})
		if was, ok := record.Was(); ok {
			held.Records[a] = was
		} else {
			fresh = append(fresh, a)
		}
	}
	err := r.Store.Hold(r.ctx, held)
	if err == nil {
		former := u
		if was, ok := held.Records[c.Addr]; ok && was.Spec.Unit != nil {
			former = was.Spec.Unit
		}
		err = r.putBack(h, c, former, files)
	}
	if err == nil {
		err = r.recordBack(c.Restore, held.Records, fresh)
	}
	out := &RestoredError{Unit: u.Name, Err: failure, Elapsed: r.Now().Sub(began), Restore: err}
	r.mu.Lock()
	if err == nil {
		r.result.Restored++
	}
	r.mu.Unlock()
	if err != nil {
		r.emit(Event{Phase: NotRestored, Addr: c.Addr, Action: c.Action, Elapsed: out.Elapsed, Err: err.Error()})
	} else {
		r.emit(Event{Phase: Restored, Addr: c.Addr, Action: c.Action, Elapsed: out.Elapsed})
	}
	return out
}

// kept is what a host keeps of one resource.
type kept struct {
	generation string
	paths      []string
}

// putBack restores the files and restarts the unit with them, as it was described
// then. An interrupt does not stop it: half way is the worst place to be.
func (r *run) putBack(h host.Host, c plan.Change, former *resource.Unit, files []kept) error {
	for _, k := range files {
		if err := r.script(h, "keep-restore", append([]string{k.generation}, k.paths...)...); err != nil {
			return err
		}
	}
	if err := h.Unit(r.ctx, c.Spec.Unit.Name, host.DaemonReload); err != nil {
		return err
	}
	_ = h.Unit(r.ctx, c.Spec.Unit.Name, host.ResetFailed) // nothing to reset is the usual case
	return r.bring(r.ctx, h, c, former, host.Restart, c.Within)
}

// recordBack records that the resources are what they were, the unit last: it was
// seen healthy with the others.
func (r *run) recordBack(order []addr.Address, records map[addr.Address]state.Record, fresh []addr.Address) error {
	for _, a := range order {
		old, ok := records[a]
		if !ok {
			continue
		}
		if err := r.Store.Done(r.ctx, state.Done{Addr: a, SHA256: old.SHA256, Certificate: old.Certificate, Settles: []addr.Address{a}}); err != nil {
			return fmt.Errorf("recording that %s is back: %w", a, err)
		}
	}
	for _, a := range fresh {
		if err := r.Store.Forget(r.ctx, a); err != nil {
			return fmt.Errorf("recording that %s is gone: %w", a, err)
		}
	}
	return nil
}

// reason is why a unit is held back, in a line: what comes behind the first of
// an error may be a log of the host, which has no business in the state.
func reason(failure error, unit string) string {
	if script, ok := errors.AsType[*host.ScriptError](failure); ok && script.Script == "unit" {
		return fmt.Sprintf("%s did not start: systemctl ended with exit status %d", unit, script.Exit)
	}
	return firstLine(failure)
}
