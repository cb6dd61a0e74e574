package command

import (
	"cmp"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/plan"
)

func newDrift(a *app) *cobra.Command {
	var f planFlags
	var ignore []string
	var ignoreFile string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show what was changed on the hosts since the last apply",
		Long: `Reads every host once, compares it with what was applied last, whatever the
configuration says by now, and shows what somebody or something else changed: on
the left and behind a minus as it was applied, on the right and behind a plus as
it stands there. It only reads.

What --ignore names is left out: a host, a kind or a resource, as in a plan. The
file .hardwayignore beside the configuration has one such address a line, and
comments behind a #.

Exits with 0 without drift, with 2 when there is some, and with 1 on an error or
when a host could not be read.`,
		Example: `  hardway drift
  hardway drift --deep --json | jq -r '.drifted[].address'
  hardway drift --ignore='node["n1"].unit["containerd"]' --ignore='node["n2"]'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o := provision.DriftOptions{Deep: f.deep}
			if o.Ignore, err = addresses("ignore", ignore); err != nil {
				return err
			}
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			listed, err := readIgnore(cmp.Or(ignoreFile, ignoreName), ignoreFile != "")
			if err != nil {
				return err
			}
			o.Ignore = append(o.Ignore, listed...)
			var clear func()
			o.OnHost, clear = a.reading(s)
			d, err := s.Drift(cmd.Context(), o)
			clear()
			if err != nil {
				return err
			}
			if f.json {
				err = view.DriftJSON(a.env.Stdout, d)
			} else {
				err = view.Drift(a.env.Stdout, d, f.view(a))
			}
			if err != nil {
				return err
			}
			return driftVerdict(d)
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&ignore, "ignore", nil, "leave out what this `address` names; may be repeated")
	cmd.Flags().StringVar(&ignoreFile, "ignore-file", "", "read the addresses to leave out from this `file` instead of "+ignoreName)
	cmd.Flags().IntVar(&f.parallelism, "parallelism", defaultParallelism, "ask this many `hosts` at once")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show every attribute, and long diffs uncut")
	f.registerDeep(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "write the drift as one JSON document")
	return cmd
}

// driftVerdict is the exit code: what was not seen is never called unchanged.
func driftVerdict(d *plan.Drift) error {
	switch {
	case len(d.Unknown) > 0:
		return unseen(d.Unknown, "Check that the hosts are up and that \"ssh\" reaches them with the same user and key.")
	case !d.Complete:
		return exitCode(ExitError) // the text has said why
	case len(d.Resources) > 0:
		return exitCode(ExitChanges)
	}
	return nil
}
