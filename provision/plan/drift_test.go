package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/certs"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// edit changes a file of a machine.
func (m *machine) edit(path string, change func(*facts.File)) {
	f, ok := m.Files[path]
	if !ok {
		panic("there is no " + path)
	}
	change(&f)
	m.Files[path] = f
}

// write puts another text into a file.
func (m *machine) write(path, content string) {
	m.edit(path, func(f *facts.File) { *f = text(content, f.Mode) })
}

// live changes what systemd says of a unit.
func (m *machine) live(name string, change func(*facts.Unit)) {
	u, ok := m.Units[name]
	if !ok {
		panic("there is no " + name)
	}
	change(&u)
	m.Units[name] = u
}

const (
	kubeletUnit = "/etc/systemd/system/kubelet.service"
	kubeletConf = "/var/lib/kubelet/config.yaml"
	peerCert    = "/etc/kubernetes/pki/etcd/peer.crt"
	peerKey     = "/etc/kubernetes/pki/etcd/peer.key"
	current     = "/var/lib/kubelet/pki/kubelet-client-current.pem"
)

// TestDriftIsRepaired: for every way in which a host moves away from the plan,
// the next plan says exactly what and why, and after it the plan is empty.
func TestDriftIsRepaired(t *testing.T) {
	base := newWorld(t, example(t, "lab"))
	base.converge()
	const node, master = `node["n1"].`, `master["m1"].`
	// A process that read the file when it was not ours is restarted too.
	foreign := func(read string) string {
		return "~ " + node + `unit["kubelet"]: it may run with what stood in ` + node + read + " before"
	}
	for name, c := range map[string]struct {
		drift func(*world)
		want  []string
	}{
		"file edited":              {func(w *world) { w.hosts[n1].write(kubeletConf, "maxPods: 1\n") }, []string{"~ " + node + `file["` + kubeletConf + `"]: content differs`, foreign(`file["` + kubeletConf + `"]`)}},
		"file gone":                {func(w *world) { delete(w.hosts[n1].Files, kubeletConf) }, []string{"+ " + node + `file["` + kubeletConf + `"]`}},
		"file readable by all":     {func(w *world) { w.hosts[n1].edit(kubeletConf, func(f *facts.File) { f.Mode = 0o644 }) }, []string{"~ " + node + `file["` + kubeletConf + `"]: mode or owner differ`}},
		"directory another's":      {func(w *world) { w.hosts[n1].edit("/etc/kubernetes", func(f *facts.File) { f.Owner = "kube" }) }, []string{"~ " + node + `directory["/etc/kubernetes"]: mode or owner differ`}},
		"binary replaced":          {func(w *world) { w.hosts[n1].write("/usr/local/bin/ctr", "ELF") }, []string{"~ " + node + `binary["ctr"]: another binary stands there`}},
		"line in the block edited": {func(w *world) { w.hosts[n1].edit("/etc/hosts", swap("192.168.56.11 m1", "192.168.56.99 m1")) }, []string{"~ " + node + `block["/etc/hosts"]: content differs`}},
		"line beside the block":    {func(w *world) { w.hosts[n1].edit("/etc/hosts", swap("127.0.0.1", "127.0.1.1")) }, nil},
		"image gone":               {func(w *world) { delete(w.hosts[n1].Images, "hardway.local/pause:1") }, []string{"+ " + node + `image["hardway.local/pause:1"]`}},
		"sysctl set back":          {func(w *world) { w.hosts[n1].Sysctls["net.ipv4.ip_forward"] = "0" }, []string{"~ " + node + `sysctl["net.ipv4.ip_forward"]: live value differs`}},
		"module unloaded":          {func(w *world) { w.hosts[n1].Modules["br_netfilter"] = false }, []string{"+ " + node + `module["br_netfilter"]`}},
		"key gone":                 {func(w *world) { delete(w.hosts[m1].Files, peerKey) }, []string{"-/+ " + master + `cert["etcd-peer"]: its key is gone`}},
		"another's key":            {func(w *world) { w.hosts[m1].write(peerKey, "other") }, []string{"-/+ " + master + `cert["etcd-peer"]: its key is not the one that hardway issued`}},
		"key readable by all":      {func(w *world) { w.hosts[m1].edit(peerKey, func(f *facts.File) { f.Mode = 0o644 }) }, []string{"-/+ " + master + `cert["etcd-peer"]: mode or owner of ` + peerKey + ` differ`}},
		"an older certificate put back": {func(w *world) { // right in every word, but not of that key
			key := w.hosts[m1].Files[peerKey]
			spec := w.snap.Resources[at(m1, resource.KindCertificate, "etcd-peer")].Spec.Certificate
			w.issue(w.hosts[m1], spec)
			w.hosts[m1].Files[peerKey] = key
		}, []string{"-/+ " + master + `cert["etcd-peer"]: it is not the certificate that hardway issued for that key`}},
		"the kubelet's own rotation": {func(w *world) { // as the kubelet leaves it: a link to a file with a date
			w.issue(w.hosts[n1], w.snap.Resources[at(n1, resource.KindCertificate, "kubelet-client")].Spec.Certificate)
		}, nil},
		"a file where the kubelet has a link": {func(w *world) { w.hosts[n1].edit(current, func(f *facts.File) { *f = text(string(f.Content), 0o600) }) },
			[]string{"-/+ " + node + `cert["kubelet-client"]: the kubelet can only rotate it where a symbolic link stands`, foreign(`cert["kubelet-client"]`)}},
		"unit stopped":  {func(w *world) { w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.Active = "inactive" }) }, []string{"~ " + node + `unit["kubelet"]: the unit is inactive`}},
		"unit disabled": {func(w *world) { w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.Enabled = "disabled" }) }, []string{"~ " + node + `unit["kubelet"]: the unit is not enabled`}},
		"unit masked, the file moved away": {func(w *world) {
			m := w.hosts[n1]
			m.Files[kubeletUnit] = facts.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: "/dev/null"}
			m.live("kubelet.service", func(u *facts.Unit) { u.Load, u.Enabled, u.Active = "masked", "masked", "inactive" })
		}, []string{"~ " + node + `unit["kubelet"]: the unit is masked`}},
		"unit file not read": {func(w *world) { w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.NeedsReload = true }) }, []string{"~ " + node + `unit["kubelet"]: systemd has not read the present unit file`}},
		"restart owed": {func(w *world) { w.hosts[n1].live("kubelet.service", func(u *facts.Unit) { u.Inputs = "older" }) },
			[]string{"~ " + node + `unit["kubelet"]: the running process has older inputs: a restart is owed`}},
		"a crash before the record": {func(w *world) {
			a := at(n1, resource.KindFile, kubeletConf)
			w.record(state.Entry{Begin: &state.Begin{Addr: a, Spec: w.snap.Resources[a].Spec}})
		}, []string{"~ " + node + `file["` + kubeletConf + `"]: an earlier apply was interrupted while it changed this`, foreign(`file["` + kubeletConf + `"]`)}},
		"a label removed": {func(w *world) {
			w.nodes["n1"] = json.RawMessage(`{"metadata":{"labels":{"kubernetes.io/hostname":"n1"}},"spec":{}}`)
		}, []string{`~ cluster.node["n1"]: labels or taints differ`}},
		"a taint removed": {func(w *world) {
			w.nodes["m1"] = json.RawMessage(`{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}},"spec":{"taints":[{"key":"x","effect":"NoSchedule"}]}}`)
		}, []string{`~ cluster.node["m1"]: labels or taints differ`}},
		"an object deleted": {func(w *world) { delete(w.objects, "clusterrolebinding/hardway:cluster-admins") }, []string{`+ cluster.object["hardway:cluster-admins"]`}},
		"an object edited": {func(w *world) {
			const ref = "clusterrolebinding/hardway:cluster-admins"
			w.objects[ref] = json.RawMessage(strings.Replace(string(w.objects[ref]), `"hardway:cluster-admins"}]`, `"everybody"}]`, 1))
		}, []string{`~ cluster.object["hardway:cluster-admins"]: fields that hardway owns differ`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := base.clone(t)
			c.drift(w)
			p := compute(t, w.input())
			if diff := cmp.Diff(c.want, active(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			w.apply(p)
			w.settled()
		})
	}
}

