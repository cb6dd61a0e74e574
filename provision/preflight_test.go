package provision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/plan"
	"hardway/provision/preflight"
)

// spoil makes every machine unfit in several ways.
func spoil(w *world) {
	for _, m := range w.machines {
		m.System(func(o *facts.Observation) { o.Machine, o.CPUs, o.Commands["nft"], o.Skew = "same", 1, "", -time.Hour })
		m.SetHolder(10250, facts.Holder{Program: "kubelet", PID: 4711, Unit: "kubelet.service"})
	}
}

// TestUnfitHosts: a plan says everything that is wrong, of all hosts, and nothing
// of what it would change; what is ignored is not said.
func TestUnfitHosts(t *testing.T) {
	w := newWorld(t, "testdata/three")
	before := w.machines[m1].Snapshot()
	spoil(w)
	s := w.open()
	defer w.close(s)
	_, err := s.Plan(t.Context(), provision.PlanOptions{})
	failed, ok := errors.AsType[*preflight.FailedError](err)
	if !ok {
		t.Fatalf("the plan says %v", err)
	}
	got := map[string][]string{}
	for _, f := range failed.Findings {
		got[f.Host.String()] = append(got[f.Host.String()], f.Check)
	}
	for _, h := range s.Config().Hosts {
		want := []string{"clock", "machine-id", "ports", "programs"}
		if h.IsMaster() {
			want = []string{"clock", "cpus", "machine-id", "ports", "programs"}
		}
		if d := cmp.Diff(want, got[h.Addr.String()]); d != "" {
			t.Errorf("%s (-want +got):\n%s", h.Addr, d)
		}
	}
	// One host can be mended and gone on with.
	target := []addr.Address{{Host: n1}}
	n := w.machines[n1]
	n.System(func(o *facts.Observation) { o.Machine, o.Commands["nft"], o.Skew = "its own", "/usr/sbin/nft", 0 })
	n.SetListener(10250, "")
	if _, err := s.Plan(t.Context(), provision.PlanOptions{Targets: target}); err != nil {
		t.Errorf("with a target that is fit: %v", err)
	}
	w.write("host.hcl", `host { preflight = { clock = "ignore", cpus = "ignore", "machine-id" = "ignore", ports = "ignore", programs = "warn" } }`+"\n")
	again := w.open()
	defer w.close(again)
	p, err := again.Plan(t.Context(), provision.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) == 0 || !strings.Contains(p.Warnings[0].Summary, "nft is not there") {
		t.Errorf("warnings %v", p.Warnings)
	}
	if d := cmp.Diff(before, w.machines[m1].Snapshot()); d != "" {
		t.Errorf("looking changed something:\n%s", d)
	}
}

// TestFitMembers: hosts that are part of the cluster are not judged by a plan, but
// for their clocks, and are by the command.
func TestFitMembers(t *testing.T) {
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	spoil(w)
	for _, m := range w.machines {
		m.System(func(o *facts.Observation) { o.Skew = 0 })
	}
	s := w.open()
	defer w.close(s)
	if _, err := s.Plan(t.Context(), provision.PlanOptions{}); err != nil {
		t.Errorf("a cluster that runs: %v", err)
	}
	found, err := s.Preflight(t.Context(), provision.PreflightOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var checks []string
	for _, f := range found.Findings {
		checks = append(checks, f.Check)
	}
	if want := []string{"cpus", "machine-id", "programs", "machine-id", "programs"}; !slices.Equal(checks, want) { // its kubelet is ours
		t.Errorf("found %v, want %v", checks, want)
	}
	for _, m := range w.machines {
		m.System(func(o *facts.Observation) { o.Skew = time.Hour })
	}
	if _, err := s.Plan(t.Context(), provision.PlanOptions{}); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("with a clock that is wrong: %v", err)
	}
}

