package desired

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// restarted lists the units, as "host unit", whose inputs differ: those that a
// plan would restart.
func restarted(before, after resource.Set) []string {
	out := []string{}
	for _, r := range after.All() {
		if r.Spec.Unit == nil {
			continue
		}
		if old, ok := before.Get(r.Addr); ok && old.Spec.Unit.Inputs != r.Spec.Unit.Inputs {
			out = append(out, r.Addr.Host.Name+" "+r.Addr.Name)
		}
	}
	return out
}

// on names a unit of several hosts.
func on(unit string, hosts ...string) []string {
	var out []string
	for _, h := range hosts {
		out = append(out, h+" "+unit)
	}
	return out
}

// TestInputsOfTheLock: which process a changed binary restarts. The tools that a
// component starts anew each time need none.
func TestInputsOfTheLock(t *testing.T) {
	in := input(t, source(t, "three"))
	before := build(t, in).Set
	for _, c := range []struct {
		component, arch string
		want            []string
	}{
		{"kubelet", "amd64", on("kubelet", "m1", "m3", "n1")},
		{"kubelet", "arm64", on("kubelet", "m2", "n2")},
		{"kube-proxy", "arm64", on("kube-proxy", "m2", "n2")},
		{"etcd", "arm64", on("etcd", "m2")},
		{"kube-apiserver", "amd64", on("kube-apiserver", "m1", "m3")},
		{"kube-controller-manager", "arm64", on("kube-controller-manager", "m2")},
		{"kube-scheduler", "arm64", on("kube-scheduler", "m2")},
		{"containerd", "arm64", on("containerd", "m2", "n2")},
		{"containerd-shim-runc-v2", "amd64", on("containerd", "m1", "m3", "n1")},
		{"runc", "amd64", on("containerd", "m1", "m3", "n1")},
		{"ctr", "amd64", []string{}},
		{"bridge", "amd64", []string{}},
		{"kubectl", "amd64", []string{}},
		{"etcdctl", "amd64", []string{}},
	} {
		t.Run(c.component+" "+c.arch, func(t *testing.T) {
			other := in
			other.Lock = lockFor(t, in.Config)
			key := binaries.Key{Component: c.component, Arch: c.arch}
			pin, ok := other.Lock.Binaries[key]
			if !ok {
				t.Fatalf("the lock has no %v", key)
			}
			pin.SHA256 = resource.SHA256([]byte("other bytes"))
			other.Lock.Binaries[key] = pin
			if diff := cmp.Diff(c.want, restarted(before, build(t, other).Set)); diff != "" {
				t.Errorf("restarts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInputsOfTheState: what is read once at the start restarts its reader when
// its generation changes; what is read again does not.
func TestInputsOfTheState(t *testing.T) {
	masters := []string{"m1", "m2", "m3"}
	text := source(t, "three")
	before := build(t, input(t, text)).Set
	generation := func(name string) func(*state.Public) {
		return func(p *state.Public) {
			if a, ok := p.Authorities[name]; ok {
				a.Generation++
				p.Authorities[name] = a
				return
			}
			k := p.KeyPairs[name]
			k.Generation++
			p.KeyPairs[name] = k
		}
	}
	for name, c := range map[string]struct {
		change func(*state.Public)
		want   []string
	}{
		"first made":           {func(*state.Public) {}, []string{}},
		"etcd authority":       {generation("etcd"), slices.Concat(on("etcd", masters...), on("kube-apiserver", masters...))},
		"kubernetes authority": {generation("kubernetes"), on("kube-controller-manager", masters...)},
		"front proxy":          {generation("front-proxy"), []string{}},
		"service account":      {generation("service-account"), slices.Concat(on("kube-apiserver", masters...), on("kube-controller-manager", masters...))},
		"a cluster made anew": {func(p *state.Public) { p.Lineage = "another" },
			slices.Concat(on("etcd", masters...), on("kube-apiserver", masters...), on("kube-controller-manager", masters...))},
		"the bundle during a rotation": {func(p *state.Public) {
			a := p.Authorities["kubernetes"]
			a.BundlePEM = a.CertPEM + "its successor\n"
			p.Authorities["kubernetes"] = a
		}, []string{}},
		"records and serial": {func(p *state.Public) { p.Serial, p.Updated = 12, time.Now() }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			in := made(input(t, text))
			c.change(&in.State)
			got := restarted(before, build(t, in).Set)
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("restarts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInputsOfTheConfiguration: what a user changes restarts what reads it, and
// nothing else.
func TestInputsOfTheConfiguration(t *testing.T) {
	all := []string{"m1", "m2", "m3", "n1", "n2"}
	text := source(t, "three")
	base := input(t, text)
	before := build(t, base).Set
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"labels":              {changed(t, text, `tier = "gold"`, `tier = "silver"`), []string{}},
		"lifetime of leaves":  {text + `pki { certificate_validity = "1000h" }`, []string{}},
		"renewal of leaves":   {text + `pki { renew_before = "200h" }`, []string{}},
		"key algorithm":       {text + `pki { algorithm = "rsa-2048" }`, []string{}},
		"names of the API":    {changed(t, text, "master.k8s.example.com", "other.k8s.example.com"), []string{}},
		"sysctl":              {changed(t, text, "262144", "262145"), []string{}},
		"modules":             {changed(t, text, `"dummy"`, `"dummy", "sctp"`), []string{}},
		"where binaries are":  {changed(t, text, "example.com/dist", "example.org/dist"), []string{}},
		"how SSH connects":    {changed(t, text, `"root"`, `"admin"`), []string{}},
		"kubelet of one host": {changed(t, text, "maxPods = 200", "maxPods = 201"), on("kubelet", "n1")},
		// The kubelet's config names the taints that it registers with.
		"taint":           {changed(t, text, "gpu:NoSchedule", "gpu:NoExecute"), on("kubelet", "n1")},
		"a flag":          {changed(t, text, `"event-ttl" = "2h"`, `"event-ttl" = "3h"`), on("kube-apiserver", "m1", "m2", "m3")},
		"kube-proxy mode": {changed(t, text, `"nftables"`, `"iptables"`), on("kube-proxy", all...)},
		"cgroup driver": {text + `kubelet { config = { cgroupDriver = "cgroupfs" } }`,
			slices.Concat(on("containerd", all...), on("kubelet", all...))},
		"containerd of all": {text + `runtime "containerd" { config = { restrict_oom_score_adj = true } }`, on("containerd", all...)},
		"address of the API": {changed(t, text, `"api.example.com"`, `"api.example.org"`),
			slices.Concat(on("kubelet", "n1", "n2"), on("kube-proxy", "n1", "n2"))}, // masters speak to their own
		"address of a node": {changed(t, text, "192.168.10.32", "192.168.10.42"),
			slices.Concat(on("hardway-routes", "m1", "m2", "m3", "n1", "n2"), on("kubelet", "n2"))},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.text)
			got := restarted(before, build(t, in).Set)
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("restarts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInputsStandInTheUnit: the digest that the plan compares is the one that
// the process will show.
func TestInputsStandInTheUnit(t *testing.T) {
	each(t, func(t *testing.T, _ Input, s resource.Set) {
		for _, r := range s.All() {
			u := r.Spec.Unit
			if u == nil {
				continue
			}
			if n := strings.Count(u.Content, "\nEnvironment=HARDWAY_INPUTS="+u.Inputs+"\n"); n != 1 || len(u.Inputs) != 64 {
				t.Errorf("%s: inputs %q stand %d times in its unit", r.Addr, u.Inputs, n)
			}
		}
	})
}

// TestHostnameOverride: the flag appears only where the host is called otherwise.
func TestHostnameOverride(t *testing.T) {
	in := input(t, source(t, "lab"))
	for hostname, want := range map[string]bool{"": false, "n1": false, "N1": false, "ip-192-168-56-21": true, "n1.example.com": true} {
		in.Facts = map[addr.Host]facts.Observation{n1: seen("amd64", hostname)}
		u := get(t, build(t, in).Set, n1, resource.KindUnit, "kubelet").Spec.Unit
		if got := strings.Contains(u.Content, "--hostname-override=n1"); got != want {
			t.Errorf("a host called %q: override %v, want %v", hostname, got, want)
		}
	}
	in.Facts = map[addr.Host]facts.Observation{n1: {Err: "i/o timeout", Hostname: "other"}}
	if u := get(t, build(t, in).Set, n1, resource.KindUnit, "kubelet").Spec.Unit; strings.Contains(u.Content, "hostname-override") {
		t.Error("what an unreachable host is called was taken for a fact")
	}
}

// TestResolvConf: pods do not inherit a resolver that listens on the host's
// loopback alone.
func TestResolvConf(t *testing.T) {
	in := input(t, source(t, "lab"))
	for target, want := range map[string]bool{
		"": false, "/run/resolvconf/resolv.conf": false, "/run/systemd/resolve/resolv.conf": false,
		"../run/systemd/resolve/stub-resolv.conf": true, "/run/systemd/resolve/stub-resolv.conf": true,
	} {
		o := seen("amd64", "n1")
		o.Files = map[string]facts.File{"/etc/resolv.conf": {Type: facts.Symlink, Target: target}}
		in.Facts = map[addr.Host]facts.Observation{n1: o}
		text := get(t, build(t, in).Set, n1, resource.KindFile, "/var/lib/kubelet/config.yaml").Spec.File.Content
		if got := strings.Contains(text, "resolvConf: /run/systemd/resolve/resolv.conf\n"); got != want {
			t.Errorf("resolv.conf is a link to %q: set %v, want %v", target, got, want)
		}
	}
}
