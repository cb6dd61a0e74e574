package command

import (
	"fmt"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

func newKubeconfig(a *app) *cobra.Command {
	var in inputs
	var out string
	cmd := &cobra.Command{
		Use:   "kubeconfig [USER]",
		Short: "Print a kubeconfig for kubectl",
		Long: `Prints a kubeconfig with an embedded client certificate, newly issued for USER
("admin" unless named). It is a secret: whoever has it is that user.`,
		Example: `  hardway kubeconfig --out ~/.kube/lab
  KUBECONFIG=~/.kube/lab kubectl get nodes
  hardway kubeconfig admin > admin.conf`,
		Args: atMostOne("USER"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			user := "admin"
			if len(args) == 1 {
				user = args[0]
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			secret, until, err := s.Kubeconfig(cmd.Context(), user)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = a.env.Stdout.Write(secret.Reveal())
				return err
			}
			if err := renameio.WriteFile(out, secret.Reveal(), 0o600, renameio.IgnoreUmask()); err != nil {
				return fmt.Errorf("writing the kubeconfig: %w", err)
			}
			a.say(fmt.Sprintf("Wrote %s, valid until %s. Try:\n  KUBECONFIG=%s kubectl get nodes\n", out, until.UTC().Format(time.DateOnly), out))
			return nil
		},
	}
	in.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "write to this `file`, with mode 0600, instead of stdout")
	return cmd
}
