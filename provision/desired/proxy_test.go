package desired

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// ipvs is the lab with kube-proxy in ipvs mode.
func ipvs(t *testing.T, scheduler string) string {
	return changed(t, source(t, "lab"), `mode   = "iptables"`, "mode = \"ipvs\"\n  ipvs { scheduler = \""+scheduler+"\" }")
}

// able is what a host says that can have every mode.
func able() facts.Observation {
	return facts.Observation{Arch: "amd64", Hostname: "n1", Kernel: "6.1.0-13-amd64",
		Commands: map[string]string{"iptables": "/usr/sbin/iptables", "nft": "/usr/sbin/nft", "ipset": "/usr/sbin/ipset", "ipvsadm": "/usr/sbin/ipvsadm"},
		Modules:  map[string]bool{"ip_vs": false, "ip_vs_rr": false, "ip_vs_sh": false, "ip_vs_wrr": false, "ip_vs_lc": false}}
}

// TestProxyModules: the mode's modules are resources, and kube-proxy waits for them.
func TestProxyModules(t *testing.T) {
	set := build(t, input(t, ipvs(t, "lc"))).Set
	unit := get(t, set, n1, resource.KindUnit, "kube-proxy")
	for _, name := range []string{"ip_vs", "ip_vs_lc", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr"} {
		m := get(t, set, n1, resource.KindModule, name)
		found := false
		for _, d := range unit.DependsOn {
			found = found || d == m.Addr
		}
		if !found {
			t.Errorf("kube-proxy does not wait for %s", name)
		}
	}
	in := input(t, ipvs(t, "rr"))
	old := able()
	old.Kernel = "3.10.0-1160.el7.x86_64"
	in.Facts = map[addr.Host]facts.Observation{n1: old}
	get(t, build(t, in).Set, n1, resource.KindModule, "nf_conntrack_ipv4")
}

// TestProxyHost: what a host cannot have is an error of the plan.
func TestProxyHost(t *testing.T) {
	nftables := changed(t, source(t, "lab"), `"iptables"`, `"nftables"`)
	for name, c := range map[string]struct {
		text   string
		change func(*facts.Observation)
		want   string
	}{
		"all there":     {ipvs(t, "lc"), func(*facts.Observation) {}, ""},
		"nothing known": {ipvs(t, "lc"), func(o *facts.Observation) { *o = seen("amd64", "n1") }, ""},
		"out of reach":  {ipvs(t, "lc"), func(o *facts.Observation) { *o = facts.Observation{Err: "no route"} }, ""},
		"module not there": {ipvs(t, "lc"), func(o *facts.Observation) {
			o.Unloadable = map[string]string{"ip_vs_lc": "modprobe: FATAL: Module ip_vs_lc not found"}
		}, `node["n1"] lacks the kernel module ip_vs_lc, which kube-proxy's mode ipvs needs, and cannot load it (modprobe: FATAL: Module ip_vs_lc not found)`},
		"built in": {ipvs(t, "lc"), func(o *facts.Observation) {
			o.Modules["ip_vs_lc"], o.Unloadable = true, map[string]string{"ip_vs_lc": "no"}
		}, ""},
		"not loaded, not managed":  {changed(t, source(t, "lab"), `"iptables"`, `"ipvs"`, `swap = "ignore"`, "swap = \"ignore\"\n  manage_modules = false"), func(*facts.Observation) {}, "host.manage_modules is false: load it there (modprobe ip_vs)"},
		"no ipset":                 {ipvs(t, "rr"), func(o *facts.Observation) { delete(o.Commands, "ipset") }, `cluster.hcl:54,10-16: node["n1"] has no program ipset, which kube-proxy's mode ipvs needs`},
		"no ipvsadm":               {ipvs(t, "rr"), func(o *facts.Observation) { delete(o.Commands, "ipvsadm") }, "no program ipvsadm"},
		"no ipset, other mode":     {nftables, func(o *facts.Observation) { delete(o.Commands, "ipset") }, ""},
		"no nft":                   {nftables, func(o *facts.Observation) { delete(o.Commands, "nft") }, "no program nft"},
		"old kernel":               {nftables, func(o *facts.Observation) { o.Kernel = "5.4.0-42-generic" }, `node["n1"] has Linux 5.4.0-42-generic, and kube-proxy's nftables mode needs 5.13 or newer`},
		"old kernel with iptables": {source(t, "lab"), func(o *facts.Observation) { o.Kernel = "5.4.0-42-generic" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.text)
			o := able()
			o.Commands, o.Modules = maps.Clone(o.Commands), maps.Clone(o.Modules)
			c.change(&o)
			in.Facts = map[addr.Host]facts.Observation{n1: o}
			// kube-proxy runs there already: what a host lacks that is to join is preflight's to say.
			was := get(t, build(t, input(t, source(t, "lab"))).Set, n1, resource.KindUnit, "kube-proxy")
			in.State.Resources = map[addr.Address]state.Record{was.Addr: {Spec: was.Spec}}
			_, err := Build(in)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestProxyHealthz: who moves the probe moves the gate and what verify asks.
func TestProxyHealthz(t *testing.T) {
	text := changed(t, source(t, "lab"), "config = { conntrack = ", `config = { healthzBindAddress = "192.168.56.21:20256", conntrack = `)
	const want = "http://192.168.56.21:20256/livez"
	set := build(t, input(t, text)).Set
	if got := get(t, set, n1, resource.KindUnit, "kube-proxy").Spec.Unit.Gate.HTTP; got != want {
		t.Errorf("gate %s", got)
	}
	found := false
	for _, p := range Health(load(t, text)).Probes {
		found = found || p.Gate.HTTP == want
	}
	if !found {
		t.Error("verify asks elsewhere")
	}
	if got := get(t, set, n1, resource.KindFile, "/etc/kubernetes/kube-proxy.yaml").Spec.File.Content; !strings.Contains(got, "healthzBindAddress: 192.168.56.21:20256\n") {
		t.Errorf("the config object:\n%s", got)
	}
	for _, bad := range []string{"", "0.0.0.0", "0.0.0.0:0", "localhost:10256"} {
		if _, err := Build(input(t, strings.Replace(text, "192.168.56.21:20256", bad, 1))); err == nil || !strings.Contains(err.Error(), "healthzBindAddress") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestNodePorts: the cleanup knows which virtual servers are kube-proxy's.
func TestNodePorts(t *testing.T) {
	for flag, want := range map[string][]string{
		``: {"iptables", "30000", "32767", "/usr/local/bin/kube-proxy"},
		`apiserver { flags = { "service-node-port-range" = "20000-22767" } }`: {"iptables", "20000", "22767", "/usr/local/bin/kube-proxy"},
		`apiserver { flags = { "service-node-port-range" = "20000+100" } }`:   {"iptables", "30000", "32767", "/usr/local/bin/kube-proxy"},
	} {
		u := get(t, build(t, input(t, source(t, "lab")+flag)).Set, n1, resource.KindUnit, "kube-proxy").Spec.Unit
		if diff := cmp.Diff([]resource.Command{{Script: "cleanup-proxy", Args: want}}, u.BeforeStart); diff != "" {
			t.Error(diff)
		}
	}
}
