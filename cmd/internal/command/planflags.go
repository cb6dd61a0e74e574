package command

import (
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
)

// planFlags are the options that plan, apply, destroy and certs renew share.
type planFlags struct {
	inputs
	targets, replace []string
	destroy          bool
	destroyData      bool
	parallelism      int
	lockTimeout      time.Duration
	input            bool
	json             bool
	verbose          bool
}

// defaultParallelism is Terraform's.
const defaultParallelism = 10

// registerRun registers what every command has that talks to hosts.
func (f *planFlags) registerRun(cmd *cobra.Command) {
	f.register(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.parallelism, "parallelism", defaultParallelism, "work on this many `hosts` at once")
	flags.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait this `long` for a lock that another hardway holds")
	flags.BoolVar(&f.input, "input", true, "ask for what is missing; --input=false fails instead")
	flags.BoolVar(&f.verbose, "verbose", false, "show every attribute and the whole text of what is created")
}

// registerPlan registers what chooses what is planned.
func (f *planFlags) registerPlan(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.targets, "target", nil, "plan only for this `address` and what it depends on; may be repeated")
	cmd.Flags().StringArrayVar(&f.replace, "replace", nil, "make the resource with this `address` anew; may be repeated")
	cmd.Flags().BoolVar(&f.destroy, "destroy", false, "plan to remove everything that hardway made")
	cmd.Flags().BoolVar(&f.destroyData, "destroy-data", false, "with --destroy: remove etcd's data too")
}

func (f *planFlags) open(a *app) (Session, error) {
	if f.parallelism < 1 {
		return nil, &view.Problem{Summary: "--parallelism must be at least 1"}
	}
	if f.lockTimeout < 0 {
		return nil, &view.Problem{Summary: "--lock-timeout must not be negative"}
	}
	return a.openWith(f.inputs, f.parallelism, f.lockTimeout)
}

func (f *planFlags) options() (provision.PlanOptions, error) {
	targets, err := addresses("target", f.targets)
	if err != nil {
		return provision.PlanOptions{}, err
	}
	replace, err := addresses("replace", f.replace)
	if err != nil {
		return provision.PlanOptions{}, err
	}
	if f.destroyData && !f.destroy {
		return provision.PlanOptions{}, &view.Problem{Summary: "--destroy-data goes with --destroy"}
	}
	if f.destroy && len(replace) > 0 {
		return provision.PlanOptions{}, &view.Problem{Summary: "--destroy and --replace exclude each other"}
	}
	return provision.PlanOptions{Destroy: f.destroy, DestroyData: f.destroyData, Targets: targets, Replace: replace}, nil
}

func (f *planFlags) view(a *app) view.PlanOptions {
	return view.PlanOptions{Style: a.style(a.env.Stdout), Verbose: f.verbose}
}
