package view

import (
	"fmt"
	"strings"
	"time"

	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

var (
	cluster = addr.Host{Role: addr.Cluster}
	m1      = addr.Host{Role: addr.Master, Name: "m1"}
	n1      = addr.Host{Role: addr.Node, Name: "n1"}
	n2      = addr.Host{Role: addr.Node, Name: "n2"}
	start   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func at(h addr.Host, kind resource.Kind, name string) addr.Address {
	return addr.Address{Host: h, Kind: string(kind), Name: name}
}

func text(s string) plan.Value  { return plan.Value{Text: s} }
func lined(s string) plan.Value { return plan.Value{Text: s, Block: true} }

// publish gives a plan what every published one has: a format, names, and in
// each change the resource that its address says.
func publish(p *plan.Plan) {
	p.FormatVersion, p.Cluster, p.Lineage = plan.FormatVersion, "lab", "4711"
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Spec.Kind() != "" {
			continue
		}
		switch resource.Kind(c.Addr.Kind) {
		case resource.KindAuthority:
			c.Spec.Authority = &resource.Authority{}
		case resource.KindDirectory:
			c.Spec.Directory = &resource.Directory{}
		case resource.KindFile:
			c.Spec.File = &resource.File{}
		case resource.KindBinary:
			c.Spec.Binary = &resource.Binary{}
		case resource.KindCertificate:
			c.Spec.Certificate = &resource.Certificate{Usages: []string{"server auth"}}
		case resource.KindSysctl:
			c.Spec.Sysctl = &resource.Sysctl{}
		case resource.KindUnit:
			c.Spec.Unit = &resource.Unit{}
		case resource.KindObject:
			c.Spec.Object = &resource.Object{Manifest: []byte("{}")}
		case resource.KindNode:
			c.Spec.Node = &resource.Node{}
		}
	}
}

// creation is a plan as the first one of a cluster is.
func creation() *plan.Plan {
	p := &plan.Plan{FormatVersion: plan.FormatVersion, Tool: "0.1.0", Created: start, Mode: plan.Normal, Cluster: "lab", Complete: true}
	p.Changes = append(p.Changes, plan.Change{
		Addr: at(cluster, resource.KindAuthority, "kubernetes"), Action: plan.Create, Disruption: plan.None,
		After: plan.Attrs{"subject": text("CN=kubernetes-ca"), "algorithm": text("ecdsa-p256"), "not_after": text("2036-01-02"),
			"serial": {Unknown: true}, "key": {Unknown: true, Sensitive: true}},
	})
	for _, h := range []addr.Host{m1, n1} {
		p.Changes = append(p.Changes,
			plan.Change{Addr: at(h, resource.KindDirectory, "/etc/kubernetes"), Action: plan.Create,
				After: plan.Attrs{"path": text("/etc/kubernetes"), "mode": text("0755"), "owner": text("root:root")}},
			plan.Change{Addr: at(h, resource.KindFile, "sysctl"), Action: plan.Create,
				After: plan.Attrs{"path": text("/etc/sysctl.d/99-hardway.conf"), "mode": text("0644"), "owner": text("root:root"),
					"content": lined("net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n")}},
			plan.Change{Addr: at(h, resource.KindBinary, "kubelet"), Action: plan.Create,
				After: plan.Attrs{"path": text("/usr/local/bin/kubelet"), "mode": text("0755"), "owner": text("root:root"),
					"version": text("1.37.1"), "size": text("84.0 MB"), "sha256": text("sha256:0123456789ab")}},
			plan.Change{Addr: at(h, resource.KindCertificate, "kubelet-server"), Action: plan.Create,
				After: plan.Attrs{"path": text("/etc/kubernetes/pki/kubelet.crt"), "subject": text("CN=system:node:" + h.Name + ", O=system:nodes"),
					"sans": text(h.Name + ", 192.168.10.31"), "issuer": text("kubernetes"), "usages": text("server auth"),
					"algorithm": text("ecdsa-p256"), "not_after": text("2027-01-02"), "serial": {Unknown: true}, "key": {Unknown: true, Sensitive: true}}},
			plan.Change{Addr: at(h, resource.KindUnit, "kubelet"), Action: plan.Create, Unit: &plan.UnitSteps{Write: true, Enable: true, Start: "start"},
				Spec: resource.Spec{Unit: &resource.Unit{Name: "kubelet.service"}},
				After: plan.Attrs{"path": text("/etc/systemd/system/kubelet.service"), "mode": text("0644"), "owner": text("root:root"),
					"enabled": text("enabled"), "state": text("active"), "unit": lined(strings.Repeat("Key=value\n", 32))}},
		)
	}
	return p
}

// mixed is a plan with every action, every kind of value and every section.
func mixed() *plan.Plan {
	const (
		unitBefore = "[Unit]\nDescription=Kubelet\n\n[Service]\nExecStart=/usr/local/bin/kubelet \\\n  --v=2\nRestart=always\nRestartSec=5\n\n[Install]\nWantedBy=multi-user.target\n"
	)
	unitAfter := strings.Replace(unitBefore, "--v=2", "--v=4", 1)
	return &plan.Plan{
		FormatVersion: plan.FormatVersion, Tool: "0.1.0", Created: start, Mode: plan.Normal, Cluster: "lab",
		Changes: []plan.Change{
			{Addr: at(cluster, resource.KindObject, "rbac"), Action: plan.Read, After: plan.Attrs{"object": text("clusterrolebinding/admin")}},
			{Addr: at(m1, resource.KindCertificate, "apiserver"), Action: plan.Replace, Disruption: plan.Reload,
				Reason: "it ends on 2026-01-20, which is within the 720h of renew_before",
				Before: plan.Attrs{"path": text("/etc/kubernetes/pki/apiserver.crt"), "subject": text("CN=kube-apiserver"), "sans": text("m1, 10.96.0.1"),
					"issuer": text("kubernetes"), "usages": text("server auth"), "not_after": text("2026-01-20"), "serial": text("4711"), "key": {Sensitive: true}},
				After: plan.Attrs{"path": text("/etc/kubernetes/pki/apiserver.crt"), "subject": text("CN=kube-apiserver"), "sans": text("m1, k8s-master, 10.96.0.1"),
					"issuer": text("kubernetes"), "usages": text("server auth"), "not_after": text("2027-01-02"), "serial": {Unknown: true}, "key": {Unknown: true, Sensitive: true}}},
			{Addr: at(m1, resource.KindDirectory, "/var/lib/etcd"), Action: plan.Forget, Reason: "its data is kept; --destroy-data removes it",
				Before: plan.Attrs{"path": text("/var/lib/etcd"), "mode": text("0700")}},
			{Addr: at(m1, resource.KindFile, "unchanged"), Action: plan.NoOp},
			{Addr: at(n1, resource.KindFile, "kubelet.conf"), Action: plan.Update, Reason: "mode or owner differ",
				Before: plan.Attrs{"path": text("/etc/kubernetes/kubelet.conf"), "mode": text("0644"), "owner": text("root:root"), "content": lined("a\n")},
				After:  plan.Attrs{"path": text("/etc/kubernetes/kubelet.conf"), "mode": text("0600"), "owner": text("root:root"), "content": lined("a\n")}},
			{Addr: at(n1, resource.KindUnit, "kubelet"), Action: plan.Update, Disruption: plan.Restart, Reason: "the running process has older inputs: a restart is owed",
				Unit: &plan.UnitSteps{Write: true, Unmask: true, Enable: true, Start: "restart"}, Spec: resource.Spec{Unit: &resource.Unit{Name: "kubelet.service"}},
				Before: plan.Attrs{"path": text("/etc/systemd/system/kubelet.service"), "unit": lined(unitBefore), "inputs": text("sha256:aaaaaaaaaaaa"), "state": text("active")},
				After:  plan.Attrs{"path": text("/etc/systemd/system/kubelet.service"), "unit": lined(unitAfter), "inputs": text("sha256:bbbbbbbbbbbb"), "state": text("active")}},
			{Addr: at(n1, resource.KindUnit, "kube-proxy"), Action: plan.Delete, Disruption: plan.Restart, Reason: "what stood there before is put back",
				Before: plan.Attrs{"path": text("/etc/systemd/system/kube-proxy.service"), "mode": text("0644"), "owner": text("root:root")}},
			{Addr: at(n1, resource.KindNode, "n1"), Action: plan.Update, Disruption: plan.Drain, Reason: "labels or taints differ",
				Before: plan.Attrs{"node": text("n1"), "labels": text("tier=silver")}, After: plan.Attrs{"node": text("n1"), "labels": text("tier=gold"), "taints": text("a=b:NoSchedule")}},
			{Addr: at(n1, resource.KindSysctl, "net.ipv4.ip_forward"), Action: plan.Create,
				After: plan.Attrs{"key": text("net.ipv4.ip_forward"), "value": text("1")}},
		},
		Deferred: []plan.Deferred{{Addr: at(cluster, resource.KindObject, "coredns"), Reason: "the API server does not answer: connection refused"}},
		Unknown:  []plan.Unknown{{Host: n2, Reason: "dial tcp 192.168.10.32:22: i/o timeout"}},
		Warnings: []plan.Warning{{Addr: addr.Address{Host: m1}, Summary: "the clock is 12s ahead of this machine's"},
			{Addr: at(n1, resource.KindUnit, "kube-proxy"), Summary: "kube-proxy.service is changed by a file that hardway did not write, and leaves: " + extraPath,
				Detail: extraPath + ":\n    [Service]\n    CPUQuota=10%\n    Environment=(sensitive value)\n"}},
		Targets: []addr.Address{{Host: m1}, {Host: n1}},
	}
}

// long is an update whose diff is longer than anybody wants to see unasked.
func long() *plan.Plan {
	var before, after strings.Builder
	for i := range 200 {
		fmt.Fprintf(&before, "line %d\n", i)
		fmt.Fprintf(&after, "Line %d\n", i)
	}
	return &plan.Plan{Mode: plan.Normal, Complete: true, Changes: []plan.Change{{
		Addr: at(n1, resource.KindFile, "long"), Action: plan.Update,
		Before: plan.Attrs{"content": lined(before.String())}, After: plan.Attrs{"content": lined(after.String())},
	}}}
}
