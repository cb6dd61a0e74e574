package units

import (
	"strings"
	"testing"
)

// TestArticleProxySettings: every flag of kube-proxy that articles set is refused
// with the place to set it, and that place takes the article's value.
func TestArticleProxySettings(t *testing.T) {
	const version = "1.37.1"
	for flag, c := range map[string]struct {
		value string
		field string // of the config object, by dots; empty where another block has it
		set   any
	}{
		"bind-address":                      {"0.0.0.0", "bindAddress", "0.0.0.0"},
		"cluster-cidr":                      {"10.244.0.0/16", "", nil},
		"config-sync-period":                {"15m", "configSyncPeriod", "15m"},
		"conntrack-max-per-core":            {"32768", "conntrack.maxPerCore", 32768},
		"conntrack-min":                     {"131072", "conntrack.min", 131072},
		"conntrack-tcp-timeout-close-wait":  {"1h", "conntrack.tcpCloseWaitTimeout", "1h"},
		"conntrack-tcp-timeout-established": {"24h", "conntrack.tcpEstablishedTimeout", "24h"},
		"feature-gates":                     {"KubeProxyIPVS=true", "featureGates.KubeProxyIPVS", true},
		"healthz-bind-address":              {"0.0.0.0:10256", "healthzBindAddress", "0.0.0.0:10256"},
		"healthz-port":                      {"10256", "healthzBindAddress", "0.0.0.0:10256"},
		"hostname-override":                 {"n1", "", nil},
		"iptables-masquerade-bit":           {"14", "iptables.masqueradeBit", 14},
		"iptables-min-sync-period":          {"1s", "iptables.minSyncPeriod", "1s"},
		"iptables-sync-period":              {"30s", "iptables.syncPeriod", "30s"},
		"ipvs-exclude-cidrs":                {"192.0.2.0/24", "ipvs.excludeCIDRs", []any{"192.0.2.0/24"}},
		"ipvs-min-sync-period":              {"2s", "ipvs.minSyncPeriod", "2s"},
		"ipvs-scheduler":                    {"rr", "ipvs.scheduler", "rr"},
		"ipvs-strict-arp":                   {"true", "ipvs.strictARP", true},
		"ipvs-sync-period":                  {"30s", "ipvs.syncPeriod", "30s"},
		"ipvs-tcp-timeout":                  {"15m", "ipvs.tcpTimeout", "15m"},
		"ipvs-tcpfin-timeout":               {"2m", "ipvs.tcpFinTimeout", "2m"},
		"ipvs-udp-timeout":                  {"5m", "ipvs.udpTimeout", "5m"},
		"kube-api-burst":                    {"10", "clientConnection.burst", 10},
		"kubeconfig":                        {"/x", "", nil},
		"masquerade-all":                    {"true", "iptables.masqueradeAll", true},
		"master":                            {"https://k8s-master:6443", "", nil},
		"metrics-bind-address":              {"127.0.0.1:10249", "metricsBindAddress", "127.0.0.1:10249"},
		"nodeport-addresses":                {"192.168.10.0/24", "nodePortAddresses", []any{"192.168.10.0/24"}},
		"oom-score-adj":                     {"-999", "oomScoreAdj", -999},
		"proxy-mode":                        {"ipvs", "", nil},
	} {
		problems := Check(ComponentKubeProxy, version, map[string]string{flag: c.value})
		if len(problems) != 1 || problems[0].Kind != KindOwned || problems[0].Replacement == "" {
			t.Errorf("--%s: %+v", flag, problems)
			continue
		}
		if c.field == "" {
			continue
		}
		if got := problems[0].Replacement; !strings.HasPrefix("kube_proxy.config."+c.field, got) {
			t.Errorf("--%s is sent to %s, and %s is its field", flag, got, c.field)
		}
		var set any = c.set
		parts := strings.Split(c.field, ".")
		for i := len(parts) - 1; i >= 0; i-- {
			set = map[string]any{parts[i]: set}
		}
		p := kubeProxyParams(version)
		p.Mode, p.Config = "ipvs", set.(map[string]any)
		if problems := CheckConfig(ComponentKubeProxy, version, p.Config); len(problems) > 0 && !problems[0].Warning() {
			t.Errorf("%s: %+v", c.field, problems)
		}
		if text, err := KubeProxyConfig(p); err != nil || !strings.Contains(text, parts[len(parts)-1]+":") {
			t.Errorf("%s is not in the config object: %v\n%s", c.field, err, text)
		}
	}
}

// TestDetectLocalByVersion: the bridge is named only to a kube-proxy that knows the field.
func TestDetectLocalByVersion(t *testing.T) {
	for version, want := range map[string]bool{"1.14.1": false, "1.23.17": false, "1.24.0": true, "1.37.1": true} {
		p := kubeProxyParams(version)
		p.Mode = "iptables"
		text, err := KubeProxyConfig(p)
		if err != nil || strings.Contains(text, "detectLocal") != want || !strings.Contains(text, "clusterCIDR: 10.244.0.0/16\n") {
			t.Errorf("%s: %v\n%s", version, err, text)
		}
	}
}
