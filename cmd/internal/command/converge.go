package command

import (
	"context"
	"errors"
	"fmt"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/plan"
)

// maxSteps bounds how often apply plans again after a step: no convergence
// needs more, and one that does not end must stop somewhere.
const maxSteps = 5

// convergence is one way from plans to hosts: apply, destroy, rollback and
// certs renew differ only in what is planned.
type convergence struct {
	a       *app
	s       Session
	flags   *planFlags
	approve approval
	// again is the command line that goes on where this one stopped.
	again string
	// plan makes the next step's plan.
	plan  func(ctx context.Context, onHost func(addr.Host, error)) (*plan.Plan, error)
	steps int

	log  *view.EventLog // with --json
	done view.Applied   // over all steps
}

// run plans, shows, asks, applies, and goes on while a step leaves something
// that only the next one can decide. The first plan is approved; the steps that
// follow from it are shown. It reports whether anything was changed.
func (c *convergence) run(ctx context.Context) (changed bool, err error) {
	if c.flags.json {
		if !c.approve.auto {
			return false, &view.Problem{Summary: "--json needs --auto-approve", Detail: "A question would not be JSON.",
				Next: "Give --auto-approve, or apply a saved plan."}
		}
		c.log = view.NewEventLog(c.a.env.Stdout, c.a.env.Version, c.a.env.Now)
		defer c.log.Close()
		defer func() { c.log.Diagnostics(view.ErrorDiagnostics(explain(err), nil)) }()
	}
	for step := 1; ; step++ {
		p, err := c.read(ctx)
		if err != nil {
			return changed, err
		}
		done, err := c.step(ctx, p, step)
		changed = changed || done.Counts != plan.Counts{}
		switch {
		case err != nil:
			return changed, err
		case p.Complete:
			return changed, c.end()
		case !p.Changed() && step == 1:
			return changed, unfinished(p, c.again, false)
		case !p.Changed() || !anotherStep(p):
			c.done.Undecided = len(p.Deferred)
			return changed, errors.Join(c.end(), unfinished(p, c.again, changed))
		case step == c.steps:
			return changed, &view.Problem{Summary: fmt.Sprintf("Not finished after %d steps", step), Next: "Run \"" + c.again + "\" again to go on."}
		}
	}
}

// anotherStep reports whether a plan that was carried out but is not complete
// leaves something that may be decided by now. What is held back is not, nor
// does a host that was silent a moment ago answer now.
func anotherStep(p *plan.Plan) bool {
	return len(p.Deferred) > 0 || len(p.Unknown)+len(p.Held) == 0
}

// read makes the next plan and shows meanwhile which hosts have answered.
func (c *convergence) read(ctx context.Context) (*plan.Plan, error) {
	var hosts []addr.Host
	for _, h := range c.s.Config().Hosts {
		hosts = append(hosts, h.Addr)
	}
	if c.log != nil {
		c.log.Reading(hosts)
	}
	onHost, clear := c.a.reading(c.s)
	p, err := c.plan(ctx, onHost)
	clear()
	if err == nil && c.log != nil {
		c.log.Read(hosts, p)
	}
	return p, err
}

// saved applies one plan that was shown and approved before it was saved.
func (c *convergence) saved(ctx context.Context, p *plan.Plan) (changed bool, err error) {
	c.approve.auto = true
	if c.flags.json {
		c.log = view.NewEventLog(c.a.env.Stdout, c.a.env.Version, c.a.env.Now)
		defer c.log.Close()
		defer func() { c.log.Diagnostics(view.ErrorDiagnostics(explain(err), nil)) }()
	}
	if len(p.Unknown) > 0 && p.Changed() {
		c.a.say(leftOut(len(p.Unknown)) + "\n\n")
	}
	if _, err := c.apply(ctx, p, true); err != nil {
		return c.done.Counts != plan.Counts{}, err
	}
	if !p.Complete && anotherStep(p) {
		c.a.say("This plan was one step; run \"hardway plan\" for the next.\n")
	}
	err = c.end()
	if len(p.Unknown)+len(p.Held) > 0 {
		err = errors.Join(err, unfinished(p, c.again, true))
	}
	return p.Changed(), err
}

