package provision_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hardway/certs"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
)

// driftKind is one way in which somebody changes a host behind hardway's back,
// and where it has to show.
type driftKind struct {
	name    string
	happens func(t *testing.T, w *world)
	address string
	// attr is what differs between the two sides of the change; "" where one of
	// the sides is missing altogether.
	attr string
	was  string // the attribute on the host, where that is known here
	// restart: of the kubelet, which may have read what stood there.
	restart bool
	// kept: an apply leaves it, and says so in a warning.
	kept bool
	// refused: an apply does not destroy what stands there.
	refused bool
	// aged: it is the clock's doing, so that it is no drift, and more than this.
	aged bool
}

const (
	ofNode      = `node["n1"].`
	kubeletSvc  = "kubelet.service"
	clusterRole = "hardway:cluster-admins"
)

// unitText edits the kubelet's unit file as a person does, and has systemd read it.
func unitEdit(old, replacement string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		change1(w.machines[n1], kubeletUnit, func(f *hosttest.File) {
			if !strings.Contains(f.Content, old) {
				t.Fatalf("the unit has no %q:\n%s", old, f.Content)
			}
			f.Content = strings.Replace(f.Content, old, replacement, 1)
		})
		does("", host.DaemonReload)(t, w)
	}
}

// fileEdit changes a file of the node.
func fileEdit(path string, change func(*hosttest.File)) func(*testing.T, *world) {
	return on(func(_, n *hosttest.Machine) { change1(n, path, change) })
}

// otherAuthority puts a certificate in the place of kube-proxy's, right in every
// word that change leaves, but signed by an authority of somebody else's.
func otherAuthority(change func(*certs.Request)) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		was, _ := w.machines[n1].File(proxyCert)
		info, err := certs.Inspect([]byte(was.Content))
		if err != nil {
			t.Fatal(err)
		}
		a, err := certs.NewAuthority(certs.AuthoritySpec{Name: "other", CN: "other-ca", Algorithm: certs.ECDSAP256, Validity: 8760 * time.Hour, Generation: 1, Now: epoch})
		if err != nil {
			t.Fatal(err)
		}
		r := certs.Request{Name: "kube-proxy", Authority: "other", Subject: info.Subject, DNS: info.DNS, IPs: info.IPs, Usages: info.Usages,
			Algorithm: info.Algorithm, Validity: 8760 * time.Hour}
		change(&r)
		leaf, err := certs.Issue(a, r, epoch)
		if err != nil {
			t.Fatal(err)
		}
		change1(w.machines[n1], proxyCert, func(f *hosttest.File) { f.Content = string(leaf.CertPEM) })
	}
}

