package command

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/plan"
)

// versions is the document of `version --json`.
type versions struct {
	Hardway    string `json:"hardway_version"`
	Platform   string `json:"platform"`
	Go         string `json:"go_version"`
	PlanFormat string `json:"plan_format_version"`
	UI         string `json:"ui_version"`
}

func newVersion(a *app) *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  hardway version
  hardway version --json`,
		Long: "Prints the version of hardway; with --json also those of its formats.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versions{a.env.Version, runtime.GOOS + "/" + runtime.GOARCH, runtime.Version(), plan.FormatVersion, view.UIVersion}
			if json {
				return view.JSON(a.env.Stdout, v)
			}
			_, err := fmt.Fprintf(a.env.Stdout, "hardway %s on %s\n", v.Hardway, v.Platform)
			return err
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "write JSON")
	return cmd
}
