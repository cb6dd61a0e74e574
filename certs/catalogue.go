package certs

import "slices"

// Names of the authorities. Three separate ones, as kubeadm has them: the
// cluster's authority must never be the front proxy's too, or every client
// certificate could pretend to be the aggregation layer; and a client of etcd
// needs no right in Kubernetes.
const (
	AuthorityKubernetes = "kubernetes"
	AuthorityEtcd       = "etcd"
	AuthorityFrontProxy = "front-proxy"
)

// KeyPairServiceAccount is the bare key pair that signs and verifies service
// account tokens; it has no certificate.
const KeyPairServiceAccount = "service-account"

// Names of the leaf certificates.
const (
	LeafAPIServer                = "apiserver"
	LeafAPIServerKubeletClient   = "apiserver-kubelet-client"
	LeafAPIServerEtcdClient      = "apiserver-etcd-client"
	LeafFrontProxyClient         = "front-proxy-client"
	LeafEtcdServer               = "etcd-server"
	LeafEtcdPeer                 = "etcd-peer"
	LeafEtcdHealthcheckClient    = "etcd-healthcheck-client"
	LeafAdmin                    = "admin"
	LeafSuperAdmin               = "super-admin"
	LeafControllerManager        = "controller-manager"
	LeafScheduler                = "scheduler"
	LeafControllerManagerServing = "controller-manager-serving"
	LeafSchedulerServing         = "scheduler-serving"
	LeafKubeletClient            = "kubelet-client"
	LeafKubeletServing           = "kubelet-serving"
	LeafKubeProxy                = "kube-proxy"
)

// Groups that subjects carry.
const (
	// GroupAdmins is the everyday administrators' group. Kubernetes gives it
	// nothing by itself: a ClusterRoleBinding to cluster-admin, an object of its
	// own that can be removed, makes it one. (kubeadm since 1.29 does the same
	// with kubeadm:cluster-admins.)
	GroupAdmins = "hardway:cluster-admins"
	// GroupMasters bypasses authorization altogether and cannot be revoked: for
	// the break-glass credential only, which makes the first role bindings.
	GroupMasters = "system:masters"
	// GroupNodes is what the Node authorizer wants beside system:node:NAME.
	GroupNodes = "system:nodes"
)

// Scope says how many of a leaf there are.
type Scope string

// The scopes.
const (
	ScopeMaster  Scope = "master"  // one on each control-plane host
	ScopeEtcd    Scope = "etcd"    // one on each etcd member
	ScopeHost    Scope = "host"    // one on each host that runs a kubelet or kube-proxy
	ScopeCluster Scope = "cluster" // one in all, for a kubeconfig; on no host
)

// SANSource is a source of subject alternative names; a row lists its own.
type SANSource string

// The sources.
const (
	SANHostName      SANSource = "host name"
	SANHostAddresses SANSource = "host addresses"
	SANLoopback      SANSource = "loopback"        // localhost, 127.0.0.1, ::1
	SANServiceNames  SANSource = "service names"   // kubernetes … kubernetes.default.svc.DOMAIN
	SANServiceIP     SANSource = "service address" // the first address of the service CIDR
	SANMasters       SANSource = "all masters"     // their names and addresses
	SANAPIHosts      SANSource = "API hosts"       // load balancer, virtual address, DNS name
	SANExtra         SANSource = "extra SANs"
)

// Extended key usages, spelled as cfssl and the CertificateSigningRequest API do.
const (
	UsageServerAuth = "server auth"
	UsageClientAuth = "client auth"
)

// AuthorityRow is an authority of the catalogue. File is the base name of its
// certificate and key, relative to the certificate directory, without suffix.
type AuthorityRow struct {
	Name   string
	CN     string
	File   string
	UsedBy string
}

// KeyPairRow is a bare key pair of the catalogue.
type KeyPairRow struct {
	Name   string
	File   string
	UsedBy string
}

// Row is a leaf certificate of the catalogue.
type Row struct {
	Name      string
	Authority string
	Scope     Scope
	CN        string   // "{host}" stands for the host's node name
	O         []string // Kubernetes reads them as groups
	Usages    []string
	SANs      []SANSource
	// File is the base name of certificate and key, relative to the certificate
	// directory, without suffix.
	File string
	// Kubeconfig is the base name of the kubeconfig that carries the
	// certificate, empty when a flag or a config field names it directly.
	Kubeconfig string
	UsedBy     string // documentation
}

// Authorities returns the authorities. A fresh copy; in catalogue order.
func Authorities() []AuthorityRow {
	return []AuthorityRow{
		{AuthorityKubernetes, "kubernetes", "ca", "client-ca-file, root-ca-file, cluster-signing-*, the kubelet's clientCAFile, kubeconfigs"},
		{AuthorityEtcd, "etcd-ca", "etcd/ca", "etcd trusted-ca-file and peer-trusted-ca-file, kube-apiserver etcd-cafile"},
		{AuthorityFrontProxy, "front-proxy-ca", "front-proxy-ca", "kube-apiserver requestheader-client-ca-file"},
	}
}

// KeyPairs returns the bare key pairs.
func KeyPairs() []KeyPairRow {
	return []KeyPairRow{
		{KeyPairServiceAccount, "sa", "private: kube-controller-manager and kube-apiserver sign tokens; public: kube-apiserver verifies them"},
	}
}

