package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hardway/certs"
	"hardway/provision/addr"
)

// Cluster is the whole configuration after evaluation: what the user wrote,
// with defaults filled in and ranges kept. It is not changed after Load.
type Cluster struct {
	Dir     string // the configuration directory, absolute
	Name    string
	Range   hcl.Range // of the cluster block's header
	Version string    // of Kubernetes, "1.37.1"
	// VersionRange and the ranges below are of the values in the cluster block,
	// or of its header where the value is a default.
	VersionRange, PodCIDRRange, NodePrefixRange, ServiceCIDRRange, DNSAddressRange hcl.Range
	PodCIDR                                                                        netip.Prefix
	// NodePrefix is the length of each host's share of PodCIDR (default 24).
	NodePrefix  int
	ServiceCIDR netip.Prefix
	DNSDomain   string
	DNSAddress  netip.Addr // the tenth address of ServiceCIDR unless set

	Hosts                                            []Host // masters first, each group in order of name
	API                                              API
	Etcd                                             Etcd
	Runtime                                          Runtime
	Network                                          Network
	KubeProxy                                        KubeProxy
	APIServer, ControllerManager, Scheduler, Kubelet Component

	Directories Directories
	Machine     Machine
	Processes   Processes
	Binaries    Binaries
	PKI         PKI
	State       State
	Verify      Verify
	Outputs     []Output
	// Digest is the SHA-256 of the evaluated configuration: a saved plan is bound to it.
	Digest string
}

// Host is a master or node block after for_each.
type Host struct {
	Addr  addr.Host
	Range hcl.Range
	Name  string // the Node's name and the host's name in /etc/hosts
	// NameRange is the label, or the element of for_each, that names the host.
	NameRange    hcl.Range
	Address      netip.Addr // where the cluster reaches it
	AddressRange hcl.Range
	// Arch is the declared architecture, in Go's name; "amd64" unless set. What
	// the host says of itself is held against it.
	Arch   string
	SSH    SSH
	Labels map[string]string
	// LabelRanges are keyed like Labels.
	LabelRanges map[string]hcl.Range
	Taints      []Taint
	// Component settings that hold on this host: the cluster's with the host's
	// own merged over them.
	Etcd, APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy, Containerd Component
}

// IsMaster reports whether the control plane runs on the host.
func (h Host) IsMaster() bool { return h.Addr.Role == addr.Master }

// Taint is key=value:Effect.
type Taint struct {
	Key, Value, Effect string
	Range              hcl.Range
}

// String returns the form the API and kubectl use; an empty value is left out.
func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// SSH says how a host is reached: the ssh block with the host's own settings over it.
type SSH struct {
	Login
	Become Become
	// Bastions are on the way to the host, the nearest to this machine first.
	Bastions []Login
	// Direct is set where a host has no bastion, whatever ssh_config says.
	Direct bool
}

// Login says how to log in on one machine: a host or a bastion. What is left out
// here comes from ssh_config, if that is read.
type Login struct {
	Range        hcl.Range
	Host         string // address to dial, or what ssh_config knows it by; a host's address unless set
	Port         int    // 22 unless set; 0 where ssh_config may say
	User         string
	PrivateKeys  []string // absolute paths
	Certificates []string // absolute paths, beside those that lie next to a key
	Agent        string   // socket; "" for SSH_AUTH_SOCK, "none" for no agent
	// IdentitiesOnly keeps back keys of the agent that are not named; nil if nothing says.
	IdentitiesOnly *bool
	Password       Secret        // of the login, not of sudo
	KnownHosts     []string      // absolute paths; the first need not exist
	HostKeyAlias   string        // looked up in known_hosts instead of the address
	ConnectTimeout time.Duration // 10 s unless set; 0 where ssh_config may say
	SSHConfig      SSHConfig
}

// SSHConfig says whether OpenSSH's configuration fills what is left out.
type SSHConfig struct {
	Read bool
	File string // absolute path; the user's and the system's files when empty
}

// Become says how root is reached: "sudo", "doas", or "none" for a root login.
type Become struct {
	Method   string
	Password Secret
}

// Secret is a sensitive value. It prints as "(sensitive value)" everywhere;
// Reveal is the only way to the text.
type Secret struct {
	// text is a pointer so that printing a struct with a Secret in an unexported
	// field, where fmt calls no methods, shows an address.
	text *string
}

// NewSecret wraps a sensitive text.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a text at all.
func (s Secret) IsSet() bool { return s.Reveal() != "" }

const hidden = "(sensitive value)"

func (s Secret) String() string               { return hidden }
func (s Secret) GoString() string             { return hidden }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Format implements fmt.Formatter: no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

// Component is what a user may set on a component: command-line flags and
// fields of its config object, with the place each was written.
type Component struct {
	Range      hcl.Range
	Flags      map[string]string // without the leading dashes
	FlagRanges map[string]hcl.Range
	Config     map[string]any // nested as in the config object: maps, lists, strings, numbers, bools
	// ConfigRanges are keyed by the dotted path of each leaf.
	ConfigRanges map[string]hcl.Range
}

// API is the api block: how clients reach the API server.
type API struct {
	Range     hcl.Range
	Host      string // DNS name or address; the first master's address unless set
	HostRange hcl.Range
	Port      int // 6443 unless set
	ExtraSANs []string
}

