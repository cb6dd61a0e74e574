package command

import (
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/plan"
)

// planFlags are the options that plan, apply, destroy and certs renew share.
type planFlags struct {
	inputs
	targets, replace []string
	destroy          bool
	destroyData      bool
	toGeneration     uint64
	retry, deep      bool
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
	cmd.Flags().BoolVar(&f.retry, "retry", false, "try again what failed before and is held back")
	f.registerGeneration(cmd)
	f.registerDeep(cmd)
}

func (f *planFlags) registerGeneration(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&f.toGeneration, "to-generation", 0, "go back to the generation with this `number`; see \"hardway rollback --list\"")
}

func (f *planFlags) registerDeep(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.deep, "deep", false, "compute every digest anew from the bytes on the disks")
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
	anew, some, back := given{"replace", len(replace) > 0}, given{"target", len(targets) > 0}, given{"to-generation", f.toGeneration > 0}
	destroy, retry := given{"destroy", f.destroy}, given{"retry", f.retry}
	for _, pair := range [][2]given{{destroy, anew}, {destroy, retry}, {back, destroy}, {back, anew}, {back, some}, {back, retry}} {
		if pair[0].is && pair[1].is {
			return provision.PlanOptions{}, &view.Problem{Summary: "--" + pair[0].name + " and --" + pair[1].name + " exclude each other"}
		}
	}
	return provision.PlanOptions{
		Destroy: f.destroy, DestroyData: f.destroyData, Targets: targets, Replace: replace,
		ToGeneration: f.toGeneration, Retry: f.retry, Deep: f.deep,
	}, nil
}

// given is an option, and whether it was.
type given struct {
	name string
	is   bool
}

// mode is what the plan is for.
func (f *planFlags) mode() plan.Mode {
	switch {
	case f.destroy:
		return plan.Destroy
	case f.toGeneration > 0:
		return plan.Rollback
	}
	return plan.Normal
}

func (f *planFlags) view(a *app) view.PlanOptions {
	return view.PlanOptions{Style: a.style(a.env.Stdout), Verbose: f.verbose}
}
