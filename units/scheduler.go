package units

// SchedulerParams describes one kube-scheduler.
type SchedulerParams struct {
	Version    string // of Kubernetes
	Bin        string // directory of the executable
	Kubeconfig string // serves for authentication and authorization too
	ConfigFile string // where SchedulerConfig's text stands
	// Serving is the certificate of the health port; empty: one that the process
	// makes for itself, which no client can verify.
	Serving KeyPair
	Flags   map[string]string
	Config  map[string]any // the user's fields
}

// Scheduler returns the unit of kube-scheduler. Profiling is switched off in
// the config object, which counts, and on the command line, where the CIS
// benchmark looks.
func Scheduler(p SchedulerParams) (Unit, error) {
	f := newFlagSet(ComponentScheduler, p.Version)
	f.path("config", p.ConfigFile)
	f.path("authentication-kubeconfig", p.Kubeconfig)
	f.path("authorization-kubeconfig", p.Kubeconfig)
	f.set("bind-address", "127.0.0.1")
	f.setIfKnown("0", "port") // of the insecure server, where there still is one
	profiling, _ := p.Config["enableProfiling"].(bool)
	f.bool("profiling", profiling)
	f.set("tls-min-version", "VersionTLS12")
	if p.Serving != (KeyPair{}) {
		f.pair("tls-cert-file", "tls-private-key-file", p.Serving)
	}
	f.user(p.Flags)
	argv, err := f.argv(p.Bin, ComponentScheduler)
	if err != nil {
		return Unit{}, err
	}
	u := service(ComponentScheduler)
	u.Description = "Kubernetes scheduler"
	u.Documentation = []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/"}
	u.After = append(u.After, "kube-apiserver.service")
	u.Type = TypeExec
	u.Exec = argv
	return u, nil
}

// SchedulerConfig returns the KubeSchedulerConfiguration, in the newest version
// of its API that the minor has: v1 from 1.25 on. The scheduler decodes it strictly.
func SchedulerConfig(p SchedulerParams) (string, error) {
	return renderConfig(ComponentScheduler, p.Version, "kubescheduler.config.k8s.io", "KubeSchedulerConfiguration",
		map[string]any{
			"enableProfiling": false,
			"leaderElection":  map[string]any{"leaderElect": true},
		},
		p.Config,
		map[string]any{"clientConnection": map[string]any{"kubeconfig": p.Kubeconfig}})
}
