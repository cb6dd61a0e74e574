package conformance

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
)

const pemCertificate = "-----BEGIN CERTIFICATE-----\nMDEyMzQ1\n-----END CERTIFICATE-----\n"
const pemKey = "-----BEGIN PRIVATE KEY-----\nNjc4OTAx\n-----END PRIVATE KEY-----\n"

func certificatesAlone(t *testing.T, s *suite) {
	p := s.at("combined.pem")
	text := pemCertificate + pemKey + pemCertificate
	s.put(file(p, 0o600, text, ""))
	got := s.observe(facts.Request{Files: []facts.FileRequest{{Path: p, Content: true, Certificates: true}}}).Files[p]
	if string(got.Content) != pemCertificate+pemCertificate {
		t.Fatalf("the content is %q", got.Content)
	}
	if got.SHA256 != sum(text) || got.Size != int64(len(text)) {
		t.Fatalf("digest and size are not those of the file: %+v", got)
	}
}

func block(t *testing.T, s *suite) {
	for _, before := range []string{"", "a\n", "a\nb\n", "no newline", "\n"} {
		p := s.at("b")
		s.put(file(p, 0o640, before, ""))
		s.run("block", "one\n", p)
		head := before
		if before == "no newline" {
			head += "\n"
		}
		s.content(p, head+"# BEGIN hardway\none\n# END hardway\n")
		if got := s.run("block", "one", p); got != "unchanged\n" {
			t.Fatalf("the same block again: %q", got)
		}
		s.run("block", "two\n# a comment\n", p)
		s.content(p, head+"# BEGIN hardway\ntwo\n# a comment\n# END hardway\n")
		s.run("block", "", p)
		s.content(p, before)
		if f := s.look(p); f.Mode != 0o640 {
			t.Fatalf("mode %o", f.Mode)
		}
		s.run("block", "", p)
	}
	p := s.at("new")
	s.run("block", "one\n", p)
	s.content(p, "# BEGIN hardway\none\n# END hardway\n")
	s.run("block", "", p)
	if s.look(p).Exists() {
		t.Fatal("a file that only held the block is still there")
	}
	// Lines that others put behind the block stay.
	s.put(file(p, 0o644, "a\n", ""))
	s.run("block", "one\n", p)
	s.put(file(p, 0o644, "a\n# BEGIN hardway\none\n# END hardway\nz", ""))
	s.run("block", "two\n", p)
	s.content(p, "a\n# BEGIN hardway\ntwo\n# END hardway\nz")
	s.run("block", "", p)
	s.content(p, "a\nz")
	// A damaged block is left alone.
	s.put(file(p, 0o644, "a\n# BEGIN hardway\nz\n", ""))
	_, err := s.h.Run(t.Context(), host.Script{Name: "block", Args: []string{p}, Stdin: []byte("x\n")})
	s.refused(err, 1)
	s.content(p, "a\n# BEGIN hardway\nz\n")
}

func prior(t *testing.T, s *suite) {
	was, none := s.at("was"), s.at("none")
	if err := s.h.Lock(t.Context(), "conformance"); err != nil { // makes hardway's directory
		t.Fatal(err)
	}
	s.put(file(was, 0o604, "before", ""))
	for _, c := range []struct{ path, kept string }{{was, "file\n"}, {none, "absent\n"}} {
		if got := s.run("prior-save", "", c.path); got != c.kept {
			t.Fatalf("%s: %q", c.path, got)
		}
		s.put(file(c.path, 0o600, "ours", ""))
		if got := s.run("prior-save", "", c.path); got != c.kept { // ours is not what stood there
			t.Fatalf("%s the second time: %q", c.path, got)
		}
		s.run("prior-restore", "", c.path)
	}
	s.content(was, "before")
	if f := s.look(was); f.Mode != 0o604 {
		t.Fatalf("mode %o", f.Mode)
	}
	if s.look(none).Exists() {
		t.Fatal("what was absent is there")
	}
	s.put(file(was, 0o600, "later", ""))
	s.run("prior-restore", "", was) // nothing is kept any more
	s.content(was, "later")
}

