package command

import (
	"strings"
	"testing"
	"time"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/plan"
)

// wants holds that the output of a command has all of the texts.
func wants(t *testing.T, r result, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%q is missing in:\n%s%s", want, r.stdout, r.stderr)
		}
	}
}

func heldPlan(n int) *plan.Plan {
	p := planOf(n, false)
	p.Held = []plan.Held{{Addr: addr.Address{Host: addr.Host{Role: addr.Node, Name: "n1"}, Kind: "unit", Name: "kubelet"},
		Reason: "exit status 1", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	return p
}

// A host that cannot be read does not stop the others, but it is never success.
func TestApplyLeavesUnseenHostsOut(t *testing.T) {
	f := &fake{plans: []*plan.Plan{unseenPlan(3)}}
	r := cli(t, f, nil, false, nil, "apply", "-auto-approve")
	if r.code != 1 || len(f.applied) != 1 || len(f.planned) != 1 || f.checked != 0 {
		t.Errorf("code %d, applied %d, planned %d, verified %d", r.code, len(f.applied), len(f.planned), f.checked)
	}
	wants(t, r, "1 host could not be read; what does not depend on it is done, the rest waits.",
		"Apply incomplete. Resources: 3 added, 0 changed, 0 destroyed; 1 host left out.", "Error: A host could not be read", `  node["n2"]: i/o timeout`,
		"What does not depend on it is done. When it answers again, run \"hardway apply\"\nfor the rest.")

	// what waited for it is planned once more, and found to wait still
	p := unseenPlan(1)
	p.Deferred = deferredPlan(0).Deferred
	f = &fake{plans: []*plan.Plan{p, unseenPlan(0)}}
	if r := cli(t, f, nil, false, nil, "apply", "-auto-approve"); r.code != 1 || len(f.applied) != 1 || len(f.planned) != 2 {
		t.Errorf("code %d, applied %d, planned %d\n%s", r.code, len(f.applied), len(f.planned), r.stderr)
	}

	f = &fake{plans: []*plan.Plan{unseenPlan(0)}}
	r = cli(t, f, nil, false, nil, "apply", "-auto-approve")
	if r.code != 1 || len(f.applied) != 0 {
		t.Errorf("nothing to do: code %d, applied %d", r.code, len(f.applied))
	}
	wants(t, r, "Nothing was changed. Check that \"ssh\" reaches it")
}

// Before the yes it is said what is left out.
func TestApplyAsksAboutUnseenHosts(t *testing.T) {
	p := unseenPlan(1)
	p.Unknown = append(p.Unknown, plan.Unknown{Host: addr.Host{Role: addr.Node, Name: "n3"}, Reason: `node["n3"]: connecting: refused`})
	f := &fake{plans: []*plan.Plan{p}}
	r := cli(t, f, noReader{strings.NewReader("yes\n")}, true, nil, "apply")
	if r.code != 1 || len(f.applied) != 1 {
		t.Errorf("code %d, applied %d", r.code, len(f.applied))
	}
	question := strings.Index(r.stderr, "Enter a value:")
	if said := strings.Index(r.stderr, "2 hosts could not be read; what does not depend on them is done"); said < 0 || said > question {
		t.Errorf("not said before the question:\n%s", r.stderr)
	}
	wants(t, r, `  node["n3"]: connecting: refused`, "When they answer again")
	if strings.Contains(r.stdout+r.stderr, `node["n3"]: node["n3"]`) {
		t.Errorf("a host is named twice:\n%s%s", r.stdout, r.stderr)
	}
}

func TestDestroyNamesItself(t *testing.T) {
	p := unseenPlan(1)
	p.Mode, p.Changes[0].Action = plan.Destroy, plan.Delete
	r := cli(t, &fake{plans: []*plan.Plan{p}}, nil, false, nil, "destroy", "-auto-approve")
	if r.code != 1 {
		t.Errorf("code %d", r.code)
	}
	wants(t, r, "Destroy incomplete. Resources: 1 destroyed; 1 host left out.", `run "hardway destroy"`)
}

// What is held back is not in force: the rest is done, and the exit code is 1.
func TestApplyTellsWhatIsHeldBack(t *testing.T) {
	f := &fake{plans: []*plan.Plan{heldPlan(2)}}
	r := cli(t, f, nil, false, nil, "apply", "-auto-approve")
	if r.code != 1 || len(f.applied) != 1 || len(f.planned) != 1 {
		t.Errorf("code %d, applied %d, planned %d", r.code, len(f.applied), len(f.planned))
	}
	wants(t, r, "Held back:", "1 change held back.", "Error: 1 change is held back", `node["n1"].unit["kubelet"]: exit status 1`, `"hardway apply --retry"`)

	f = &fake{plans: []*plan.Plan{heldPlan(0)}}
	if r = cli(t, f, nil, false, nil, "plan", "-detailed-exitcode"); r.code != 1 {
		t.Errorf("a plan of nothing but what is held back: code %d", r.code)
	}
	wants(t, r, "Nothing to change, because the rest is held back.")

	p := heldPlan(0)
	p.Held[0].Addr = addr.Address{Host: addr.Host{Role: addr.Cluster}}
	p.Held[0].Reason = "the cluster was rolled back to generation 7"
	r = cli(t, &fake{plans: []*plan.Plan{p}}, nil, false, nil, "apply", "-auto-approve")
	wants(t, r, "Error: What the configuration changed is held back", "  cluster: the cluster was rolled back to generation 7")
}

func TestApplyRetry(t *testing.T) {
	f := &fake{plans: []*plan.Plan{planOf(1, true)}}
	r := cli(t, f, nil, false, nil, "apply", "-retry", "-deep", "-auto-approve")
	if r.code != 0 || !f.planned[0].Retry || !f.planned[0].Deep {
		t.Errorf("code %d, options %+v\n%s", r.code, f.planned, r.stderr)
	}
	for _, args := range [][]string{
		{"plan", "-retry", "-destroy"}, {"plan", "-to-generation=3", "-retry"}, {"plan", "-to-generation=3", `-target=node["n1"]`},
		{"apply", "-to-generation=3", "-destroy"}, {"plan", "-to-generation=-3"}, {"plan", "-to-generation=x"},
	} {
		if r := cli(t, &fake{}, nil, false, nil, args...); r.code != ExitError || r.stdout != "" {
			t.Errorf("%v: code %d, stdout %q", args, r.code, r.stdout)
		}
	}
}

// With --json it is told which hosts were read, and which not.
func TestApplyJSONTellsOfHosts(t *testing.T) {
	f := &fake{plans: []*plan.Plan{unseenPlan(1)}, hosts: []config.Host{
		{Addr: addr.Host{Role: addr.Node, Name: "n1"}}, {Addr: addr.Host{Role: addr.Node, Name: "n2"}},
	}}
	r := cli(t, f, nil, false, nil, "apply", "-json", "-auto-approve")
	if r.code != 1 {
		t.Errorf("code %d", r.code)
	}
	wants(t, r, `"type":"refresh_start"`, `node[\"n1\"]: Refresh complete`, `node[\"n2\"]: Refresh errored: i/o timeout`,
		`"summary":"A host could not be read"`, `1 host left out`)
}
