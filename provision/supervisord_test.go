package provision_test

import (
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/facts"
	"hardway/provision/host/hosttest"
	"hardway/provision/resource"
)

const supervised = "processes \"supervisord\" {}\n"

// Under supervisord a cluster is made, stays as it is, restarts what a change
// needs, and goes without a trace, by the same plan as under systemd.
func TestSupervisord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	w.write("processes.hcl", supervised)
	for _, m := range w.machines {
		for _, dir := range []string{"/etc/supervisor", "/etc/supervisor/conf.d"} {
			m.SetFile(dir, &hosttest.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"})
		}
	}
	w.mustConverge(provision.PlanOptions{})
	f, ok := w.machines[n1].File("/etc/supervisor/conf.d/kubelet.conf")
	if !ok || !strings.Contains(f.Content, "\nstopsignal=TERM\n") || !strings.Contains(f.Content, "environment=HARDWAY_INPUTS=\"") {
		t.Fatalf("the kubelet's program: %v\n%+v", ok, f)
	}
	if _, ok := w.machines[n1].File("/etc/systemd/system/kubelet.service"); ok {
		t.Error("there is a unit of systemd, too")
	}
	if p := w.plan(provision.PlanOptions{}); p.Changed() {
		t.Fatalf("the second plan wants to do something:\n%s", says(p))
	}

	w.write("kubelet.hcl", "kubelet {\n  flags = { v = \"4\" }\n}\n")
	p := w.plan(provision.PlanOptions{})
	restarts := 0
	for _, c := range p.Changes {
		if c.Unit != nil && c.Unit.Start == "restart" {
			restarts++
			if c.Spec.Unit.Name != "kubelet"+resource.ProgramSuffix {
				t.Errorf("%s restarts", c.Addr)
			}
		}
	}
	if restarts != 2 {
		t.Errorf("%d restarts, want 2:\n%s", restarts, says(p))
	}
	w.mustConverge(provision.PlanOptions{})
	w.machines[n1].KillUnit("kubelet.program")
	w.mustConverge(provision.PlanOptions{}) // starts it again
	w.settled(provision.PlanOptions{})

	w.write("processes.hcl", "processes \"systemd\" {}\n")
	s := w.open()
	if _, err := s.Plan(t.Context(), provision.PlanOptions{}); err == nil || !strings.Contains(err.Error(), "both would keep one of each component") {
		t.Errorf("handing a living cluster over: %v", err)
	}
	w.close(s)
	w.write("processes.hcl", supervised)
	w.mustConverge(provision.PlanOptions{Destroy: true, DestroyData: true})
	for h, m := range w.machines {
		for path := range m.Snapshot().Files {
			if strings.HasPrefix(path, "/etc/supervisor/conf.d/") {
				t.Errorf("%s still has %s", h, path)
			}
		}
	}
}
