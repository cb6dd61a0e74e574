package command

import (
	"context"
	"errors"

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

It can be interrupted: the first Ctrl-C finishes what is under way, and the next
apply goes on from there.`,
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
				a: a, s: s, flags: &f, steps: maxSteps, mode: plan.Normal,
				approve: question(f.destroy, auto, f.input),
				plan: func(ctx context.Context, onHost func(addr.Host, error)) (*plan.Plan, error) {
					o.OnHost = onHost
					return s.Plan(ctx, o)
				},
			}
			changed := false
			if saved != nil {
				changed, err = c.saved(cmd.Context(), saved)
			} else {
				changed, err = c.run(cmd.Context())
			}
			switch verify = verify && changed; {
			case err != nil || c.mode == plan.Destroy:
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
	for _, name := range []string{"target", "replace", "destroy", "destroy-data"} {
		if cmd.Flags().Changed(name) {
			return &view.Problem{Summary: "--" + name + " cannot be given with a saved plan",
				Detail: "The plan was made with or without it; it is carried out as it is.", Next: "Give --" + name + " to \"hardway plan --out FILE\"."}
		}
	}
	return nil
}

// question is what apply and destroy ask.
func question(destroy, auto, input bool) approval {
	if destroy {
		return approval{auto: auto, input: input, ask: "Do you really want to destroy everything that hardway made?",
			why: "hardway will remove it from the hosts, as shown above, and put back what stood there before. There is no undo."}
	}
	return approval{auto: auto, input: input, ask: "Do you want to perform these actions?", why: "hardway will perform the actions described above."}
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
