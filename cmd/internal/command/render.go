package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
)

func newRender(a *app) *cobra.Command {
	var in inputs
	var o provision.RenderOptions
	cmd := &cobra.Command{
		Use:   "render --out DIR",
		Short: "Write everything for every host to a directory, to copy by hand",
		Long: `Writes what hardway would put on each host, units, configurations, kubeconfigs and
certificates, to DIR/HOST/PATH, without any host. DIR/MANIFEST lists all of it
with kind, mode, owner, group and SHA-256, and what was left out: private keys
without --with-keys, programs and images without --with-binaries.

A directory that holds something else is refused; one that was rendered before is
brought up to date, and the same state gives the same bytes. With keys the
certificates are issued into DIR, and kept there as long as they are right. Lines
for a file of the system, such as /etc/hosts, stand beside it as PATH.hardway.`,
		Example: `  hardway render --out rendered
  hardway render --out rendered && cat rendered/n1/etc/systemd/system/kubelet.service
  hardway render --out rendered --with-keys --with-binaries`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Dir == "" {
				return &view.Problem{Summary: "--out is missing", Next: "Name the directory to write to:\n  hardway render --out rendered"}
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			done, err := s.Render(cmd.Context(), o)
			if err != nil {
				return err
			}
			for _, f := range done.Files {
				if _, err := fmt.Fprintln(a.env.Stdout, view.Escape(f)); err != nil {
					return err
				}
			}
			if done.Missing > 0 {
				a.say(fmt.Sprintf("%d entries of %s/MANIFEST were not written; it says why.\n", done.Missing, view.Escape(o.Dir)))
			}
			return nil
		},
	}
	in.register(cmd)
	cmd.Flags().StringVar(&o.Dir, "out", "", "write to this `directory`")
	cmd.Flags().BoolVar(&o.WithKeys, "with-keys", false, "write private keys too, readable by you alone")
	cmd.Flags().BoolVar(&o.WithBinaries, "with-binaries", false, "copy the programs and images too")
	return cmd
}
