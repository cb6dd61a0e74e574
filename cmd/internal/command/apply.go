package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/plan"
)

func newApply(a *app) *cobra.Command {
	var f planFlags
	var auto, verify bool
	cmd := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Make the hosts what the configuration says",
		Long: `Makes a plan, shows it, asks, and carries it out: in the order of dependencies,
hosts in parallel, waiting for the health of each stage. Then it verifies the
cluster. With a saved PLAN exactly that is carried out, without asking.

A unit that ran before and does not become healthy with its change is put back,
nothing further is restarted, and the change is held back until the configuration
is another one, or until --retry.

A host that cannot be read is left out, with what depends on it; the rest is done,
and the exit code is 1. It can be interrupted: the first Ctrl-C finishes what is
under way, and the next apply goes on from there.`,
		Example: `  hardway apply
  hardway apply lab.plan
  hardway apply --auto-approve --json > events.jsonl
  hardway apply --replace='node["n1"].cert["kubelet-serving"]'`,
		Args: atMostOne("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o, err := f.options()
			if err != nil {
				return err
			}
			var saved *plan.Plan
			if len(args) == 1 {
				if err := refuseWithPlan(cmd); err != nil {
					return err
				}
				if saved, err = readPlan(args[0]); err != nil {
					return err
				}
			}
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			c := &convergence{
				a: a, s: s, flags: &f, steps: maxSteps, again: again(f.mode(), f.toGeneration),
				approve: question(f.mode(), f.toGeneration, auto, f.input),
				plan: func(ctx context.Context, onHost func(addr.Host, error)) (*plan.Plan, error) {
					o.OnHost = onHost
					return s.Plan(ctx, o)
				},
			}
			changed := false
			if saved != nil {
				c.again = again(saved.Mode, saved.Generation)
				changed, err = c.saved(cmd.Context(), saved)
			} else {
				changed, err = c.run(cmd.Context())
			}
			switch verify = verify && changed; {
			case err != nil || c.done.Mode == plan.Destroy:
				return err
			case f.json && verify: // stdout has the events, the outputs among them
				return a.verify(cmd.Context(), s, true, false, a.env.Stderr)
			case f.json:
				return nil
			}
			return a.afterApply(cmd.Context(), s, verify)
		},
	}
	f.registerRun(cmd)
	f.registerPlan(cmd)
	cmd.Flags().BoolVar(&auto, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&verify, "verify", true, "verify the cluster after a change; --verify=false leaves it out")
	cmd.Flags().BoolVar(&f.json, "json", false, "write events as JSON lines, as Terraform names them; needs --auto-approve or a PLAN")
	return cmd
}

// refuseWithPlan refuses options that a saved plan has decided already.
func refuseWithPlan(cmd *cobra.Command) error {
	for _, name := range []string{"target", "replace", "destroy", "destroy-data", "to-generation", "retry", "deep"} {
		if cmd.Flags().Changed(name) {
			return &view.Problem{Summary: "--" + name + " cannot be given with a saved plan",
				Detail: "The plan was made with or without it; it is carried out as it is.", Next: "Give --" + name + " to \"hardway plan --out FILE\"."}
		}
	}
	return nil
}

// question is what apply, destroy and rollback ask.
func question(mode plan.Mode, generation uint64, auto, input bool) approval {
	q := approval{auto: auto, input: input, ask: "Do you want to perform these actions?", why: "hardway will perform the actions described above."}
	switch mode {
	case plan.Destroy:
		q.ask = "Do you really want to destroy everything that hardway made?"
		q.why = "hardway will remove it from the hosts, as shown above, and put back what stood there before. There is no undo."
	case plan.Rollback:
		q.ask = fmt.Sprintf("Do you want to go back to generation %d?", generation)
		q.why = "hardway will perform the actions described above. What the configuration asks for beyond that is held back" +
			" until it is another one, or until \"hardway apply --retry\"."
	}
	return q
}

// again is the command line that goes on after an apply of a mode.
func again(mode plan.Mode, generation uint64) string {
	switch mode {
	case plan.Destroy:
		return "hardway destroy"
	case plan.Rollback:
		return fmt.Sprintf("hardway rollback --to-generation %d", generation)
	}
	return "hardway apply"
}

// afterApply verifies and prints the outputs.
func (a *app) afterApply(ctx context.Context, s Session, verify bool) error {
	var unhealthy error
	if verify {
		a.say("\n")
		unhealthy = a.verify(ctx, s, true, false, a.env.Stdout)
	}
	var err error
	if outputs := s.Config().Outputs; len(outputs) > 0 {
		a.say("\nOutputs:\n\n")
		err = view.Outputs(a.env.Stdout, viewOutputs(outputs), a.style(a.env.Stdout))
	}
	return errors.Join(unhealthy, err)
}
