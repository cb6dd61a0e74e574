package desired

import (
	"net/netip"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/facts"
	"hardway/provision/state"
)

// TestBadInput: every error names the place and what to do, and one run shows
// all of them.
func TestBadInput(t *testing.T) {
	drop := func(component, arch string) func(*Input) {
		return func(in *Input) { delete(in.Lock.Binaries, binaries.Key{Component: component, Arch: arch}) }
	}
	for name, c := range map[string]struct {
		text   string
		change func(*Input)
		want   []string
	}{
		"another architecture": {source(t, "three"), func(in *Input) {
			in.Facts = map[addr.Host]facts.Observation{m2: seen("amd64", "m2"), n1: seen("amd64", "n1"), n2: seen("riscv64", "n2")}
		}, []string{
			`cluster.hcl:24,1-11: master["m2"] is amd64, and its block says arm64: set arch = "amd64" and run ` + "`hardway init`",
			`cluster.hcl:40,1-10: node["n2"] is riscv64, and its block says arm64: set arch = "riscv64" and run ` + "`hardway init`",
		}},
		"nothing pinned": {source(t, "lab"), func(in *Input) { in.Lock = binaries.Lock{} }, []string{
			`master["m1"]: etcd for amd64 is not in hardway.lock.hcl; run ` + "`hardway init`",
			`node["n2"]: kube-proxy for amd64 is not in hardway.lock.hcl`,
			`image hardway.local/pause:1 is not in hardway.lock.hcl`,
		}},
		"one architecture not pinned": {source(t, "three"), drop("kubelet", "arm64"), []string{
			`master["m2"]: kubelet for arm64 is not in`, `node["n2"]: kubelet for arm64 is not in`,
		}},
		"another version pinned": {source(t, "three"), func(in *Input) {
			key := binaries.Key{Component: "kube-apiserver", Arch: "arm64"}
			pin := in.Lock.Binaries[key]
			pin.Version = "1.36.2"
			in.Lock.Binaries[key] = pin
		}, []string{`master["m2"]: hardway.lock.hcl pins kube-apiserver 1.36.2 for arm64, and the configuration wants 1.36.3; run ` + "`hardway init`"}},
		"etcd of another version pinned": {changed(t, source(t, "three"), `"3.6.16"`, `"3.6.17"`), func(in *Input) {
			for _, arch := range []string{"amd64", "arm64"} {
				key := binaries.Key{Component: "etcdctl", Arch: arch}
				pin := in.Lock.Binaries[key]
				pin.Version = "3.6.16"
				in.Lock.Binaries[key] = pin
			}
		}, []string{`pins etcdctl 3.6.16 for amd64, and the configuration wants 3.6.17`}},
		"a flag that is not the user's": {changed(t, source(t, "three"), `"event-ttl" = "2h"`, `"tls-cert-file" = "/etc/x.crt"`), func(*Input) {},
			[]string{`master["m1"]: `, "--tls-cert-file belongs to hardway: "}},
		"a field that the version does not have": {changed(t, source(t, "three"), "maxPods = 200", "maxPod = 200"), func(*Input) {},
			[]string{"cluster.hcl:30,1-10: ", "maxPod"}},
		"other pod CIDR under a living cluster": {source(t, "three"), func(in *Input) {
			in.State.Allocations = state.Allocations{Pods: map[string]state.PodRange{"m1": {CIDR: netip.MustParsePrefix("10.99.0.0/24")}}}
		}, []string{"cluster.hcl:3,1-15: ", `host "m1" has the pod range 10.99.0.0/24, which is not in pod_cidr 10.200.0.0/16`}},
		"a broken allocation": {source(t, "lab"), func(in *Input) {
			*in = living(t, *in, source(t, "lab"))
			in.State.Allocations.Etcd = map[string]state.EtcdMember{"m1": {Name: "m1", InitialCluster: "m1=somewhere", InitialState: "new"}}
		}, []string{`the allocation of the etcd member m1 has the initial cluster "m1=somewhere"`}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.text)
			c.change(&in)
			_, err := Build(in)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in\n%v", want, err)
				}
			}
		})
	}
}

