package command

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
)

// normalize accepts Terraform's spelling of options, -auto-approve and
// -out=FILE, where pflag only knows --auto-approve: a single dash in front of a
// name that the command has as a long option becomes two. Values of options and
// everything behind "--" stay as they are. It is also where a command or an
// option that does not exist is refused, with the nearest name that does.
func normalize(root *cobra.Command, args []string) ([]string, error) {
	root.InitDefaultHelpCmd()
	root.InitDefaultVersionFlag()
	root.InitDefaultCompletionCmd(args...)
	escapeInBash(root)
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		return beingTyped(root, args), nil
	}
	cmd := root
	cmd.InitDefaultHelpFlag()
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(out, args[i:]...), nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			out = append(out, arg)
			next, err := descend(cmd, arg)
			if err != nil {
				return nil, err
			}
			cmd = next
			cmd.InitDefaultHelpFlag()
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		takesValue, ok := option(cmd, name, strings.HasPrefix(arg, "--"))
		if !ok {
			return nil, unknownOption(cmd, arg)
		}
		if len(name) > 1 {
			arg = "--" + strings.TrimLeft(arg, "-")
		}
		out = append(out, arg)
		if takesValue && !hasValue && i+1 < len(args) {
			i++
			out = append(out, args[i])
		}
	}
	return out, nil
}

// descend resolves a word that is no option: a subcommand, or, for a command
// without any, an argument.
func descend(cmd *cobra.Command, word string) (*cobra.Command, error) {
	for _, sub := range cmd.Commands() {
		if sub.Name() == word || sub.HasAlias(word) {
			return sub, nil
		}
	}
	if !cmd.HasSubCommands() || cmd.Name() == "help" {
		return cmd, nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	p := &view.Problem{Summary: quoted(cmd.CommandPath()) + " has no command " + quoted(word)}
	if near := nearest(word, names); near != "" {
		p.Detail = "Did you mean " + quoted(near) + "?"
	}
	p.Next = "Run \"" + cmd.CommandPath() + " --help\" for the commands there are."
	return nil, p
}

// option looks an option up and reports whether it takes a value.
func option(cmd *cobra.Command, name string, long bool) (takesValue, ok bool) {
	f := cmd.Flags().Lookup(name)
	if f == nil {
		f = cmd.PersistentFlags().Lookup(name)
	}
	if f == nil {
		f = cmd.InheritedFlags().Lookup(name)
	}
	if f == nil && !long && len(name) == 1 {
		f = cmd.Flags().ShorthandLookup(name)
	}
	if f == nil {
		return false, false
	}
	return f.NoOptDefVal == "", true
}

func unknownOption(cmd *cobra.Command, arg string) error {
	given, _, _ := strings.Cut(arg, "=")
	p := &view.Problem{Summary: quoted(cmd.CommandPath()) + " has no option " + given}
	if near := nearest(strings.TrimLeft(given, "-"), optionNames(cmd)); near != "" {
		p.Detail = "Did you mean --" + near + "?"
	}
	p.Next = "Run \"" + cmd.CommandPath() + " --help\" for the options there are."
	return p
}

// optionNames lists the long options of a command.
func optionNames(cmd *cobra.Command) []string {
	var names []string
	for line := range strings.Lines(cmd.LocalFlags().FlagUsages() + cmd.InheritedFlags().FlagUsages()) {
		if _, rest, ok := strings.Cut(line, "--"); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			name, _, _ = strings.Cut(name, "[")
			names = append(names, name)
		}
	}
	return names
}

// nearest returns the known name that was probably meant, or "". A name that
// the word begins, or that differs in a few letters, counts.
func nearest(word string, known []string) string {
	word = strings.ToLower(word)
	type candidate struct {
		name     string
		distance int
	}
	var best []candidate
	for _, name := range known {
		d := levenshtein.Distance(word, name, nil)
		if strings.HasPrefix(name, word) && len(word) >= 3 {
			d = 1
		}
		if limit := max(min(len(name)/2, 2), len(name)/3); d <= limit {
			best = append(best, candidate{name, d})
		}
	}
	if len(best) == 0 {
		return ""
	}
	slices.SortFunc(best, func(a, b candidate) int { return cmp.Or(a.distance-b.distance, cmp.Compare(a.name, b.name)) })
	return best[0].name
}

func quoted(s string) string { return strconv.Quote(s) }
