package command

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/audit"
	"hardway/provision/plan"
)

func newAudit(a *app) *cobra.Command {
	var f planFlags
	var o provision.AuditOptions
	var hosts []string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Hold the cluster against the CIS Kubernetes Benchmark",
		Long: `Reads every host once and holds what is there against the checks of the CIS
Kubernetes Benchmark: flags of units and of running processes, config files,
modes and owners of files, the audit policy, the groups of certificates. It only
reads. With --plan-only it audits what hardway would put on the hosts, and asks
none of them: for a pull request, before anything is applied.

A failure names what was found and what to do. Where the configuration asks for
what fails, the failure names the line. Checks that hardway's defaults do not
satisfy are "accepted", with the reason. Checks about what runs in the cluster are
for you to look at.

Exits with 0 when nothing failed, with 2 when something did, and with 1 on an
error or when something could not be read.`,
		Example: `  hardway audit
  hardway audit --plan-only --json | jq -r '.results[] | select(.status == "fail")'
  hardway audit --check=1.2 --check=4.2.6 --host=m1 --verbose`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := knownChecks(o.Checks); err != nil {
				return err
			}
			s, err := f.open(a)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			if o.Hosts, err = hostsOf(s, hosts); err != nil {
				return err
			}
			clear := func() {}
			if !o.PlanOnly {
				o.OnHost, clear = a.reading(s)
			}
			r, err := s.Audit(cmd.Context(), o)
			clear()
			if err != nil {
				return err
			}
			if f.json {
				err = view.AuditJSON(a.env.Stdout, r)
			} else {
				err = view.Audit(a.env.Stdout, r, f.view(a))
			}
			if err != nil {
				return err
			}
			return auditVerdict(r)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&o.PlanOnly, "plan-only", false, "audit what the configuration asks for, without any host")
	cmd.Flags().StringSliceVar(&o.Checks, "check", nil, "only the check with this `id`, or a section such as 1.2; may be repeated")
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "only this `host`, by name or as plans show it; may be repeated")
	cmd.Flags().IntVar(&f.parallelism, "parallelism", defaultParallelism, "ask this many `hosts` at once")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what passed and what is for you to look at, too")
	cmd.Flags().BoolVar(&f.json, "json", false, "write the report as one JSON document")
	return cmd
}

// auditVerdict is the exit code: what was not seen never passes.
func auditVerdict(r audit.Report) error {
	switch {
	case len(r.Unseen) > 0:
		var list []plan.Unknown
		for _, u := range r.Unseen {
			list = append(list, plan.Unknown{Host: u.Host, Reason: u.Reason})
		}
		return unseen(list, "Check that the hosts are up and that \"ssh\" reaches them with the same user and key.")
	case !r.Complete:
		return exitCode(ExitError) // the text has said why
	case r.Counts.Fail > 0:
		return exitCode(ExitChanges)
	}
	return nil
}

// checkID is an id of the benchmark, with the edition of one that it has no more.
var checkID = regexp.MustCompile(`^([0-9]+\.[0-9]+/)?[0-9]+(\.[0-9]+)*$`)

// knownChecks refuses what names no check: an audit of nothing would find nothing.
func knownChecks(ids []string) error {
	for _, id := range ids {
		known := checkID.MatchString(id) && slices.ContainsFunc(audit.Checks(), func(c audit.Check) bool {
			return c.ID == id || strings.HasPrefix(c.ID, id+".")
		})
		if !known {
			return &view.Problem{Summary: "There is no check " + quoted(id),
				Next: "Name a check of the benchmark, such as 1.2.1, or a section, such as 4.2. \"hardway audit --plan-only --verbose\" shows all of them."}
		}
	}
	return nil
}

// hostsOf finds hosts by name, or by address as plans have it.
func hostsOf(s Session, names []string) ([]addr.Host, error) {
	var out []addr.Host
	for _, name := range names {
		found := false
		for _, h := range s.Config().Hosts {
			if h.Name == name || h.Addr.String() == name {
				out, found = append(out, h.Addr), true
			}
		}
		if !found {
			return nil, &view.Problem{Summary: "There is no host " + quoted(name), Next: "Name a host of the configuration:\n  --host=m1\n  --host='master[\"m1\"]'"}
		}
	}
	return out, nil
}
