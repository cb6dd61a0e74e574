package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/state/local"
)

func newForceUnlock(a *app) *cobra.Command {
	var in inputs
	cmd := &cobra.Command{
		Use:   "force-unlock ID",
		Short: "Clear what a dead holder of the state's lock left behind",
		Long: `Removes the note about a holder of the state's lock that is dead. The lock itself
belongs to the process that took it, and ends with it: the next command works without
this one. A lock that a living process holds is never taken away; the error says who
that is and how to end it.

The ID stands in the error of the command that found the lock. The locks of the hosts
end with the session that holds them, and need no command.`,
		Example: `  hardway force-unlock 5e1f0b6c-8d0a-4c53-9a55-1f8a3c1e9d20
  hardway --chdir=examples/lab force-unlock 5e1f0b6c-8d0a-4c53-9a55-1f8a3c1e9d20`,
		Args: exactlyOne("ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			if err := s.ForceUnlock(cmd.Context(), args[0]); err != nil {
				return alive(err)
			}
			a.say("What the lock " + args[0] + " left behind is cleared.\n")
			return nil
		},
	}
	in.register(cmd)
	return cmd
}

// alive tells who holds a lock that cannot be taken away, and how to end that.
func alive(err error) error {
	e, ok := errors.AsType[*local.LockedError](err)
	if !ok || e.Holder.ID == "" {
		return err
	}
	h := e.Holder
	return &view.Problem{Summary: "The lock is held by a living process", Err: err,
		Detail: fmt.Sprintf("  holder     %s\n  operation  %s\n  since      %s, %s ago\n  process    %d\n  lock       %s\n",
			view.Escape(h.Who), view.Escape(h.Operation), h.Created.UTC().Format("2006-01-02 15:04:05 UTC"), e.Age.Round(time.Second), h.PID, view.Escape(h.ID)),
		Next: fmt.Sprintf("Wait for it with --lock-timeout=5m. If it hangs, end it on that machine, and the lock ends with it:\n  kill %d", h.PID)}
}
