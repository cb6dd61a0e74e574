package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/health"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// unit does the steps that the plan lists, then waits for the gate.
func (r *run) unit(h host.Host, c plan.Change) (state.Done, error) {
	u, steps := c.Spec.Unit, c.Unit
	done := state.Done{SHA256: resource.SHA256([]byte(u.Content))}
	if steps == nil {
		return done, errors.New("the plan has no steps for this unit")
	}
	if err := r.quorum(c); err != nil {
		return done, err
	}
	if steps.Start == string(host.RestartNoBlock) && u.Gate != nil && health.Once(r.ctx, h, *u.Gate) == nil {
		return done, errors.New("when the plan was made etcd had no quorum, and its members were to start together; it has one again, so they go one at a time: run `hardway plan` again")
	}
	if steps.Unmask { // before writing: the mask is a link where the unit file may belong
		if err := h.Unit(r.ctx, u.Name, host.Unmask); err != nil {
			return done, err
		}
	}
	if steps.Write {
		if err := h.Put(r.ctx, content(u.Path, u.Meta, c.Expect, []byte(u.Content))); err != nil {
			return done, err
		}
		if err := h.Unit(r.ctx, u.Name, host.DaemonReload); err != nil {
			return done, err
		}
	}
	for _, s := range []struct {
		wanted bool
		action host.UnitAction
	}{
		{steps.Enable, host.Enable}, {steps.Disable, host.Disable},
	} {
		if !s.wanted {
			continue
		}
		if err := h.Unit(r.ctx, u.Name, s.action); err != nil {
			return done, r.explain(h, c.Addr, u.Name, err)
		}
	}
	began := r.Now()
	err := r.bring(r.stop, h, c, u, host.UnitAction(steps.Start), c.Within)
	if err != nil && len(c.Restore) > 0 && !over(err) && r.stop.Err() == nil {
		return done, r.restore(h, c, began, err)
	}
	return done, err
}

// bring starts, restarts or stops the unit as u says and waits for its gate. With
// a time given, both together may take no longer, and a process that keeps dying
// ends the waiting at once. When stop ends, so does the waiting.
func (r *run) bring(stop context.Context, h host.Host, c plan.Change, u *resource.Unit, start host.UnitAction, within time.Duration) error {
	ctx, begun := r.ctx, time.Now()
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(r.ctx, within, fmt.Errorf("it did not get through its start within %s", within))
		defer cancel()
	}
	if start == host.Start || start == host.StartNoBlock {
		_ = h.Unit(r.ctx, u.Name, host.ResetFailed) // nothing to reset is the usual case
	}
	if start != "" && len(u.BeforeStart) > 0 {
		var err error
		if start, err = r.beforeStart(ctx, h, u, start); err != nil {
			return r.explain(h, c.Addr, u.Name, err)
		}
	}
	if start != "" {
		if err := h.Unit(ctx, u.Name, start); err != nil {
			return r.explain(h, c.Addr, u.Name, err)
		}
	}
	if u.Gate == nil || !u.Running {
		return nil
	}
	g := *u.Gate
	if within > 0 {
		g.Timeout = max(within-time.Since(begun), time.Second)
		return r.stays(stop, h, c, g)
	}
	return r.gate(stop, h, c, g, false)
}

// beforeStart does what has to be done while the process is down: a restart is a
// stop and the start that it returns.
func (r *run) beforeStart(ctx context.Context, h host.Host, u *resource.Unit, start host.UnitAction) (host.UnitAction, error) {
	if start == host.Restart {
		if err := h.Unit(ctx, u.Name, host.Stop); err != nil {
			return "", err
		}
		start = host.Start
	}
	for _, cmd := range u.BeforeStart {
		if err := r.script(h, cmd.Script, cmd.Args...); err != nil {
			return "", fmt.Errorf("before the start of %s: %w", u.Name, err)
		}
	}
	return start, nil
}

// settle is how long a process that ran before must stay up once its gate is
// open, unless Env says otherwise. Some answer at first and end a moment later,
// when they come to what they cannot do: a kubelet answers its probe 0.3 s before
// it ends because of a cgroup that is not there.
const settle = 2 * time.Second

// stays waits for the gate, and then that the process behind it stays up. One that
// ended once may have had a reason of its own, and its gate is waited for again.
func (r *run) stays(stop context.Context, h host.Host, c plan.Change, g resource.Gate) error {
	name, deadline := c.Spec.Unit.Name, time.Now().Add(g.Timeout)
	for {
		if err := r.gate(stop, h, c, g, true); err != nil {
			return err
		}
		then, err := r.process(h, name)
		if err == nil {
			select {
			case <-stop.Done(): // it is healthy as far as anybody knows
				return nil
			case <-time.After(orSettle(r.Settle)):
			}
			var now facts.Unit
			if now, err = r.process(h, name); err == nil {
				if then.Active == "active" && now.Active == "active" && now.PID == then.PID {
					return nil
				}
				if now.Active == "failed" || now.Restarts >= maxRestarts || time.Now().After(deadline) {
					err := &dyingError{unit: name, restarts: now.Restarts, active: now.Active}
					return r.explain(h, c.Addr, name, fmt.Errorf("%s opened, but the process did not stay up: %w", g.Name, err))
				}
			}
		}
		switch {
		case err == nil:
		case over(err):
			return fmt.Errorf("waiting for %s to stay up: %w", name, ending(err))
		default: // a host that does not answer this says nothing against its gate
			return nil
		}
		g.Timeout = max(time.Until(deadline), time.Second)
	}
}

