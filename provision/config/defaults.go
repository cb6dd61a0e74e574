package config

import (
	"strings"
	"time"
)

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
