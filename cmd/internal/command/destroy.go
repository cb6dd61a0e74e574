package command

import (
	"context"

	"github.com/spf13/cobra"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

func newDestroy(a *app) *cobra.Command {
	f := planFlags{destroy: true}
	var auto bool
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Remove what hardway made, and put back what stood there before",
		Long: `Shows what would be removed from the hosts, asks, and removes it: units are
stopped, files removed, and what stood in their place before hardway came is put
back. The data of etcd stays unless --destroy-data is given.`,
		Example: `  hardway destroy
  hardway destroy --destroy-data --auto-approve
  hardway destroy --target='node["n2"]'`,
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
			c := &convergence{
				a: a, s: s, flags: &f, steps: maxSteps, again: again(plan.Destroy, 0),
				approve: question(plan.Destroy, 0, auto, f.input),
				plan: func(ctx context.Context, onHost func(addr.Host, error)) (*plan.Plan, error) {
					o.OnHost = onHost
					return s.Plan(ctx, o)
				},
			}
			_, err = c.run(cmd.Context())
			return err
		},
	}
	f.registerRun(cmd)
	cmd.Flags().StringArrayVar(&f.targets, "target", nil, "remove only what this `address` names; may be repeated")
	cmd.Flags().BoolVar(&f.destroyData, "destroy-data", false, "remove etcd's data too: everything the cluster ever stored is lost")
	cmd.Flags().BoolVar(&auto, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&f.json, "json", false, "write events as JSON lines; needs --auto-approve")
	return cmd
}