// Etcd is the etcd block; its members are the masters.
type Etcd struct {
	Component
	Version      string // "3.7.3"
	VersionRange hcl.Range
}

// Runtime is the runtime block.
type Runtime struct {
	Component                // Config: containerd's
	Name              string // "containerd"
	Version           string
	RuncVersion       string
	CNIPluginsVersion string
	SandboxImage      string
	// Images maps a reference to the absolute path of an archive to import.
	Images      map[string]string
	ImageRanges map[string]hcl.Range
}

// Network is the network block: "bridge" or "none".
type Network struct {
	Range hcl.Range
	Name  string
}

// KubeProxy is the kube_proxy block; Mode is always explicit.
type KubeProxy struct {
	Component
	Mode      string
	ModeRange hcl.Range
}

// Directories are where things live on a host.
type Directories struct {
	Bin  string // /usr/local/bin
	Cert string // /etc/kubernetes/pki
	Conf string // /etc/kubernetes
	Log  string // /var/log/kubernetes
	Data string // /var/lib
	CNI  string // /opt/cni/bin: where the CNI plugins stand
}

// Machine is the host block: what is done to the machine itself.
type Machine struct {
	Range   hcl.Range
	Swap    string            // "off" or "ignore"
	Sysctl  map[string]string // the user's, over our own
	Modules []string          // the user's, beside our own
	// ManageSysctl and ManageModules are false where the host shares its kernel
	// with others and the machine sets them itself; they are then checked only.
	ManageSysctl, ManageModules bool
	// ManageHosts keeps the managed block in /etc/hosts.
	ManageHosts bool
	// Packages is PackagesCheck or PackagesInstall. ExtraPackages are installed
	// beside what is needed; with RemovePackages, destroy removes what was installed.
	Packages       string
	ExtraPackages  []string
	RemovePackages bool
	Firewall       string // FirewallIgnore, FirewallOpen or FirewallDisable
	SELinux        string // SELinuxIgnore, SELinuxPermissive or SELinuxEnforcing
	// Preflight is what becomes of single checks: CheckError, CheckWarn or
	// CheckIgnore by the check's id.
	Preflight map[string]string
	// Ranges are the places of the attributes that are written.
	Ranges map[string]hcl.Range
}

// RangeOf is the place of an attribute, or of the block.
func (m Machine) RangeOf(name string) hcl.Range {
	if r, ok := m.Ranges[name]; ok {
		return r
	}
	return m.Range
}

// Processes is the processes block: what keeps the components running.
type Processes struct {
	Range   hcl.Range
	Manager string // "systemd" or "supervisord"
	// ConfDir is where supervisord reads its programs, absolute; empty with systemd.
	ConfDir string
}

// Binaries is the binaries block.
type Binaries struct {
	Range  hcl.Range
	Source string // an https base or an absolute directory
	// Sources override Source for one component: etcd, containerd, runc, cni-plugins.
	Sources map[string]string
	Cache   string // absolute directory
	// Mirrors are asked, in order, for what Source does not have.
	Mirrors []string
	// Archive: Kubernetes' programs come out of kubernetes-server-linux-ARCH.tar.gz.
	Archive bool
	// Proxy is the http proxy of downloads; empty leaves that to the environment.
	Proxy string
}

// PKI is the pki block, with its defaults and blocks filled into every
// authority and certificate.
type PKI struct {
	Range               hcl.Range
	Algorithm           string
	CertificateValidity time.Duration
	CAValidity          time.Duration
	RenewBefore         time.Duration
	CSRSigning          bool
	// Subject is what names say beside the identity; its CN is empty.
	Subject certs.Subject
	// Naming has the path of every file: relative ones count from Directories.Cert.
	Naming                  certs.Naming
	ServiceAccountAlgorithm string
	ServiceAccountRange     hcl.Range
	// Authorities and Certificates are keyed by the names of the catalogue; each
	// has all of its settings.
	Authorities  map[string]PKIAuthority
	Certificates map[string]PKICertificate
}

// PKIAuthority is what one authority is to be.
type PKIAuthority struct {
	Range      hcl.Range // of its block, else of the pki block
	CommonName string
	Algorithm  string
	Validity   time.Duration
}

// PKICertificate is what one kind of leaf is to be.
type PKICertificate struct {
	Range       hcl.Range
	Algorithm   string
	Validity    time.Duration
	RenewBefore time.Duration
}

// State is the state block.
type State struct {
	Range      hcl.Range
	Recipients []string
	Path       string // absolute path of the local state file
}

// Verify is the verify block.
type Verify struct {
	Range hcl.Range
	// Image has the command line of agnhost's netexec; empty: no smoke test pods.
	Image   string
	Timeout time.Duration
}

// Output is an output block.
type Output struct {
	Range     hcl.Range
	Name      string
	Value     cty.Value // without marks; show it only on request when Sensitive
	Sensitive bool
}

// Masters returns the masters in order of name.
func (c *Cluster) Masters() []Host {
	var out []Host
	for _, h := range c.Hosts {
		if h.IsMaster() {
			out = append(out, h)
		}
	}
	return out
}
