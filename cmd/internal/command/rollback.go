package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

func newRollback(a *app) *cobra.Command {
	var f planFlags
	var auto, verify, list bool
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to what was applied before",
		Long: `Makes a plan that goes back to an earlier generation: what the last complete apply
before this one had put on the hosts, or what the one with --to-generation had. Shows
it, asks, carries it out, and verifies the cluster. The configuration stays as it
is; what it asks for beyond that generation is held back until it is another one, or
until "hardway apply --retry".

Not everything can be gone back on: another minor of Kubernetes, replaced
authorities and keys, and members of etcd that came or went are refused.`,
		Example: `  hardway rollback --list
  hardway rollback
  hardway rollback --to-generation 3 --auto-approve`,
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
			generations, err := s.Generations(cmd.Context())
			if err != nil {
				return err
			}
			if list {
				return a.listGenerations(generations, f.json)
			}
			if o.ToGeneration == 0 {
				if o.ToGeneration, err = before(cmd.Context(), s, generations); err != nil {
					return err
				}
			}
			a.say(goingBack(o.ToGeneration, generations))
			c := &convergence{
				a: a, s: s, flags: &f, steps: maxSteps, again: again(plan.Rollback, o.ToGeneration),
				approve: question(plan.Rollback, o.ToGeneration, auto, f.input),
				plan: func(ctx context.Context, onHost func(addr.Host, error)) (*plan.Plan, error) {
					o.OnHost = onHost
					return s.Plan(ctx, o)
				},
			}
			changed, err := c.run(cmd.Context())
			if err != nil || !changed || !verify {
				return err
			}
			if f.json { // stdout has the events
				return a.verify(cmd.Context(), s, true, false, a.env.Stderr)
			}
			a.say("\n")
			return a.verify(cmd.Context(), s, true, false, a.env.Stdout)
		},
	}
	f.registerRun(cmd)
	f.registerGeneration(cmd)
	f.registerDeep(cmd)
	cmd.Flags().BoolVar(&list, "list", false, "list the generations that are kept, and do nothing")
	cmd.Flags().BoolVar(&auto, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&verify, "verify", true, "verify the cluster after a change; --verify=false leaves it out")
	cmd.Flags().BoolVar(&f.json, "json", false, "write events as JSON lines, which needs --auto-approve; with --list one document")
	return cmd
}

// before chooses the generation to go back to: that of the newest complete run
// before the present one.
func before(ctx context.Context, s Session, list []local.Generation) (uint64, error) {
	st, err := s.State(ctx)
	if err != nil {
		return 0, err
	}
	// A run that was killed is in the journal only: then the newest generation is
	// the one before it.
	present, earlier := st.Run, list
	if len(list) > 0 && sameRun(list[0].Run, present) {
		earlier = list[1:]
	}
	if present != nil && present.Operation == string(plan.Rollback) {
		if present.Complete {
			return 0, &view.Problem{Summary: "The cluster was rolled back already", Detail: "The present generation came of a rollback; the one before it is what was gone back from.",
				Next: "Say which generation you want:\n  hardway rollback --list\n  hardway rollback --to-generation N"}
		}
		for _, h := range st.Holds {
			if h.Generation > 0 {
				return h.Generation, nil // a rollback that was interrupted goes on
			}
		}
	}
	for _, g := range earlier {
		if g.Err == nil && g.Run != nil && g.Run.Complete && g.Run.Operation != string(plan.Destroy) && !sameRun(g.Run, present) {
			return g.Serial, nil
		}
	}
	return 0, &view.Problem{Summary: "There is no earlier generation to go back to",
		Detail: "Only what was applied in full can be gone back to, and only some generations are kept.",
		Next:   "Run \"hardway rollback --list\" for those there are."}
}

// sameRun reports whether two stored states came of one run: some commands store
// the state without one of their own.
func sameRun(a, b *state.Run) bool {
	return a != nil && b != nil && a.Operation == b.Operation && a.ConfigDigest == b.ConfigDigest && a.Started.Equal(b.Started)
}

// goingBack says where the way leads, before the hosts are asked.
func goingBack(generation uint64, list []local.Generation) string {
	for _, g := range list {
		if g.Serial == generation && g.Err == nil && g.Run != nil {
			return fmt.Sprintf("Going back to generation %d (%s of %s).\n\n", generation, view.Escape(g.Run.Operation), g.Updated.UTC().Format(time.DateTime+" UTC"))
		}
	}
	return fmt.Sprintf("Going back to generation %d.\n\n", generation)
}

// listGenerations writes the kept generations; the first is the present one.
func (a *app) listGenerations(list []local.Generation, json bool) error {
	rows := make([]view.Generation, len(list))
	for i, g := range list {
		rows[i] = view.Generation{Number: g.Serial, Updated: g.Updated, Present: i == 0}
		if g.Run != nil {
			rows[i].Operation, rows[i].Complete, rows[i].ConfigDigest = g.Run.Operation, g.Run.Complete, g.Run.ConfigDigest
		}
		if g.Err != nil {
			rows[i].Problem = g.Err.Error()
		}
	}
	if json {
		return view.GenerationsJSON(a.env.Stdout, rows)
	}
	return view.Generations(a.env.Stdout, rows, a.style(a.env.Stdout))
}