// Catalogue returns every leaf certificate, in a fixed order. Subjects, usages
// and names follow kubeadm 1.36 (cmd/kubeadm/app/phases/certs/certlist.go and
// phases/kubeconfig); where a row differs, the reason stands beside it.
func Catalogue() []Row {
	var (
		client = []string{UsageClientAuth}
		server = []string{UsageServerAuth}
		both   = []string{UsageServerAuth, UsageClientAuth}
		member = []SANSource{SANHostName, SANHostAddresses, SANLoopback}
	)
	return []Row{
		{
			Name: LeafAPIServer, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "kube-apiserver", Usages: server,
			// Beyond kubeadm: loopback and all masters, so that any master's
			// components may use any endpoint, and a load balancer on every host works.
			SANs: []SANSource{SANHostName, SANHostAddresses, SANLoopback, SANServiceNames, SANServiceIP, SANMasters, SANAPIHosts, SANExtra},
			File: "apiserver", UsedBy: "kube-apiserver tls-cert-file",
		},
		{
			// No group since kubeadm 1.36: the user is bound to the built-in
			// ClusterRole system:kubelet-api-admin.
			Name: LeafAPIServerKubeletClient, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "kube-apiserver-kubelet-client", Usages: client,
			File: "apiserver-kubelet-client", UsedBy: "kube-apiserver kubelet-client-certificate",
		},
		{
			Name: LeafAPIServerEtcdClient, Authority: AuthorityEtcd, Scope: ScopeMaster,
			CN: "kube-apiserver-etcd-client", Usages: client,
			File: "apiserver-etcd-client", UsedBy: "kube-apiserver etcd-certfile",
		},
		{
			// The CN must be in kube-apiserver's requestheader-allowed-names.
			Name: LeafFrontProxyClient, Authority: AuthorityFrontProxy, Scope: ScopeMaster,
			CN: "front-proxy-client", Usages: client,
			File: "front-proxy-client", UsedBy: "kube-apiserver proxy-client-cert-file",
		},
		{
			// Client authentication too: etcd's gRPC gateway dials its own server.
			Name: LeafEtcdServer, Authority: AuthorityEtcd, Scope: ScopeEtcd,
			CN: "{host}", Usages: both, SANs: member,
			File: "etcd/server", UsedBy: "etcd cert-file",
		},
		{
			Name: LeafEtcdPeer, Authority: AuthorityEtcd, Scope: ScopeEtcd,
			CN: "{host}", Usages: both, SANs: member,
			File: "etcd/peer", UsedBy: "etcd peer-cert-file",
		},
		{
			Name: LeafEtcdHealthcheckClient, Authority: AuthorityEtcd, Scope: ScopeEtcd,
			CN: "kube-etcd-healthcheck-client", Usages: client,
			File: "etcd/healthcheck-client", UsedBy: "etcdctl and health probes",
		},
		{
			Name: LeafAdmin, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "kubernetes-admin", O: []string{GroupAdmins}, Usages: client,
			File: "admin", Kubeconfig: "admin.conf", UsedBy: "administrators; bound to cluster-admin by a ClusterRoleBinding",
		},
		{
			Name: LeafSuperAdmin, Authority: AuthorityKubernetes, Scope: ScopeCluster,
			CN: "kubernetes-super-admin", O: []string{GroupMasters}, Usages: client,
			File: "super-admin", Kubeconfig: "super-admin.conf", UsedBy: "break glass, and the first role bindings",
		},
		{
			// The built-in bindings of the next two name the user, not a group.
			Name: LeafControllerManager, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "system:kube-controller-manager", Usages: client,
			File: "controller-manager", Kubeconfig: "controller-manager.conf", UsedBy: "kube-controller-manager kubeconfig",
		},
		{
			Name: LeafScheduler, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "system:kube-scheduler", Usages: client,
			File: "scheduler", Kubeconfig: "scheduler.conf", UsedBy: "kube-scheduler kubeconfig",
		},
		{
			Name: LeafControllerManagerServing, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "kube-controller-manager", Usages: server, SANs: []SANSource{SANLoopback},
			File: "controller-manager-serving", UsedBy: "kube-controller-manager tls-cert-file",
		},
		{
			Name: LeafSchedulerServing, Authority: AuthorityKubernetes, Scope: ScopeMaster,
			CN: "kube-scheduler", Usages: server, SANs: []SANSource{SANLoopback},
			File: "scheduler-serving", UsedBy: "kube-scheduler tls-cert-file",
		},
		{
			Name: LeafKubeletClient, Authority: AuthorityKubernetes, Scope: ScopeHost,
			CN: "system:node:{host}", O: []string{GroupNodes}, Usages: client,
			File: "kubelet-client", Kubeconfig: "kubelet.conf", UsedBy: "kubelet kubeconfig",
		},
		{
			Name: LeafKubeletServing, Authority: AuthorityKubernetes, Scope: ScopeHost,
			CN: "system:node:{host}", O: []string{GroupNodes}, Usages: server,
			SANs: []SANSource{SANHostName, SANHostAddresses},
			File: "kubelet-serving", UsedBy: "kubelet tlsCertFile",
		},
		{
			// The built-in binding system:node-proxier names the user.
			Name: LeafKubeProxy, Authority: AuthorityKubernetes, Scope: ScopeHost,
			CN: "system:kube-proxy", Usages: client,
			File: "kube-proxy", Kubeconfig: "kube-proxy.conf", UsedBy: "kube-proxy kubeconfig",
		},
	}
}

// LookupAuthority returns the authority with that name.
func LookupAuthority(name string) (AuthorityRow, bool) {
	rows := Authorities()
	i := slices.IndexFunc(rows, func(r AuthorityRow) bool { return r.Name == name })
	if i < 0 {
		return AuthorityRow{}, false
	}
	return rows[i], true
}

// Lookup returns the leaf with that name.
func Lookup(name string) (Row, bool) {
	rows := Catalogue()
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return Row{}, false
	}
	return rows[i], true
}
