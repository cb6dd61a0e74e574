package plan

import (
	"slices"
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
// there as if for the first time: what stands there is kept. The old place is
// cleared by the next plan, when nothing reads it any more.
func TestMovedByName(t *testing.T) {
	w, p := moved(t, `bin = "/opt/k8s/bin"
cert = "/srv/pki"`)
	// Programs of the master and of both nodes, and their certificates but those
	// that the kubelets keep; files are addressed by their paths.
	want := 13 + 2*6 + 14 + 2*2
	var left []Former
	for _, c := range p.Changes {
		if c.Former == nil {
			continue
		}
		left = append(left, *c.Former)
		if c.Prior == nil || c.Reason != "it moves here from "+c.Former.Addr.Name || c.Former.Spec.Path() == c.Spec.Path() {
			t.Errorf("%s: %q, prior %+v, leaves %s", c.Addr, c.Reason, c.Prior, c.Former.Addr)
		}
	}
	if len(p.Warnings) != 0 || len(left) != want || p.Complete || len(p.Deferred) < want {
		t.Errorf("%d warnings, %d moves, want %d; %d deferred, complete %v", len(p.Warnings), len(left), want, len(p.Deferred), p.Complete)
	}
	if c := change(t, p, at(n1, resource.KindBinary, "runc")); c.Action != Update || c.Prior.SHA256 != sha("the admin's own") {
		t.Errorf("%s, prior %+v", c.Action, c.Prior)
	}
	w.apply(p)
	if _, still := w.hosts[n1].Files["/usr/local/bin/runc"]; !still {
		t.Error("the old place was cleared by the plan that restarts what reads it")
	}

	next := compute(t, w.input())
	if n := next.Counts(); n.Add+n.Change != 0 || n.Destroy < want || !next.Complete {
		t.Errorf("the next plan: %+v, complete %v", n, next.Complete)
	}
	for _, f := range left {
		if c := change(t, next, f.Addr); c.Action != Delete {
			t.Errorf("%s: %s", c.Addr, c.Action)
		}
	}
	w.apply(next)
	w.settled()
	for h, machine := range w.hosts {
		for path := range machine.Files {
			if strings.HasPrefix(path, "/etc/kubernetes/pki/") || strings.HasPrefix(path, "/usr/local/bin/kube") {
				t.Errorf("%s: %s is left", h, path)
			}
		}
	}
}

// TestMovedAndBack: a move that is taken back before the old place was cleared
// leaves everything as it was.
func TestMovedAndBack(t *testing.T) {
	w, p := moved(t, `cert = "/srv/pki"`)
	w.apply(p)
	w.cfg = example(t, "lab")
	back := compute(t, w.input())
	cert := at(m1, resource.KindCertificate, "apiserver")
	if c := change(t, back, cert); c.Former == nil || c.Prior == nil || c.Prior.Exists {
		t.Errorf("%s: leaves %v, prior %+v", c.Addr, c.Former, c.Prior)
	}
	old := at(m1, resource.KindCertificate, "/etc/kubernetes/pki/apiserver.crt")
	if c := change(t, back, old); c.Action != Forget || !precedes(back, cert, old) {
		t.Errorf("%s: %s", c.Addr, c.Action)
	}
	w.apply(back)
	w.apply(compute(t, w.input()))
	w.settled()
	for path := range w.hosts[m1].Files {
		if strings.HasPrefix(path, "/srv/pki/") {
			t.Errorf("%s is left", path)
		}
	}
}

// TestFormerHalf: where only one of the two files gets another name, the other
// one is not removed with it.
func TestFormerHalf(t *testing.T) {
	cert := func(c, k string) resource.Spec {
		return resource.Spec{Certificate: &resource.Certificate{CertPath: c, KeyPath: k}}
	}
	a := at(m1, resource.KindCertificate, "admin")
	for _, c := range []struct {
		is   resource.Spec
		want []string
	}{
		{cert("/p/a.crt", "/p/a.key"), nil},
		{cert("/p/a.key", "/p/a.crt"), nil},
		{cert("/q/a.crt", "/q/a.key"), []string{"/p/a.crt", "/p/a.key"}},
		{cert("/p/a.crt", "/q/a.key"), []string{"/p/a.key"}},
		{cert("/q/a.crt", "/p/a.key"), []string{"/p/a.crt"}},
		{cert("/q/a.crt", "/p/a.crt"), []string{"/p/a.key"}},
	} {
		var got []string
		if f := former(a, cert("/p/a.crt", "/p/a.key"), c.is); f != nil {
			if got = placesOf(f.Spec); f.Addr.Name != got[0] {
				t.Errorf("%s is named %s", got, f.Addr)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("to %v: leaves %v, want %v", placesOf(c.is), got, c.want)
		}
	}
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
