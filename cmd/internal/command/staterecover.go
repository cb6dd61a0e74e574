package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/state"
)

func newStateRecover(a *app) *cobra.Command {
	var in inputs
	var o provision.RecoverOptions
	var auto bool
	var parallelism int
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring the state back, whatever happened to it",
		Long: `Finds everything that could be the state: the snapshot with its journal, with the good
part of a damaged journal, and alone; the last ten snapshots; the backup; and the
sealed copies on the masters, which an identity opens. Holds it against what the hosts
were marked with, shows it, says which it takes and why, asks, and puts it in place.
What stood there is kept under another name, never deleted. No host is changed.

On a new machine the configuration and the identity are enough: the state comes from
a master.

A state that is older than the hosts is refused unless --accept-older is given. What
is lost then is the record of what was done since: the next plan shows how the hosts
differ, and what stood there before those changes can no longer be put back.`,
		Example: `  hardway state recover
  hardway state recover --source 2
  hardway state recover --accept-older --auto-approve`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.openWith(in, parallelism, lockTimeout)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			onHost, clear := a.reading(s)
			r, err := s.RecoveryCandidates(cmd.Context(), onHost)
			clear()
			if err != nil {
				return err
			}
			return a.recover(cmd.Context(), s, r, o, auto)
		},
	}
	in.register(cmd)
	cmd.Flags().IntVar(&o.Source, "source", 0, "take the candidate with this `number` instead of the one that is proposed")
	cmd.Flags().BoolVar(&o.AcceptOlder, "accept-older", false, "take a state that is older than what the hosts were marked with")
	cmd.Flags().BoolVar(&auto, "auto-approve", false, "do not ask")
	cmd.Flags().IntVar(&parallelism, "parallelism", defaultParallelism, "ask this many `hosts` at once")
	cmd.Flags().DurationVar(&lockTimeout, "lock-timeout", 0, "wait this `long` for a lock that another hardway holds")
	return cmd
}

// recover shows the candidates, asks, and puts the one that is taken in place.
func (a *app) recover(ctx context.Context, s Session, r provision.Recovery, o provision.RecoverOptions, auto bool) error {
	taken := r.Choice.Best
	if o.Source > 0 {
		taken = o.Source - 1
	}
	style := a.style(a.env.Stdout)
	if err := view.Candidates(a.env.Stdout, candidates(r.Candidates), taken, style); err != nil {
		return err
	}
	a.say(unasked(r))
	c, err := r.Take(o)
	if err != nil {
		return explainState(err)
	}
	path := s.Config().State.Path
	if o.Source == 0 && r.Whole() {
		return view.Sound(a.env.Stdout, path, c.Serial, style)
	}
	why := r.Choice.Why
	if o.Source > 0 {
		why = "it was chosen with --source"
	}
	if err := view.Taking(a.env.Stdout, taken, why, behind(r, c), style); err != nil {
		return err
	}
	a.say("\n")
	err = a.approveState(ctx, approval{auto: auto, ask: fmt.Sprintf("Do you want candidate %d to be the state?", taken+1),
		why: path + " and its journal are kept under names that end in .aside-TIME, and the candidate takes their place with a higher serial. No host is changed."})
	if err != nil {
		return err
	}
	done, err := s.Recover(ctx, r, o)
	if err != nil {
		return explainState(err)
	}
	return view.Recovered(a.env.Stdout, path, done.State.Serial, done.Aside, style)
}

// candidates takes from the candidates what people want to see of them.
func candidates(list []state.Candidate) []view.Candidate {
	out := make([]view.Candidate, len(list))
	for i, k := range list {
		out[i] = view.Candidate{Source: k.Source, Lineage: k.Lineage, Serial: k.Serial, Updated: k.Updated, Entries: k.Entries, Lost: k.Lost, Present: k.Present}
		if k.Run != nil {
			out[i].LastRun = k.Run.Operation
			if !k.Run.Complete {
				out[i].LastRun += ", not complete"
			}
		}
		if k.Err != nil {
			out[i].Problem = k.Err.Error()
		}
	}
	return out
}

// unasked tells which hosts did not say what they carry.
func unasked(r provision.Recovery) string {
	var b strings.Builder
	for _, h := range slices.SortedFunc(maps.Keys(r.Unreachable), addr.Host.Compare) {
		fmt.Fprintf(&b, "%s was not asked what it carries: %s\n", h, view.Escape(r.Unreachable[h]))
	}
	for _, h := range slices.SortedFunc(maps.Keys(r.Foreign), addr.Host.Compare) {
		fmt.Fprintf(&b, "%s carries the mark of another cluster, %q, which says nothing here.\n", h, r.Foreign[h].Cluster)
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + b.String()
}

// behind tells what is lost with a candidate that is older than the hosts.
func behind(r provision.Recovery, c state.Candidate) string {
	if c.Serial >= r.Choice.Highest {
		return ""
	}
	return fmt.Sprintf("It is older than the hosts: its serial is %d, and %s was last changed at serial %d. What was recorded since is lost: "+
		"the next plan shows how the hosts differ, and what stood there before those changes can no longer be put back.", c.Serial, r.Choice.Host, r.Choice.Highest)
}
