package audit

const (
	plugins  = "enable-admission-plugins"
	disabled = "disable-admission-plugins"
	modes    = "authorization-mode"
)

// strong are the suites that the benchmark takes for strong, those of TLS 1.3
// among them.
var strong = [...]string{
	"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

// only wants a list to be set, and to name nothing but these.
func only(allowed ...string) func(value) bool {
	return func(v value) bool {
		if len(v.list()) == 0 {
			return false
		}
		ok := value{words: allowed}
		for _, w := range v.list() {
			if !ok.has(w) {
				return false
			}
		}
		return true
	}
}

func apiServer() []Check {
	const byFile = "a file decides it, which hardway does not read"
	mode := func(r rule) rule { return r.unless(api, "authorization-config", byFile) }
	keepDefaults := `Take the plugin out of apiserver.flags["disable-admission-plugins"].`
	return masters([]Check{
		{ID: "1.2.1", Title: "--anonymous-auth is false", rule: flagIs(api, "anonymous-auth", "false").unless(api, "authentication-config", "look at its section anonymous"),
			Fix: `apiserver { flags = { "anonymous-auth" = false } }`},
		{ID: "1.2.2", Title: "--token-auth-file is not set", Scored: true, rule: flagUnset(api, "token-auth-file"), Fix: `Use client certificates or service accounts in place of apiserver.flags["token-auth-file"].`},
		{ID: "1.2.3", Title: "The admission plugin DenyServiceExternalIPs is on", rule: flagHas(api, plugins, "DenyServiceExternalIPs"),
			Fix: `apiserver { flags = { "enable-admission-plugins" = ["DenyServiceExternalIPs"] } }`},
		{ID: "1.2.4", Title: "--kubelet-client-certificate and --kubelet-client-key are set", Scored: true, rule: flagsSet(api, "kubelet-client-certificate", "kubelet-client-key"), Fix: leave},
		{ID: "1.2.5", Title: "--kubelet-certificate-authority is set", Scored: true, rule: flagsSet(api, "kubelet-certificate-authority"), Fix: leave},
		{ID: "1.2.6", Title: "--authorization-mode does not have AlwaysAllow", Scored: true, rule: mode(flagLacks(api, modes, "AlwaysAllow")), Fix: `apiserver { flags = { "authorization-mode" = "Node,RBAC" } }`},
		{ID: "1.2.7", Title: "--authorization-mode has Node", Scored: true, rule: mode(flagHas(api, modes, "Node")), Fix: `apiserver { flags = { "authorization-mode" = "Node,RBAC" } }`},
		{ID: "1.2.8", Title: "--authorization-mode has RBAC", Scored: true, rule: mode(flagHas(api, modes, "RBAC")), Fix: `apiserver { flags = { "authorization-mode" = "Node,RBAC" } }`},
		{ID: "1.2.9", Title: "The admission plugin EventRateLimit is on", rule: flagHas(api, plugins, "EventRateLimit"),
			Fix:      `apiserver { flags = { "enable-admission-plugins" = ["DenyServiceExternalIPs", "EventRateLimit"], "admission-control-config-file" = "…" } }, with a file of limits on the masters.`,
			Accepted: "The plugin is alpha, and wants limits that only the size of a cluster can tell: too low, and events are lost when they are needed."},
		{ID: "1.2.10", Title: "The admission plugin AlwaysAdmit is off", Scored: true, rule: flagLacks(api, plugins, "AlwaysAdmit"), Fix: `Take AlwaysAdmit out of apiserver.flags["enable-admission-plugins"].`},
		{ID: "1.2.11", Title: "The admission plugin AlwaysPullImages is on", rule: flagHas(api, plugins, "AlwaysPullImages"),
			Fix:      `apiserver { flags = { "enable-admission-plugins" = ["DenyServiceExternalIPs", "AlwaysPullImages"] } }`,
			Accepted: "With it no pod starts from an image that was imported, nor while the registry is out of reach: a cluster without a registry, which hardway can build, would have no pods."},
		{ID: "1.2.12", Title: "The admission plugin ServiceAccount is on", Scored: true, Level: 2, rule: flagLacks(api, disabled, "ServiceAccount"), Fix: keepDefaults},
		{ID: "1.2.13", Title: "The admission plugin NamespaceLifecycle is on", Scored: true, Level: 2, rule: flagLacks(api, disabled, "NamespaceLifecycle"), Fix: keepDefaults},
		{ID: "1.2.14", Title: "The admission plugin NodeRestriction is on", Scored: true, Level: 2, rule: flagHas(api, plugins, "NodeRestriction").and(flagLacks(api, disabled, "NodeRestriction")), Fix: keepDefaults},
		{ID: "1.2.15", Title: "--profiling is false", Scored: true, rule: flagIs(api, "profiling", "false"), Fix: `apiserver { flags = { profiling = false } }`},
		{ID: "1.2.16", Title: "--audit-log-path is set", Scored: true, rule: flagsSet(api, "audit-log-path"), Fix: `Leave audit-log-path to hardway.`},
		{ID: "1.2.17", Title: "--audit-log-maxage is 30 or more", Scored: true, rule: flagAtLeast(api, "audit-log-maxage", 30), Fix: `apiserver { flags = { "audit-log-maxage" = 30 } }`},
		{ID: "1.2.18", Title: "--audit-log-maxbackup is 10 or more", Scored: true, rule: flagAtLeast(api, "audit-log-maxbackup", 10), Fix: `apiserver { flags = { "audit-log-maxbackup" = 10 } }`},
		{ID: "1.2.19", Title: "--audit-log-maxsize is 100 or more", Scored: true, rule: flagAtLeast(api, "audit-log-maxsize", 100), Fix: `apiserver { flags = { "audit-log-maxsize" = 100 } }`},
		{ID: "1.2.20", Title: "--request-timeout is not 0", rule: decide(api, "request-timeout", "", func(v value) bool { return !v.set || positive(v.last()) }),
			Fix: `apiserver { flags = { "request-timeout" = "1m0s" } }`},
		{ID: "1.2.21", Title: "--service-account-lookup is not false", Scored: true, rule: flagNot(api, "service-account-lookup", "false"), Fix: `apiserver { flags = { "service-account-lookup" = true } }`},
		{ID: "1.2.22", Title: "--service-account-key-file is set", Scored: true, rule: flagsSet(api, "service-account-key-file"), Fix: leave},
		{ID: "1.2.23", Title: "--etcd-certfile and --etcd-keyfile are set", Scored: true, rule: flagsSet(api, "etcd-certfile", "etcd-keyfile"), Fix: leave},
		{ID: "1.2.24", Title: "--tls-cert-file and --tls-private-key-file are set", Scored: true, rule: flagsSet(api, "tls-cert-file", "tls-private-key-file"), Fix: leave},
		{ID: "1.2.25", Title: "--client-ca-file is set", Scored: true, rule: flagsSet(api, "client-ca-file"), Fix: leave},
		{ID: "1.2.26", Title: "--etcd-cafile is set", Scored: true, rule: flagsSet(api, "etcd-cafile"), Fix: leave},
		{ID: "1.2.27", Title: "--encryption-provider-config is set", rule: flagsSet(api, "encryption-provider-config"),
			Fix:      `apiserver { flags = { "encryption-provider-config" = "…" } }, with the file on every master.`,
			Accepted: noEncryption},
		{ID: "1.2.28", Title: "The encryption provider is aescbc, kms or secretbox", rule: encryption(),
			Fix:      "The first provider of the file has to be secretbox, kms or aescbc. hardway does not read the file: it holds keys.",
			Accepted: noEncryption},
		{ID: "1.2.29", Title: "--tls-cipher-suites has strong suites only", rule: decide(api, "tls-cipher-suites", "", only(strong[:]...)), Fix: `Leave tls-cipher-suites to hardway.`},
		{ID: "1.2.30", Title: "--service-account-extend-token-expiration is false", Scored: true, Since: "1.19", rule: flagIs(api, "service-account-extend-token-expiration", "false"),
			Fix: `apiserver { flags = { "service-account-extend-token-expiration" = false } }`},
	})
}

const noEncryption = "hardway does not manage encryption at rest yet. Secrets lie in etcd's data in clear; that directory has mode 0700, and every way to etcd wants a certificate of its own authority. Encrypt the disks of the masters and the snapshots."

// encryption is decided only where there is none: the file holds keys, and is
// never read.
func encryption() rule {
	const flag = "encryption-provider-config"
	return rule{reads: []setting{{component: api, flag: flag}}, test: each(api, func(m *machine, c command) finding {
		v := c.value(m, flag, "")
		if !v.set {
			return fail("%s has no --%s", c.from, flag)
		}
		return manual("%s has %s", c.from, v.shown)
	})}
}
