package config

import (
	"strings"
	"time"
)

// minor is what one Kubernetes minor is installed with unless the user says
// otherwise. Versions are what upstream's kubeadm and build files of that minor
// name, moved to the newest patch of the same line.
type minor struct {
	name       string // "1.37"
	etcd       string
	containerd string
	runc       string
	cniPlugins string
	pause      string
}

// minors lists the Kubernetes minors of this version, oldest first. containerd
// 2.3 is the long-term line and is built and tested with runc 1.4 and CNI
// plugins 1.9; kubeadm 1.36 takes etcd 3.6, kubeadm 1.37 etcd 3.7.
func minors() []minor {
	return []minor{
		{name: "1.36", etcd: "3.6.16", containerd: "2.3.7", runc: "1.4.3", cniPlugins: "1.9.1", pause: "3.10.2"},
		{name: "1.37", etcd: "3.7.3", containerd: "2.3.7", runc: "1.4.3", cniPlugins: "1.9.1", pause: "3.10.2"},
	}
}

// Defaults of everything that does not depend on the version.
const (
	defaultNodePrefix = 24
	defaultDNSDomain  = "cluster.local"
	defaultAPIPort    = 6443
	defaultSSHPort    = 22
	// DefaultConnectTimeout is for hosts of which nothing says how long to wait.
	DefaultConnectTimeout = 10 * time.Second
	defaultKnownHosts     = "~/.ssh/known_hosts"
	defaultSource         = "https://dl.k8s.io"
	defaultCache          = "~/.cache/hardway/binaries"
	defaultStatePath      = "hardway.state"
	defaultVerifyImage    = "registry.k8s.io/e2e-test-images/agnhost:2.53"
	defaultVerifyTimeout  = 5 * time.Minute
	defaultAlgorithm      = "ecdsa-p256"
	defaultValidity       = 8760 * time.Hour
	defaultCAValidity     = 87600 * time.Hour
	defaultRenewBefore    = 720 * time.Hour
	pauseRepository       = "registry.k8s.io/pause"
	// defaultProxyMode is kube-proxy's own default up to 1.39. nftables is the
	// better choice where kernel (5.13) and nft (1.0.1) have it, but a change of
	// mode needs a cleanup, so an upgrade must not change it by itself.
	defaultProxyMode = "iptables"
	// defaultMaxPods is the kubelet's.
	defaultMaxPods = 110
)

func defaultDirectories() Directories {
	return Directories{
		Bin:  "/usr/local/bin",
		Cert: "/etc/kubernetes/pki",
		Conf: "/etc/kubernetes",
		Log:  "/var/log/kubernetes",
		Data: "/var/lib",
		CNI:  "/opt/cni/bin",
	}
}

// minorOf returns "1.37" for "1.37.1".
func minorOf(version string) string {
	if parts := strings.SplitN(version, ".", 3); len(parts) == 3 {
		return parts[0] + "." + parts[1]
	}
	return version
}

// companions returns the defaults for a Kubernetes version; ok is false for a
// minor that is not supported.
func companions(version string) (m minor, ok bool) {
	for _, m := range minors() {
		if m.name == minorOf(version) {
			return m, true
		}
	}
	return minor{}, false
}
