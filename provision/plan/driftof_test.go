package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// beside is the input of a plan that compares the hosts with what was applied last.
func (w *world) beside() Input {
	w.t.Helper()
	set, err := DriftSet(w.snap.Public)
	if err != nil {
		w.t.Fatal(err)
	}
	in := w.input()
	in.Mode, in.Desired, in.Allocations = ReadDrift, set, w.snap.Allocations
	in.Observed = w.observe(in.Desired)
	return in
}

// TestDriftOf: what others did since the last apply is drift, with how it was
// and how it is; what we would do now is none.
func TestDriftOf(t *testing.T) {
	w := applied(t, "lab")
	if d := DriftOf(compute(t, w.beside()), nil); len(d.Resources) > 0 || !d.Complete || d.Resources == nil {
		t.Fatalf("after an apply: %+v", d)
	}
	upgrade(w, "kubelet") // the next plan's matter
	w.now = w.now.Add(8760*time.Hour - 100*time.Hour)
	if d := DriftOf(compute(t, w.beside()), nil); len(d.Resources) > 0 || !d.Complete {
		t.Fatalf("with an upgrade to come and certificates to renew: %+v", d)
	}
	delete(w.hosts[n1].Files, kubeletConf)
	w.hosts[n2].Sysctls["net.ipv4.ip_forward"] = "0"
	w.hosts[m1].edit("/etc/kubernetes/kube-proxy.yaml", func(f *facts.File) { f.Mode = 0o644 })
	w.hosts[m1].live("kube-scheduler.service", func(u *facts.Unit) { u.DropIns = []string{"/etc/systemd/system/kube-scheduler.service.d/x.conf"} })
	ignore := parse(t, `node["n1"]`)
	d := DriftOf(compute(t, w.beside()), ignore)
	var got []string
	for _, r := range d.Resources {
		got = append(got, r.Addr.String()+": "+r.Reason)
	}
	want := []string{
		`master["m1"].file["/etc/kubernetes/kube-proxy.yaml"]: mode or owner differ`,
		`master["m1"].unit["kube-scheduler"]: a drop-in that hardway did not write changes this unit`,
		`node["n2"].sysctl["net.ipv4.ip_forward"]: live value differs`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if r := d.Resources[2]; r.Was["value"].Text != "1" || r.Is["value"].Text != "0" {
		t.Errorf("%+v", r)
	}
	if r := d.Resources[1]; r.Is["drop_ins"].Text == "" || r.Was["drop_ins"].Text != "" {
		t.Errorf("%+v", r)
	}
	if len(d.Ignored) == 0 || d.Ignored[0].Host != n1 || !d.Complete || len(d.Warnings) > 0 {
		t.Errorf("ignored %v, complete %v, warnings %v", d.Ignored, d.Complete, d.Warnings)
	}
	gone := DriftOf(compute(t, w.beside()), parse(t, `master["m1"]`, `node["n2"]`))
	if r := gone.Resources[0]; r.Addr != at(n1, resource.KindFile, kubeletConf) || r.Reason != "it is gone" || r.Is != nil || r.Was["content"].Text == "" {
		t.Errorf("%+v", r)
	}
	w.hosts[n2].Err = "i/o timeout"
	if d := DriftOf(compute(t, w.beside()), nil); d.Complete || !cmp.Equal(d.Unknown, []Unknown{{Host: n2, Reason: "i/o timeout"}}) {
		t.Errorf("complete %v, unknown %v", d.Complete, d.Unknown)
	}
}

// TestDriftOfDeferred: what could not be read is no drift, and no "none" either.
func TestDriftOfDeferred(t *testing.T) {
	p := &Plan{Complete: true, Deferred: []Deferred{{Addr: at(cluster, resource.KindNode, "n1")}},
		Changes: []Change{{Addr: at(n2, resource.KindUnit, "b"), Action: Update}, {Addr: at(n1, resource.KindFile, "/a"), Action: Read}, {Addr: at(n1, resource.KindUnit, "a"), Action: Update}}}
	d := DriftOf(p, nil)
	if d.Complete || len(d.Resources) != 2 || d.Resources[0].Addr.Host != n1 || d.Resources[0].Reason != "it is not as it was applied" {
		t.Errorf("%+v", d)
	}
	if d := DriftOf(p, []addr.Address{{Host: n1, Kind: "unit"}, {Host: n2}}); len(d.Resources) > 0 || len(d.Ignored) != 2 {
		t.Errorf("%+v", d)
	}
}
