package command

import (
	"errors"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

func newPlan(a *app) *cobra.Command {
	var f planFlags
	var out string
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change, and what would restart",
		Long: `Reads every host once, compares it with the configuration, and shows what would
be created, changed or removed: flag by flag, with unified diffs of files and the
fields of certificates. It says what restarts, in which order and at which risk.
Nothing is changed anywhere.

A host that does not answer is listed, and makes the exit code 1: what could not
be seen is never called unchanged.`,
		Example: `  hardway plan
  hardway plan --out lab.plan && hardway apply lab.plan
  hardway plan --target='node["n1"]' --verbose --deep
  hardway plan --detailed-exitcode      # 0 no changes, 1 error, 2 changes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o, err := f.options()
			if err != nil {
				return err
			}
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			var clear func()
			o.OnHost, clear = a.reading(s)
			p, err := s.Plan(cmd.Context(), o)
			clear()
			if err != nil {
				return err
			}
			if f.json {
				err = view.PlanJSON(a.env.Stdout, p)
			} else {
				err = view.Plan(a.env.Stdout, p, f.view(a))
			}
			if err != nil {
				return err
			}
			if out != "" {
				if err := writePlan(out, p); err != nil {
					return err
				}
			}
			if err := unseen(p.Unknown, "Check that the hosts are up and that \"ssh\" reaches them with the same user and key."); err != nil {
				return err
			}
			if !p.Changed() && !p.Complete {
				return exitCode(ExitError) // the plan has said why
			}
			if p.Changed() && !f.json {
				a.afterPlan(out)
			}
			if p.Changed() && detailed {
				return exitCode(ExitChanges)
			}
			return nil
		},
	}
	f.registerRun(cmd)
	f.registerPlan(cmd)
	cmd.Flags().StringVar(&out, "out", "", "save the plan to this `file`, for \"hardway apply FILE\"")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there are changes")
	cmd.Flags().BoolVar(&f.json, "json", false, "write the plan as one JSON document")
	return cmd
}

// afterPlan says what comes next.
func (a *app) afterPlan(out string) {
	if out == "" {
		a.say("\nNote: without --out, \"hardway apply\" makes a plan of its own, which may differ from this one.\n")
		return
	}
	a.say("\nSaved the plan to " + out + ". To carry out exactly these actions, run:\n  hardway apply " + quoted(out) + "\n")
}

// closeInto closes a session and keeps the first error.
func closeInto(err *error, s Session) { *err = errors.Join(*err, s.Close()) }
