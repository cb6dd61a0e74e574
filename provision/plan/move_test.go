package plan

import (
	"strings"
	"testing"

	"hardway/provision/resource"
)

// moved is the lab with other directories, applied with the first ones.
func moved(t *testing.T, directories string) (*world, *Plan) {
	t.Helper()
	w := newWorld(t, example(t, "lab"))
	w.converge()
	w.hosts[n1].Files["/opt/k8s/bin/runc"] = text("the admin's own", 0o755)
	w.hosts[n1].Files["/srv/k8s/kubelet.conf"] = text("the admin's own", 0o644)
	w.cfg = load(t, string(readFile(t, "../desired/testdata/lab.hcl"))+"directories {\n"+directories+"\n}\n")
	return w, compute(t, w.input())
}

// TestMovedByName: what is addressed by its name and gets another path is made
// there as if for the first time: what stands there is kept, and the plan says
// what is left behind.
func TestMovedByName(t *testing.T) {
	w, p := moved(t, `bin = "/opt/k8s/bin"
cert = "/srv/pki"`)
	// Programs of the master and of both nodes, and their certificates but those
	// that the kubelets keep; files are addressed by their paths.
	if want := 13 + 2*6 + 14 + 2*2; len(p.Warnings) != want || !p.Complete {
		t.Errorf("%d warnings, want %d; complete %v", len(p.Warnings), want, p.Complete)
	}
	for _, x := range p.Warnings {
		c := change(t, p, x.Addr)
		if c.Prior == nil || !strings.Contains(x.Summary, " to "+c.Spec.Path()+"; what stands at the old place is left there") {
			t.Errorf("%s: %s, prior %+v", x.Addr, x.Summary, c.Prior)
		}
	}
	if c := change(t, p, at(n1, resource.KindBinary, "runc")); c.Action != Update || c.Prior.SHA256 != sha("the admin's own") {
		t.Errorf("%s, prior %+v", c.Action, c.Prior)
	}
	w.apply(p)
	w.settled()
}

// TestMovedByPath: a file's address is its path, so the old one goes, after what
// read it was changed to read the new one.
func TestMovedByPath(t *testing.T) {
	w, p := moved(t, `conf = "/srv/k8s"`)
	if len(p.Warnings) != 0 || !p.Complete {
		t.Errorf("warnings %v, complete %v", p.Warnings, p.Complete)
	}
	made, gone := at(n1, resource.KindFile, "/srv/k8s/kubelet.conf"), at(n1, resource.KindFile, "/etc/kubernetes/kubelet.conf")
	if c := change(t, p, made); c.Action != Update || c.Prior.SHA256 != sha("the admin's own") {
		t.Errorf("%s, prior %+v", c.Action, c.Prior)
	}
	kubelet := change(t, p, at(n1, resource.KindUnit, "kubelet"))
	if c := change(t, p, gone); c.Action != Delete || !precedes(p, kubelet.Addr, gone) || kubelet.Disruption != Restart {
		t.Errorf("%s: %s, waits for %v", c.Addr, c.Action, c.DependsOn)
	}
	w.apply(p)
	w.settled()
	for path := range w.hosts[n1].Files {
		if strings.HasPrefix(path, "/etc/kubernetes/") && strings.HasSuffix(path, ".conf") {
			t.Errorf("%s is left", path)
		}
	}
}