func orSettle(d time.Duration) time.Duration {
	if d <= 0 {
		return settle
	}
	return d
}

// process asks systemd about a unit.
func (r *run) process(h host.Host, unit string) (facts.Unit, error) {
	o, err := h.Observe(r.ctx, facts.Request{Units: []string{unit}})
	return o.Units[unit], err
}

// owe records restarts that nothing else would show any more once what they are
// for is done: a file that a process has read is put right first, and then an
// interrupt comes.
func (r *run) owe(changes []plan.Change, before state.Snapshot) error {
	for _, c := range changes {
		rec, ours := before.Resources[c.Addr]
		if c.Unit == nil || c.Unit.Start != string(host.Restart) || c.Unit.Write || !ours || rec.Removing {
			continue
		}
		if err := r.Store.Begin(r.ctx, state.Begin{Addr: c.Addr, Spec: rec.Spec, DependsOn: rec.DependsOn}); err != nil {
			return err
		}
		if err := r.Store.Done(r.ctx, state.Done{Addr: c.Addr, SHA256: rec.SHA256, RestartOwed: true}); err != nil {
			return err
		}
	}
	return nil
}

// gate waits until the unit does its work, and says what it waits for. A host
// whose session is over is not asked again: it can give no answer any more.
func (r *run) gate(stop context.Context, h host.Host, c plan.Change, g resource.Gate, ranBefore bool) error {
	name := c.Spec.Unit.Name
	ctx, end := context.WithCancelCause(stop)
	defer end(nil)
	err := health.Wait(ctx, h, g, func(attempt int, last error) {
		switch {
		case over(last):
			end(last)
		case attempt == 1:
			r.emit(Event{Phase: Waiting, Addr: c.Addr, Action: c.Action, Message: g.Name})
		case ranBefore && attempt%4 == 0: // every few seconds
			if err := r.dying(h, name); err != nil {
				end(err)
			}
		}
	})
	switch {
	case err == nil:
		return nil
	case over(err):
		return fmt.Errorf("waiting for %s: %w", g.Name, ending(err))
	}
	if cause, ok := errors.AsType[*dyingError](context.Cause(ctx)); ok {
		err = fmt.Errorf("waiting for %s: %w", g.Name, cause)
	}
	return r.explain(h, c.Addr, name, err)
}

// maxRestarts is how often systemd may start a process that ran before anew,
// until it counts as broken rather than slow.
const maxRestarts = 2

// dyingError is a process that does not stay up.
type dyingError struct {
	unit     string
	restarts int
	active   string
}

func (e *dyingError) Error() string {
	if e.active == "failed" {
		return e.unit + " failed"
	}
	return fmt.Sprintf("%s keeps dying: systemd started it anew %d times", e.unit, e.restarts)
}

// dying asks systemd whether the process stays up. A host that does not answer
// says nothing about that.
func (r *run) dying(h host.Host, unit string) error {
	u, err := r.process(h, unit)
	if err != nil {
		return nil
	}
	if u.Active == "failed" || u.Restarts >= maxRestarts {
		return &dyingError{unit: unit, restarts: u.Restarts, active: u.Active}
	}
	return nil
}

// over reports whether the session with a host has ended, so that nothing more
// can be done or asked through it.
func over(err error) bool { return ending(err) != nil }

// ending returns the error with which the session ended, without what was
// being done at the time; nil when it goes on.
func ending(err error) error {
	if lost, ok := errors.AsType[*host.LostError](err); ok {
		return lost
	}
	if fenced, ok := errors.AsType[*host.FencedError](err); ok {
		return fenced
	}
	return nil
}

// explain adds the last lines of the unit's journal to an error: the reason is
// nearly always there.
func (r *run) explain(h host.Host, a addr.Address, unit string, err error) error {
	res, logErr := h.Run(r.ctx, host.Script{Name: "unit-logs", Args: []string{unit, "15"}})
	if text := strings.TrimSpace(string(res.Stdout)); logErr == nil && text != "" {
		return fmt.Errorf("%w\nlast lines of its journal:\n%s\nmore: %s on %s", err, text, resource.LogCommand(unit), a.Host)
	}
	return fmt.Errorf("%w; see %s on %s", err, resource.LogCommand(unit), a.Host)
}
