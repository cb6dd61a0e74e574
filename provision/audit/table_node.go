package audit

import (
	"strconv"
	"strings"
	"time"

	"hardway/units"
)

const (
	let   = units.ComponentKubelet
	proxy = units.ComponentKubeProxy
)

func nodeFiles() []Check {
	proxyConf, kubeletConf := fileOf(proxy, "", "clientConnection.kubeconfig"), fileOf(let, "kubeconfig", "")
	clientCA, configFile := fileOf(let, "client-ca-file", "authentication.x509.clientCAFile"), fileOf(let, "config", "")
	list := []Check{
		{ID: "4.1.1", Title: "The kubelet's service file has permissions 600 or stricter", Scored: true, rule: atMost(0o600, unitFile(let))},
		{ID: "4.1.2", Title: "The kubelet's service file belongs to root:root", Scored: true, rule: byRoot(unitFile(let))},
		{ID: "4.1.3", Title: "kube-proxy's kubeconfig has permissions 600 or stricter", rule: atMost(0o600, proxyConf)},
		{ID: "4.1.4", Title: "kube-proxy's kubeconfig belongs to root:root", rule: byRoot(proxyConf)},
		{ID: "4.1.5", Title: "The kubelet's kubeconfig has permissions 600 or stricter", Scored: true, rule: atMost(0o600, kubeletConf)},
		{ID: "4.1.6", Title: "The kubelet's kubeconfig belongs to root:root", Scored: true, rule: byRoot(kubeletConf)},
		{ID: "4.1.7", Title: "The file of client certificate authorities has permissions 644 or stricter", rule: atMost(0o644, clientCA)},
		{ID: "4.1.8", Title: "The file of client certificate authorities belongs to root:root", rule: byRoot(clientCA)},
		{ID: "4.1.9", Title: "The kubelet's config file has permissions 600 or stricter", Scored: true, rule: atMost(0o600, configFile)},
		{ID: "4.1.10", Title: "The kubelet's config file belongs to root:root", Scored: true, rule: byRoot(configFile)},
	}
	for i := range list {
		list[i].Level, list[i].Fix = 1, leave
	}
	return list
}

// kubeletSuites are those of strong that the benchmark takes on a kubelet.
var kubeletSuites = [...]string{
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
	"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
}

