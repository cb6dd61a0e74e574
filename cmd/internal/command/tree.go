package command

import (
	"time"

	"github.com/spf13/cobra"
)

// Tree returns all commands as they are documented: for man pages, and for
// tests that go through them. None of them can be run.
func Tree(version string) *cobra.Command {
	root := newRoot(&app{env: Env{Version: version, Now: time.Now}})
	root.InitDefaultHelpCmd()
	root.InitDefaultVersionFlag()
	root.InitDefaultCompletionCmd()
	return root
}
