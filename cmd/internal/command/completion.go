package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
)

// completer answers what a shell asks while a line is being typed. It reads the
// local configuration and the local state, asks no host, and where it cannot
// say anything it says nothing: a broken configuration is told by the command.
type completer struct{ a *app }

// names for the answers of cobra.
const (
	noFile  = cobra.ShellCompDirectiveNoFileComp
	noSpace = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
)

// complete gives every command of the tree its completion, by the words that
// the help has for options and arguments: `address`, `host`, PLAN, NAME.
func complete(a *app, cmd *cobra.Command) {
	c := completer{a}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { c.option(cmd, f) })
	cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { c.option(cmd, f) })
	if cmd.ValidArgsFunction == nil && cmd.Runnable() {
		cmd.ValidArgsFunction = c.argument(cmd)
	}
	for _, sub := range cmd.Commands() {
		complete(a, sub)
	}
}

// option registers what completes the value of an option.
func (c completer) option(cmd *cobra.Command, f *pflag.Flag) {
	if f.NoOptDefVal != "" {
		return // takes no value
	}
	complete := c.value(f)
	if _, done := cmd.GetFlagCompletionFunc(f.Name); !done && complete != nil {
		_ = cmd.RegisterFlagCompletionFunc(f.Name, complete) // fails only for a flag that is not there
	}
}

// value is what completes the value of an option; nil: files.
func (c completer) value(f *pflag.Flag) cobra.CompletionFunc {
	switch f.Name {
	case "log-level":
		return cobra.FixedCompletions([]cobra.Completion{"debug", "info", "warn", "error"}, noFile)
	case "format":
		return cobra.FixedCompletions([]cobra.Completion{"dot", "mermaid"}, noFile)
	case "by":
		return cobra.FixedCompletions([]cobra.Completion{"host", "resource"}, noFile)
	case "var":
		return c.variables
	case "var-file":
		return cobra.FixedCompletions([]cobra.Completion{"hclvars"}, cobra.ShellCompDirectiveFilterFileExt)
	case "to-generation":
		return c.generations
	case "replace":
		return c.replaceable
	}
	switch word, _ := pflag.UnquoteUsage(f); word {
	case "file":
		return nil
	case "directory":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "address":
		return c.addresses
	case "host":
		return c.hosts
	}
	return cobra.NoFileCompletions
}

// argument is what completes the arguments of a command; nil: files.
func (c completer) argument(cmd *cobra.Command) cobra.CompletionFunc {
	_, arguments, _ := strings.Cut(cmd.Use, " ")
	word := strings.Trim(arguments, "[].")
	many := strings.Contains(arguments, "...")
	complete := map[string]cobra.CompletionFunc{
		"PLAN": files, "FILE": files, "FILE|-": files, "DIR|FILE|-": cobra.FixedCompletions([]cobra.Completion{"hcl", "hclvars"}, cobra.ShellCompDirectiveFilterFileExt),
		"ADDRESS": c.recorded, "USER": c.users,
	}[word]
	switch {
	case cmd.Name() == "output" && word == "NAME":
		complete = c.outputs
	case cmd.Name() == "renew" && word == "NAME":
		complete = c.certificates
	case complete == nil:
		return cobra.NoFileCompletions
	}
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, noFile
		}
		list, directive := complete(cmd, args, typed)
		return slices.DeleteFunc(list, func(s cobra.Completion) bool {
			name, _, _ := strings.Cut(string(s), "\t")
			return slices.Contains(args, name) // once is enough
		}), directive
	}
}

