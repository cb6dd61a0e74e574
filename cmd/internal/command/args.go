package command

import (
	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &view.Problem{Summary: quoted(cmd.CommandPath()) + " takes no argument, but was given " + quoted(args[0]),
		Next: "Run \"" + cmd.CommandPath() + " --help\". hardway works on the directory it runs in; --chdir names another."}
}

// atMostOne refuses more than one argument.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return &view.Problem{Summary: quoted(cmd.CommandPath()) + " takes one " + name + " at most",
			Next: "Run \"" + cmd.CommandPath() + " --help\"."}
	}
}
