package units

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// APIServerParams describes one kube-apiserver.
type APIServerParams struct {
	Version          string // of Kubernetes
	Bin              string // directory of the executable
	AdvertiseAddress netip.Addr
	Port             int
	ServiceCIDR      netip.Prefix
	DNSDomain        string   // cluster.local: part of the service-account issuer
	EtcdServers      []string // https://…:2379

	Serving, KubeletClient, EtcdClient, FrontProxyClient KeyPair
	// Trust bundles: of the clients, of etcd, of the front proxy, and of the
	// kubelets' serving certificates.
	ClientCA, EtcdCA, FrontProxyCA, KubeletCA string
	// FrontProxyNames are the common names that may speak for users.
	FrontProxyNames []string
	// ServiceAccountPublic verifies tokens (a file may hold several keys),
	// ServiceAccountPrivate signs them.
	ServiceAccountPublic, ServiceAccountPrivate string

	AuditPolicy, AuditLog string            // files
	Flags                 map[string]string // the user's
}

// APIServer returns the unit of kube-apiserver. The values that the CIS
// benchmark looks for are flags even where they are defaults, because it reads
// the command line. Anonymous requests are refused on every path, the health
// endpoints included: probes need a client certificate.
func APIServer(p APIServerParams) (Unit, error) {
	f := newFlagSet(ComponentAPIServer, p.Version)
	f.addr("advertise-address", p.AdvertiseAddress)
	f.text("secure-port", strconv.Itoa(p.Port))
	f.setIfKnown("0", "insecure-port") // up to 1.19 it was open, without any authentication
	if !p.ServiceCIDR.IsValid() {
		f.fail("no range of services was given")
	}
	f.set("service-cluster-ip-range", p.ServiceCIDR.String())
	f.bool("allow-privileged", true)

	f.bool("anonymous-auth", false)
	f.set("authorization-mode", "Node,RBAC")
	f.set("enable-admission-plugins", strings.Join(knownPlugins(p.Version, "DenyServiceExternalIPs", "NodeRestriction"), ","))
	f.path("client-ca-file", p.ClientCA)
	f.pair("tls-cert-file", "tls-private-key-file", p.Serving)
	f.set("tls-min-version", "VersionTLS12")
	f.set("tls-cipher-suites", strings.Join(suiteNames(p.Version, splitList(gcmSuites+","+chachaSuites)), ","))
	f.bool("profiling", false)

	f.path("audit-policy-file", p.AuditPolicy)
	f.path("audit-log-path", p.AuditLog)
	f.set("audit-log-maxage", "30")
	f.set("audit-log-maxbackup", "10")
	f.set("audit-log-maxsize", "100")

	f.text("etcd-servers", strings.Join(p.EtcdServers, ","))
	f.path("etcd-cafile", p.EtcdCA)
	f.pair("etcd-certfile", "etcd-keyfile", p.EtcdClient)

	f.pair("kubelet-client-certificate", "kubelet-client-key", p.KubeletClient)
	f.path("kubelet-certificate-authority", p.KubeletCA)
	f.setIfKnown("true", "kubelet-https")
	f.set("kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname")

	f.path("requestheader-client-ca-file", p.FrontProxyCA)
	f.text("requestheader-allowed-names", strings.Join(p.FrontProxyNames, ","))
	f.set("requestheader-username-headers", "X-Remote-User")
	f.set("requestheader-group-headers", "X-Remote-Group")
	f.set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
	f.pair("proxy-client-cert-file", "proxy-client-key-file", p.FrontProxyClient)

	if p.DNSDomain == "" {
		f.fail("no DNS domain was given")
	}
	f.set("service-account-issuer", "https://kubernetes.default.svc."+p.DNSDomain)
	f.path("service-account-key-file", p.ServiceAccountPublic)
	f.path("service-account-signing-key-file", p.ServiceAccountPrivate)
	f.setIfKnown("false", "service-account-extend-token-expiration")

	// Without it a stop waits a whole minute for connections that carry watches,
	// which never end by themselves: an outage of that length with one master.
	f.setIfKnown("10s", "shutdown-watch-termination-grace-period")

	f.user(p.Flags)
	apiServerDefaults(f, p.Flags)
	argv, err := f.argv(p.Bin, ComponentAPIServer)
	if err != nil {
		return Unit{}, err
	}
	u := service(ComponentAPIServer)
	u.Description = "Kubernetes API server"
	u.Documentation = []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/"}
	u.After = append(u.After, "etcd.service")
	u.Type = TypeNotify
	u.Exec = argv
	u.LimitNOFILE = "65536"
	return u, nil
}

// apiServerDefaults takes our defaults back where the user's choice excludes
// them: the process would refuse to start with both.
func apiServerDefaults(f *flagSet, user map[string]string) {
	excludes := map[string]string{
		"authorization-config":  "authorization-mode",
		"authentication-config": "anonymous-auth",
		"admission-control":     "enable-admission-plugins",
	}
	for theirs, ours := range excludes {
		_, wanted := user[theirs]
		_, both := user[ours]
		if wanted && !both {
			delete(f.values, ours)
		}
	}
	// The flag names plugins beside the default ones, so a user who adds one
	// does not mean to give up NodeRestriction: without it a kubelet may change
	// every other node. Turning it off takes --disable-admission-plugins.
	if plugins, set := user["enable-admission-plugins"]; set {
		list := splitList(plugins)
		const restriction = "NodeRestriction"
		if !slices.Contains(list, restriction) && !slices.Contains(splitList(user["disable-admission-plugins"]), restriction) {
			f.set("enable-admission-plugins", strings.Join(append(list, restriction), ","))
		}
	}
}