func kubelet() []Check {
	is := func(flag, field, want string) rule {
		return decide(let, flag, field, func(v value) bool { return v.set && same(v.last(), want) })
	}
	set := func(flag, field string) rule {
		return decide(let, flag, field, func(v value) bool { return v.set && v.last() != "" })
	}
	list := []Check{
		{ID: "4.2.1", Title: "Anonymous requests are refused", Scored: true, Fix: `kubelet { config = { authentication = { anonymous = { enabled = false } } } }`,
			rule: decide(let, "anonymous-auth", "authentication.anonymous.enabled", func(v value) bool { return v.set && same(v.last(), "false") })},
		{ID: "4.2.2", Title: "Authorization is not AlwaysAllow", Scored: true, Fix: `kubelet { config = { authorization = { mode = "Webhook" } } }`,
			rule: decide(let, "authorization-mode", "authorization.mode", func(v value) bool { return v.set && !v.has("AlwaysAllow") })},
		{ID: "4.2.3", Title: "Clients are verified by a certificate authority", Scored: true, Fix: leave, rule: set("client-ca-file", "authentication.x509.clientCAFile")},
		{ID: "4.2.4", Title: "The read-only port is 0", Fix: `kubelet { config = { readOnlyPort = 0 } }`, rule: is("read-only-port", "readOnlyPort", "0")},
		{ID: "4.2.5", Title: "Idle streaming connections end", Fix: `kubelet { config = { streamingConnectionIdleTimeout = "4h0m0s" } }`,
			rule: decide(let, "streaming-connection-idle-timeout", "streamingConnectionIdleTimeout", func(v value) bool { return v.set && positive(v.last()) })},
		{ID: "4.2.6", Title: "The kubelet makes its iptables chains", Scored: true, Fix: `kubelet { config = { makeIPTablesUtilChains = true } }`,
			rule: decide(let, "make-iptables-util-chains", "makeIPTablesUtilChains", func(v value) bool { return !v.set || same(v.last(), "true") })},
		{ID: "4.2.7", Title: "--hostname-override is not set", Fix: "Give the host the name that its block has, or the block the name that the host has.",
			rule:     decide(let, "hostname-override", "", func(v value) bool { return !v.set }),
			Accepted: "The host is called otherwise than its block. The flag names the Node by its block, for which its certificates are made; nothing on the host can change that."},
		{ID: "4.2.8", Title: "Events are recorded at a suitable rate", Level: 2, Fix: `kubelet { config = { eventRecordQPS = 50 } }`,
			rule: decide(let, "event-qps", "eventRecordQPS", func(v value) bool {
				n, err := strconv.Atoi(v.last())
				return !v.set || err == nil && n >= 0
			})},
		{ID: "4.2.9", Title: "The kubelet serves with a certificate of the cluster's", Fix: leave, rule: set("tls-cert-file", "tlsCertFile").and(set("tls-private-key-file", "tlsPrivateKeyFile"))},
		{ID: "4.2.10", Title: "The client certificate is rotated", Scored: true, Fix: `kubelet { config = { rotateCertificates = true } }`, rule: is("rotate-certificates", "rotateCertificates", "true")},
		{ID: "4.2.11", Title: "The feature gate RotateKubeletServerCertificate is not off", Fix: `kubelet { config = { featureGates = { RotateKubeletServerCertificate = true } } }`,
			rule: gateOn(let, "RotateKubeletServerCertificate", "featureGates")},
		{ID: "4.2.12", Title: "TLS has strong cipher suites only", Fix: "Leave tlsCipherSuites to hardway.", rule: decide(let, "tls-cipher-suites", "tlsCipherSuites", only(kubeletSuites[:]...))},
		{ID: "4.2.13", Title: "The processes of a pod are limited", Fix: `kubelet { config = { podPidsLimit = 4096 } }`,
			rule: decide(let, "pod-max-pids", "podPidsLimit", func(v value) bool {
				n, err := strconv.Atoi(v.last())
				return err == nil && n > 0
			})},
		{ID: "4.2.14", Title: "Pods have the runtime's seccomp profile", Since: "1.22", Fix: `kubelet { config = { seccompDefault = true } }`, rule: is("seccomp-default", "seccompDefault", "true")},
	}
	for i := range list {
		if list[i].Level == 0 {
			list[i].Level = 1
		}
	}
	return list
}

// positive reports whether a text is a duration above nothing.
func positive(text string) bool {
	d, err := time.ParseDuration(text)
	return err == nil && d > 0
}

func kubeProxy() []Check {
	return []Check{{ID: "4.3.1", Title: "kube-proxy's metrics are served on loopback only", Scored: true, Level: 1, Fix: `kube_proxy { config = { metricsBindAddress = "127.0.0.1:10249" } }`,
		rule: decide(proxy, "", "metricsBindAddress", func(v value) bool {
			return !v.set || strings.HasPrefix(v.last(), "127.0.0.1") || strings.HasPrefix(v.last(), "[::1]")
		})}}
}

// olderEditions are checks that the edition has no more, for the versions that
// they were made for.
func olderEditions() []Check {
	return []Check{
		{ID: "1.6/1.2.2", Title: "--basic-auth-file is not set", Scored: true, Level: 1, Masters: true, Until: "1.18", Source: source16, rule: flagUnset(api, "basic-auth-file"),
			Fix: `Use client certificates in place of apiserver.flags["basic-auth-file"].`},
		{ID: "1.6/1.2.18", Title: "--insecure-bind-address is not set", Scored: true, Level: 1, Masters: true, Until: "1.23", Source: source16, rule: flagUnset(api, "insecure-bind-address"),
			Fix: `Take apiserver.flags["insecure-bind-address"] away.`},
		{ID: "1.6/1.2.19", Title: "--insecure-port is 0", Scored: true, Level: 1, Masters: true, Until: "1.23", Source: source16,
			rule: decide(api, "insecure-port", "", func(v value) bool { return !v.set || v.last() == "0" }), Fix: `apiserver { flags = { "insecure-port" = 0 } }`},
		{ID: "1.24/4.2.6", Title: "Kernel settings are protected (--protect-kernel-defaults)", Scored: true, Level: 1, Until: "1.24", Source: sourceOld,
			rule: decide(let, "protect-kernel-defaults", "protectKernelDefaults", func(v value) bool { return v.set && same(v.last(), "true") }),
			Fix:  `kubelet { config = { protectKernelDefaults = true } }`},
	}
}
