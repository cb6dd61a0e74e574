package provision_test

import (
	"strings"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
)

// drift is one way in which a host is not what it was.
type drift struct {
	name    string
	happens func(t *testing.T, w *world)
	address string // of the change that repairs it
	action  plan.Action
	reason  string
	steps   plan.UnitSteps
	restart bool // of the unit, or of one that has read what drifted
}

func on(f func(master, node *hosttest.Machine)) func(*testing.T, *world) {
	return func(_ *testing.T, w *world) { f(w.machines[m1], w.machines[n1]) }
}

func change1(m *hosttest.Machine, path string, f func(*hosttest.File)) {
	file, _ := m.File(path)
	f(&file)
	m.SetFile(path, &file)
}

const (
	kubeletConf = "/var/lib/kubelet/config.yaml"
	kubeletUnit = "/etc/systemd/system/kubelet.service"
	proxyCert   = "/etc/kubernetes/pki/kube-proxy.crt"
	proxyKey    = "/etc/kubernetes/pki/kube-proxy.key"
)

func drifts() []drift {
	return []drift{
		{name: "file edited", happens: on(func(_, n *hosttest.Machine) {
			change1(n, kubeletConf, func(f *hosttest.File) { f.Content += "maxPods: 5\n" })
		}), address: `node["n1"].file["` + kubeletConf + `"]`, action: plan.Update, reason: "content differs", restart: true},
		{name: "file deleted", happens: on(func(_, n *hosttest.Machine) { n.SetFile(kubeletConf, nil) }),
			address: `node["n1"].file["` + kubeletConf + `"]`, action: plan.Create},
		{name: "file readable by all", happens: on(func(_, n *hosttest.Machine) {
			change1(n, kubeletConf, func(f *hosttest.File) { f.Mode = 0o666 })
		}), address: `node["n1"].file["` + kubeletConf + `"]`, action: plan.Update, reason: "mode or owner differ"},
		{name: "file of another owner", happens: on(func(_, n *hosttest.Machine) {
			change1(n, kubeletConf, func(f *hosttest.File) { f.Owner = "nobody" })
		}), address: `node["n1"].file["` + kubeletConf + `"]`, action: plan.Update, reason: "mode or owner differ"},
		{name: "file is a link", happens: on(func(_, n *hosttest.Machine) {
			n.SetFile(kubeletConf, &hosttest.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: "/tmp/x"})
		}), address: `node["n1"].file["` + kubeletConf + `"]`, action: plan.Update, reason: "a symlink stands there", restart: true},
		{name: "private key of the state edited", happens: on(func(m, _ *hosttest.Machine) {
			change1(m, "/etc/kubernetes/pki/sa.key", func(f *hosttest.File) { f.Content = "x" })
		}), address: `master["m1"].file["/etc/kubernetes/pki/sa.key"]`, action: plan.Update, reason: "content differs"},
		{name: "directory mode", happens: on(func(_, n *hosttest.Machine) {
			change1(n, "/var/lib/kubelet", func(f *hosttest.File) { f.Mode = 0o755 })
		}), address: `node["n1"].directory["/var/lib/kubelet"]`, action: plan.Update, reason: "mode or owner differ"},
		{name: "binary swapped", happens: on(func(_, n *hosttest.Machine) {
			change1(n, "/usr/local/bin/kubelet", func(f *hosttest.File) { f.Content = "#!/bin/sh\n# evil\n" })
		}), address: `node["n1"].binary["kubelet"]`, action: plan.Update, reason: "another binary stands there", restart: true},
		{name: "binary not executable", happens: on(func(_, n *hosttest.Machine) {
			change1(n, "/usr/local/bin/kubelet", func(f *hosttest.File) { f.Mode = 0o644 })
		}), address: `node["n1"].binary["kubelet"]`, action: plan.Update, reason: "mode or owner differ"},
		{name: "block edited", happens: on(func(_, n *hosttest.Machine) {
			change1(n, "/etc/hosts", func(f *hosttest.File) {
				f.Content = strings.Replace(f.Content, "192.168.10.21", "192.168.10.99", 1)
			})
		}), address: `node["n1"].block["/etc/hosts"]`, action: plan.Update, reason: "content differs"},
		{name: "block removed", happens: on(func(_, n *hosttest.Machine) { n.WriteFile("/etc/hosts", 0o644, "127.0.0.1 localhost\n") }),
			address: `node["n1"].block["/etc/hosts"]`, action: plan.Create},
		{name: "sysctl", happens: on(func(_, n *hosttest.Machine) { n.SetSysctl("net.ipv4.ip_forward", "0") }),
			address: `node["n1"].sysctl["net.ipv4.ip_forward"]`, action: plan.Update, reason: "live value differs"},
		{name: "module", happens: on(func(_, n *hosttest.Machine) { n.SetModule("br_netfilter", false) }),
			address: `node["n1"].module["br_netfilter"]`, action: plan.Create},
		{name: "swap", happens: on(func(_, n *hosttest.Machine) { n.SetSwaps("/dev/vdb") }),
			address: `node["n1"].swap["off"]`, action: plan.Update, reason: "swap"},
		{name: "image of another archive", happens: on(func(_, n *hosttest.Machine) { n.AddImage("hardway.local/pause:1", "0123") }),
			address: `node["n1"].image["hardway.local/pause:1"]`, action: plan.Update, reason: "another archive"},

		{name: "certificate deleted", happens: on(func(_, n *hosttest.Machine) { n.SetFile(proxyCert, nil) }),
			address: `node["n1"].cert["kube-proxy"]`, action: plan.Create},
		{name: "certificate is none", happens: on(func(_, n *hosttest.Machine) { n.WriteFile(proxyCert, 0o644, "hello\n") }),
			address: `node["n1"].cert["kube-proxy"]`, action: plan.Replace, reason: "no certificate"},
		{name: "certificate of another host", happens: on(func(m, n *hosttest.Machine) {
			other, _ := m.File(proxyCert)
			n.SetFile(proxyCert, &other)
		}), address: `node["n1"].cert["kube-proxy"]`, action: plan.Replace, reason: "not the certificate that hardway issued"},
		{name: "key deleted", happens: on(func(_, n *hosttest.Machine) { n.SetFile(proxyKey, nil) }),
			address: `node["n1"].cert["kube-proxy"]`, action: plan.Replace, reason: "key is gone"},
		{name: "key swapped", happens: on(func(m, n *hosttest.Machine) {
			other, _ := m.File(proxyKey)
			n.SetFile(proxyKey, &other)
		}), address: `node["n1"].cert["kube-proxy"]`, action: plan.Replace, reason: "not the one that hardway issued"},
		{name: "key readable by all", happens: on(func(_, n *hosttest.Machine) {
			change1(n, proxyKey, func(f *hosttest.File) { f.Mode = 0o644 })
		}), address: `node["n1"].cert["kube-proxy"]`, action: plan.Replace, reason: "mode or owner of " + proxyKey},
		{name: "certificates near their end", happens: func(_ *testing.T, w *world) {
			w.now = func() time.Time { return epoch.Add(8760*time.Hour - 719*time.Hour) }
		}, address: `node["n1"].cert["kube-proxy"]`, action: plan.Replace, restart: true},

		{name: "unit edited", happens: on(func(_, n *hosttest.Machine) {
			change1(n, kubeletUnit, func(f *hosttest.File) {
				f.Content = strings.Replace(f.Content, "Restart=always", "Restart=no", 1)
			})
		}), address: `node["n1"].unit["kubelet"]`, action: plan.Update, reason: "the unit differs",
			steps: plan.UnitSteps{Write: true, Start: "restart"}, restart: true},
		{name: "unit commented", happens: on(func(_, n *hosttest.Machine) {
			change1(n, kubeletUnit, func(f *hosttest.File) { f.Content += "# a word\n" })
		}), address: `node["n1"].unit["kubelet"]`, action: plan.Update, reason: "written differently", steps: plan.UnitSteps{Write: true}},
		{name: "unit deleted", happens: on(func(_, n *hosttest.Machine) { n.SetFile(kubeletUnit, nil) }),
			address: `node["n1"].unit["kubelet"]`, action: plan.Create,
			steps: plan.UnitSteps{Write: true, Enable: true, Start: "restart"}, restart: true},
		{name: "unit stopped", happens: does("kubelet.service", host.Stop),
			address: `node["n1"].unit["kubelet"]`, action: plan.Update, reason: "inactive", steps: plan.UnitSteps{Start: "start"}},
		{name: "unit died", happens: on(func(_, n *hosttest.Machine) { n.KillUnit("kubelet.service") }),
			address: `node["n1"].unit["kubelet"]`, action: plan.Update, reason: "failed", steps: plan.UnitSteps{Start: "start"}},
		{name: "unit disabled", happens: does("kubelet.service", host.Disable),
			address: `node["n1"].unit["kubelet"]`, action: plan.Update, reason: "not enabled", steps: plan.UnitSteps{Enable: true}},
		{name: "restart owed", happens: func(t *testing.T, w *world) { // as after a death between write and restart
			n := w.machines[n1]
			file, _ := n.File(kubeletUnit)
			old := file
			old.Content = strings.Replace(file.Content, "HARDWAY_INPUTS=", "HARDWAY_INPUTS=0000", 1)
			n.SetFile(kubeletUnit, &old)
			does("", host.DaemonReload)(t, w)
			does("kubelet.service", host.Restart)(t, w)
			n.SetFile(kubeletUnit, &file)
			does("", host.DaemonReload)(t, w)
		}, address: `node["n1"].unit["kubelet"]`, action: plan.Update, reason: "a restart is owed",
			steps: plan.UnitSteps{Start: "restart"}, restart: true},

		{name: "label removed", happens: kubectl("label", "node", "n1", "node-role.kubernetes.io/worker-"),
			address: `cluster.node["n1"]`, action: plan.Update, reason: "labels or taints differ"},
		{name: "taint removed", happens: kubectl("taint", "node", "m1", "node-role.kubernetes.io/control-plane:NoSchedule-"),
			address: `cluster.node["m1"]`, action: plan.Update, reason: "labels or taints differ"},
		{name: "node deleted", happens: kubectl("delete", "node", "n1"),
			address: `cluster.node["n1"]`, action: plan.Update, reason: "labels or taints differ"},
		{name: "binding deleted", happens: kubectl("delete", "clusterrolebinding", "hardway:cluster-admins"),
			address: `cluster.object["hardway:cluster-admins"]`, action: plan.Create},
	}
}

