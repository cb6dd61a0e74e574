package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// TestCompareKube: what the API did not say is never taken for absent.
func TestCompareKube(t *testing.T) {
	object := resource.Spec{Object: &resource.Object{Kind: "clusterrolebinding", Name: "x", Manifest: json.RawMessage(`{"metadata":{"name":"x"},"subjects":[{"name":"a"}]}`)}}
	first := resource.Spec{Object: &resource.Object{Kind: "clusterrolebinding", Name: "x", Manifest: json.RawMessage(`{"metadata":{"name":"x"}}`), SuperAdmin: true}}
	node := resource.Spec{Node: &resource.Node{Name: "n1", Host: n1, Labels: map[string]string{"tier": "gold", "node-role.kubernetes.io/worker": ""}, Taints: []string{"b=:NoExecute", "a=1:NoSchedule"}}}
	objects := func(live string) facts.Kube {
		return facts.Kube{State: facts.Up, Objects: map[string]json.RawMessage{"clusterrolebinding/x": json.RawMessage(live)}}
	}
	nodes := func(live string) facts.Kube {
		return facts.Kube{State: facts.Up, Nodes: map[string]json.RawMessage{"n1": json.RawMessage(live)}}
	}
	down := facts.Kube{State: facts.Down, Message: "connection refused"}
	const whole = `{"metadata":{"labels":{"tier":"gold","node-role.kubernetes.io/worker":"","x":"y"}},"spec":{"taints":[{"key":"a","value":"1","effect":"NoSchedule"},{"key":"c","effect":"NoSchedule"},{"key":"b","effect":"NoExecute"}]}}`
	for name, c := range map[string]struct {
		spec     resource.Spec
		kube     facts.Kube
		want     verdict
		deferred string
	}{
		"object, no cluster":          {object, facts.Kube{State: facts.NoCluster}, verdict{Create, "", ""}, ""},
		"object, not asked":           {object, facts.Kube{}, verdict{Create, "", ""}, ""},
		"object, down":                {object, down, verdict{}, "the API server does not answer: connection refused"},
		"object, forbidden":           {object, facts.Kube{State: facts.Forbidden}, verdict{}, "the admin may not read it yet"},
		"first object, forbidden":     {first, facts.Kube{State: facts.Forbidden}, verdict{Create, "the everyday admin has no rights yet", ""}, ""},
		"object, absent":              {object, facts.Kube{State: facts.Up}, verdict{Create, "", ""}, ""},
		"object, as wanted":           {object, objects(`{"metadata":{"name":"x"},"subjects":[{"name":"a"}]}`), verdict{NoOp, "", ""}, ""},
		"object, with others' fields": {object, objects(`{"kind":"X","metadata":{"uid":"1","name":"x","labels":{"a":"b"}},"subjects":[{"name":"a"}],"status":{}}`), verdict{NoOp, "", ""}, ""},
		"object, a field differs":     {object, objects(`{"metadata":{"name":"x"},"subjects":[{"name":"b"}]}`), verdict{Update, "fields that hardway owns differ", ""}, ""},
		"object, a list longer":       {object, objects(`{"metadata":{"name":"x"},"subjects":[{"name":"a"},{"name":"b"}]}`), verdict{Update, "fields that hardway owns differ", ""}, ""},
		"object, a field gone":        {object, objects(`{"metadata":{"name":"x"}}`), verdict{Update, "fields that hardway owns differ", ""}, ""},
		"object, a field of a type":   {object, objects(`{"metadata":"x","subjects":[{"name":"a"}]}`), verdict{Update, "fields that hardway owns differ", ""}, ""},
		"object, unreadable":          {object, objects(`{`), verdict{Update, "the live object cannot be read", ""}, ""},
		"node, no cluster":            {node, facts.Kube{State: facts.NoCluster}, verdict{Create, "", ""}, ""},
		"node, down":                  {node, down, verdict{}, "the API server does not answer: connection refused"},
		"node, forbidden":             {node, facts.Kube{State: facts.Forbidden}, verdict{}, "the admin may not read it yet"},
		"node, not registered":        {node, facts.Kube{State: facts.Up}, verdict{Create, "", ""}, ""},
		"node, as wanted":             {node, nodes(whole), verdict{NoOp, "", ""}, ""},
		"node, a label gone":          {node, nodes(`{"metadata":{"labels":{"tier":"gold"}},"spec":{"taints":[{"key":"a","value":"1","effect":"NoSchedule"},{"key":"b","effect":"NoExecute"}]}}`), verdict{Update, "labels or taints differ", ""}, ""},
		"node, another value":         {node, nodes(`{"metadata":{"labels":{"tier":"iron","node-role.kubernetes.io/worker":""}},"spec":{"taints":[{"key":"a","value":"1","effect":"NoSchedule"},{"key":"b","effect":"NoExecute"}]}}`), verdict{Update, "labels or taints differ", ""}, ""},
		"node, a taint gone":          {node, nodes(`{"metadata":{"labels":{"tier":"gold","node-role.kubernetes.io/worker":""}},"spec":{}}`), verdict{Update, "labels or taints differ", ""}, ""},
		"node, another effect":        {node, nodes(`{"metadata":{"labels":{"tier":"gold","node-role.kubernetes.io/worker":""}},"spec":{"taints":[{"key":"a","value":"1","effect":"NoExecute"},{"key":"b","effect":"NoExecute"}]}}`), verdict{Update, "labels or taints differ", ""}, ""},
		"node, unreadable":            {node, nodes(`[]`), verdict{}, "kubectl printed a Node that cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			a := at(cluster, c.spec.Kind(), "x")
			p := compute(t, Input{Desired: setOf(t, resource.Resource{Addr: a, Spec: c.spec}),
				Observed: map[addr.Host]facts.Observation{m1: {Kube: c.kube}, n1: {}}})
			if c.deferred != "" {
				if diff := cmp.Diff([]Deferred{{Addr: a, Reason: c.deferred}}, p.Deferred); diff != "" || p.Complete || len(p.Changes) > 0 {
					t.Errorf("complete %v, changes %v, (-want +got):\n%s", p.Complete, active(p), diff)
				}
				return
			}
			if !p.Complete || len(p.Deferred) > 0 {
				t.Fatalf("complete %v, deferred %v", p.Complete, p.Deferred)
			}
			got := change(t, p, a)
			if diff := cmp.Diff(c.want, verdictOf(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Action == NoOp && !cmp.Equal(got.Before, got.After) {
				t.Errorf("nothing to do, and yet %v is not %v", got.Before, got.After)
			}
		})
	}
}

// TestWhoIsAsked: one master that answers is enough, and one that has no data is
// no proof that the cluster does not exist.
func TestWhoIsAsked(t *testing.T) {
	spec := resource.Spec{Object: &resource.Object{Kind: "k", Name: "x", Manifest: json.RawMessage(`{}`)}}
	up := facts.Kube{State: facts.Up, Objects: map[string]json.RawMessage{"k/x": json.RawMessage(`{}`)}}
	down, none, forbidden := facts.Kube{State: facts.Down}, facts.Kube{State: facts.NoCluster}, facts.Kube{State: facts.Forbidden}
	for name, c := range map[string]struct {
		kube [3]facts.Kube
		err  [3]string
		want string
	}{
		"the last one answers":      {[3]facts.Kube{none, down, up}, [3]string{}, "no-op"},
		"one is down, one is empty": {[3]facts.Kube{none, down, none}, [3]string{}, "deferred"},
		"one forbids":               {[3]facts.Kube{none, down, forbidden}, [3]string{}, "deferred"},
		"all are empty":             {[3]facts.Kube{none, none, none}, [3]string{}, "create"},
		"who answers is away":       {[3]facts.Kube{none, down, up}, [3]string{"", "", "timeout"}, "deferred"},
		"all are away":              {[3]facts.Kube{up, up, up}, [3]string{"timeout", "timeout", "timeout"}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			observed := map[addr.Host]facts.Observation{n1: {Kube: up}} // a node is never asked
			for i, h := range []addr.Host{m1, m2, m3} {
				observed[h] = facts.Observation{Err: c.err[i], Kube: c.kube[i]}
			}
			p := compute(t, Input{Desired: setOf(t, resource.Resource{Addr: at(cluster, "object", "x"), Spec: spec}), Observed: observed})
			got := "unknown"
			switch {
			case len(p.Deferred) > 0:
				got = "deferred"
			case len(p.Changes) > 0:
				got = string(p.Changes[0].Action)
			}
			if got != c.want || p.Complete != (c.want == "no-op" || c.want == "create") {
				t.Errorf("got %s, complete %v; want %s", got, p.Complete, c.want)
			}
		})
	}
}

