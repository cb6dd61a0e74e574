package units

import (
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	proxyconfig "k8s.io/kube-proxy/config/v1alpha1"
	schedulerconfig "k8s.io/kube-scheduler/config/v1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"hardway/units/unitfile"
)

var update = flag.Bool("update", false, "write the golden files")

const pki = "/etc/kubernetes/pki/"

func pair(name string) KeyPair { return KeyPair{pki + name + ".crt", pki + name + ".key"} }

// etcdVersionOf is the etcd that goes with a Kubernetes version.
func etcdVersionOf(kubernetes string) string {
	if strings.HasPrefix(kubernetes, "1.36.") {
		return "3.6.16"
	}
	return "3.7.3"
}

func etcdParams(version string) EtcdParams {
	return EtcdParams{
		Version: etcdVersionOf(version), Bin: "/usr/local/bin", Name: "m1", Address: netip.MustParseAddr("192.168.10.21"),
		DataDir: "/var/lib/etcd", Serving: pair("etcd/server"), Peer: pair("etcd/peer"),
		TrustedCA: pki + "etcd/ca.crt", PeerTrustedCA: pki + "etcd/ca.crt", InitialEnvFile: "/etc/kubernetes/etcd-initial.env",
	}
}

func apiServerParams(version string) APIServerParams {
	return APIServerParams{
		Version: version, Bin: "/usr/local/bin", AdvertiseAddress: netip.MustParseAddr("192.168.10.21"), Port: 6443,
		ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), DNSDomain: "cluster.local",
		EtcdServers: []string{"https://192.168.10.21:2379"},
		Serving:     pair("apiserver"), KubeletClient: pair("apiserver-kubelet-client"),
		EtcdClient: pair("apiserver-etcd-client"), FrontProxyClient: pair("front-proxy-client"),
		ClientCA: pki + "ca.crt", EtcdCA: pki + "etcd/ca.crt", FrontProxyCA: pki + "front-proxy-ca.crt", KubeletCA: pki + "ca.crt",
		FrontProxyNames:      []string{"front-proxy-client"},
		ServiceAccountPublic: pki + "sa.pub", ServiceAccountPrivate: pki + "sa.key",
		AuditPolicy: "/etc/kubernetes/audit-policy.yaml", AuditLog: "/var/log/kubernetes/audit.log",
	}
}

func controllerManagerParams(version string) ControllerManagerParams {
	return ControllerManagerParams{
		Version: version, Bin: "/usr/local/bin", ClusterName: "lab", Kubeconfig: "/etc/kubernetes/controller-manager.conf",
		ClientCA: pki + "ca.crt", FrontProxyCA: pki + "front-proxy-ca.crt", RootCA: pki + "ca.crt",
		ServiceAccountPrivate: pki + "sa.key", Signing: pair("ca-signing"),
	}
}

func schedulerParams(version string) SchedulerParams {
	return SchedulerParams{
		Version: version, Bin: "/usr/local/bin",
		Kubeconfig: "/etc/kubernetes/scheduler.conf", ConfigFile: "/etc/kubernetes/scheduler.yaml",
	}
}

func kubeletParams(version string) KubeletParams {
	return KubeletParams{
		Version: version, Bin: "/usr/local/bin", NodeIP: netip.MustParseAddr("192.168.10.31"),
		RootDir: "/var/lib/kubelet", Kubeconfig: "/etc/kubernetes/kubelet.conf", ConfigFile: "/var/lib/kubelet/config.yaml",
		ClientCA: pki + "ca.crt", Serving: pair("kubelet"), DNS: []netip.Addr{netip.MustParseAddr("10.96.0.10")},
		DNSDomain: "cluster.local", RuntimeEndpoint: "unix:///run/containerd/containerd.sock",
	}
}

func masterKubeletParams(version string) KubeletParams {
	p := kubeletParams(version)
	p.NodeIP = netip.MustParseAddr("192.168.10.21")
	p.HostnameOverride = "m1"
	p.Taints = []Taint{ControlPlaneTaint()}
	p.CgroupDriver = "cgroupfs"
	p.ResolvConf = "/run/systemd/resolve/resolv.conf"
	p.Config = map[string]any{"failCgroupV1": false, "failSwapOn": false, "maxPods": float64(200)}
	return p
}

