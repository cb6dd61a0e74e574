package units

import (
	"net/netip"
	"path"
	"strings"
)

// kubeletWatchdogSince is the minor whose kubelet feeds systemd's watchdog from
// its own health checks (beta and on in 1.32, GA in 1.35).
const kubeletWatchdogSince = "1.32"

// KubeletParams describes one kubelet.
type KubeletParams struct {
	Version string // of Kubernetes
	Bin     string // directory of the executable
	NodeIP  netip.Addr
	// HostnameOverride is the Node's name where it is not the host's own
	// hostname in lower case, else "": the CIS benchmark wants the flag absent.
	HostnameOverride string
	RootDir          string // /var/lib/kubelet
	Kubeconfig       string
	ConfigFile       string // where KubeletConfig's text stands

	ClientCA  string // bundle that verifies the API server's client certificate
	Serving   KeyPair
	DNS       []netip.Addr // of the cluster's DNS service
	DNSDomain string
	// RuntimeEndpoint is the CRI socket: unix:///run/containerd/containerd.sock.
	RuntimeEndpoint string
	// CgroupDriver is "systemd" (also when empty) or "cgroupfs". See EffectiveCgroupDriver.
	CgroupDriver string
	// ResolvConf is what pods inherit; "" leaves /etc/resolv.conf. On a host with
	// systemd-resolved it has to be /run/systemd/resolve/resolv.conf, or CoreDNS
	// would ask itself.
	ResolvConf string
	// PauseImage is the image of pod sandboxes that the runtime is given: up to
	// Kubernetes 1.34 the kubelet has to know it too, or it collects it as garbage.
	PauseImage string
	Taints     []Taint // at the first registration only
	// ProtectKernelDefaults makes the kubelet refuse to start unless the
	// sysctls of KubeletSysctls are set already, instead of setting them.
	ProtectKernelDefaults bool

	Flags  map[string]string
	Config map[string]any // the user's fields
}

// Taint is one that a Node is registered with.
type Taint struct{ Key, Value, Effect string }

// ControlPlaneTaint keeps ordinary pods off the masters.
func ControlPlaneTaint() Taint {
	return Taint{Key: "node-role.kubernetes.io/control-plane", Effect: "NoSchedule"}
}

// KubeletSysctls are the kernel parameters that every kubelet sets on start, or
// with protectKernelDefaults expects (component-helpers/node/util/sysctl).
func KubeletSysctls() map[string]string {
	return map[string]string{
		"kernel.keys.root_maxbytes": "25000000",
		"kernel.keys.root_maxkeys":  "1000000",
		"kernel.panic":              "10",
		"kernel.panic_on_oops":      "1",
		"vm.overcommit_memory":      "1",
		"vm.panic_on_oom":           "0",
	}
}

// Kubelet returns the unit of the kubelet. What has a field in the config
// object is not a flag: nearly all kubelet flags are deprecated for it.
func Kubelet(p KubeletParams) (Unit, error) {
	f := newFlagSet(ComponentKubelet, p.Version)
	f.path("config", p.ConfigFile)
	f.path("kubeconfig", p.Kubeconfig)
	f.addr("node-ip", p.NodeIP)
	f.path("root-dir", p.RootDir)
	f.set("cert-dir", path.Dir(KubeletClientPEM(p.RootDir)))
	if p.HostnameOverride != "" {
		f.set("hostname-override", p.HostnameOverride)
	}
	f.instead(p.Version, p.fieldFlags())
	if p.PauseImage != "" {
		f.setIfKnown(p.PauseImage, "pod-infra-container-image")
	}
	f.setIfKnown("remote", "container-runtime") // CRI; "docker" was the default up to 1.23
	f.user(p.Flags)
	argv, err := f.argv(p.Bin, ComponentKubelet)
	if err != nil {
		return Unit{}, err
	}
	u := service(ComponentKubelet)
	u.Description = "Kubernetes kubelet"
	u.Documentation = []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/"}
	// Ordered, but not bound: a restart of the runtime must not restart the
	// kubelet. On a master it comes after the API server, because a kubelet that
	// registers before the Node's permissions are served can stay NotReady.
	u.Wants = append(u.Wants, "containerd.service")
	u.After = append(u.After, "containerd.service", ComponentRoutes+".service", "kube-apiserver.service")
	u.Type = TypeNotify
	u.Exec = argv
	if atLeast(p.Version, kubeletWatchdogSince) {
		u.WatchdogSec = "60s"
	}
	// Without accounting a host with cgroup v1 has no "system container stats".
	u.CPUAccounting, u.MemoryAccounting = true, true
	return u, nil
}

