package command

import (
	"context"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/health"
)

func newVerify(a *app) *cobra.Command {
	var f planFlags
	var smoke bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the whole cluster is healthy",
		Long: `Asks etcd, the API servers, controller-managers, schedulers, kubelets and
kube-proxies on every host, shows the componentstatuses as kubectl does, checks
that every node is Ready, and runs pods: one on each node, reached through a
Service from every node, and from one another. What it made is removed again.

Exits with 1 when anything is not healthy or could not be asked.`,
		Example: `  hardway verify
  hardway verify --smoke=false      # no pods
  hardway verify --json | jq '.checks[] | select(.status != "healthy")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			return a.verify(cmd.Context(), s, smoke, f.json, a.env.Stdout)
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&f.parallelism, "parallelism", defaultParallelism, "ask this many `hosts` at once")
	cmd.Flags().BoolVar(&smoke, "smoke", true, "run pods too; --smoke=false leaves them out")
	cmd.Flags().BoolVar(&f.json, "json", false, "write the report as JSON")
	return cmd
}

// verify runs a verification and writes the report to w; not healthy is exit
// code 1.
func (a *app) verify(ctx context.Context, s Session, smoke, json bool, w io.Writer) error {
	line := a.status()
	var mu sync.Mutex
	done := 0
	line.Set("Verifying...")
	r, err := s.Verify(ctx, provision.VerifyOptions{NoSmoke: !smoke, On: func(c health.Check) {
		mu.Lock()
		defer mu.Unlock()
		done++
		line.Set("Verifying... %d checks done (last: %s %s %s)", done, c.Host, c.Component, c.Name)
	}})
	line.Clear()
	if err != nil {
		return err
	}
	if json {
		err = view.ReportJSON(w, r)
	} else {
		err = view.Report(w, r, a.style(w))
	}
	if err == nil && !r.Healthy {
		err = exitCode(ExitError)
	}
	return err
}
