package command

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/state"
)

func newShow(a *app) *cobra.Command {
	var in inputs
	var json, concise bool
	cmd := &cobra.Command{
		Use:   "show [PLAN]",
		Short: "Show a saved plan, or what hardway has made",
		Long: `With a PLAN, shows that saved plan with every attribute. Without one, shows what
is recorded in the state: the authorities and, host by host, everything that
hardway made.`,
		Example: `  hardway show
  hardway show lab.plan
  hardway show --json lab.plan | jq '.changes[].address'`,
		Args: atMostOne("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 {
				p, err := readPlan(args[0])
				if err != nil {
					return err
				}
				if json {
					return view.PlanJSON(a.env.Stdout, p)
				}
				return view.Plan(a.env.Stdout, p, view.PlanOptions{Style: a.style(a.env.Stdout), Verbose: !concise})
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			st, err := s.State(cmd.Context())
			if err != nil {
				return err
			}
			if json {
				return view.JSON(a.env.Stdout, st)
			}
			return view.State(a.env.Stdout, made(st), a.style(a.env.Stdout))
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&concise, "concise", false, "show a plan as \"hardway plan\" does, without the texts of what is created")
	return cmd
}

// made takes from the state what people want to see of it.
func made(p state.Public) view.Made {
	m := view.Made{Cluster: p.Cluster, Lineage: p.Lineage, Serial: p.Serial, Updated: p.Updated}
	for _, name := range slices.Sorted(maps.Keys(p.Authorities)) {
		a := p.Authorities[name]
		m.Authorities = append(m.Authorities, view.MadeAuthority{Name: name, Generation: a.Generation, NotAfter: a.NotAfter})
	}
	for _, at := range slices.SortedFunc(maps.Keys(p.Resources), addr.Address.Compare) {
		r := p.Resources[at]
		m.Resources = append(m.Resources, view.MadeResource{Addr: at, Path: r.Path(), Applied: r.Applied, Pending: r.Pending, Tainted: r.Tainted})
	}
	return m
}
