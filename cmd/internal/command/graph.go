package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/graph"
)

// mermaidEdges is Mermaid's default of maxEdges, which a diagram cannot change.
const mermaidEdges = 500

func newGraph(a *app) *cobra.Command {
	var in inputs
	var format, by, planFile string
	var all bool
	var hosts []string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw the resources and what depends on what",
		Long: `Writes a picture of the cluster's resources for Graphviz, or for Mermaid: of those that
the configuration asks for, without any host, or with --plan of a saved plan, in the
colours of its actions. Arrows lead to what is needed.

It is an overview: each unit is a node, and of each host so are its certificates, files,
binaries and kernel settings as a whole. Directories and what follows from other arrows
are left out. --all draws everything. --by=resource draws what many hosts have once.`,
		Example: `  hardway graph | dot -Tsvg > cluster.svg
  hardway graph --format=mermaid --by=resource
  hardway plan --out lab.plan && hardway graph --plan=lab.plan | dot -Tpng > plan.png
  hardway graph --all --host='node["n1"]' | dot -Tsvg > n1.svg`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			write := view.DOT
			switch format {
			case "dot":
			case "mermaid":
				write = view.Mermaid
			default:
				return &view.Problem{Summary: "There is no format " + quoted(format), Next: "Use --format=dot or --format=mermaid."}
			}
			o := graph.Options{By: graph.By(by), All: all}
			if o.By != graph.ByHost && o.By != graph.ByResource {
				return &view.Problem{Summary: "A graph cannot be drawn by " + quoted(by), Next: "Use --by=host or --by=resource."}
			}
			if o.Hosts, err = hostsOnly(hosts); err != nil {
				return err
			}
			var items []graph.Item
			if planFile != "" {
				p, err := readPlan(planFile)
				if err != nil {
					return err
				}
				items = graph.OfPlan(p)
			} else {
				s, err := a.open(in)
				if err != nil {
					return err
				}
				defer closeInto(&err, s)
				set, err := s.Resources(cmd.Context())
				if err != nil {
					return err
				}
				if err := knownHosts(o.Hosts, s.Config().Hosts); err != nil {
					return err
				}
				items = graph.OfSet(set)
			}
			g := graph.New(items, o)
			if format == "mermaid" && len(g.Edges) >= mermaidEdges {
				a.say(fmt.Sprintf("Note: Mermaid draws fewer than %d arrows unless its maxEdges is raised, and this has %d.\n"+
					"Leave out --all, name a --host, or use --format=dot.\n", mermaidEdges, len(g.Edges)))
			}
			return write(a.env.Stdout, g)
		},
	}
	in.register(cmd)
	cmd.Flags().StringVar(&format, "format", "dot", "write this `language`: dot or mermaid")
	cmd.Flags().StringVar(&by, "by", string(graph.ByHost), "draw a box for each of this `kind`: host or resource")
	cmd.Flags().StringVar(&planFile, "plan", "", "draw the plan that was saved to this `file`")
	cmd.Flags().BoolVar(&all, "all", false, "draw every resource and every dependency")
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "draw only the cluster and this `host`; may be repeated")
	return cmd
}

// hostsOnly parses the values of --host.
func hostsOnly(texts []string) ([]addr.Host, error) {
	list, err := addresses("host", texts)
	if err != nil {
		return nil, err
	}
	var out []addr.Host
	for i, a := range list {
		if a.Kind != "" {
			return nil, &view.Problem{Summary: "--host names a host, and " + quoted(texts[i]) + " is a resource", Next: "Write --host='" + a.Host.String() + "'."}
		}
		out = append(out, a.Host)
	}
	return out, nil
}

// knownHosts refuses hosts that the configuration does not have.
func knownHosts(wanted []addr.Host, have []config.Host) error {
	var names []string
	known := map[string]bool{}
	for _, h := range have {
		names = append(names, h.Addr.String())
		known[h.Addr.String()] = true
	}
	for _, h := range wanted {
		if h.IsCluster() || known[h.String()] {
			continue
		}
		p := &view.Problem{Summary: "There is no host " + h.String(), Next: "Run \"hardway console\" and ask for keys(master) and keys(node)."}
		if near := nearest(h.String(), names); near != "" {
			p.Detail = "Did you mean " + near + "?"
		}
		return p
	}
	return nil
}
