package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/plan"
)

var kubelet = addr.Address{Host: addr.Host{Role: addr.Node, Name: "n1"}, Kind: "unit", Name: "kubelet"}

// A configuration that was never initialised has one way out, not thirty.
func TestMissingPinsAreOneError(t *testing.T) {
	var errs []error
	for _, component := range []string{"etcd", "kubelet", "kube-proxy"} {
		for i := range 5 {
			errs = append(errs, fmt.Errorf("cluster.hcl:3,1-15: node[\"n%d\"]: %s for amd64 is not in hardway.lock.hcl; run `hardway init`", i, component))
		}
	}
	errs = append(errs, errors.New("cluster.hcl:9,1-15: image pause:1 is not in hardway.lock.hcl; run `hardway init`"), errors.New("something else"))
	r := cli(t, &failing{err: errors.Join(errs...)}, nil, false, nil, "plan")
	if n := strings.Count(r.stderr, "Error: "); r.code != 1 || n != 2 {
		t.Errorf("code %d, %d errors:\n%s", r.code, n, r.stderr)
	}
	wants(t, r, "hardway.lock.hcl does not have what the configuration needs",
		`  kubelet for amd64 is not in hardway.lock.hcl (node["n0"], node["n1"], node["n2"] and 2 more)`,
		"  image pause:1 is not in hardway.lock.hcl\n", `Run "hardway init".`, "Error: Something else")

	r = cli(t, &failing{err: errs[0]}, nil, false, nil, "plan") // one stays as it is
	wants(t, r, "cluster.hcl:3,1-15")
}

func TestStalePlan(t *testing.T) {
	e := &plan.StaleError{Moved: []plan.Moved{
		{What: "serial", Was: "1", Is: "2"}, {What: "config", Was: "sha256:aaaa", Is: "sha256:bbbb"}, {Addr: kubelet, What: "state", Was: `"active"`, Is: `"failed"`},
	}}
	for range 9 {
		e.Moved = append(e.Moved, plan.Moved{Addr: kubelet, What: "content", Was: "sha256:cccc", Is: "absent"})
	}
	r := cli(t, &fake{plans: []*plan.Plan{planOf(1, true)}, fail: e}, nil, false, nil, "apply", "-auto-approve")
	if r.code != 1 {
		t.Errorf("code %d", r.code)
	}
	wants(t, r, "Error: The plan is stale", "  the configuration: sha256:aaaa -> sha256:bbbb\n", "  the serial of the state: 1 -> 2\n",
		`  node["n1"].unit["kubelet"]: state: "active" -> "failed"`, `content: sha256:cccc -> absent`, "  and 2 more\n", `Run "hardway plan" again.`)
}

func TestForeignPlan(t *testing.T) {
	e := &plan.ForeignError{Cluster: "a", Lineage: "1", HereCluster: "b", HereLineage: "2"}
	r := cli(t, &fake{plans: []*plan.Plan{planOf(1, true)}, fail: e}, nil, false, nil, "apply", "-auto-approve")
	wants(t, r, "Error: The plan is for another cluster", `It is of the cluster "a" with the lineage 1`, "in the directory that it was made in")
}

func TestRestoredUnits(t *testing.T) {
	failing := func(restore error) result {
		e := &apply.RestoredError{Unit: "kubelet.service", Err: errors.New("waiting for /healthz: refused\nunknown flag: --x"), Elapsed: 31 * time.Second, Restore: restore}
		f := &fake{plans: []*plan.Plan{planOf(2, true)}, fail: &apply.IncompleteError{Skipped: 3, Errs: []error{fmt.Errorf("%s: %w", kubelet, e)}}}
		return cli(t, f, nil, false, nil, "apply", "-auto-approve")
	}
	r := failing(nil)
	if r.code != 1 {
		t.Errorf("code %d", r.code)
	}
	wants(t, r, `Error: node["n1"].unit["kubelet"] did not become healthy, and was put back`, "unknown flag: --x",
		"healthy again, 31s after", `"hardway apply --retry"`, "Once the configuration is mended")
	r = failing(errors.New("the disk is full"))
	if r.code != 1 {
		t.Errorf("code %d", r.code)
	}
	wants(t, r, "and putting back what\n  was there before failed too", "  waiting for /healthz: refused\n  unknown flag: --x", "  the disk is full", "journalctl -u kubelet.service")
}

func TestMarkedHosts(t *testing.T) {
	e := &plan.MarkedError{Serial: 3, Newer: []plan.Marked{{Host: kubelet.Host, Serial: 9}}}
	r := cli(t, &failing{err: fmt.Errorf("planning: %w", e)}, nil, false, nil, "plan")
	wants(t, r, "Error: The hosts were changed by a newer state than this one", "hardway state recover")
}

// Layers that each put the host in front are told once.
func TestErrorsNameTheHostOnce(t *testing.T) {
	r := cli(t, &failing{err: errors.New(`master["m1"]: master["m1"]: connecting to 10.0.0.1:22: refused`)}, nil, false, nil, "plan")
	wants(t, r, `Error: master["m1"]: connecting to 10.0.0.1:22: refused`)
	if strings.Count(r.stderr, "m1") != 1 {
		t.Error(r.stderr)
	}
}