// TestNodeOfAnAbsentHost: nothing registers the Node of a host that is away; one
// that is registered can still be labelled.
func TestNodeOfAnAbsentHost(t *testing.T) {
	spec := resource.Spec{Node: &resource.Node{Name: "n1", Host: n1, Labels: map[string]string{"a": "b"}}}
	set := setOf(t, resource.Resource{Addr: at(cluster, "node", "n1"), Spec: spec})
	away := facts.Observation{Err: "timeout"}
	p := compute(t, Input{Desired: set, Observed: map[addr.Host]facts.Observation{m1: {Kube: facts.Kube{State: facts.NoCluster}}, n1: away}})
	if len(p.Changes) > 0 || len(p.Deferred) != 1 {
		t.Errorf("changes %v, deferred %v", active(p), p.Deferred)
	}
	up := facts.Kube{State: facts.Up, Nodes: map[string]json.RawMessage{"n1": json.RawMessage(`{}`)}}
	p = compute(t, Input{Desired: set, Observed: map[addr.Host]facts.Observation{m1: {Kube: up}, n1: away}})
	if len(p.Changes) != 1 || p.Changes[0].Action != Update || p.Complete {
		t.Errorf("changes %v, complete %v", active(p), p.Complete)
	}
}

// TestWhatIsWantedNoMore: labels and taints that an earlier apply set go with the
// line that asked for them; those of others stay.
func TestWhatIsWantedNoMore(t *testing.T) {
	w := newWorld(t, example(t, "three"))
	w.converge()
	source := string(readFile(t, "../desired/testdata/three.hcl"))
	for _, edit := range [][2]string{
		{`labels  = { tier = "gold" }`, `labels  = { rack = "r1" }`},
		{`taints  = ["dedicated=gpu:NoSchedule"]`, `taints  = ["dedicated=gpu:NoExecute", "x=1:NoSchedule"]`},
		{`"x=1:NoSchedule"`, `"x=2:NoSchedule"`},
		{`taints  = ["dedicated=gpu:NoExecute", "x=2:NoSchedule"]`, ``},
		{`labels  = { rack = "r1" }`, ``},
	} {
		source = strings.Replace(source, edit[0], edit[1], 1)
		w.cfg = load(t, source)
		p := compute(t, w.input())
		if c := change(t, p, at(cluster, resource.KindNode, "n1")); c.Action != Update || c.Reason != "labels or taints differ" {
			t.Errorf("%s: %s %q", edit[0], c.Action, c.Reason)
		}
		w.apply(p)
		w.settled()
	}
	want := `{"metadata":{"name":"n1","labels":{"kubernetes.io/hostname":"n1","node-role.kubernetes.io/worker":""}},"spec":{"taints":[{"key":"node.kubernetes.io/unschedulable","effect":"NoSchedule"}]}}`
	if got := string(w.nodes["n1"]); got != want {
		t.Errorf("the Node is\n%s, want\n%s", got, want)
	}
}

// TestDropAfterACrash: what was to go when an apply was interrupted still goes.
func TestDropAfterACrash(t *testing.T) {
	w := newWorld(t, example(t, "three"))
	w.converge()
	source := string(readFile(t, "../desired/testdata/three.hcl"))
	w.cfg = load(t, strings.NewReplacer(`labels  = { tier = "gold" }`, "", `taints  = ["dedicated=gpu:NoSchedule"]`, "").Replace(source))
	a := at(cluster, resource.KindNode, "n1")
	c := change(t, compute(t, w.input()), a)
	w.record(state.Entry{Begin: &state.Begin{Addr: a, Spec: c.Spec, DependsOn: c.DependsOn}}) // and no further
	again := w.clone(t)
	again.cfg = load(t, source) // wanted once more
	again.converge()
	if got := string(again.nodes["n1"]); !strings.Contains(got, `"tier":"gold"`) || !strings.Contains(got, `"key":"dedicated","value":"gpu"`) {
		t.Errorf("it is gone: %s", got)
	}
	w.converge()
	if got := string(w.nodes["n1"]); strings.Contains(got, "tier") || strings.Contains(got, "dedicated") {
		t.Errorf("it is still there: %s", got)
	}
}