// step shows one plan and carries it out.
func (c *convergence) step(ctx context.Context, p *plan.Plan, n int) (apply.Result, error) {
	if n > 1 {
		c.a.say(fmt.Sprintf("\nStep %d: what could be decided only now.\n\n", n))
	}
	if c.log != nil {
		c.log.Plan(p)
	} else if err := view.Plan(c.a.env.Stdout, p, c.flags.view(c.a)); err != nil {
		return apply.Result{}, err
	}
	c.about(p)
	switch {
	case !p.Changed() && (p.Retry || p.Reseal || len(p.Copies) > 0): // no host is changed by it, so nobody is asked
		return c.apply(ctx, p, false)
	case !p.Changed():
		return apply.Result{}, nil
	}
	if n == 1 {
		c.a.say("\n")
		if err := c.a.approve(ctx, c.question(p)); err != nil {
			return apply.Result{}, err
		}
	}
	return c.apply(ctx, p, false)
}

// about takes from a plan what the result says of it.
func (c *convergence) about(p *plan.Plan) {
	c.done.Mode, c.done.Unseen, c.done.Held = p.Mode, len(p.Unknown), len(p.Held)
}

// question is the approval for a plan: that hosts are left out is said before
// the yes, or before it begins.
func (c *convergence) question(p *plan.Plan) approval {
	q := c.approve
	if n := len(p.Unknown); n > 0 {
		if q.auto {
			c.a.say(leftOut(n) + "\n\n")
		}
		q.why = leftOut(n) + "\n" + q.why
	}
	return q
}

// apply carries out a plan under the display that fits the output.
func (c *convergence) apply(ctx context.Context, p *plan.Plan, saved bool) (apply.Result, error) {
	c.about(p)
	progress := c.progress()
	r, err := c.s.Apply(ctx, p, provision.ApplyOptions{Sink: progress.Event, Saved: saved})
	if c.log == nil {
		progress.Close()
	}
	c.add(r)
	if err != nil {
		// what was done before the failure is part of the answer
		if c.done.Counts != (plan.Counts{}) || r.Failed+r.Skipped > 0 {
			err = errors.Join(c.result(), err)
		}
		return r, err
	}
	return r, nil
}

// progress returns the event log, bars, or lines.
func (c *convergence) progress() view.Progress {
	if c.log != nil {
		return c.log
	}
	if !c.a.terminal(c.a.env.Stderr) {
		return view.NewLines(c.a.env.Stderr, c.a.style(c.a.env.Stderr))
	}
	bars := view.NewBars(c.a.env.Stderr, c.a.style(c.a.env.Stderr))
	return closing{bars, c.a.talkThrough(bars)}
}

// closing restores where messages go once the bars are gone.
type closing struct {
	view.Progress
	then func()
}

func (c closing) Close() {
	c.then()
	c.Progress.Close()
}

func (c *convergence) add(r apply.Result) {
	c.done.Counts.Add += r.Counts.Add
	c.done.Counts.Change += r.Counts.Change
	c.done.Counts.Destroy += r.Counts.Destroy
	c.done.Counts.Forget += r.Counts.Forget
	c.done.Failed += r.Failed
	c.done.Skipped += r.Skipped
	c.done.Restored += r.Restored
	c.done.Bytes += r.Bytes
	c.done.Elapsed += r.Elapsed
	c.done.Copying += r.Copying
}

// end writes the result of a convergence that went to its end.
func (c *convergence) end() error {
	c.a.say("\n")
	return c.result()
}

func (c *convergence) result() error {
	if c.log != nil {
		c.log.Result(c.done)
		if c.done.Mode == plan.Destroy {
			return nil
		}
		return c.log.Outputs(viewOutputs(c.s.Config().Outputs))
	}
	return c.done.Write(c.a.env.Stdout, c.a.style(c.a.env.Stdout))
}
