package command

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/preflight"
)

// judge is a session whose hosts are as they are given.
type judge struct {
	fake
	found provision.Preflight
	err   error // of a plan
}

func (j *judge) Preflight(context.Context, provision.PreflightOptions) (provision.Preflight, error) {
	return j.found, nil
}

func (j *judge) Plan(context.Context, provision.PlanOptions) (*plan.Plan, error) { return nil, j.err }

var (
	judgedMaster = addr.Host{Role: addr.Master, Name: "m1"}
	judgedNode   = addr.Host{Role: addr.Node, Name: "n1"}
)

func findingsOf(severity preflight.Severity) []preflight.Finding {
	return []preflight.Finding{
		{Host: judgedMaster, Check: "ports", Severity: severity, Found: "port 6443 of kube-apiserver is held by nginx (pid 7, nginx.service)", Do: "stop it for good: systemctl disable --now nginx.service", Place: "cluster.hcl:11"},
		{Host: judgedNode, Check: "machine-id", Severity: severity, Found: "its machine-id is also that of \x1b[31mmaster", Do: "make one", Place: "cluster.hcl:12"},
	}
}

func TestPreflightCommand(t *testing.T) {
	hosts := []addr.Host{judgedMaster, judgedNode}
	for name, c := range map[string]struct {
		found provision.Preflight
		code  int
		want  []string
	}{
		"fit":      {provision.Preflight{Hosts: hosts}, 0, []string{"Fit: nothing is wrong on 2 hosts."}},
		"warnings": {provision.Preflight{Hosts: hosts, Findings: findingsOf(preflight.Warning)}, 0, []string{"  warning ports (cluster.hcl:11)", "Fit, with 2 warnings on 2 hosts."}},
		"errors": {provision.Preflight{Hosts: hosts, Findings: findingsOf(preflight.Error)}, 1,
			[]string{"master[\"m1\"]\n  error ports (cluster.hcl:11)\n    port 6443 of kube-apiserver is held by nginx (pid 7, nginx.service)\n    -> stop it for good: systemctl disable --now nginx.service\nnode[\"n1\"]\n",
				"Not fit: 2 errors, 0 warnings on 2 hosts."}},
		"unseen": {provision.Preflight{Hosts: hosts[:1], Unknown: []plan.Unknown{{Host: judgedNode, Reason: "no route to host"}}}, 1,
			[]string{"no route to host", "that is not every host"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := cli(t, &judge{found: c.found}, strings.NewReader(""), false, nil, "preflight")
			for _, want := range c.want {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("the answer has no %q:\n%s", want, r.stdout)
				}
			}
			if r.code != c.code || strings.Contains(r.stdout, "\x1b") {
				t.Errorf("exit %d, want %d:\n%q", r.code, c.code, r.stdout)
			}
			r = cli(t, &judge{found: c.found}, strings.NewReader(""), false, nil, "preflight", "--json")
			var doc struct {
				FormatVersion string `json:"format_version"`
				Fit           bool
				Findings      []map[string]string
			}
			if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil {
				t.Fatal(err)
			}
			if doc.FormatVersion != "1.0" || doc.Fit != (c.code == 0) || len(doc.Findings) != len(c.found.Findings) || doc.Findings == nil {
				t.Errorf("%+v", doc)
			}
		})
	}
}

// A plan of hosts that are not fit says all of it, and how a check is turned off.
func TestPlanOfUnfitHosts(t *testing.T) {
	j := &judge{err: &preflight.FailedError{Findings: findingsOf(preflight.Error)}}
	r := cli(t, j, strings.NewReader(""), false, nil, "plan")
	if r.code != 1 || r.stdout != "" {
		t.Errorf("exit %d, answer %q", r.code, r.stdout)
	}
	for _, want := range []string{"Error: Hosts are not fit for the cluster: 2 errors", "    error ports (cluster.hcl:11)\n", "    error machine-id (cluster.hcl:12)\n",
		"Nothing was planned or changed.", `host { preflight = { ports = "ignore" } }`} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in:\n%s", want, r.stderr)
		}
	}
	if d := cmp.Diff(`"machine-id"`, firstError(findingsOf(preflight.Error)[1:])); d != "" {
		t.Error(d)
	}
}