func files(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// options are the session's, with the values of variables that were typed.
func (c completer) options(cmd *cobra.Command) (in inputs, ok bool) {
	if f := cmd.Flags().Lookup("var"); f != nil {
		if v, isVar := f.Value.(*varFlag); isVar {
			in.vars = *v.into
		}
	}
	return in, c.a.enter() == nil
}

// session loads the configuration without a word.
func (c completer) session(cmd *cobra.Command) Session {
	in, ok := c.options(cmd)
	o, err := c.a.options(in)
	if !ok || err != nil {
		return nil
	}
	s, _, diags := c.a.env.Open(o)
	if diags.HasErrors() {
		return nil
	}
	return s
}

// with calls f with a session, if there is one.
func (c completer) with(cmd *cobra.Command, f func(context.Context, Session)) {
	s := c.session(cmd)
	if s == nil {
		return
	}
	f(cmd.Context(), s)
	_ = s.Close() // nothing was connected
}

func (c completer) variables(cmd *cobra.Command, _ []string, typed string) (list []cobra.Completion, _ cobra.ShellCompDirective) {
	in, ok := c.options(cmd)
	o, err := c.a.options(in)
	if !ok || err != nil || strings.Contains(typed, "=") {
		return nil, noFile
	}
	for _, name := range config.VariableNames(o.Config) {
		list = append(list, name+"=")
	}
	return list, noSpace
}

func (c completer) outputs(cmd *cobra.Command, _ []string, _ string) (list []cobra.Completion, _ cobra.ShellCompDirective) {
	c.with(cmd, func(_ context.Context, s Session) {
		for _, o := range s.Config().Outputs {
			list = append(list, o.Name)
		}
	})
	return list, noFile
}

// users are those that kubeconfig knows without being told: it takes any name.
func (c completer) users(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"admin"}, noFile
}

func (c completer) certificates(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names := map[string]bool{}
	c.with(cmd, func(ctx context.Context, s Session) {
		st, _ := s.State(ctx)
		for _, a := range st.Addresses() {
			if resource.Kind(a.Kind) == resource.KindCertificate {
				names[a.Name] = true
			}
		}
	})
	return slices.Sorted(maps.Keys(names)), noFile
}

func (c completer) generations(cmd *cobra.Command, _ []string, _ string) (list []cobra.Completion, _ cobra.ShellCompDirective) {
	c.with(cmd, func(ctx context.Context, s Session) {
		all, _ := s.Generations(ctx)
		for i, g := range all {
			if i == 0 || g.Err != nil || g.Run == nil || !g.Run.Complete {
				continue // the present one, and what cannot be gone back to
			}
			list = append(list, cobra.CompletionWithDesc(fmt.Sprint(g.Serial), g.Run.Operation+" of "+g.Updated.UTC().Format(time.DateTime+" UTC")))
		}
	})
	return list, noFile | cobra.ShellCompDirectiveKeepOrder
}

func (c completer) hosts(cmd *cobra.Command, _ []string, _ string) (list []cobra.Completion, _ cobra.ShellCompDirective) {
	c.with(cmd, func(_ context.Context, s Session) {
		for _, h := range s.Config().Hosts {
			list = append(list, h.Addr.String())
		}
	})
	return list, noFile
}

// addresses are those of the configuration and of the state: a target may name
// what is to come, and what is to go.
func (c completer) addresses(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return segments(c.known(cmd, true), typed)
}

// replaceable are those that --replace does not refuse.
func (c completer) replaceable(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return segments(slices.DeleteFunc(c.known(cmd, true), func(a addr.Address) bool {
		return a.Host.IsCluster() || resource.Kind(a.Kind) == resource.KindUnit && a.Name == "etcd"
	}), typed)
}

// recorded are those of the state.
func (c completer) recorded(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return segments(c.known(cmd, false), typed)
}

// known lists addresses, sorted.
func (c completer) known(cmd *cobra.Command, configured bool) []addr.Address {
	all := map[addr.Address]bool{}
	c.with(cmd, func(ctx context.Context, s Session) {
		st, _ := s.State(ctx)
		for _, a := range st.Addresses() {
			all[a] = true
		}
		if !configured {
			return
		}
		set, _ := s.Resources(ctx)
		for _, r := range set.All() {
			all[r.Addr] = true
		}
	})
	return slices.SortedFunc(maps.Keys(all), addr.Address.Compare)
}

// segments completes an address as paths are completed, a word at a time, since
// a host has a hundred resources: the host, the kind, the name. Where there is
// only one way to go on it goes on.
func segments(list []addr.Address, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	for level := range 3 {
		var out []cobra.Completion
		whole := true
		for _, a := range list {
			text := [...]string{a.Host.String(), a.Host.String() + "." + a.Kind, a.String()}[level]
			if !strings.HasPrefix(text, typed) || slices.Contains(out, text) {
				continue
			}
			out = append(out, text)
			whole = whole && level == 2
		}
		switch {
		case len(out) == 0 || len(out) == 1 && level < 2: // this far it is typed, or there is no choice
			continue
		case whole:
			return out, noFile
		}
		return out, noSpace
	}
	return nil, noFile
}