// swap replaces a part of a file's content.
func swap(before, after string) func(*facts.File) {
	return func(f *facts.File) {
		*f = text(strings.Replace(string(f.Content), before, after, 1), f.Mode)
	}
}

// TestTimePasses: certificates are renewed inside their window, all that the
// same day brings in one plan, and then not again.
func TestTimePasses(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	w.now = w.now.Add(8760*time.Hour - 720*time.Hour - time.Hour)
	w.settled()
	w.now = w.now.Add(2 * time.Hour)
	p := compute(t, w.input())
	for _, c := range p.Changes {
		if (c.Spec.Certificate != nil) != (c.Action == Replace) {
			t.Errorf("%s: %s, %s", c.Addr, c.Action, c.Reason)
		}
		if c.Spec.Certificate != nil && (!strings.HasPrefix(c.Reason, "expires on 2027-11-20") || c.Disruption != Reload) {
			t.Errorf("%s: %q, %s", c.Addr, c.Reason, c.Disruption)
		}
	}
	w.apply(p)
	w.settled()
}

// TestAnAuthorityIsReplaced: what a rotation would leave makes every leaf of the
// old key due, and the component that reads the authority only once restarts.
func TestAnAuthorityIsReplaced(t *testing.T) {
	w := newWorld(t, example(t, "lab"))
	w.converge()
	made, err := certs.NewAuthority(certs.AuthoritySpec{Name: "etcd", Algorithm: certs.ECDSAP256, Validity: 87600 * time.Hour, Generation: 2, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.keys["key/etcd"] = made.KeyPEM
	w.snap.Authorities["etcd"] = state.Authority{Generation: 2, CertPEM: string(made.CertPEM), KeySHA256: resource.SHA256(made.KeyPEM.Reveal()), NotAfter: made.NotAfter}
	p := compute(t, w.input())
	replaced := 0
	for _, c := range p.Changes {
		if c.Action == Replace {
			replaced++
			if c.Spec.Certificate.Authority != "etcd" || !strings.HasPrefix(c.Reason, `not signed by the present key of "etcd-ca"`) {
				t.Errorf("%s: %s", c.Addr, c.Reason)
			}
		}
	}
	if replaced != 4 {
		t.Errorf("%d certificates are replaced, want 4", replaced)
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if c := change(t, p, at(m1, resource.KindUnit, name)); c.Disruption != Restart {
			t.Errorf("%s: %s %s", c.Addr, c.Action, c.Disruption)
		}
	}
	w.apply(p)
	w.settled()
}
