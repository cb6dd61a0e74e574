package view

import (
	"fmt"
	"strings"
	"time"

	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// restart is an update of a unit that runs: one flag of it changes.
func restart(h addr.Host, name, flag, before, after string) plan.Change {
	attrs := func(value string) plan.Attrs {
		a := plan.Attrs{
			"path": text("/etc/systemd/system/" + name + ".service"), "mode": text("0644"), "owner": text("root:root"), "state": text("active"),
			"--v": text("2"), "--config": text("/etc/kubernetes/" + name + ".yaml"), "--bind-address": text("0.0.0.0"), flag: text(value),
		}
		return a
	}
	return plan.Change{Addr: at(h, resource.KindUnit, name), Action: plan.Update, Disruption: plan.Restart, Reason: flag + " differs",
		Unit: &plan.UnitSteps{Write: true, Start: "restart"}, Spec: resource.Spec{Unit: &resource.Unit{Name: name + ".service"}},
		Before: attrs(before), After: attrs(after), Restore: []addr.Address{at(h, resource.KindUnit, name)}}
}

// rolling is a plan that goes through three masters and many nodes.
func rolling(nodes int) *plan.Plan {
	p := &plan.Plan{FormatVersion: plan.FormatVersion, Tool: "0.1.0", Created: start, Mode: plan.Normal, Cluster: "lab"}
	wave := func(stage string, h addr.Host, risk string, restores bool, changes ...plan.Change) {
		w := plan.Wave{Stage: stage, Host: h, Risk: risk}
		for i, c := range changes {
			w.Units = append(w.Units, plan.WaveUnit{Addr: c.Addr, Disruption: c.Disruption, Restores: restores || i > 0})
		}
		p.Changes, p.Waves = append(p.Changes, changes...), append(p.Waves, w)
	}
	var masters []addr.Host
	for i := range 3 {
		masters = append(masters, addr.Host{Role: addr.Master, Name: fmt.Sprintf("m%d", i+1)})
	}
	for _, h := range masters {
		wave("etcd", h, "2 of 3 members stay, exactly the quorum: no other may fail meanwhile", true,
			restart(h, "etcd", "--heartbeat-interval", "100", "250"))
	}
	for _, h := range masters {
		ciphers := "TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384,TLS_CHACHA20_POLY1305_SHA256"
		wave("control-plane", h, "", false,
			restart(h, "kube-apiserver", "--tls-cipher-suites", ciphers+",TLS_RSA_WITH_RC4_128_SHA", ciphers+",TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
			restart(h, "kube-scheduler", "--feature-gates", strings.Repeat("Alpha", 8)+"=true", strings.Repeat("Beta", 8)+"=false"))
	}
	for i := range nodes {
		h := addr.Host{Role: addr.Node, Name: fmt.Sprintf("n%03d", i+1)}
		wave("node", h, "", true, restart(h, "kubelet", "--node-ip", "10.0.0.1", "10.0.0.2"))
	}
	p.Changes = append(p.Changes,
		plan.Change{Addr: at(n1, resource.KindUnit, "kube-proxy"), Action: plan.Delete, Disruption: plan.Restart, Reason: "it is not in the configuration any more",
			Before: plan.Attrs{"path": text("/etc/systemd/system/kube-proxy.service")}},
		plan.Change{Addr: at(n2, resource.KindUnit, "kubelet"), Action: plan.Create, Unit: &plan.UnitSteps{Write: true, Enable: true, Start: "start"},
			Spec: resource.Spec{Unit: &resource.Unit{Name: "kubelet.service"}},
			After: plan.Attrs{"path": text("/etc/systemd/system/kubelet.service"), "mode": text("0644"), "owner": text("root:root"), "enabled": text("enabled"),
				"--v": text("2"), "--config": text("/etc/kubernetes/kubelet.yaml"), "--node-ip": text("10.0.0.3"), "unit": lined("[Service]\nRestart=always\n[Install]\nx\ny\n")}})
	p.Held = []plan.Held{
		{Addr: at(n1, resource.KindUnit, "containerd"), Reason: "it did not become healthy with this configuration: exit status 1", Since: start},
		{Addr: addr.Address{Host: cluster}, Reason: "the cluster was rolled back to generation 7", Since: start.Add(time.Hour)},
	}
	return p
}

// rolledBack is a plan to an earlier generation.
func rolledBack() *plan.Plan {
	p := rolling(1)
	p.Mode, p.Generation, p.Held, p.Complete = plan.Rollback, 7, nil, true
	p.Waves[0].Units[0].Disruption, p.Waves[0].Risk = plan.None, ""
	return p
}

// onlyHeld changes nothing, because what would change is held back.
func onlyHeld() *plan.Plan { return &plan.Plan{Mode: plan.Normal, Held: rolling(0).Held[:1]} }

// A drop-in of somebody else's.
const (
	extraPath = "/etc/systemd/system/kube-proxy.service.d/10-extra.conf"
	extraText = "[Service]\nCPUQuota=10%\nEnvironment=(sensitive value)\n"
)

// drifted is a drift of every kind.
func drifted() *plan.Drift {
	m := mixed()
	find := func(name string) plan.Change {
		for _, c := range m.Changes {
			if c.Addr.Name == name && c.Action == plan.Update {
				return c
			}
		}
		panic(name)
	}
	kubelet, conf := find("kubelet"), find("kubelet.conf")
	return &plan.Drift{
		FormatVersion: "1.0", Tool: "0.1.0", Created: start, Cluster: "lab", Lineage: "l", Serial: 12,
		Resources: []plan.Drifted{
			{Addr: at(cluster, resource.KindObject, "coredns"), Reason: "the object differs", Was: plan.Attrs{"object": text("deployment/coredns"), "replicas": text("2")},
				Is: plan.Attrs{"object": text("deployment/coredns"), "replicas": text("1")}},
			{Addr: at(m1, resource.KindFile, "hosts"), Reason: "", Was: plan.Attrs{"path": text("/etc/hosts"), "mode": text("0644"), "content": lined("10.0.0.1 m1\n")}},
			{Addr: at(n1, resource.KindUnit, "kubelet"), Reason: "the unit differs", Was: kubelet.Before, Is: kubelet.After},
			{Addr: at(n1, resource.KindFile, "kubelet.conf"), Reason: "mode or owner differ", Was: conf.Before, Is: conf.After},
			{Addr: at(n1, resource.KindFile, "10-extra.conf"), Reason: "somebody else's", Is: plan.Attrs{"path": text("/etc/cni/net.d/10-extra.conf")}},
			{Addr: at(n1, resource.KindUnit, "kube-proxy"), Reason: "a drop-in that hardway did not write changes this unit",
				Was: plan.Attrs{"path": text("/etc/systemd/system/kube-proxy.service"), "drop_in " + extraPath: {Block: true}},
				Is:  plan.Attrs{"path": text("/etc/systemd/system/kube-proxy.service"), "drop_ins": text(extraPath), "drop_in " + extraPath: lined(extraText)}},
		},
		Ignored:  []addr.Address{at(n1, resource.KindFile, "motd")},
		Unknown:  []plan.Unknown{{Host: n2, Reason: `node["n2"]: connecting to 192.168.10.32:22: i/o timeout`}},
		Warnings: []plan.Warning{{Addr: addr.Address{Host: m1}, Summary: "the clock is 12s ahead of this machine's"}},
	}
}
