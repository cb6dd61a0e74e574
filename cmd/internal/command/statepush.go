package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/state"
)

func newStatePull(a *app) *cobra.Command {
	var in inputs
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Write the state to stdout, as it is stored",
		Long: `Writes the state in its stored form, with what a journal holds. That is a whole
backup: the private keys are in it, sealed, and only an identity opens them.`,
		Example: `  hardway state pull > lab-2026-11-20.state
  hardway state pull | jq .serial`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			stored, err := s.PullState(cmd.Context())
			if err != nil {
				return err
			}
			_, err = a.env.Stdout.Write(stored)
			return err
		},
	}
	in.register(cmd)
	return cmd
}

func newStatePush(a *app) *cobra.Command {
	var in inputs
	var force bool
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "push FILE|-",
		Short: "Replace the state by one that was pulled",
		Long: `Replaces the state by FILE, or by what comes from stdin: what "hardway state pull"
wrote, here or on another machine, or one of .hardway/snapshots. It must be of this
cluster. Unless --force is given, its lineage must be that of the present state, and
its serial not lower. The serial becomes higher than both.

To bring back a state that is damaged or gone, use "hardway state recover".`,
		Example: `  hardway state push lab-2026-11-20.state
  hardway state push - < lab-2026-11-20.state
  hardway state push --force .hardway/snapshots/hardway.state.00000000000000000042`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			stored, err := a.readState(args[0])
			if err != nil {
				return err
			}
			s, err := a.openWith(in, 0, lockTimeout)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			st, err := s.PushState(cmd.Context(), stored, force)
			if err != nil {
				return err
			}
			return view.Pushed(a.env.Stdout, st.Serial, len(st.Resources), a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "replace a state of another lineage, a newer one, or one that cannot be read")
	cmd.Flags().DurationVar(&lockTimeout, "lock-timeout", 0, "wait this `long` for a lock that another hardway holds")
	return cmd
}

// readState reads a file, or stdin for "-", no further than a state can be long.
func (a *app) readState(name string) ([]byte, error) {
	var from io.Reader = a.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &view.Problem{Summary: "There is no file " + quoted(name), Next: "Name what \"hardway state pull\" wrote, or \"-\" for stdin."}
		}
		if err != nil {
			return nil, fmt.Errorf("reading the state to push: %w", err)
		}
		defer f.Close()
		from = f
	}
	stored, err := io.ReadAll(io.LimitReader(from, state.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the state to push: %w", err)
	}
	return stored, nil
}
