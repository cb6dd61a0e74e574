package command

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/config"
)

func newExplain(a *app) *cobra.Command {
	var in inputs
	var host, out, format string
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Write the whole run as a runbook: what to type, and why",
		Long: `Writes down how the cluster would be made by hand, from nothing: every step in an
order that apply could take, why it is done, and the shell commands for it,
openssl for each certificate among them. It asks no host and holds no key: the
commands make the keys. It needs what "hardway init" pins.

As Markdown, the word behind "sh" at a block is the place where it is run. As
text, everything but the commands is a comment.`,
		Example: `  hardway explain --out runbook.md
  hardway explain --host n1
  hardway explain --format text | less`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			write := view.Runbook
			switch format {
			case "md":
			case "text":
				write = view.RunbookText
			default:
				return &view.Problem{Summary: "Unknown format " + quoted(format), Next: "Use --format=md or --format=text."}
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			book, err := s.Explain(cmd.Context())
			if err != nil {
				return err
			}
			if host != "" {
				h, err := hostNamed(s.Config(), host)
				if err != nil {
					return err
				}
				book = book.For(h.Addr)
			}
			if out == "" {
				return write(a.env.Stdout, book, a.style(a.env.Stdout))
			}
			var text bytes.Buffer
			return errors.Join(write(&text, book, view.Style{Whole: true}), writeWhole(out, &text))
		},
	}
	in.register(cmd)
	cmd.Flags().StringVar(&host, "host", "", "only what is done on, and for, the host with this `name`")
	cmd.Flags().StringVar(&out, "out", "", "write to this `file` instead of to stdout")
	cmd.Flags().StringVar(&format, "format", "md", "md or text")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]cobra.Completion{"md", "text"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// writeWhole writes a file as a whole or not at all.
func writeWhole(path string, text io.Reader) error {
	b, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, b, 0o644)
}

// hostNamed finds a host of the configuration by the label of its block.
func hostNamed(cfg *config.Cluster, name string) (config.Host, error) {
	var names []string
	for _, h := range cfg.Hosts {
		if h.Name == name || h.Addr.String() == name {
			return h, nil
		}
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return config.Host{}, &view.Problem{Summary: "There is no host " + quoted(name), Next: "The configuration has " + strings.Join(names, ", ") + "."}
}