// TestLiving: what would break a cluster that exists, or lose its data, is
// refused; what is applied again as it was is not, and neither is a change that
// one step can make.
func TestLiving(t *testing.T) {
	lab, three := source(t, "lab"), source(t, "three")
	for name, c := range map[string]struct {
		before, after string
		want          string // empty: allowed
	}{
		"nothing":          {three, three, ""},
		"another patch":    {three, changed(t, three, "1.36.3", "1.36.4"), ""},
		"a flag":           {three, changed(t, three, `"2h"`, `"3h"`), ""},
		"a node more":      {lab, changed(t, lab, `n1 = "192.168.56.21"`, `n0 = "192.168.56.20", n1 = "192.168.56.21"`), ""},
		"a node less":      {lab, changed(t, lab, `, n2 = "192.168.56.22"`, ""), `node["n2"] has no block any more, but it still runs what hardway put there`},
		"a master more":    {changed(t, three, "m3 = {", "# m3 = {"), three, `cluster.hcl:24,1-11: adding the master "m3" to a living cluster is not supported yet`},
		"a master less":    {three, changed(t, three, "m3 = {", "# m3 = {"), `cluster.hcl:3,1-15: removing the master "m3" from a living cluster is not supported yet`},
		"the next minor":   {three, changed(t, three, `"1.36.3"`, `"1.37.1"`), "cluster.hcl:4,24-32: changing kubernetes_version of a living cluster from 1.36.3 to 1.37.1 is not supported yet"},
		"an older patch":   {three, changed(t, three, `"1.36.3"`, `"1.36.2"`), "kubernetes_version of a living cluster cannot go back from 1.36.3 to 1.36.2"},
		"an older etcd":    {three, changed(t, three, `"3.6.16"`, `"3.6.10"`), "etcd.version of a living cluster cannot go back from 3.6.16 to 3.6.10"},
		"etcd's data":      {lab, lab + `directories { data = "/srv" }`, "directories.data of a living cluster cannot be changed from /var/lib/etcd to /srv/etcd: etcd would start with an empty directory"},
		"the service CIDR": {lab, changed(t, lab, "10.96.0.0/16", "10.97.0.0/16"), "cluster.hcl:6,24-38: service_cidr of a living cluster cannot be changed from 10.96.0.0/16 to 10.97.0.0/16"},
		"the DNS domain":   {lab, changed(t, lab, "cluster.local", "k8s.local"), "dns_domain of a living cluster cannot be changed"},
		"a master's IP":    {lab, changed(t, lab, "192.168.56.11", "192.168.56.12"), `the address of master["m1"] of a living cluster cannot be changed from 192.168.56.11 to 192.168.56.12`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(living(t, input(t, c.after), c.before))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	// Until a member was begun, members are names on paper.
	in := input(t, three)
	in.State.Allocations = build(t, input(t, changed(t, three, "m3 = {", "# m3 = {"))).Allocations
	if env := get(t, build(t, in).Set, m1, "file", "/etc/kubernetes/etcd-initial.env").Spec.File.Content; !strings.Contains(env, "m3=https://") {
		t.Errorf("m1 does not know of m3:\n%s", env)
	}
}

// TestUnreachableFacts: a host that does not answer says nothing about its
// architecture; the plan lists it as unknown.
func TestUnreachableFacts(t *testing.T) {
	in := input(t, source(t, "three"))
	want := digest(build(t, in).Set)
	in.Facts = map[addr.Host]facts.Observation{m1: seen("amd64", "m1"), m2: {Err: "connection refused", Arch: "amd64"}}
	if got := digest(build(t, in).Set); got != want {
		t.Error("an unreachable host changed the set")
	}
}

// TestEndpoint: where nodes and people reach the API.
func TestEndpoint(t *testing.T) {
	lab, three := source(t, "lab"), source(t, "three")
	for want, text := range map[string]string{
		"https://192.168.56.11:6443":   lab,
		"https://api.example.com:6443": three,
		"https://api.example.com:8443": changed(t, three, `extra_sans`, "port = 8443\n  extra_sans"),
		"https://192.168.10.9:6443":    changed(t, three, `"api.example.com"`, `"192.168.10.9"`),
		"https://k8s-master:6443":      changed(t, three, `"api.example.com"`, `"k8s-master"`),
	} {
		if got := Endpoint(load(t, text)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	hosts := get(t, build(t, input(t, changed(t, three, `"api.example.com"`, `"k8s-master"`))).Set, n1, "block", "/etc/hosts").Spec.Block.Content
	if !strings.Contains(hosts, "192.168.10.21 m1 k8s-master\n") {
		t.Errorf("a name that no DNS can know is not in /etc/hosts:\n%s", hosts)
	}
}
