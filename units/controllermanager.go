package units

// ControllerManagerParams describes one kube-controller-manager.
type ControllerManagerParams struct {
	Version     string // of Kubernetes
	Bin         string // directory of the executable
	ClusterName string
	Kubeconfig  string // serves for authentication and authorization too
	// Trust bundles: of the clients, of the front proxy, and the one that
	// becomes kube-root-ca.crt in every namespace.
	ClientCA, FrontProxyCA, RootCA string
	ServiceAccountPrivate          string
	// Signing is the certificate authority that signs certificate requests; it
	// has to be one certificate, never a bundle. Empty: none are signed.
	Signing KeyPair
	// Serving is the certificate of the health port; empty: one that the process
	// makes for itself, which no client can verify.
	Serving KeyPair
	Flags   map[string]string // the user's
}

// ControllerManager returns the unit of kube-controller-manager. It listens on
// loopback only, where componentstatuses and the probes ask. Pod ranges are not
// allocated by it: hardway gives each host its share, so that the CNI file can
// be planned before the Node exists.
func ControllerManager(p ControllerManagerParams) (Unit, error) {
	f := newFlagSet(ComponentControllerManager, p.Version)
	f.path("kubeconfig", p.Kubeconfig)
	f.path("authentication-kubeconfig", p.Kubeconfig)
	f.path("authorization-kubeconfig", p.Kubeconfig)
	f.path("client-ca-file", p.ClientCA)
	f.path("requestheader-client-ca-file", p.FrontProxyCA)
	f.path("root-ca-file", p.RootCA)
	f.path("service-account-private-key-file", p.ServiceAccountPrivate)
	f.text("cluster-name", p.ClusterName)
	f.bool("allocate-node-cidrs", false)
	f.set("bind-address", "127.0.0.1")
	f.setIfKnown("0", "port") // of the insecure server, where there still is one
	f.bool("leader-elect", true)
	f.bool("profiling", false)
	f.bool("use-service-account-credentials", true)
	f.set("terminated-pod-gc-threshold", "12500")
	f.set("tls-min-version", "VersionTLS12")
	if p.Signing != (KeyPair{}) {
		f.pair("cluster-signing-cert-file", "cluster-signing-key-file", p.Signing)
	}
	if p.Serving != (KeyPair{}) {
		f.pair("tls-cert-file", "tls-private-key-file", p.Serving)
	}
	f.user(p.Flags)
	argv, err := f.argv(p.Bin, ComponentControllerManager)
	if err != nil {
		return Unit{}, err
	}
	u := service(ComponentControllerManager)
	u.Description = "Kubernetes controller manager"
	u.Documentation = []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/"}
	u.After = append(u.After, "kube-apiserver.service")
	u.Type = TypeExec
	u.Exec = argv
	return u, nil
}
