package command

import (
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

func newStateRm(a *app) *cobra.Command {
	var in inputs
	var auto bool
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "rm ADDRESS...",
		Short: "Forget resources without touching the hosts",
		Long: `Removes records from the state. No host is touched: what was made there stays, and
hardway no longer knows that it was hardway. What the configuration still declares, the
next plan makes or takes over again.

It is for a host that is dead for good and has left the configuration: naming the host
forgets all of it and frees its pod range and its etcd member. Delete its Node with
kubectl, and its member with etcdctl, if they are still there.

A host that lives is removed with "hardway destroy --target" instead, which puts back
what stood there before. Authorities and key pairs are refused, because their private
keys exist nowhere else, and so is the last member of etcd.`,
		Example: `  hardway state rm 'node["n3"]'
  hardway state rm 'node["n1"].file["/etc/sysctl.d/99-hardway.conf"]' --auto-approve`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return &view.Problem{Summary: quoted(cmd.CommandPath()) + " takes at least one ADDRESS", Next: "Run \"hardway state list\" for those there are."}
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			targets, err := stateAddresses(args)
			if err != nil {
				return err
			}
			s, err := a.openWith(in, 0, lockTimeout)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			st, err := s.State(cmd.Context())
			if err != nil {
				return err
			}
			f, err := st.Forgetting(targets)
			if err != nil {
				return err
			}
			if err := view.Forgetting(a.env.Stdout, f.Addresses, f.Hosts, a.style(a.env.Stdout)); err != nil {
				return err
			}
			a.say("\n")
			err = a.approveState(cmd.Context(), approval{auto: auto, ask: "Do you want hardway to forget this?",
				why: "It will no longer be compared, changed or removed. The hosts stay as they are."})
			if err != nil {
				return err
			}
			gone, err := s.ForgetResources(cmd.Context(), targets)
			if err != nil {
				return err
			}
			return view.Forgot(a.env.Stdout, len(gone), a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&auto, "auto-approve", false, "do not ask")
	cmd.Flags().DurationVar(&lockTimeout, "lock-timeout", 0, "wait this `long` for a lock that another hardway holds")
	return cmd
}
