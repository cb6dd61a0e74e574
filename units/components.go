package units

// Stage orders restarts across hosts.
type Stage string

// The stages, in the order in which a change goes through the cluster.
const (
	StageEtcd         Stage = "etcd"
	StageControlPlane Stage = "control-plane"
	StageNode         Stage = "node"
)

// Endpoint is where a component says on its own host that it is healthy.
type Endpoint struct {
	Scheme string // http or https
	Host   string // 127.0.0.1; "" is the host's own address
	Port   int    // 0: the port of the api block
	Path   string
	// ClientCert: without a client certificate the answer is 401.
	ClientCert bool
}

// Component is a fact sheet of one component.
type Component struct {
	Name    string // ComponentKubelet
	Unit    string // file name of the unit
	Binary  string // file name of the executable; "" when it is a program of the system
	Stage   Stage
	Type    string // of the unit
	Health  *Endpoint
	Oneshot bool
	// Master and Node say on which hosts it runs.
	Master, Node bool
}

// healthPath is the best path that a version serves: rows are newest first.
func healthPath(version string, rows ...[2]string) string {
	for _, r := range rows {
		if atLeast(version, r[0]) {
			return r[1]
		}
	}
	return "/healthz"
}

// Components lists the components that hardway runs for a version of
// Kubernetes, in the order in which they are started.
func Components(version string) []Component {
	const local = "127.0.0.1"
	list := []Component{
		{Name: ComponentEtcd, Binary: "etcd", Stage: StageEtcd, Type: TypeNotify, Master: true,
			Health: &Endpoint{Scheme: "http", Host: local, Port: EtcdMetricsPort, Path: "/health"}},
		{Name: ComponentAPIServer, Binary: ComponentAPIServer, Stage: StageControlPlane, Type: TypeNotify, Master: true,
			Health: &Endpoint{Scheme: "https", Path: "/readyz", ClientCert: true}},
		{Name: ComponentControllerManager, Binary: ComponentControllerManager, Stage: StageControlPlane, Type: TypeExec, Master: true,
			// it serves no other path, in any version
			Health: &Endpoint{Scheme: "https", Host: local, Port: 10257, Path: "/healthz"}},
		{Name: ComponentScheduler, Binary: ComponentScheduler, Stage: StageControlPlane, Type: TypeExec, Master: true,
			Health: &Endpoint{Scheme: "https", Host: local, Port: 10259, Path: healthPath(version, [2]string{"1.31", "/readyz"})}},
		{Name: ComponentContainerd, Binary: "containerd", Stage: StageNode, Type: TypeNotify, Master: true, Node: true},
		{Name: ComponentRoutes, Stage: StageNode, Type: TypeOneshot, Master: true, Node: true, Oneshot: true},
		{Name: ComponentKubelet, Binary: ComponentKubelet, Stage: StageNode, Type: TypeNotify, Master: true, Node: true,
			Health: &Endpoint{Scheme: "http", Host: local, Port: 10248, Path: "/healthz"}},
		{Name: ComponentKubeProxy, Binary: ComponentKubeProxy, Stage: StageNode, Type: TypeExec, Master: true, Node: true,
			// /healthz answers 503 while a node is being deleted; /livez does not care
			Health: &Endpoint{Scheme: "http", Host: local, Port: 10256, Path: healthPath(version, [2]string{"1.28", "/livez"})}},
	}
	for i := range list {
		list[i].Unit = list[i].Name + ".service"
	}
	return list
}