// TestPreparation: packages, firewall, SELinux and what makes swap are set as the
// user chose and shown before, hold, and are put back by destroy.
func TestPreparation(t *testing.T) {
	w := newWorld(t, "testdata/one")
	w.write("host.hcl", `host {
  packages        = "install"
  extra_packages  = ["nfs-common"]
  remove_packages = true
  firewall        = "open"
  selinux         = "permissive"
}
`)
	for _, m := range w.machines {
		m.System(func(o *facts.Observation) {
			o.Commands["nft"] = ""
			o.System.SELinux, o.System.SELinuxBoot = "enforcing", "enforcing"
		})
		m.SetPackage("socat", true)
		m.WriteFile("/etc/ufw/ufw.conf", 0o644, "ENABLED=yes\n")
		m.WriteFile("/etc/ufw/user.rules", 0o640, "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n")
		startUnit(t, m, "ufw.service")
		startUnit(t, m, "zramswap.service")
		m.WriteFile("/etc/fstab", 0o644, "/dev/vda2 none swap sw 0 0\n")
	}
	before := map[addr.Host]hosttest.Snapshot{}
	for h, m := range w.machines {
		before[h] = m.Snapshot()
	}
	s := w.open()
	p, err := s.Plan(t.Context(), provision.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]plan.Change{}
	for _, c := range p.Changes {
		if c.Addr.Host == m1 {
			shown[c.Addr.Kind] = c
		}
	}
	if got := shown["packages"].After["install"].Text; got != "nfs-common, nftables, selinux-utils" {
		t.Errorf("the plan installs %q", got)
	}
	if got := shown["firewall"].After["open"].Text; !strings.Contains(got, "port tcp 6443 any\n") {
		t.Errorf("the plan opens %q", got)
	}
	if shown["selinux"].Action != plan.Update || shown["swap"].Action != plan.Update {
		t.Errorf("SELinux %s, swap %s", shown["selinux"].Action, shown["swap"].Action)
	}
	w.close(s)
	w.mustConverge(provision.PlanOptions{})
	for h, m := range w.machines {
		o := observe(t, m, facts.Request{Packages: []string{"nftables", "nfs-common"}, Preflight: &facts.PreflightRequest{}, Units: []string{"zramswap.service"},
			Files: []facts.FileRequest{{Path: "/etc/ufw/user.rules", Content: true}}})
		if !o.Packages["nftables"] || !o.Packages["nfs-common"] || o.System.SELinux != "permissive" || o.Units["zramswap.service"].Enabled != "disabled" ||
			!strings.Contains(string(o.Files["/etc/ufw/user.rules"].Content), "allow tcp 10250") {
			t.Errorf("%s: %+v", h, o)
		}
	}
	s = w.open()
	if p, err = s.Plan(t.Context(), provision.PlanOptions{}); err != nil || p.Changed() {
		t.Errorf("it does not hold: %v %+v", err, p.Counts())
	}
	w.close(s)
	w.mustConverge(provision.PlanOptions{Destroy: true, DestroyData: true})
	for h, m := range w.machines {
		was, is := before[h], m.Snapshot()
		for _, dir := range []string{"/var/lib/hardway", "/run/hardway"} { // of the lock, which is not put back
			delete(was.Files, dir)
			delete(is.Files, dir)
		}
		if d := cmp.Diff(was.Files, is.Files); d != "" {
			t.Errorf("%s is not as it was:\n%s", h, d)
		}
		if d := cmp.Diff(was.Units, is.Units); d != "" {
			t.Errorf("%s is not as it was:\n%s", h, d)
		}
		o := observe(t, m, facts.Request{Packages: []string{"nftables", "socat"}, Preflight: &facts.PreflightRequest{}})
		if o.Packages["nftables"] || !o.Packages["socat"] || o.System.SELinux != "enforcing" {
			t.Errorf("%s: %+v", h, o)
		}
	}
}

// startUnit gives a machine a unit that is enabled and runs.
func startUnit(t *testing.T, m *hosttest.Machine, name string) {
	t.Helper()
	m.WriteFile("/usr/lib/systemd/system/"+name, 0o644, "[Service]\nExecStart=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n")
	h := m.Connect()
	defer h.Close()
	if err := h.Lock(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	for _, a := range []host.UnitAction{host.Enable, host.Start} {
		if err := h.Unit(t.Context(), name, a); err != nil {
			t.Fatal(err)
		}
	}
}

func observe(t *testing.T, m *hosttest.Machine, q facts.Request) facts.Observation {
	t.Helper()
	h := m.Connect()
	defer h.Close()
	o, err := h.Observe(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