// fieldFlags are the flags that stand in for fields of the config object in the
// versions that do not have the field yet.
func (p KubeletParams) fieldFlags() []fieldFlag {
	taints := make([]string, 0, len(p.Taints))
	for _, t := range p.Taints {
		taints = append(taints, t.Key+"="+t.Value+":"+t.Effect)
	}
	return []fieldFlag{
		{"containerRuntimeEndpoint", "container-runtime-endpoint", p.RuntimeEndpoint},
		{"registerWithTaints", "register-with-taints", strings.Join(taints, ",")},
	}
}

// KubeletClientPEM is where the kubelet keeps its current client certificate
// and key, in one file, and replaces them as it rotates. Its kubeconfig names
// this file for both; it is seeded once and not compared later.
func KubeletClientPEM(rootDir string) string {
	return path.Join(rootDir, "pki", "kubelet-client-current.pem")
}

// EffectiveCgroupDriver is the driver that the kubelet will use after the user's
// fields are merged; the container runtime has to be given the same.
func EffectiveCgroupDriver(p KubeletParams) string {
	if driver, ok := p.Config["cgroupDriver"].(string); ok {
		return driver
	}
	if p.CgroupDriver != "" {
		return p.CgroupDriver
	}
	return "systemd"
}

// KubeletConfig returns the KubeletConfiguration, kubelet.config.k8s.io/v1beta1.
// Defaults are written where the CIS benchmark or a probe depends on them.
func KubeletConfig(p KubeletParams) (string, error) {
	defaults := map[string]any{
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
		},
		"authorization":                  map[string]any{"mode": "Webhook"},
		"cgroupDriver":                   EffectiveCgroupDriver(p),
		"eventRecordQPS":                 50, // since 1.37 a zero means no limit, before it meant 50
		"makeIPTablesUtilChains":         true,
		"podPidsLimit":                   4096,
		"protectKernelDefaults":          p.ProtectKernelDefaults,
		"readOnlyPort":                   0,
		"rotateCertificates":             true,
		"seccompDefault":                 true,
		"streamingConnectionIdleTimeout": "4h0m0s",
		"tlsCipherSuites":                splitList(gcmSuites),
		"tlsMinVersion":                  "VersionTLS12",
	}
	if p.ResolvConf != "" {
		defaults["resolvConf"] = p.ResolvConf
	}
	owned := map[string]any{
		"authentication":           map[string]any{"x509": map[string]any{"clientCAFile": p.ClientCA}},
		"clusterDNS":               addresses(p.DNS),
		"clusterDomain":            p.DNSDomain,
		"containerRuntimeEndpoint": p.RuntimeEndpoint,
		"healthzBindAddress":       "127.0.0.1",
		"healthzPort":              10248,
		"tlsCertFile":              p.Serving.Cert,
		"tlsPrivateKeyFile":        p.Serving.Key,
	}
	if len(p.Taints) > 0 {
		var taints []any
		for _, t := range p.Taints {
			taint := map[string]any{"key": t.Key, "effect": t.Effect}
			if t.Value != "" {
				taint["value"] = t.Value
			}
			taints = append(taints, taint)
		}
		owned["registerWithTaints"] = taints
	}
	return renderConfig(ComponentKubelet, p.Version, "kubelet.config.k8s.io", "KubeletConfiguration", defaults, p.Config, owned)
}

func addresses(list []netip.Addr) []string {
	out := make([]string, 0, len(list))
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}
