package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/plan"
)

func newCerts(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "List and renew certificates",
		Long:  "Lists the certificates of the cluster with the time they have left, and renews them.",
		Example: `  hardway certs list
  hardway certs renew apiserver`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertsList(a), newCertsRenew(a))
	return cmd
}

func newCertsList(a *app) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all certificates and the days they have left",
		Long: `Reads the certificates from the hosts and the authorities from the state, and
lists them with subject, names, issuer, days left, host and path. What is due for
renewal is marked. Exits with 1 when one of them could not be read.`,
		Example: `  hardway certs list
  hardway certs list --json | jq '.certificates[] | select(.days_left < 30)'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			list, err := s.Certificates(cmd.Context())
			if err != nil {
				return err
			}
			rows := make([]view.Certificate, len(list))
			unread := false
			for i, c := range list {
				rows[i] = view.NewCertificate(c.Name, c.Host, c.Path, c.Info, c.RenewBefore, c.Problem)
				unread = unread || c.Problem != ""
			}
			if f.json {
				err = view.CertificatesJSON(a.env.Stdout, rows, a.env.Now())
			} else {
				err = view.Certificates(a.env.Stdout, rows, a.env.Now(), a.style(a.env.Stdout))
			}
			if err == nil && unread {
				err = exitCode(ExitError) // the list says which and why
			}
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&f.parallelism, "parallelism", defaultParallelism, "ask this many `hosts` at once")
	cmd.Flags().BoolVar(&f.json, "json", false, "write JSON")
	return cmd
}

func newCertsRenew(a *app) *cobra.Command {
	var f planFlags
	var auto bool
	cmd := &cobra.Command{
		Use:   "renew [NAME...]",
		Short: "Issue certificates anew: those named, or all",
		Long: `Plans to issue certificates anew with new keys, shows the plan, asks, and carries
it out. Nothing is restarted: every component reads a renewed certificate by
itself. Then asks each endpoint which certificate it serves: it must be the new one.

Without names all are renewed but the kubelet's client certificate, which the
kubelet renews by itself. Authorities are not renewed here. What is due is
renewed by every "hardway apply" as well.`,
		Example: `  hardway certs renew apiserver
  hardway certs renew --auto-approve`,
		RunE: func(cmd *cobra.Command, names []string) (err error) {
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			var renewal *plan.Plan
			c := &convergence{
				a: a, s: s, flags: &f, steps: 1, again: "hardway certs renew",
				approve: question(plan.Normal, 0, auto, f.input),
				plan: func(ctx context.Context, _ func(addr.Host, error)) (p *plan.Plan, err error) {
					renewal, err = s.PlanRenewal(ctx, names)
					return renewal, err
				},
			}
			if changed, err := c.run(cmd.Context()); err != nil || !changed {
				return err
			}
			return a.prove(cmd.Context(), s, renewal, f.json)
		},
	}
	f.registerRun(cmd)
	cmd.Flags().BoolVar(&auto, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&f.json, "json", false, "write events as JSON lines; needs --auto-approve")
	return cmd
}

// proofTime is how long an endpoint may take to serve its new certificate: the
// API server looks at its files once a minute.
const proofTime = 90 * time.Second

// prove shows which certificate each endpoint serves after a renewal.
func (a *app) prove(ctx context.Context, s Session, p *plan.Plan, json bool) error {
	line := a.status()
	line.Set("Asking the endpoints which certificates they serve...")
	list, err := s.ProveRenewal(ctx, p, proofTime)
	line.Clear()
	if err != nil {
		return err
	}
	rows := make([]view.Proof, len(list))
	for i, proof := range list {
		rows[i] = view.Proof(proof)
	}
	proven := true
	for _, r := range rows {
		proven = proven && (r.Endpoint == "" || r.Got == r.Want)
	}
	w := a.env.Stdout
	if json {
		w = a.env.Stderr // stdout has the events
	}
	if err := view.Proofs(w, rows, a.style(w)); err != nil {
		return err
	}
	if !proven {
		return &view.Problem{Summary: "An endpoint does not serve its new certificate",
			Detail: "The certificate is in place, but the component still serves the old one.",
			Next:   "Run \"hardway plan\" to see whether a restart is owed, and \"hardway verify\"."}
	}
	return nil
}
