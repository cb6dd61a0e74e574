package ssh

import (
	"bytes"
	"testing"
	"time"
	"encoding/json"

	"hardway/provision/facts"
	"hardway/provision/host"
)

func TestLab(t *testing.T) {
	for _, ip := range []string{"192.168.56.11", "192.168.56.21", "192.168.56.22"} {
		t0 := time.Now()
		h, err := Dial(t.Context(), Config{Name: ip, Address: ip + ":22", User: "vagrant", PrivateKeyPath: "/work/main/examples/lab/.lab/id_ed25519",
			KnownHosts: []string{"/work/main/examples/lab/.lab/known_hosts"}, Become: Become{Method: BecomeSudo}, StateDir: "/var/lib/hardway-test/state", RunDir: "/run/hardway-test"})
		if err != nil {
			t.Error(err)
			continue
		}
		t.Log("dial", time.Since(t0))
		t0 = time.Now()
		o, err := h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{{Path: "/etc/hosts", Content: true}, {Path: "/etc/hostname"}, {Path: "/usr/bin/bash"}}, Units: []string{"ssh.service", "kubelet.service", "systemd-journald.service"},
			Sysctls: []string{"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"}, Modules: []facts.ModuleRequest{{Name: "overlay", Effects: []string{"/proc/filesystems:overlay"}}, {Name: "br_netfilter", Effects: []string{"/proc/sys/net/bridge"}}, {Name: "ip_vs"}}, Ports: []int{22, 6443},
			Images: &facts.ImagesRequest{Ctr: "/usr/local/bin/ctr", Socket: "/run/containerd/containerd.sock"}, Kube: &facts.KubeRequest{Kubectl: "/usr/local/bin/kubectl", Kubeconfig: "/etc/kubernetes/admin.conf", EtcdData: "/var/lib/etcd/member"}})
		t.Log("observe", time.Since(t0))
		b, _ := json.Marshal(o)
		t.Log(string(b), err)
		t0 = time.Now()
		if err := h.Lock(t.Context(), "test"); err != nil { t.Error(err) }
		t.Log("lock", time.Since(t0))
		t0 = time.Now()
		for range 20 {
			if err := h.Put(t.Context(), put("/var/lib/hardway-test/small", []byte("x"))); err != nil { t.Error(err) }
		}
		t.Log("put small", time.Since(t0)/20)
		t0 = time.Now()
		if err := h.Put(t.Context(), put("/var/lib/hardway-test/large", bytes.Repeat([]byte("0123456789abcdef"), 100<<16))); err != nil { t.Error(err) }
		d := time.Since(t0)
		t.Log("put 100 MiB", d, 100/d.Seconds(), "MiB/s")
		t0 = time.Now()
		o, err = h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{{Path:"/var/lib/hardway-test/large"}}})
		t.Log("observe 100 MiB", time.Since(t0), o.Skew, err)
		for _, s := range []host.Script{{Name: "prior-save", Args: []string{"/etc/hosts"}}, {Name: "block", Args: []string{"/etc/hosts"}, Stdin: []byte("10.0.0.1 x\n")}, {Name: "exec", Args: []string{"cat", "/etc/hosts"}}, {Name: "block", Args: []string{"/etc/hosts"}}, {Name: "prior-restore", Args: []string{"/etc/hosts"}},
			{Name: "module", Args: []string{"br_netfilter", "/proc/sys/net/bridge"}}, {Name: "http-get", Args: []string{"http://127.0.0.1:22/"}}, {Name: "unit-logs", Args: []string{"ssh.service", "2"}}, {Name: "cleanup-cni", Args: []string{"cni9"}}, {Name: "kubelet-unmount", Args: []string{"/var/lib/kubelet"}}, {Name: "pods-stop", Args: []string{"/usr/local/bin/ctr", "/run/containerd/containerd.sock"}}, {Name: "clock"}, {Name: "sysctl", Args: []string{"net.ipv4.ip_forward", "1"}},
			{Name: "module", Args: []string{"ip_vs"}}, {Name: "exec", Args: []string{"findmnt", "/etc/hosts"}}, {Name: "state-clear"}} {
			r, err := h.Run(t.Context(), s)
			t.Logf("%s %v: %q %q %v", s.Name, s.Args, r.Stdout, r.Stderr, err)
		}
		t.Log(h.Unit(t.Context(), "nonexistent.service", host.Start))
		t.Log(h.Unit(t.Context(), "nonexistent.service", host.Stop), h.Unit(t.Context(), "nonexistent.service", host.Disable),h.Unit(t.Context(), "nonexistent.service", host.ResetFailed))
		t.Log(h.Remove(t.Context(), host.Remove{Path: "/var/lib/hardway-test", Recursive: true}))
		t0 = time.Now()
		h.Close()
		t.Log("close", time.Since(t0))
	}
}
