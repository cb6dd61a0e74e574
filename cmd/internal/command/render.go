package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

func newRender(a *app) *cobra.Command {
	var in inputs
	var out string
	cmd := &cobra.Command{
		Use:   "render --out DIR",
		Short: "Write every generated file to a directory, without any host",
		Long: `Writes what hardway would put on each host, units, configurations, kubeconfigs
and manifests, to DIR/HOST/PATH. It needs no host and holds no key.`,
		Example: `  hardway render --out rendered
  hardway render --out rendered && cat rendered/n1/etc/systemd/system/kubelet.service`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if out == "" {
				return &view.Problem{Summary: "--out is missing", Next: "Name the directory to write to:\n  hardway render --out rendered"}
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			files, err := s.Render(cmd.Context(), out)
			if err != nil {
				return err
			}
			for _, f := range files {
				if _, err := fmt.Fprintln(a.env.Stdout, view.Escape(f)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	in.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "write to this `directory`")
	return cmd
}
