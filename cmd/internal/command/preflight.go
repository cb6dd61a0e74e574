package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/preflight"
)

func newPreflight(a *app) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Check whether the hosts are fit for the cluster",
		Long: `Reads every host once and shows all that is wrong on all of them, with what to do
about each: names and identities that two hosts share, addresses, ports and who
holds them, clocks, disks, memory, kernels, cgroups, swap, missing programs,
firewalls, SELinux, DNS. Nothing is changed anywhere, and neither binaries nor a
state are needed.

"plan" checks the same on hosts that are not part of the cluster yet, and refuses
while there is an error. A check that does not fit is turned into a warning or off
in the host block: host { preflight = { memory = "warn", ports = "ignore" } }.

Exits with 1 when there is an error or a host could not be read.`,
		Example: `  hardway preflight
  hardway preflight --json | jq -r '.findings[] | .host + ": " + .found'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			var o provision.PreflightOptions
			var clear func()
			o.OnHost, clear = a.reading(s)
			found, err := s.Preflight(cmd.Context(), o)
			clear()
			if err != nil {
				return err
			}
			report := view.Preflight{Findings: findings(found.Findings), Unknown: found.Unknown, Hosts: []string{}}
			for _, h := range found.Hosts {
				report.Hosts = append(report.Hosts, h.String())
			}
			report.Fit = len(found.Unknown) == 0 && !preflight.Failed(found.Findings)
			if f.json {
				err = view.PreflightJSON(a.env.Stdout, report)
			} else {
				err = view.PreflightText(a.env.Stdout, report, a.style(a.env.Stdout))
			}
			if err == nil && !report.Fit {
				err = exitCode(ExitError)
			}
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&f.parallelism, "parallelism", defaultParallelism, "ask this many `hosts` at once")
	cmd.Flags().BoolVar(&f.json, "json", false, "write the findings as one JSON document")
	return cmd
}

func findings(list []preflight.Finding) []view.Finding {
	out := []view.Finding{}
	for _, f := range list {
		out = append(out, view.Finding{Host: f.Host.String(), Check: f.Check, Severity: string(f.Severity), Found: f.Found, Do: f.Do, Place: f.Place})
	}
	return out
}

// unfit tells all that was found on all hosts.
func unfit(e *preflight.FailedError) error {
	failed := 0
	for _, f := range e.Findings {
		if f.Severity == preflight.Error {
			failed++
		}
	}
	summary := "A host is not fit for the cluster: 1 error"
	if failed > 1 {
		summary = fmt.Sprintf("Hosts are not fit for the cluster: %d errors", failed)
	}
	text := view.FindingsText(findings(e.Findings), view.Style{})
	var b strings.Builder
	for line := range strings.Lines(text) { // indented, so that they are left as they are
		b.WriteString("  " + line)
	}
	return &view.Problem{Summary: summary, Detail: strings.TrimRight(b.String(), " \n"), Err: e,
		Next: "Nothing was planned or changed. Mend these, and look again with \"hardway preflight\". A check that does not fit here is turned off in the host block:\n  host { preflight = { " + firstError(e.Findings) + " = \"ignore\" } }"}
}

func firstError(list []preflight.Finding) string {
	for _, f := range list {
		if f.Severity == preflight.Error {
			if strings.Contains(f.Check, "-") {
				return `"` + f.Check + `"`
			}
			return f.Check
		}
	}
	return ""
}
