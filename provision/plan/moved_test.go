package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// TestMoves: what happens to hosts between a plan and its application is
// found where the plan is about it, and only there.
func TestMoves(t *testing.T) {
	base := applied(t, "lab")
	upgrade(base, "kubelet", "etcd") // what the saved plan does
	base.hosts[n1].write(kubeletConf, "maxPods: 1\n")
	base.hosts[n1].edit("/etc/kubernetes", func(f *facts.File) { f.Mode = 0o700 })
	base.hosts[n1].Sysctls["net.ipv4.ip_forward"] = "0"
	saved := compute(t, base.input())
	if got := Moves(saved, compute(t, base.input())); len(got) > 0 {
		t.Fatalf("nothing happened: %v", got)
	}
	const node = `node["n1"].`
	for name, c := range map[string]struct {
		happens func(*world)
		want    []string
	}{
		"an hour":                        {func(w *world) { w.now = w.now.Add(time.Hour) }, nil},
		"until certificates are renewed": {func(w *world) { w.now = w.now.Add(8760*time.Hour - 719*time.Hour) }, nil},
		"a file that is no matter of it": {func(w *world) { w.hosts[n1].write("/etc/kubernetes/kube-proxy.yaml", "x: 1\n") }, nil},
		"another host's":                 {func(w *world) { w.hosts[n2].write("/etc/kubernetes/kube-proxy.yaml", "x: 1\n") }, nil},
		"its file, gone":                 {func(w *world) { delete(w.hosts[n1].Files, kubeletConf) }, []string{node + `file["` + kubeletConf + `"]: it was there, is not there`}},
		"its file":                       {func(w *world) { w.hosts[n1].write(kubeletConf, "maxPods: 2\n") }, []string{node + `file["` + kubeletConf + `"]: content was sha256:` + sha("maxPods: 1\n")[:12] + ", is sha256:" + sha("maxPods: 2\n")[:12]}},
		"its file's mode": {func(w *world) { w.hosts[n1].edit(kubeletConf, func(f *facts.File) { f.Mode = 0o644 }) },
			[]string{node + `file["` + kubeletConf + `"]: mode was "0600", is "0644"`}},
		"its directory, put right": {func(w *world) { w.hosts[n1].edit("/etc/kubernetes", func(f *facts.File) { f.Mode = 0o755 }) },
			[]string{node + `directory["/etc/kubernetes"]: mode was "0700", is "0755"`}},
		"its parameter": {func(w *world) { w.hosts[n1].Sysctls["net.ipv4.ip_forward"] = "2" }, []string{node + `sysctl["net.ipv4.ip_forward"]: value was "0", is "2"`}},
		"its unit, a flag": {func(w *world) {
			w.hosts[n1].edit(kubeletUnit, func(f *facts.File) {
				*f = text(strings.Replace(string(f.Content), "--node-ip=192.168.56.21", "--node-ip=1.2.3.4", 1), f.Mode)
			})
		}, []string{node + `unit["kubelet"]: --node-ip was "192.168.56.21", is "1.2.3.4"`}},
		"its unit, stopped":   {func(w *world) { w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.Active = "inactive" }) }, []string{node + `unit["kubelet"]: state was "active", is "inactive"`}},
		"its unit, starting":  {func(w *world) { w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.Active = "activating" }) }, nil},
		"what its unit reads": {func(w *world) { w.hosts[n1].write("/etc/kubernetes/kubelet.conf", "x: 1\n") }, []string{node + `file["/etc/kubernetes/kubelet.conf"]: content was sha256:`}},
		"the kubelet's own certificate": {func(w *world) {
			w.now = w.now.Add(48 * time.Hour)
			w.issue(w.hosts[n1], w.snap.Resources[at(n1, resource.KindCertificate, "kubelet-client")].Spec.Certificate)
		}, nil},
		"its host":                {func(w *world) { w.hosts[n1].Err = "i/o timeout" }, []string{`node["n1"]: host was reachable, is unknown: i/o timeout`}},
		"its binary, by somebody": {func(w *world) { w.hosts[n1].write("/usr/local/bin/kubelet", "ELF") }, []string{node + `binary["kubelet"]: sha256 was`, node + `binary["kubelet"]: version was`}},
		"the lock file": {func(w *world) { upgrade(w, "kubelet") }, []string{
			node + `binary["kubelet"]: specification was`, node + `unit["kubelet"]: specification was`,
			`node["n2"].binary["kubelet"]: specification was`, `node["n2"].unit["kubelet"]: specification was`, `master["m1"].binary["kubelet"]: specification was`, `master["m1"].unit["kubelet"]: specification was`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := base.clone(t)
			w.lock.Binaries = maps.Clone(w.lock.Binaries)
			c.happens(w)
			got := Moves(saved, compute(t, w.input()))
			for _, m := range got {
				found := false
				for _, want := range c.want {
					found = found || strings.HasPrefix(m.String(), want)
				}
				if !found {
					t.Errorf("not wanted: %s", m)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("%d moved, want %d: %v", len(got), len(c.want), got)
			}
		})
	}
}

