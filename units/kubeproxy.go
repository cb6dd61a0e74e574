package units

import (
	"errors"
	"net/netip"
)

// KubeProxyParams describes one kube-proxy.
type KubeProxyParams struct {
	Version    string // of Kubernetes
	Bin        string // directory of the executable
	NodeName   string
	Kubeconfig string
	ConfigFile string // where KubeProxyConfig's text stands
	// Mode is iptables, nftables or ipvs. It is never left to the default, which
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
	defaults := map[string]any{"metricsBindAddress": "127.0.0.1:10249"}
	if p.Bridge != "" {
		// A packet is from a pod of this host exactly if it came in over the
		// bridge. ClusterCIDR, the default, would count every pod of the cluster
		// as local; NodeCIDR needs a podCIDR in the Node, which we do not set. The
		// rules match the interface by name, so it need not exist yet.
		defaults["detectLocalMode"] = "BridgeInterface"
		defaults["detectLocal"] = map[string]any{"bridgeInterface": p.Bridge}
	}
	return renderConfig(ComponentKubeProxy, p.Version, "kubeproxy.config.k8s.io", "KubeProxyConfiguration", defaults, p.Config,
		map[string]any{
			"clientConnection":   map[string]any{"kubeconfig": p.Kubeconfig},
			"clusterCIDR":        p.PodCIDR.String(),
			"healthzBindAddress": "0.0.0.0:10256",
			"hostnameOverride":   p.NodeName,
			"mode":               p.Mode,
		})
}
