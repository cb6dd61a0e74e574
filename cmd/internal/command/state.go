package command

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/state"
)

func newState(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Look at the state, mend it, bring it back",
		Long: `The state is what hardway remembers: which resources it made and what stood there
before, what each host was given, and, sealed, the private keys that exist nowhere
else. "hardway plan" and "hardway apply" keep it; these commands are for the days on
which that is not enough.

Whatever is wrong with the state, one command brings it back: "hardway state recover".`,
		Example: `  hardway state list 'node["n1"]'
  hardway state recover`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStateList(a), newStateShow(a), newStateRm(a), newStatePull(a), newStatePush(a), newStateRecover(a))
	return cmd
}

func newStateList(a *app) *cobra.Command {
	var in inputs
	var json bool
	cmd := &cobra.Command{
		Use:   "list [ADDRESS...]",
		Short: "List the addresses of what hardway made",
		Long: `Lists the addresses of all resources in the state, or of those that an ADDRESS
covers: a host, all resources of a kind on a host, or one resource. No host is asked.`,
		Example: `  hardway state list
  hardway state list 'node["n1"]' 'master["m1"].unit'
  hardway state list --json | jq -r '.resources[]'`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			targets, err := stateAddresses(args)
			if err != nil {
				return err
			}
			st, err := a.state(cmd.Context(), in)
			if err != nil {
				return err
			}
			list, err := covered(st, targets)
			if err != nil {
				return err
			}
			if json {
				return view.StateListJSON(a.env.Stdout, list)
			}
			return view.StateList(a.env.Stdout, list)
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "write JSON")
	return cmd
}

func newStateShow(a *app) *cobra.Command {
	var in inputs
	var json bool
	cmd := &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show everything that is recorded of one resource",
		Long: `Shows every field that the state has of one resource: what was applied last, what
stood there before, the certificate that was issued, what it depends on. Private keys
are not among them, and what looks like a credential is not shown.`,
		Example: `  hardway state show 'node["n1"].unit["kubelet"]'
  hardway state show --json 'master["m1"].cert["apiserver"]' | jq .record.certificate`,
		Args: exactlyOne("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			targets, err := stateAddresses(args)
			if err != nil {
				return err
			}
			st, err := a.state(cmd.Context(), in)
			if err != nil {
				return err
			}
			list, err := covered(st, targets)
			if err != nil {
				return err
			}
			if len(list) != 1 {
				return &view.Problem{Summary: args[0] + " names more than one resource", Next: "Name one of:\n" + addressLines(list)}
			}
			record := st.Resources[list[0]].Redacted()
			if json {
				return view.StateResourceJSON(a.env.Stdout, list[0], record)
			}
			return view.StateResource(a.env.Stdout, list[0], record, a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "write JSON")
	return cmd
}

// state opens the configuration and reads the state, without a lock.
func (a *app) state(ctx context.Context, in inputs) (st state.Public, err error) {
	s, err := a.open(in)
	if err != nil {
		return st, err
	}
	defer closeInto(&err, s)
	return s.State(ctx)
}

// covered returns the addresses that the targets cover, in order; without any,
// all of them. A target that covers nothing is an error.
func covered(st state.Public, targets []addr.Address) ([]addr.Address, error) {
	all := st.Addresses()
	if len(targets) == 0 {
		return all, nil
	}
	hit := make([]bool, len(targets))
	var out []addr.Address
	for _, at := range all {
		found := false
		for i, t := range targets {
			if t.Covers(at) {
				hit[i], found = true, true
			}
		}
		if found {
			out = append(out, at)
		}
	}
	for i, t := range targets {
		if !hit[i] {
			return nil, notInState(t, all)
		}
	}
	return out, nil
}

// notInState refuses an address, with the nearest that is there.
func notInState(t addr.Address, all []addr.Address) error {
	p := &view.Problem{Summary: t.String() + " is not in the state", Next: "Run \"hardway state list\" for what is."}
	names := make([]string, len(all))
	for i, at := range all {
		names[i] = at.String()
	}
	if near := nearest(t.String(), names); near != "" {
		p.Detail = "Did you mean " + near + "?"
	}
	return p
}

// stateAddresses parses the addresses that were given as arguments.
func stateAddresses(texts []string) ([]addr.Address, error) {
	var out []addr.Address
	for _, text := range texts {
		at, err := addr.Parse(text)
		if err != nil {
			return nil, &view.Problem{Summary: "Bad address", Detail: err.Error(), Err: err,
				Next: "Name a host or a resource as \"hardway state list\" does, in single quotes for the shell:\n  'node[\"n1\"].unit[\"kubelet\"]'"}
		}
		out = append(out, at)
	}
	return out, nil
}

// addressLines lists the first addresses, indented.
func addressLines(list []addr.Address) string {
	var b strings.Builder
	for i, at := range list {
		if i == 10 {
			b.WriteString("  …\n")
			break
		}
		b.WriteString("  " + at.String() + "\n")
	}
	return b.String()
}

// exactlyOne wants one argument.
func exactlyOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return &view.Problem{Summary: quoted(cmd.CommandPath()) + " takes one " + name, Next: "Run \"" + cmd.CommandPath() + " --help\"."}
	}
}

// approveState is approve for commands that change only the state: there is no
// plan that could be saved instead.
func (a *app) approveState(ctx context.Context, q approval) error {
	if !q.auto && !a.terminal(a.env.Stdin) {
		return &view.Problem{Summary: "Nobody can be asked for approval",
			Detail: "The input is not a terminal, and nothing is changed without a yes.", Next: "Give --auto-approve."}
	}
	q.input = true
	return a.approve(ctx, q)
}

// explainState tells the errors of the state in the words of these commands.
func explainState(err error) error {
	if older, ok := errors.AsType[*state.OlderError](err); ok {
		return &view.Problem{Summary: "What was found is older than what the hosts carry", Err: err,
			Detail: (&state.OlderError{Serial: older.Serial, Seen: older.Seen, Where: older.Where, Path: older.Path}).Error() + ".",
			Next: "Look for a newer one on other machines and in backups, and put it in place with:\n  hardway state push FILE\n" +
				"If there is none:\n  hardway state recover --accept-older"}
	}
	return err
}
