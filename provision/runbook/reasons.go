package runbook

import "slices"

// Components, as package units names them.
const (
	componentAPI     = "kube-apiserver"
	componentRuntime = "containerd"
)

// reason is why a step is done, with upstream's own pages on it.
type reason struct {
	text  string
	links []string
}

// component is what is told of one unit.
type component struct {
	name string
	what string // what a title calls it
	why  reason
}

// components are told in this order, which is the one in which they are started.
func components() []component {
	return []component{
		{"etcd", "etcd", reason{"etcd keeps everything that the API server knows. It answers only clients with a certificate of its own authority, and says whether it is healthy on a port of the loopback.",
			[]string{"https://etcd.io/docs/latest/op-guide/security/", "https://etcd.io/docs/latest/op-guide/clustering/"}}},
		{componentAPI, "the API server", reason{"The API server is the only one that talks to etcd, and all others talk to it. With Node,RBAC a kubelet may touch only what belongs to its own node, and nobody anything else without a role.",
			[]string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/", "https://kubernetes.io/docs/reference/access-authn-authz/node/"}}},
		{"kube-controller-manager", "the controller manager", reason{"It makes what the API only describes: endpoints of Services, pods of Deployments, tokens of service accounts. Several elect one that works.",
			[]string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/"}}},
		{"kube-scheduler", "the scheduler", reason{"It picks the node for every new pod. Several elect one that works.",
			[]string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/"}}},
		{componentRuntime, "containerd", reason{"The kubelet starts no container by itself: it asks a runtime over a socket. KillMode=process in its unit lets containers live through a restart.",
			[]string{"https://kubernetes.io/docs/setup/production-environment/container-runtimes/#containerd", "https://github.com/containerd/containerd/blob/main/docs/cri/config.md"}}},
		{"hardway-routes", "the routes to the other hosts' pods", reason{"Pods talk to each other without translation of addresses. Where all hosts are on one network, a route to each host's pod range is all that this takes.",
			[]string{"https://kubernetes.io/docs/concepts/cluster-administration/networking/"}}},
		{"kubelet", "the kubelet", reason{"The kubelet registers its host as a Node and runs the pods that are put there. Its name in the certificate, system:node:NAME in the group system:nodes, is what the Node authorizer goes by.",
			[]string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/", "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/"}}},
		{"kube-proxy", "kube-proxy", reason{"kube-proxy writes the kernel's rules that turn the address of a Service into the address of a pod.",
			[]string{"https://kubernetes.io/docs/reference/networking/virtual-ips/"}}},
	}
}

// componentRank is a component's place in the order; one that is not told of
// comes last.
func componentRank(name string) int {
	// Two apart, so that images and role bindings have a place of their own.
	list := components()
	if i := slices.IndexFunc(list, func(c component) bool { return c.name == name }); i >= 0 {
		return 2 * i
	}
	return 2 * len(list)
}

func lookup(name string) component {
	for _, c := range components() {
		if c.name == name {
			return c
		}
	}
	return component{name: name, what: name, why: reason{"The configuration asks for it.", nil}}
}

// The reasons of what is no component.
var (
	whyPrepare = reason{"The authorities' keys are made and kept here, not on any host: who has them can be anybody in the cluster.",
		[]string{"https://kubernetes.io/docs/setup/best-practices/certificates/"}}
	whyAuthorities = reason{"Three authorities that trust nothing of each other: a client of etcd can read every Secret, so a certificate of the cluster must not open etcd, and the front proxy may speak for anybody. The service accounts' key pair signs the tokens of pods.",
		[]string{"https://kubernetes.io/docs/setup/best-practices/certificates/#single-root-ca", "https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/"}}
	whyMachine = reason{"The kernel has to forward packets between pods and to show bridged ones to iptables, and the kubelet wants its own settings of the kernel. The files keep all of it through a reboot.",
		[]string{"https://kubernetes.io/docs/setup/production-environment/container-runtimes/#install-and-configure-prerequisites", "https://kubernetes.io/docs/concepts/cluster-administration/swap-memory-management/"}}
	whyDirectories = reason{"Keys and etcd's data are for root alone.",
		[]string{"https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/#constants-and-well-known-values-and-paths"}}
	whyBinaries = reason{"Programs are taken only with the digest that hardway.lock.hcl pins, and it is held against them once more on the host.",
		[]string{"https://kubernetes.io/releases/download/#binaries", "https://github.com/containernetworking/plugins"}}
	whyCertificates = reason{"Everybody in a cluster proves by a certificate who it is: the common name is the user, the organizations are the groups, and a server is believed only the names that stand in it. Keys are made here because the authority is here, and then live on their host.",
		[]string{"https://kubernetes.io/docs/setup/best-practices/certificates/#all-certificates", "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates"}}
	whyTogether = reason{"A member reports that it has started only once more than half of the members are there, so none was waited for alone.",
		[]string{"https://etcd.io/docs/latest/op-guide/clustering/#static"}}
	whyImages = reason{"Every pod begins with the sandbox image; imported beforehand, it is there without a registry.",
		[]string{"https://github.com/containerd/containerd/blob/main/docs/cri/config.md"}}
	whyObjects = reason{"A new cluster obeys only the group system:masters, which no role can be taken from. A certificate of one day in that group gives the everyday administrators, and the API server towards kubelets, their roles; then it is thrown away.",
		[]string{"https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles", "https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/#kubelet-authorization"}}
	whyNode = reason{"A kubelet may not set the labels below node-role.kubernetes.io on itself, so an administrator does. A Node is Ready once its kubelet, its runtime and its pod network answer.",
		[]string{"https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction", "https://kubernetes.io/docs/reference/node/node-status/#condition"}}
	whyOther = reason{"What a person on the host finds useful.", nil}
)
