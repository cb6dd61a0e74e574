package command

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

// Groups of commands in the help.
const (
	groupMain    = "main"
	groupInspect = "inspect"
	groupOther   = "other"
)

// newRoot builds the whole tree of commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "hardway",
		Short: "Terraform for \"Kubernetes the hard way\"",
		Long: `hardway builds Kubernetes clusters the hard way, from HCL files that describe
master and node hosts: it makes the certificates, kubeconfigs, systemd units and
flags of every component, shows a plan against the live hosts, applies it over
SSH and verifies what came of it.

All *.hcl files of a directory are one cluster.`,
		Example: `  hardway init        # fetch and pin the binaries, create the state
  hardway plan        # what would change, and what would restart
  hardway apply       # do it, after asking
  hardway verify      # is everything healthy?`,
		Version:           a.env.Version,
		Args:              cobra.NoArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.enter() },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.env.Stdin)
	root.SetOut(a.env.Stdout)
	root.SetErr(a.env.Stderr)
	// Options are wrapped to the terminal as everything else is.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", a.style(a.env.Stdout).Width)))
	root.SetVersionTemplate("hardway {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&a.chdir, "chdir", "", "switch to this `directory` before doing anything")
	flags.BoolVar(&a.noColor, "no-color", false, "write without colour (NO_COLOR does the same)")
	flags.StringVar(&a.logLevel, "log-level", "", "write log messages from this `level` on to stderr: debug, info, warn or error (or HW_LOG)")

	root.AddGroup(
		&cobra.Group{ID: groupMain, Title: "Main commands:"},
		&cobra.Group{ID: groupInspect, Title: "Looking at a cluster:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupMain, []*cobra.Command{newInit(a), newValidate(a), newPreflight(a), newPlan(a), newApply(a), newDestroy(a), newRollback(a), newVerify(a)}},
		{groupInspect, []*cobra.Command{newDrift(a), newAudit(a), newShow(a), newOutput(a), newCerts(a), newKubeconfig(a), newRender(a), newExplain(a), newGraph(a)}},
		{groupOther, []*cobra.Command{newState(a), newSSH(a), newForceUnlock(a), newFmt(a), newConsole(a), newVersion(a)}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	complete(a, root)
	return root
}

// enter applies the global flags.
func (a *app) enter() error {
	if a.chdir == "" {
		return nil
	}
	if err := os.Chdir(a.chdir); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return &view.Problem{Summary: "There is no directory " + quoted(a.chdir), Next: "Give --chdir the directory that holds the *.hcl files."}
		}
		return &view.Problem{Summary: "Cannot switch to " + quoted(a.chdir), Detail: err.Error()}
	}
	return nil
}
