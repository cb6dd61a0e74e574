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

// convergence is one way from plans to hosts: apply, destroy and certs renew
// differ only in what is planned.
type convergence struct {
	a       *app
	s       Session
	flags   *planFlags
	approve approval
	// plan makes the next step's plan.
	plan  func(ctx context.Context, onHost func(addr.Host, error)) (*plan.Plan, error)
	steps int

	log  *view.EventLog // with --json
	done apply.Result   // over all steps
	mode plan.Mode
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
		onHost, clear := c.a.reading(c.s)
		p, err := c.plan(ctx, onHost)
		clear()
		if err != nil {
			return changed, err
		}
		done, err := c.step(ctx, p, step)
		changed = changed || done.Counts != plan.Counts{}
		if err != nil {
			return changed, err
		}
		switch {
		case p.Complete:
			return changed, c.end()
		case !p.Changed():
			return changed, &view.Problem{Summary: "The cluster is not all that the configuration says",
				Detail: "There is nothing to change in what could be seen, but something is left to be decided.",
				Next:   "Run \"hardway plan\" to see what, and \"hardway verify\" to see what is not healthy."}
		case step == c.steps:
			return changed, &view.Problem{Summary: fmt.Sprintf("Not finished after %d steps", step), Next: "Run \"hardway apply\" again to go on."}
		}
	}
}

// saved applies one plan that was shown and approved before it was saved.
func (c *convergence) saved(ctx context.Context, p *plan.Plan) (changed bool, err error) {
	c.approve.auto = true
	if c.flags.json {
		c.log = view.NewEventLog(c.a.env.Stdout, c.a.env.Version, c.a.env.Now)
		defer c.log.Close()
		defer func() { c.log.Diagnostics(view.ErrorDiagnostics(explain(err), nil)) }()
	}
	if err := unseen(p, "A plan in which hosts are missing is not applied. Run \"hardway plan\" again."); err != nil {
		return false, err
	}
	if _, err := c.apply(ctx, p); err != nil {
		return c.done.Counts != plan.Counts{}, err
	}
	if !p.Complete {
		c.a.say("This plan was one step; run \"hardway plan\" for the next.\n")
	}
	return p.Changed(), c.end()
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
	if err := unseen(p, "Nothing was changed. Mend the connection, or leave the hosts out by naming others with --target."); err != nil {
		return apply.Result{}, err
	}
	if !p.Changed() {
		return apply.Result{}, nil
	}
	if n == 1 {
		c.a.say("\n")
		if err := c.a.approve(ctx, c.approve); err != nil {
			return apply.Result{}, err
		}
	}
	return c.apply(ctx, p)
}

// apply carries out a plan under the display that fits the output.
func (c *convergence) apply(ctx context.Context, p *plan.Plan) (apply.Result, error) {
	c.mode = p.Mode
	progress := c.progress()
	r, err := c.s.Apply(ctx, p, provision.ApplyOptions{Sink: progress.Event})
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
		c.log.Result(c.done, c.mode)
		if c.mode == plan.Destroy {
			return nil
		}
		return c.log.Outputs(viewOutputs(c.s.Config().Outputs))
	}
	return view.Applied(c.a.env.Stdout, c.done, c.mode, c.a.style(c.a.env.Stdout))
}
