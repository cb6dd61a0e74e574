package command

import (
	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/config"
)

func newOutput(a *app) *cobra.Command {
	var in inputs
	var json, raw bool
	cmd := &cobra.Command{
		Use:   "output [NAME]",
		Short: "Print the outputs of the configuration",
		Long: `Prints the values of the output blocks. A sensitive one is shown only when it is
asked for by name, or with --json.`,
		Example: `  hardway output
  hardway output --raw endpoint
  hardway output --json`,
		Args: atMostOne("NAME"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if raw && (json || len(args) == 0) {
				return &view.Problem{Summary: "--raw prints one output, without --json", Next: "Name it:\n  hardway output --raw NAME"}
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			outputs := viewOutputs(s.Config().Outputs)
			if len(args) == 1 {
				return a.oneOutput(outputs, args[0], json, raw)
			}
			if json {
				return view.OutputsJSON(a.env.Stdout, outputs)
			}
			if len(outputs) == 0 {
				a.say("The configuration has no outputs. Add one:\n  output \"endpoint\" { value = cluster.api_url }\n")
			}
			return view.Outputs(a.env.Stdout, outputs, a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&raw, "raw", false, "write the bare text of one output")
	return cmd
}

func (a *app) oneOutput(list []view.Output, name string, json, raw bool) error {
	var names []string
	for _, o := range list {
		if o.Name != name {
			names = append(names, o.Name)
			continue
		}
		switch {
		case json:
			return view.OutputValueJSON(a.env.Stdout, o)
		case raw:
			return view.OutputRaw(a.env.Stdout, o)
		}
		return view.OutputValue(a.env.Stdout, o)
	}
	p := &view.Problem{Summary: "There is no output " + quoted(name), Next: "Run \"hardway output\" for those there are."}
	if near := nearest(name, names); near != "" {
		p.Detail = "Did you mean " + quoted(near) + "?"
	}
	return p
}

func viewOutputs(list []config.Output) []view.Output {
	out := make([]view.Output, len(list))
	for i, o := range list {
		out[i] = view.Output{Name: o.Name, Value: o.Value, Sensitive: o.Sensitive}
	}
	return out
}
