package units

import (
	"errors"
	"fmt"
	"net/netip"
)

// KubeProxyParams describes one kube-proxy.
type KubeProxyParams struct {
	Version    string // of Kubernetes
	Bin        string // directory of the executable
	NodeName   string
	Kubeconfig string
	ConfigFile string // where KubeProxyConfig's text stands
	// Mode is iptables, nftables, ipvs or, before 1.26, userspace. It is never left to the default, which
	// changes in Kubernetes 1.40.
	Mode    string
	PodCIDR netip.Prefix
	// Bridge is the interface that all pods of the host hang on ("cni0"); "" when
	// the network is not ours.
	Bridge string

	Flags  map[string]string
	Config map[string]any // the user's fields
}

// KubeProxy returns the unit of kube-proxy.
func KubeProxy(p KubeProxyParams) (Unit, error) {
	f := newFlagSet(ComponentKubeProxy, p.Version)
	f.path("config", p.ConfigFile)
	f.user(p.Flags)
	argv, err := f.argv(p.Bin, ComponentKubeProxy)
	if err != nil {
		return Unit{}, err
	}
	u := service(ComponentKubeProxy)
	u.Description = "Kubernetes service proxy"
	u.Documentation = []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/"}
	u.After = append(u.After, "kube-apiserver.service")
	u.Type = TypeExec
	u.Exec = argv
	u.LimitNOFILE = "65536"
	return u, nil
}

// kubeProxyHealthz is where kube-proxy answers health probes unless told otherwise:
// its own default, where load balancers ask too.
const kubeProxyHealthz = "0.0.0.0:10256"

// KubeProxyHealthz returns where a kube-proxy with the user's fields can be asked
// on its own host whether it is healthy. It has to be asked there: no address, or
// port 0, is an error.
func KubeProxyHealthz(config map[string]any) (netip.AddrPort, error) {
	text := kubeProxyHealthz
	if v, ok := config["healthzBindAddress"]; ok && v != nil {
		text, _ = v.(string)
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("kube_proxy.config.healthzBindAddress %q: it takes ADDRESS:PORT, such as %q, because the health of kube-proxy is asked there", text, kubeProxyHealthz)
	}
	switch host := at.Addr(); {
	case host.Is4() && host.IsUnspecified():
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case host.IsUnspecified():
		at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	}
	return at, nil
}

// KubeProxyConfig returns the KubeProxyConfiguration,
// kubeproxy.config.k8s.io/v1alpha1. kube-proxy watches the file and ends, with
// exit code 0, when it is replaced; Restart=always brings it back with the new
// one. The conntrack limits are left to kube-proxy.
func KubeProxyConfig(p KubeProxyParams) (string, error) {
	if p.Mode == "" {
		return "", errors.New("rendering KubeProxyConfiguration: no mode was given")
	}
	if !p.PodCIDR.IsValid() {
		return "", errors.New("rendering KubeProxyConfiguration: no range of pods was given")
	}
	if _, err := KubeProxyHealthz(p.Config); err != nil {
		return "", fmt.Errorf("rendering KubeProxyConfiguration: %w", err)
	}
	defaults := map[string]any{"healthzBindAddress": kubeProxyHealthz, "metricsBindAddress": "127.0.0.1:10249"}
	if p.Bridge != "" && hasField(ComponentKubeProxy, p.Version, "detectLocal") {
		// A packet is from a pod of this host exactly if it came in over the
		// bridge. ClusterCIDR, the default, would count every pod of the cluster
		// as local; NodeCIDR needs a podCIDR in the Node, which we do not set. The
		// rules match the interface by name, so it need not exist yet.
		defaults["detectLocalMode"] = "BridgeInterface"
		defaults["detectLocal"] = map[string]any{"bridgeInterface": p.Bridge}
	}
	return renderConfig(ComponentKubeProxy, p.Version, "kubeproxy.config.k8s.io", "KubeProxyConfiguration", defaults, p.Config,
		map[string]any{
			"clientConnection": map[string]any{"kubeconfig": p.Kubeconfig},
			"clusterCIDR":      p.PodCIDR.String(),
			"hostnameOverride": p.NodeName,
			"mode":             p.Mode,
		})
}