func kubeProxyParams(version string) KubeProxyParams {
	return KubeProxyParams{
		Version: version, Bin: "/usr/local/bin", NodeName: "n1", Kubeconfig: "/etc/kubernetes/proxy.conf",
		ConfigFile: "/etc/kubernetes/proxy.yaml", Mode: "nftables", PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), Bridge: "cni0",
	}
}

func routesParams() RoutesParams {
	return RoutesParams{List: "/etc/kubernetes/pod-routes", Own: netip.MustParseAddr("192.168.10.31")}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// hostUnits are all units of a host, by role.
func hostUnits(t *testing.T, version, role string) []Unit {
	t.Helper()
	ok := must[Unit](t)
	if role == "node" {
		return []Unit{
			ok(Containerd(ContainerdParams{Bin: "/usr/local/bin", ConfigFile: "/etc/containerd/config.toml"})),
			ok(Routes(routesParams())), ok(Kubelet(kubeletParams(version))), ok(KubeProxy(kubeProxyParams(version))),
		}
	}
	return []Unit{
		ok(Etcd(etcdParams(version))), ok(APIServer(apiServerParams(version))),
		ok(ControllerManager(controllerManagerParams(version))), ok(Scheduler(schedulerParams(version))),
		ok(Kubelet(masterKubeletParams(version))),
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

const digest = "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83"

func TestUnitsGolden(t *testing.T) {
	for _, version := range []string{"1.36.3", "1.37.1"} {
		for _, role := range []string{"master", "node"} {
			for _, u := range hostUnits(t, version, role) {
				golden(t, filepath.Join(version, role, u.Name), must[string](t)(u.Render(digest)))
			}
		}
	}
}

func TestConfigsGolden(t *testing.T) {
	text := must[string](t)
	for _, version := range []string{"1.36.3", "1.37.1"} {
		iptables := kubeProxyParams(version)
		iptables.Mode, iptables.Bridge = "iptables", ""
		iptables.Config = map[string]any{"conntrack": map[string]any{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}}
		scheduler := schedulerParams(version)
		scheduler.Config = map[string]any{"profiles": []any{map[string]any{
			"schedulerName": "default-scheduler",
			"pluginConfig": []any{map[string]any{"name": "NodeResourcesFit", "args": map[string]any{
				"scoringStrategy": map[string]any{"type": "MostAllocated"},
			}}},
		}}}
		for name, c := range map[string]struct {
			text string
			into any
		}{
			"master/kubelet.yaml":   {text(KubeletConfig(masterKubeletParams(version))), &kubeletconfig.KubeletConfiguration{}},
			"node/kubelet.yaml":     {text(KubeletConfig(kubeletParams(version))), &kubeletconfig.KubeletConfiguration{}},
			"node/proxy.yaml":       {text(KubeProxyConfig(kubeProxyParams(version))), &proxyconfig.KubeProxyConfiguration{}},
			"master/proxy.yaml":     {text(KubeProxyConfig(iptables)), &proxyconfig.KubeProxyConfiguration{}},
			"master/scheduler.yaml": {text(SchedulerConfig(scheduler)), &schedulerconfig.KubeSchedulerConfiguration{}},
		} {
			golden(t, filepath.Join(version, name), c.text)
			if err := yaml.UnmarshalStrict([]byte(c.text), c.into); err != nil {
				t.Errorf("%s %s: %v", version, name, err)
			}
			if reflect.ValueOf(c.into).Elem().FieldByName("Kind").String() == "" {
				t.Errorf("%s %s has no kind", version, name)
			}
		}
	}
}

// TestUnitsVerify lets systemd judge the units of a host together.
func TestUnitsVerify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for _, role := range []string{"master", "node"} {
		dir := t.TempDir()
		args := []string{"verify", "--man=no", "--recursive-errors=no"}
		for _, u := range hostUnits(t, "1.37.1", role) {
			// verify wants the executables to be there
			fake := filepath.Join(dir, filepath.Base(u.Exec[0]))
			if err := os.WriteFile(fake, []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			u.Exec[0] = fake
			file := filepath.Join(dir, u.Name)
			if err := os.WriteFile(file, []byte(must[string](t)(u.Render(digest))), 0o644); err != nil {
				t.Fatal(err)
			}
			args = append(args, file)
		}
		cmd := exec.CommandContext(t.Context(), analyze, args...)
		cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=warning")
		out, err := cmd.CombinedOutput()
		for _, line := range strings.Split(string(out), "\n") {
			if strings.Contains(line, dir) || err != nil {
				t.Errorf("%s: %s (%v)", role, line, err)
			}
		}
	}
}

// TestTypes holds that a process which never notifies is never waited for.
func TestTypes(t *testing.T) {
	notifies := map[string]bool{"etcd.service": true, "kube-apiserver.service": true, "containerd.service": true, "kubelet.service": true}
	components := map[string]Component{}
	for _, c := range Components("1.37.1") {
		components[c.Unit] = c
	}
	for _, u := range append(hostUnits(t, "1.37.1", "master"), hostUnits(t, "1.37.1", "node")...) {
		if (u.Type == TypeNotify) != notifies[u.Name] {
			t.Errorf("%s has Type=%s", u.Name, u.Type)
		}
		if c := components[u.Name]; c.Type != u.Type || c.Binary != "" && c.Binary != filepath.Base(u.Exec[0]) {
			t.Errorf("%s: Components says %+v, the unit %s %s", u.Name, c, u.Type, u.Exec[0])
		}
	}
	if got := len(components); got != 8 {
		t.Errorf("%d components", got)
	}
}

func TestUserFlags(t *testing.T) {
	p := apiServerParams("1.37.1")
	p.Flags = map[string]string{
		"event-ttl":                "2h",
		"profiling":                "true", // over our default
		"enable-admission-plugins": "PodNodeSelector",
		"authorization-config":     "/etc/kubernetes/authz.yaml",
	}
	u := must[Unit](t)(APIServer(p))
	_, flags, rest := unitfile.SplitFlags(u.Exec)
	if rest != nil {
		t.Errorf("rest: %v", rest)
	}
	for name, want := range map[string]string{
		"event-ttl": "2h", "profiling": "true", "enable-admission-plugins": "PodNodeSelector,NodeRestriction",
		"authorization-config": "/etc/kubernetes/authz.yaml", "anonymous-auth": "false",
	} {
		if flags[name] != want {
			t.Errorf("--%s=%s, want %s", name, flags[name], want)
		}
	}
	if mode, both := flags["authorization-mode"]; both {
		t.Errorf("--authorization-mode=%s stands beside --authorization-config", mode)
	}

	p.Flags = map[string]string{"tls-cert-file": "/x"}
	if _, err := APIServer(p); err == nil || !strings.Contains(err.Error(), "tls-cert-file") {
		t.Errorf("an owned flag was taken: %v", err)
	}
	p.Flags = map[string]string{"event-ttl": "2h\nExecStartPre=/bin/evil"}
	if _, err := must[Unit](t)(APIServer(p)).Render(""); err == nil {
		t.Error("a newline was rendered")
	}
}

func TestMissingParameters(t *testing.T) {
	for name, build := range map[string]func() error{
		"etcd without a name":       func() error { p := etcdParams("1.37.1"); p.Name = ""; _, err := Etcd(p); return err },
		"etcd without an address":   func() error { p := etcdParams("1.37.1"); p.Address = netip.Addr{}; _, err := Etcd(p); return err },
		"etcd without the env file": func() error { p := etcdParams("1.37.1"); p.InitialEnvFile = ""; _, err := Etcd(p); return err },
		"apiserver without etcd":    func() error { p := apiServerParams("1.37.1"); p.EtcdServers = nil; _, err := APIServer(p); return err },
		"apiserver without a CA":    func() error { p := apiServerParams("1.37.1"); p.ClientCA = ""; _, err := APIServer(p); return err },
		"apiserver without services": func() error {
			p := apiServerParams("1.37.1")
			p.ServiceCIDR = netip.Prefix{}
			_, err := APIServer(p)
			return err
		},
		"apiserver without a domain": func() error { p := apiServerParams("1.37.1"); p.DNSDomain = ""; _, err := APIServer(p); return err },
		"relative bin":               func() error { p := schedulerParams("1.37.1"); p.Bin = "bin"; _, err := Scheduler(p); return err },
		"half a signing pair": func() error {
			p := controllerManagerParams("1.37.1")
			p.Signing.Key = ""
			_, err := ControllerManager(p)
			return err
		},
		"kubelet config without a CA":  func() error { p := kubeletParams("1.37.1"); p.ClientCA = ""; _, err := KubeletConfig(p); return err },
		"kubelet config without a DNS": func() error { p := kubeletParams("1.37.1"); p.DNS = nil; _, err := KubeletConfig(p); return err },
		"kubelet config, owned field": func() error {
			p := kubeletParams("1.37.1")
			p.Config = map[string]any{"tlsCertFile": "/x"}
			_, err := KubeletConfig(p)
			return err
		},
		"kubelet config, misspelt": func() error {
			p := kubeletParams("1.37.1")
			p.Config = map[string]any{"maxPod": 1}
			_, err := KubeletConfig(p)
			return err
		},
		"proxy without a mode": func() error { p := kubeProxyParams("1.37.1"); p.Mode = ""; _, err := KubeProxyConfig(p); return err },
		"proxy without pods": func() error {
			p := kubeProxyParams("1.37.1")
			p.PodCIDR = netip.Prefix{}
			_, err := KubeProxyConfig(p)
			return err
		},
		"no version":                func() error { p := kubeletParams(""); _, err := Kubelet(p); return err },
		"no routes":                 func() error { _, err := Routes(RoutesParams{}); return err },
		"containerd without config": func() error { _, err := Containerd(ContainerdParams{Bin: "/usr/local/bin"}); return err },
		"route of mixed families": func() error {
			_, err := RouteList([]Route{{netip.MustParsePrefix("10.244.2.0/24"), netip.MustParseAddr("fd00::1")}})
			return err
		},
	} {
		if err := build(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSignerIsOptional(t *testing.T) {
	p := controllerManagerParams("1.37.1")
	p.Signing = KeyPair{}
	_, flags, _ := unitfile.SplitFlags(must[Unit](t)(ControllerManager(p)).Exec)
	for name := range flags {
		if strings.HasPrefix(name, "cluster-signing-") {
			t.Errorf("--%s is set though nothing may be signed", name)
		}
	}
}

func TestEffectiveCgroupDriver(t *testing.T) {
	p := kubeletParams("1.37.1")
	if got := EffectiveCgroupDriver(p); got != "systemd" {
		t.Errorf("the default is %s", got)
	}
	p.Config = map[string]any{"cgroupDriver": "cgroupfs"}
	if got := EffectiveCgroupDriver(p); got != "cgroupfs" {
		t.Errorf("the user's is %s", got)
	}
	if text := must[string](t)(KubeletConfig(p)); !strings.Contains(text, "\ncgroupDriver: cgroupfs\n") {
		t.Errorf("the config says otherwise:\n%s", text)
	}
}

func TestEtcdInitialEnv(t *testing.T) {
	m1 := EtcdMember{"m1", netip.MustParseAddr("192.168.10.21")}
	m2 := EtcdMember{"m2", netip.MustParseAddr("fd00::22")}
	golden(t, "etcd-initial.env", must[string](t)(EtcdInitialEnv(EtcdInitial{Self: m2, Members: []EtcdMember{m2, m1}, Existing: true, Token: "lab-8f3a"})))
	for name, bad := range map[string]EtcdInitial{
		"stranger":  {Self: m1, Members: []EtcdMember{m2}, Token: "t"},
		"no token":  {Self: m1, Members: []EtcdMember{m1}},
		"quote":     {Self: m1, Members: []EtcdMember{m1}, Token: `t"$(id)`},
		"odd name":  {Self: EtcdMember{"a=b", m1.Address}, Members: []EtcdMember{{"a=b", m1.Address}}, Token: "t"},
		"no adress": {Self: EtcdMember{Name: "m1"}, Members: []EtcdMember{{Name: "m1"}}, Token: "t"},
	} {
		if got, err := EtcdInitialEnv(bad); err == nil {
			t.Errorf("%s: rendered %s", name, got)
		}
	}
}