func lock(t *testing.T, s *suite) {
	const holder = "ann@laptop-\u00fc.example.com, apply, process 123, id 6d0d1c5e-7f0e-4f3b-9f1c-3f6a1f2b8a77, since 2026-11-21T02:56:34Z of 'all'"
	if err := s.h.Lock(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	if err := s.h.Lock(t.Context(), "first again"); err != nil {
		t.Fatal(err)
	}
	other := s.Connect(t)
	defer other.Close()
	err := other.Lock(t.Context(), "second")
	if e, ok := errors.AsType[*host.LockedError](err); !ok || e.Holder != holder || !strings.HasSuffix(err.Error(), "the lock of this host is held by "+holder) {
		t.Fatalf("got %v", err)
	}
	s.put(file(s.at("f"), 0o600, "x", ""))
	s.run("exec", "", "true")
	if err := s.h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Lock(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	if err := s.h.Put(t.Context(), file(s.at("f"), 0o600, "y", "")); err == nil {
		t.Fatal("a closed session wrote")
	}
	if _, ok := errors.AsType[*host.LostError](s.h.Put(t.Context(), file(s.at("f"), 0o600, "y", ""))); !ok {
		t.Fatal("a closed session's error is not a LostError")
	}
}

func unitText(inputs, extra string) string {
	return "[Unit]\nDescription=conformance\n\n[Service]\n" + extra + "ExecStart=/bin/sleep 1000\nEnvironment=HARDWAY_INPUTS=" + inputs +
		"\n\n[Install]\nWantedBy=multi-user.target\n"
}

func (s *suite) show(name string) facts.Unit {
	s.Helper()
	u := s.observe(facts.Request{Units: []string{name}}).Units[name]
	u.Restarts = 0
	return u
}

func (s *suite) act(name string, actions ...host.UnitAction) {
	s.Helper()
	for _, a := range actions {
		if err := s.h.Unit(s.Context(), name, a); err != nil {
			s.Fatal(err)
		}
	}
}

func units(t *testing.T, s *suite) {
	const name = "conformance.service"
	p := s.UnitDir + "/" + name
	if got := s.show(name); got.Load != "not-found" || got.Active != "inactive" {
		t.Fatalf("got %+v", got)
	}
	s.act(name, host.Stop, host.Disable, host.ResetFailed)
	if err := s.h.Unit(t.Context(), name, host.Start); err == nil {
		t.Fatal("a unit that is not there started")
	}
	s.put(file(p, 0o644, unitText("one", ""), ""))
	s.act(name, host.DaemonReload, host.Enable, host.Start)
	got := s.show(name)
	if got.PID == 0 {
		t.Fatal("no process")
	}
	first := got.PID
	got.PID = 0
	want := facts.Unit{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled", Fragment: p, Inputs: "one", Result: "success"}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	// A restart is owed until it happened: the process shows what it was started with.
	s.put(file(p, 0o644, unitText("two", ""), ""))
	if got := s.show(name); !got.NeedsReload || got.Inputs != "one" {
		t.Fatalf("got %+v", got)
	}
	s.act(name, host.DaemonReload)
	if got := s.show(name); got.NeedsReload || got.Inputs != "one" || got.PID != first {
		t.Fatalf("got %+v", got)
	}
	s.act(name, host.Start)
	if got := s.show(name); got.PID != first {
		t.Fatal("starting a running unit restarted it")
	}
	s.act(name, host.Restart)
	if got := s.show(name); got.Inputs != "two" || got.PID == first {
		t.Fatalf("got %+v", got)
	}
	s.act(name, host.Stop, host.Disable)
	if got := s.show(name); got.Active != "inactive" || got.Enabled != "disabled" || got.PID != 0 || got.Inputs != "" {
		t.Fatalf("got %+v", got)
	}
	if err := s.h.Remove(t.Context(), host.Remove{Path: p}); err != nil {
		t.Fatal(err)
	}
	s.act(name, host.DaemonReload)
	if got := s.show(name); got.Load != "not-found" {
		t.Fatalf("got %+v", got)
	}
}

// What other files add to a unit is told with their contents.
func dropIns(t *testing.T, s *suite) {
	const name, other, none = "conformance-dropins.service", "conformance-other.service", "conformance-none.service"
	for _, n := range []string{name, other} {
		s.put(file(s.UnitDir+"/"+n, 0o644, unitText("one", ""), ""))
	}
	texts := map[string]string{
		s.UnitDir + "/" + name + ".d/10-one.conf": "[Service]\nCPUWeight=1\n\n:x\n/y\n", s.UnitDir + "/" + name + ".d/20-two.conf": "# no end of line",
		s.UnitDir + "/service.d/50-all.conf": "[Unit]\nDescription=\\\n  all\n",
	}
	for p, text := range texts {
		s.run("directory", "", path.Dir(p), "0755", "root", "root")
		s.put(file(p, 0o644, text, ""))
	}
	empty := s.UnitDir + "/" + name + ".d/30-empty.conf"
	s.put(file(empty, 0o644, "", ""))
	s.put(file(s.UnitDir+"/"+name+".d/no-drop-in", 0o644, "x", ""))
	s.act("", host.DaemonReload)
	got := s.observe(facts.Request{Units: []string{name, other, none}}).Units
	all, one, two := s.UnitDir+"/service.d/50-all.conf", s.UnitDir+"/"+name+".d/10-one.conf", s.UnitDir+"/"+name+".d/20-two.conf"
	if d := cmp.Diff([]string{all, one, two, empty}, got[name].DropIns); d != "" {
		t.Error(d)
	}
	texts[two] += "\n"
	if d := cmp.Diff(texts, got[name].DropInTexts); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{all: texts[all]}, got[other].DropInTexts); d != "" {
		t.Error(d)
	}
	if got[none].DropInTexts != nil || len(got[none].DropIns) > 0 {
		t.Errorf("a unit that is not there: %+v", got[none])
	}
}

func oneshot(t *testing.T, s *suite) {
	const name = "conformance-once.service"
	s.put(file(s.UnitDir+"/"+name, 0o644, unitText("one", "Type=oneshot\nRemainAfterExit=yes\n"), ""))
	s.act(name, host.DaemonReload, host.Start)
	got := s.show(name)
	if got.Active != "active" || got.Sub != "exited" || got.PID != 0 || got.Inputs != "one" {
		t.Fatalf("got %+v", got)
	}
	s.act(name, host.Stop)
	if got := s.show(name); got.Active != "inactive" || got.Inputs != "" {
		t.Fatalf("got %+v", got)
	}
}

func images(t *testing.T, s *suite) {
	const ref = "registry.k8s.io/pause:3.10.1"
	archive := s.at("pause.tar")
	s.put(file(archive, 0o600, "an archive of "+ref, ""))
	req := facts.Request{Images: &facts.ImagesRequest{Ctr: s.Ctr, Socket: s.Socket}}
	if got := s.observe(req).Images; len(got) != 0 {
		t.Fatalf("images at first: %v", got)
	}
	_, err := s.h.Run(t.Context(), host.Script{Name: "image-import", Args: []string{s.Ctr, s.Socket, ref, sum("other"), archive}})
	s.refused(err, 65)
	s.run("image-import", "", s.Ctr, s.Socket, ref, sum("an archive of "+ref), archive)
	if d := cmp.Diff(map[string]string{ref: sum("an archive of " + ref)}, s.observe(req).Images); d != "" {
		t.Fatal(d)
	}
	s.run("image-remove", "", s.Ctr, s.Socket, ref)
	s.run("image-remove", "", s.Ctr, s.Socket, ref)
	if got := s.observe(req).Images; len(got) != 0 {
		t.Fatalf("images at last: %v", got)
	}
}

func objects(t *testing.T, s *suite) {
	conf, data := s.at("admin.conf"), s.at("member")
	req := facts.Request{Kube: &facts.KubeRequest{Kubectl: s.Kubectl, Kubeconfig: conf, EtcdData: data, Nodes: true, Objects: []facts.ObjectRef{
		{Kind: "clusterrole", Name: "c"}, {Kind: "configmap", Namespace: "ns", Name: "a"}, {Kind: "configmap", Namespace: "ns", Name: "missing"},
	}}}
	if got := s.observe(req).Kube; got.State != facts.NoCluster {
		t.Fatalf("got %+v", got)
	}
	s.put(file(conf, 0o600, "kubeconfig", ""))
	s.run("directory", "", data, "0700", "root", "root")
	if got := s.observe(req).Kube; got.State != facts.Down || got.Message == "" || got.Objects != nil {
		t.Fatalf("got %+v", got)
	}
	s.put(file(s.UnitDir+"/kube-apiserver.service", 0o644, unitText("x", ""), ""))
	s.act("kube-apiserver.service", host.DaemonReload, host.Start)
	got := s.observe(req).Kube
	if got.State != facts.Up || len(got.Objects) != 0 {
		t.Fatalf("got %+v", got)
	}
	manifests := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"ns"},"data":{"k":"v"}}
---
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"c"}}
`
	s.run("exec", manifests, s.Kubectl, "--kubeconfig", conf, "apply", "--server-side", "-f", "-")
	got = s.observe(req).Kube
	if len(got.Objects) != 2 {
		t.Fatalf("got %+v", got)
	}
	var o struct {
		Kind string
		Data map[string]string
	}
	if err := json.Unmarshal(got.Objects["configmap/ns/a"], &o); err != nil || o.Kind != "ConfigMap" || o.Data["k"] != "v" {
		t.Fatalf("%s: %v", got.Objects["configmap/ns/a"], err)
	}
	s.run("exec", "", s.Kubectl, "--kubeconfig", conf, "delete", "configmap", "a", "-n", "ns", "--ignore-not-found")
	if got := s.observe(req).Kube; len(got.Objects) != 1 || got.Objects["clusterrole/c"] == nil {
		t.Fatalf("got %+v", got)
	}
}