// TestMovedOfTheCluster: objects and Nodes are read through a master, and a
// removal by others is a move too.
func TestMovedOfTheCluster(t *testing.T) {
	base := applied(t, "lab")
	base.nodes["n1"] = json.RawMessage(`{"metadata":{"labels":{}},"spec":{}}`)
	saved := compute(t, base.input())
	const label = `cluster.node["n1"]: `
	for name, c := range map[string]struct {
		happens func(*world)
		want    []string
	}{
		"the label is back": {func(w *world) {
			w.nodes["n1"] = json.RawMessage(`{"metadata":{"labels":{"node-role.kubernetes.io/worker":""}},"spec":{}}`)
		}, []string{label + `labels was "", is "node-role.kubernetes.io/worker="`}},
		"the API is down": {func(w *world) {
			w.hosts[m1].live("kube-apiserver.service", func(u *facts.Unit) { u.Active = "failed" })
		},
			[]string{label + "change was update, is deferred: the API server does not answer: connection refused"}},
		"the master is away": {func(w *world) { w.hosts[m1].Err = "i/o timeout" }, []string{label + "change was update, is unknown: no master could be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := base.clone(t)
			c.happens(w)
			var got []string
			for _, m := range Moves(saved, compute(t, w.input())) {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMovedOfAReplacement: --replace is no part of a plan, so that a plan made
// now without it says nothing against the saved one.
func TestMovedOfAReplacement(t *testing.T) {
	w := applied(t, "lab")
	in := w.input()
	in.Replace = parse(t, `node["n1"].unit["kubelet"]`, `node["n1"].cert["kubelet-serving"]`)
	saved := compute(t, in)
	if got := Moves(saved, compute(t, w.input())); len(got) > 0 {
		t.Errorf("nothing happened: %v", got)
	}
	key := saved.Changes[0]
	for _, c := range saved.Changes {
		if c.Addr == in.Replace[1] {
			key = c
		}
	}
	w.hosts[n1].write(key.Spec.Certificate.KeyPath, "another")
	got := Moves(saved, compute(t, w.input()))
	if len(got) != 1 || got[0].What != "key" || got[0].Was != "(sensitive value)" || got[0].Addr != key.Addr {
		t.Errorf("the key: %v", got)
	}
}

func TestBoundRefuses(t *testing.T) {
	p := &Plan{Cluster: "lab", Lineage: "a", Serial: 3, ConfigDigest: "x"}
	for name, c := range map[string]struct {
		err  error
		want []string // nil: no error
	}{
		"as it was":       {Bound(p, "a", 3, "x", "lab"), nil},
		"a newer state":   {Bound(p, "a", 5, "x", "lab"), []string{"stale", "made at serial 3, the state is at 5", "run `hardway plan` again"}},
		"another config":  {Bound(p, "a", 3, "y", "lab"), []string{"stale", "the configuration changed", "run `hardway plan` again"}},
		"both":            {Bound(p, "a", 4, "y", "lab"), []string{"serial 3", "configuration changed"}},
		"another lineage": {Bound(p, "b", 3, "x", "lab"), []string{`of the cluster "lab" (lineage a)`, `this directory of "lab" (lineage b)`}},
		"another cluster": {Bound(p, "a", 3, "x", "prod"), []string{`of the cluster "lab"`, `this directory of "prod"`}},
	} {
		if (c.err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, c.err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(c.err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, c.err, want)
			}
		}
		_, stale := errors.AsType[*StaleError](c.err)
		_, foreign := errors.AsType[*ForeignError](c.err)
		if c.want != nil && (stale == foreign || stale != strings.Contains(c.err.Error(), "stale")) {
			t.Errorf("%s: %T", name, c.err)
		}
	}
}

// TestStaleErrorNamesFive: a message is read by a person.
func TestStaleErrorNamesFive(t *testing.T) {
	e := &StaleError{}
	for i := range 7 {
		e.Moved = append(e.Moved, Moved{Addr: addr.Address{Host: n1, Kind: "file", Name: fmt.Sprintf("/%d", i)}, What: "mode", Was: "a", Is: "b"})
	}
	got := e.Error()
	if !strings.Contains(got, `node["n1"].file["/4"]: mode was a, is b; and 2 more; run`) || strings.Contains(got, "/5") || strings.Contains(got, "serial") {
		t.Error(got)
	}
}
