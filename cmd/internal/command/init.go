package command

import (
	"sync"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/binaries"
)

func newInit(a *app) *cobra.Command {
	var in inputs
	var upgrade bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Fetch and pin the binaries, and create the state",
		Long: `Obtains the binaries of the declared versions for the hosts' architectures,
checks them against their published checksums, keeps them in the cache and pins
them in hardway.lock.hcl. Creates the state, and the identity that opens its
sealed keys, where they are missing. No host is asked.

It can be run again at any time. A file whose checksum is not the pinned one is
refused.`,
		Example: `  hardway init
  hardway init --upgrade      # pin anew after a source has changed
  hardway --chdir=examples/lab init`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			progress, clear := a.fetching()
			r, err := s.Init(cmd.Context(), provision.InitOptions{Upgrade: upgrade, Progress: progress})
			clear()
			if err != nil {
				return err
			}
			v := view.Initialized{LockFile: r.LockFile, StateCreated: r.StateCreated, IdentityCreated: r.IdentityCreated}
			for _, i := range r.Items {
				v.Files = append(v.Files, view.PinnedFile{Name: i.Name, Version: i.Pin.Version, Arch: i.Arch, SHA256: i.Pin.SHA256,
					Size: i.Pin.Size, Action: string(i.Action)})
			}
			return view.Init(a.env.Stdout, v, a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&upgrade, "upgrade", false, "accept files whose checksums differ from the pinned ones, and pin those")
	return cmd
}

// fetching returns a callback for downloads: one line on a terminal, a line a
// file elsewhere, since fetching takes minutes and silence looks like a hang.
func (a *app) fetching() (on func(binaries.Progress), clear func()) {
	line := a.status()
	terminal := a.terminal(a.env.Stderr)
	var mu sync.Mutex
	return func(p binaries.Progress) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case terminal:
			line.Set("%s", view.Fetching(p.Name, p.Source, p.Done, p.Total))
		case p.Finished:
			a.say(view.Fetched(p.Name, p.Source, p.Done) + "\n")
		}
	}, line.Clear
}
