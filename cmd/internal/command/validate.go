package command

import (
	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

func newValidate(a *app) *cobra.Command {
	var in inputs
	var json bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, without any host",
		Long: `Checks the configuration of this directory: syntax, names, values, flags and
fields against the chosen Kubernetes version, and whether networks overlap. No
host is asked.`,
		Example: `  hardway validate
  hardway validate --json | jq '.diagnostics[].summary'
  hardway --chdir=examples/lab validate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.options(in)
			if err != nil {
				return err
			}
			s, files, diags := a.env.Open(o)
			if !diags.HasErrors() {
				if err := s.Close(); err != nil {
					return err
				}
			}
			if json {
				if err := view.DiagnosticsJSON(a.env.Stdout, diags, files.HCL()); err != nil {
					return err
				}
				if diags.HasErrors() {
					return exitCode(ExitError)
				}
				return nil
			}
			if diags.HasErrors() {
				return &configError{diags, files}
			}
			if err := view.Diagnostics(a.env.Stderr, diags, files.HCL(), a.style(a.env.Stderr)); err != nil {
				return err
			}
			return view.Valid(a.env.Stdout, len(diags), a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "write the diagnostics as JSON")
	return cmd
}