// flagLines turns two lines of a command line around.
func turned(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "    --") && strings.HasPrefix(lines[i+1], "    --") && strings.HasSuffix(lines[i+1], `\`) {
			lines[i], lines[i+1] = lines[i+1], l
			break
		}
	}
	return strings.Join(lines, "\n")
}

func driftKinds() []driftKind {
	const dir, binary = "/var/lib/kubelet", "/usr/local/bin/kubelet"
	file, unit, cert := ofNode+`file["`+kubeletConf+`"]`, ofNode+`unit["kubelet"]`, ofNode+`cert["kube-proxy"]`
	return []driftKind{
		{name: "file: content", happens: fileEdit(kubeletConf, func(f *hosttest.File) { f.Content += "maxPods: 5\n" }), address: file, attr: "content", restart: true},
		{name: "file: the same, written differently", happens: fileEdit(kubeletConf, func(f *hosttest.File) { f.Content = "# mine\n" + f.Content }), address: file, attr: "content"},
		{name: "file: mode", happens: fileEdit(kubeletConf, func(f *hosttest.File) { f.Mode = 0o644 }), address: file, attr: "mode", was: "0644"},
		{name: "file: owner", happens: fileEdit(kubeletConf, func(f *hosttest.File) { f.Owner = "nobody" }), address: file, attr: "owner", was: "nobody:root"},
		{name: "file: group", happens: fileEdit(kubeletConf, func(f *hosttest.File) { f.Group = "adm" }), address: file, attr: "owner", was: "root:adm"},
		{name: "file: missing", happens: on(func(_, n *hosttest.Machine) { n.SetFile(kubeletConf, nil) }), address: file},
		{name: "file: a link in its place", happens: on(func(_, n *hosttest.Machine) {
			n.SetFile(kubeletConf, &hosttest.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: "/srv/x"})
		}), address: file, attr: "type", was: "symlink", restart: true},
		{name: "file: a directory in its place", happens: on(func(_, n *hosttest.Machine) {
			n.SetFile(kubeletConf, &hosttest.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"})
		}), address: file, attr: "type", was: "directory", restart: true, refused: true},
		{name: "file: a private key", happens: on(func(m, _ *hosttest.Machine) {
			change1(m, "/etc/kubernetes/pki/sa.key", func(f *hosttest.File) { f.Content = "x" })
		}), address: `master["m1"].file["/etc/kubernetes/pki/sa.key"]`, attr: "content"},

		{name: "directory: mode", happens: fileEdit(dir, func(f *hosttest.File) { f.Mode = 0o755 }), address: ofNode + `directory["` + dir + `"]`, attr: "mode", was: "0755"},
		{name: "directory: owner", happens: fileEdit(dir, func(f *hosttest.File) { f.Owner = "nobody" }), address: ofNode + `directory["` + dir + `"]`, attr: "owner"},

		{name: "binary: replaced", happens: fileEdit(binary, func(f *hosttest.File) { f.Content = "#!/bin/sh\n# evil\n" }), address: ofNode + `binary["kubelet"]`, attr: "version", was: "unknown", restart: true},
		{name: "binary: mode", happens: fileEdit(binary, func(f *hosttest.File) { f.Mode = 0o700 }), address: ofNode + `binary["kubelet"]`, attr: "mode", was: "0700"},
		{name: "binary: missing", happens: on(func(_, n *hosttest.Machine) { n.SetFile("/usr/local/bin/kube-proxy", nil) }), address: ofNode + `binary["kube-proxy"]`},

		{name: "certificate: expired", happens: func(_ *testing.T, w *world) {
			w.now = func() time.Time { return epoch.Add(8761 * time.Hour) }
		}, address: cert, attr: "not_after", was: "2027-03-01", aged: true},
		{name: "certificate: another authority's", happens: otherAuthority(func(*certs.Request) {}), address: cert, attr: "issuer", was: "other-ca"},
		{name: "certificate: another name", happens: otherAuthority(func(r *certs.Request) { r.DNS = []string{"evil.example.com"} }), address: cert, attr: "sans", was: "evil.example.com"},
		{name: "certificate: another subject", happens: otherAuthority(func(r *certs.Request) { r.Subject.O = []string{"system:masters"} }), address: cert, attr: "subject"},
		{name: "certificate: no certificate", happens: fileEdit(proxyCert, func(f *hosttest.File) { f.Content = "hello\n" }), address: cert, attr: "subject"},
		{name: "certificate: mode", happens: fileEdit(proxyCert, func(f *hosttest.File) { f.Mode = 0o600 }), address: cert, attr: "mode", was: "0600"},
		{name: "certificate: missing", happens: on(func(_, n *hosttest.Machine) { n.SetFile(proxyCert, nil) }), address: cert},
		{name: "key: replaced", happens: on(func(m, n *hosttest.Machine) {
			other, _ := m.File(proxyKey)
			n.SetFile(proxyKey, &other)
		}), address: cert, attr: "key"},
		{name: "key: missing", happens: on(func(_, n *hosttest.Machine) { n.SetFile(proxyKey, nil) }), address: cert, attr: "key_mode"},
		{name: "key: mode", happens: fileEdit(proxyKey, func(f *hosttest.File) { f.Mode = 0o644 }), address: cert, attr: "key_mode", was: "0644"},
		{name: "key: owner", happens: fileEdit(proxyKey, func(f *hosttest.File) { f.Owner = "nobody" }), address: cert, attr: "key_owner", was: "nobody:root"},

		{name: "unit: one flag changed", happens: unitEdit("--node-ip=192.168.10.31", "--node-ip=10.9.9.9"), address: unit, attr: "--node-ip", was: "10.9.9.9", restart: true},
		{name: "unit: one flag added", happens: unitEdit("--node-ip=", "--v=9 --node-ip="), address: unit, attr: "--v", was: "9", restart: true},
		{name: "unit: one flag less", happens: unitEdit("--node-ip=192.168.10.31", ""), address: unit, attr: "--node-ip", restart: true},
		{name: "unit: flags in another order", happens: func(t *testing.T, w *world) {
			fileEdit(kubeletUnit, func(f *hosttest.File) {
				other := turned(f.Content)
				if other == f.Content {
					t.Fatalf("nothing to turn in\n%s", other)
				}
				f.Content = other
			})(t, w)
			does("", host.DaemonReload)(t, w)
		}, address: unit, attr: "unit"},
		{name: "unit: a comment", happens: unitEdit("[Service]\n", "[Service]\n# mine\n"), address: unit, attr: "unit"},
		{name: "unit: another setting", happens: unitEdit("Restart=always", "Restart=no"), address: unit, attr: "unit", restart: true},
		{name: "unit: mode", happens: fileEdit(kubeletUnit, func(f *hosttest.File) { f.Mode = 0o666 }), address: unit, attr: "mode", was: "0666"},
		{name: "unit: file removed", happens: on(func(_, n *hosttest.Machine) { n.SetFile(kubeletUnit, nil) }), address: unit, attr: "unit", restart: true},
		{name: "unit: file not read by systemd", happens: func(t *testing.T, w *world) {
			was, _ := w.machines[n1].File(kubeletUnit)
			unitEdit("Restart=always", "Restart=no")(t, w)
			w.machines[n1].SetFile(kubeletUnit, &was)
		}, address: unit, attr: "loaded"},
		{name: "unit: masked", happens: on(func(_, n *hosttest.Machine) { n.MaskUnit(kubeletSvc) }), address: unit, attr: "enabled", was: "masked"},
		{name: "unit: disabled", happens: does(kubeletSvc, host.Disable), address: unit, attr: "enabled", was: "disabled"},
		{name: "unit: stopped", happens: does(kubeletSvc, host.Stop), address: unit, attr: "state", was: "inactive"},
		{name: "unit: failed", happens: on(func(_, n *hosttest.Machine) { n.KillUnit(kubeletSvc) }), address: unit, attr: "state", was: "failed"},
		{name: "unit: runs with older inputs", happens: func(t *testing.T, w *world) {
			was, _ := w.machines[n1].File(kubeletUnit)
			unitEdit("HARDWAY_INPUTS=", "HARDWAY_INPUTS=0000")(t, w)
			does(kubeletSvc, host.Restart)(t, w)
			w.machines[n1].SetFile(kubeletUnit, &was)
			does("", host.DaemonReload)(t, w)
		}, address: unit, attr: "inputs", restart: true},
		{name: "unit: a drop-in", happens: func(_ *testing.T, w *world) {
			w.wrap = func(at addr.Host, h host.Host) host.Host {
				if at == n1 {
					return dropIn{h}
				}
				return h
			}
		}, address: unit, attr: "drop_ins", was: dropInPath, kept: true},

		{name: "block: edited", happens: fileEdit("/etc/hosts", func(f *hosttest.File) { f.Content = strings.Replace(f.Content, "192.168.10.21", "192.168.10.99", 1) }), address: ofNode + `block["/etc/hosts"]`, attr: "block"},
		{name: "block: removed", happens: on(func(_, n *hosttest.Machine) { n.WriteFile("/etc/hosts", 0o644, "127.0.0.1 localhost\n") }), address: ofNode + `block["/etc/hosts"]`},
		{name: "sysctl", happens: on(func(_, n *hosttest.Machine) { n.SetSysctl("net.ipv4.ip_forward", "0") }), address: ofNode + `sysctl["net.ipv4.ip_forward"]`, attr: "value", was: "0"},
		{name: "module", happens: on(func(_, n *hosttest.Machine) { n.SetModule("br_netfilter", false) }), address: ofNode + `module["br_netfilter"]`},
		{name: "swap", happens: on(func(_, n *hosttest.Machine) { n.SetSwaps("/dev/vdb") }), address: ofNode + `swap["off"]`, attr: "swap", was: "/dev/vdb"},
		{name: "image: missing", happens: func(t *testing.T, w *world) {
			s := w.machines[n1].Connect()
			defer s.Close()
			if _, err := s.Run(t.Context(), host.Script{Name: "image-remove", Args: []string{"/usr/local/bin/ctr", "/run/containerd/containerd.sock", "hardway.local/pause:1"}}); err != nil {
				t.Fatal(err)
			}
		}, address: ofNode + `image["hardway.local/pause:1"]`},
		{name: "image: of another archive", happens: on(func(_, n *hosttest.Machine) { n.AddImage("hardway.local/pause:1", "0123") }), address: ofNode + `image["hardway.local/pause:1"]`, attr: "archive", was: "sha256:0123"},

		{name: "object: edited", happens: objectEdit, address: `cluster.object["` + clusterRole + `"]`, attr: "manifest"},
		{name: "object: deleted", happens: kubectl("delete", "clusterrolebinding", clusterRole), address: `cluster.object["` + clusterRole + `"]`},
		{name: "node: label removed", happens: kubectl("label", "node", "n1", "node-role.kubernetes.io/worker-"), address: `cluster.node["n1"]`, attr: "labels"},
		{name: "node: taint removed", happens: kubectl("taint", "node", "m1", "node-role.kubernetes.io/control-plane:NoSchedule-"), address: `cluster.node["m1"]`, attr: "taints"},
	}
}

// objectEdit gives somebody else the rights of an admin.
func objectEdit(t *testing.T, w *world) {
	t.Helper()
	w.plan(provision.PlanOptions{})
	var object map[string]any
	for _, c := range w.plan(provision.PlanOptions{}).Changes {
		if o := c.Spec.Object; o != nil && o.Name == clusterRole {
			if err := json.Unmarshal(o.Manifest, &object); err != nil {
				t.Fatal(err)
			}
		}
	}
	subjects, _ := object["subjects"].([]any)
	if len(subjects) == 0 {
		t.Fatalf("the binding has no subjects: %v", object)
	}
	object["subjects"] = append(subjects, map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "everybody"})
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if r := w.machines[m1].Kubectl([]string{"apply", "-f", "-"}, text); r.Exit != 0 {
		t.Fatalf("kubectl apply: %s", r.Stderr)
	}
}

const dropInPath = "/etc/systemd/system/kubelet.service.d/10-mine.conf"

// dropIn is a host on which somebody laid a drop-in beside the kubelet's unit.
type dropIn struct{ host.Host }

func (d dropIn) Observe(ctx context.Context, r facts.Request) (facts.Observation, error) {
	o, err := d.Host.Observe(ctx, r)
	if u, ok := o.Units[kubeletSvc]; ok {
		u.DropIns = []string{"/run/systemd/system/service.d/of-the-machine.conf", dropInPath}
		o.Units[kubeletSvc] = u
	}
	return o, err
}

// TestEveryKindOfDrift: whatever somebody changes on a host, a plan names exactly
// that resource and the attribute in which it differs, `hardway drift` names it
// too, and after an apply there is nothing left to do.
func TestEveryKindOfDrift(t *testing.T) {
	kinds := driftKinds()
	var shown, repaired atomic.Int32
	t.Run("kinds", func(t *testing.T) {
		for _, k := range kinds {
			t.Run(k.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "testdata/one")
				w.mustConverge(provision.PlanOptions{})
				k.happens(t, w)
				k.shows(t, w)
				k.drifts(t, w)
				if t.Failed() {
					return
				}
				shown.Add(1)
				switch {
				case k.refused:
					if _, err := w.apply(t.Context(), w.plan(provision.PlanOptions{}), nil); err == nil || !strings.Contains(err.Error(), kubeletConf) {
						t.Errorf("an apply over it: %v", err)
					}
					w.machines[n1].SetFile(kubeletConf, nil) // what its message asks for
				case k.kept:
					w.settled(provision.PlanOptions{})
					w.wrap = nil
				}
				w.mustConverge(provision.PlanOptions{})
				if p := w.plan(provision.PlanOptions{}); p.Changed() || !p.Complete || len(p.Warnings) > 0 {
					t.Errorf("after an apply:\n%s", says(p))
				}
				repaired.Add(1)
			})
		}
	})
	t.Logf("%d kinds of drift: %d shown, %d repaired", len(kinds), shown.Load(), repaired.Load())
	if int(repaired.Load()) != len(kinds) || len(kinds) < 25 {
		t.Errorf("%d of %d kinds were shown and repaired", repaired.Load(), len(kinds))
	}
}

// shows holds the plan against what happened.
func (k driftKind) shows(t *testing.T, w *world) {
	t.Helper()
	p := w.plan(provision.PlanOptions{})
	c := find(t, p, k.address)
	before, after := c.Before[k.attr], c.After[k.attr]
	switch {
	case k.kept:
		if c.Action != plan.NoOp || !slices.ContainsFunc(p.Warnings, func(x plan.Warning) bool { return x.Addr == c.Addr && strings.Contains(x.Summary, k.was) }) {
			t.Errorf("planned %s, with the warnings %v", c.Action, p.Warnings)
		}
	case c.Action == plan.NoOp || c.Action == plan.Delete:
		t.Errorf("planned %s (%s)", c.Action, c.Reason)
	case k.attr == "" && c.Before != nil:
		t.Errorf("it is missing, and the plan shows %v", c.Before)
	case k.attr != "" && before == after:
		t.Errorf("%s is %+v on both sides: %v -> %v", k.attr, before, c.Before, c.After)
	}
	if k.was != "" && before.Text != k.was {
		t.Errorf("%s is shown as %q, want %q", k.attr, before.Text, k.was)
	}
	kubelet := find(t, p, ofNode+`unit["kubelet"]`)
	if got := kubelet.Disruption == plan.Restart; got != k.restart && !k.aged {
		t.Errorf("the kubelet is restarted: %v, want %v (%s)", got, k.restart, kubelet.Reason)
	}
	for _, other := range p.Changes {
		if reader := k.restart && other.Addr == kubelet.Addr; other.Action != plan.NoOp && other.Addr != c.Addr && !reader && !k.aged {
			t.Errorf("more than that is planned:\n%s", says(p))
		}
	}
}

// drifts holds `hardway drift` against what happened.
func (k driftKind) drifts(t *testing.T, w *world) {
	t.Helper()
	s := w.open()
	defer w.close(s)
	d, err := s.Drift(t.Context(), provision.DriftOptions{})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(d.Resources, func(r plan.Drifted) bool { return r.Addr.String() == k.address })
	switch {
	case k.aged:
		if len(d.Resources) > 0 {
			t.Errorf("what time did is taken for drift: %+v", d.Resources)
		}
	case at < 0 || d.Resources[at].Reason == "":
		t.Errorf("it is not among the drift: %+v", d.Resources)
	case k.attr != "" && d.Resources[at].Was[k.attr] == d.Resources[at].Is[k.attr]:
		t.Errorf("%s was and is %+v", k.attr, d.Resources[at].Was[k.attr])
	}
	if !d.Complete {
		t.Errorf("everything was seen, and it is not complete: %+v, %+v", d.Unknown, d.Warnings)
	}
}