func does(unit string, a host.UnitAction) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		s := w.machines[n1].Connect()
		defer s.Close()
		if err := s.Unit(t.Context(), unit, a); err != nil {
			t.Fatal(err)
		}
	}
}

func kubectl(args ...string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		if r := w.machines[m1].Kubectl(args, nil); r.Exit != 0 {
			t.Fatalf("kubectl %v: %s", args, r.Stderr)
		}
	}
}

// Whatever somebody does to a host, the next plan says so, for what it is, and
// the next apply puts it right.
func TestDrift(t *testing.T) {
	for _, d := range drifts() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "testdata/one")
			was := w.mustConverge(provision.PlanOptions{})
			d.happens(t, w)
			p := w.plan(provision.PlanOptions{})
			c := find(t, p, d.address)
			if c.Action != d.action || !strings.Contains(c.Reason, d.reason) {
				t.Errorf("planned %s (%s), want %s (%s)", c.Action, c.Reason, d.action, d.reason)
			}
			if c.Unit != nil && (*c.Unit != d.steps || (c.Disruption == plan.Restart) != d.restart) {
				t.Errorf("planned %+v, %s; want %+v, restart %v", c.Unit, c.Disruption, d.steps, d.restart)
			}
			for _, other := range p.Changes {
				reads := d.restart && other.Addr.String() == `node["n1"].unit["kubelet"]`
				if other.Action != plan.NoOp && other.Addr != c.Addr && !reads && d.name != "certificates near their end" {
					t.Errorf("more than that is planned:\n%s", says(p))
				}
			}
			before := w.steps()
			is := w.mustConverge(provision.PlanOptions{})
			w.sound(is)
			keptKeys(t, was, is)
			if got := tally(before())["restart"] > 0; got != d.restart {
				t.Errorf("restarted: %v, want %v", got, d.restart)
			}
		})
	}
}
