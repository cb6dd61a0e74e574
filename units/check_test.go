package units

import (
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		component, version string
		flag, value        string
		want               []Problem // without Message and Source
		message            string    // part of the first message
	}{
		"fine":            {ComponentAPIServer, "1.37.1", "event-ttl", "2h", nil, ""},
		"empty value":     {ComponentAPIServer, "1.37.1", "cors-allowed-origins", "", nil, ""},
		"misspelt":        {ComponentAPIServer, "1.37.1", "evnt-ttl", "2h", []Problem{{Flag: "evnt-ttl", Kind: KindUnknown, Suggestion: "event-ttl"}}, "has no flag --evnt-ttl"},
		"underscores":     {ComponentKubelet, "1.37.1", "runtime_cgroups", "/x", []Problem{{Flag: "runtime_cgroups", Kind: KindUnknown, Suggestion: "runtime-cgroups"}}, "no flag"},
		"dashes":          {ComponentAPIServer, "1.37.1", "--event-ttl", "2h", []Problem{{Flag: "--event-ttl", Kind: KindUnknown, Suggestion: "event-ttl"}}, "without the leading dashes"},
		"nothing like it": {ComponentAPIServer, "1.37.1", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "2h", []Problem{{Flag: "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", Kind: KindUnknown}}, ""},
		"removed":         {ComponentAPIServer, "1.37.1", "insecure-port", "0", []Problem{{Flag: "insecure-port", Kind: KindRemoved, Removed: "1.24"}}, "removed from kube-apiserver in 1.24"},
		"removed of old":  {ComponentKubelet, "1.36.3", "container-runtime", "remote", []Problem{{Flag: "container-runtime", Kind: KindRemoved, Removed: "1.27"}}, "1.27"},
		"pause image":     {ComponentKubelet, "1.36.3", "pod-infra-container-image", "x", []Problem{{Flag: "pod-infra-container-image", Kind: KindRemoved, Removed: "1.35"}}, ""},
		"klog":            {ComponentControllerManager, "1.37.1", "log-dir", "/x", []Problem{{Flag: "log-dir", Kind: KindRemoved, Removed: "1.26"}}, ""},
		"not yet":         {ComponentAPIServer, "1.35.4", "tls-curve-preferences", "29", []Problem{{Flag: "tls-curve-preferences", Kind: KindNotYet, Since: "1.36"}}, "came with kube-apiserver 1.36; the cluster runs 1.35.4"},
		"here now":        {ComponentAPIServer, "1.36.3", "tls-curve-preferences", "29", nil, ""},
		"owned":           {ComponentAPIServer, "1.37.1", "tls-cert-file", "/x", []Problem{{Flag: "tls-cert-file", Kind: KindOwned, Replacement: "pki"}}, "belongs to hardway"},
		"owned port":      {ComponentAPIServer, "1.37.1", "secure-port", "1", []Problem{{Flag: "secure-port", Kind: KindOwned, Replacement: "api.port"}}, ""},
		"ignored":         {ComponentKubeProxy, "1.37.1", "ipvs-scheduler", "lc", []Problem{{Flag: "ipvs-scheduler", Kind: KindOwned, Replacement: "kube_proxy.config.ipvs.scheduler"}}, "ignores it"},
		"proxy mode":      {ComponentKubeProxy, "1.37.1", "proxy-mode", "ipvs", []Problem{{Flag: "proxy-mode", Kind: KindOwned, Replacement: "kube_proxy.mode"}}, ""},
		"bad duration":    {ComponentAPIServer, "1.37.1", "event-ttl", "two hours", []Problem{{Flag: "event-ttl", Kind: KindBadValue}}, `takes a duration such as 30s or 2h, not "two hours"`},
		"bad bool":        {ComponentAPIServer, "1.37.1", "profiling", "maybe", []Problem{{Flag: "profiling", Kind: KindBadValue}}, "true or false"},
		"bad number":      {ComponentAPIServer, "1.37.1", "max-requests-inflight", "many", []Problem{{Flag: "max-requests-inflight", Kind: KindBadValue}}, "a whole number"},
		"newline":         {ComponentAPIServer, "1.37.1", "cors-allowed-origins", "a\nb", []Problem{{Flag: "cors-allowed-origins", Kind: KindBadValue}}, "control character"},
		"plugin removed":  {ComponentAPIServer, "1.37.1", "enable-admission-plugins", "NodeRestriction,SecurityContextDeny", []Problem{{Flag: "enable-admission-plugins", Kind: KindRemoved, Removed: "1.30"}}, "SecurityContextDeny"},
		"plugin of 1.36":  {ComponentAPIServer, "1.36.3", "enable-admission-plugins", "PodGroupWorkloadExists", nil, ""},
		"plugin gone":     {ComponentAPIServer, "1.37.1", "disable-admission-plugins", "PodGroupWorkloadExists", []Problem{{Flag: "disable-admission-plugins", Kind: KindRemoved, Removed: "1.37"}}, "removed in Kubernetes 1.37"},
		"plugin misspelt": {ComponentAPIServer, "1.37.1", "enable-admission-plugins", "NodeRestrictions", []Problem{{Flag: "enable-admission-plugins", Kind: KindUnknown, Suggestion: "NodeRestriction"}}, ""},
		"gate":            {ComponentAPIServer, "1.37.1", "feature-gates", "kube:AllAlpha=true,ContextualLogging=false", nil, ""},
		"gate of nobody":  {ComponentControllerManager, "1.37.1", "feature-gates", "QuantumScheduling=true", []Problem{{Flag: "feature-gates", Kind: KindUnknown}}, "no feature gate QuantumScheduling"},
		"gate long gone":  {ComponentAPIServer, "1.37.1", "feature-gates", "DynamicKubeletConfig=true", []Problem{{Flag: "feature-gates", Kind: KindRemoved, Removed: "1.26"}}, "removed in Kubernetes 1.26"},
		"gate locked":     {ComponentAPIServer, "1.31.0", "feature-gates", "APIServerTracing=false,AdmissionWebhookMatchConditions=false", []Problem{{Flag: "feature-gates", Kind: KindBadValue}}, "locked to true since Kubernetes 1.30"},
		"gate as locked":  {ComponentAPIServer, "1.31.0", "feature-gates", "AdmissionWebhookMatchConditions=true", nil, ""},
		"old gate":        {ComponentAPIServer, "1.20.15", "feature-gates", "DynamicKubeletConfig=true", nil, ""},
		"old plugin":      {ComponentAPIServer, "1.14.1", "enable-admission-plugins", "PodPreset", nil, ""},
		"old flag":        {ComponentAPIServer, "1.14.1", "storage-versions", "v1", []Problem{{Flag: "storage-versions", Kind: KindRemoved, Removed: "1.14"}}, ""},
		"gate too new":    {ComponentAPIServer, "1.36.3", "feature-gates", "APIServerWebhookAuthenticationToken=true", []Problem{{Flag: "feature-gates", Kind: KindNotYet, Since: "1.37"}}, ""},
		"gate gone":       {ComponentAPIServer, "1.37.1", "feature-gates", "APIServerTracing=true", []Problem{{Flag: "feature-gates", Kind: KindRemoved, Removed: "1.37", Since: "1.22"}}, ""},
		"gate no bool":    {ComponentAPIServer, "1.37.1", "feature-gates", "AllAlpha=maybe", []Problem{{Flag: "feature-gates", Kind: KindBadValue}}, ""},
		"etcd's version":  {ComponentEtcd, "3.7.3", "experimental-initial-corrupt-check", "true", []Problem{{Flag: "experimental-initial-corrupt-check", Kind: KindRemoved, Removed: "3.7"}}, ""},
		"etcd's gates":    {ComponentEtcd, "3.7.3", "feature-gates", "InitialCorruptCheck=true", nil, ""},
		"etcd owned":      {ComponentEtcd, "3.7.3", "force-new-cluster", "true", []Problem{{Flag: "force-new-cluster", Kind: KindOwned}}, ""},
		"no flags":        {ComponentContainerd, "2.4.2", "log-level", "debug", []Problem{{Flag: "log-level", Kind: KindUnknown}}, "takes no flags"},
		"no version":      {ComponentAPIServer, "latest", "event-ttl", "2h", []Problem{{Kind: KindBadValue}}, "not a version"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check(c.component, c.version, map[string]string{c.flag: c.value})
			ignore := cmpopts.IgnoreFields(Problem{}, "Message", "Source")
			for i := range got { // facts of the row that are not what is tested
				if got[i].Kind == KindOwned || got[i].Kind == KindBadValue {
					got[i].Since, got[i].Removed = "", ""
				}
				if got[i].Kind == KindRemoved && i < len(c.want) {
					got[i].Since, got[i].Replacement = c.want[i].Since, ""
				}
			}
			if diff := cmp.Diff(c.want, got, ignore); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.message != "" && (len(got) == 0 || !strings.Contains(got[0].Message, c.message)) {
				t.Errorf("got %+v, want a message with %q", got, c.message)
			}
		})
	}
}

func TestCheckWarns(t *testing.T) {
	got := Check(ComponentKubelet, "1.37.1", map[string]string{"max-pods": "no number", "event-qps": "5"})
	if len(got) > 0 && got[0].Replacement != "kubelet.config" {
		t.Errorf("a field of the config object is what to use instead, not %q", got[0].Replacement)
	}
	if len(got) != 3 || !got[0].Warning() || !got[1].Warning() || got[2].Warning() || got[2].Kind != KindBadValue {
		t.Errorf("a deprecated flag has to be a warning, and its value is checked all the same: %+v", got)
	}
}

func TestWrongType(t *testing.T) {
	for _, c := range []struct {
		kind      string
		good, bad []string
	}{
		{"bool", []string{"true", "false", "1"}, []string{"", "yes"}},
		{"int32", []string{"5", "-5", "0x10"}, []string{"", "5.0", "4294967296"}},
		{"uint16", []string{"65535"}, []string{"-1", "65536"}},
		{"float32", []string{"0.5", "1e3"}, []string{"", "half"}},
		{"duration", []string{"1h30m", "0"}, []string{"", "5", "1 h"}},
		{"ip", []string{"10.0.0.1", "::1", ""}, []string{"10.0.0", "10.0.0.0/8"}},
		{"ipport", []string{"10.0.0.1:80", "[::1]:80", "0.0.0.0", ""}, []string{"host:80"}},
		{"ipNet", []string{"10.0.0.0/8"}, []string{"10.0.0.1"}},
		{"int32Slice", []string{"1,2", "1"}, []string{"", "1,x"}},
		{"portRange", []string{"30000-32767", "30000+10", "80"}, []string{"", "a-b", "1-99999"}},
		{"mapStringBool", []string{"A=true,B=false", ""}, []string{"A", "A=x", "=true"}},
		{"mapStringString", []string{"a=b,c=", ""}, []string{"a", "=b"}},
		{"some new type", []string{"", "anything"}, nil},
	} {
		for _, v := range c.good {
			if want := wrongType(c.kind, v); want != "" {
				t.Errorf("%s: %q was refused, want %s", c.kind, v, want)
			}
		}
		for _, v := range c.bad {
			if wrongType(c.kind, v) == "" {
				t.Errorf("%s: %q was taken", c.kind, v)
			}
		}
	}
}

func TestCheckConfig(t *testing.T) {
	for name, c := range map[string]struct {
		component, version string
		config             map[string]any
		want               []Problem
	}{
		"fine": {ComponentKubelet, "1.37.1", map[string]any{
			"maxPods": big.NewFloat(200), "systemReserved": map[string]any{"cpu": "200m"}, "evictionHard": map[string]any{"memory.available": "5%"},
			"nodeStatusUpdateFrequency": "10s", "logging": map[string]any{"verbosity": 2}, "imageGCHighThresholdPercent": 85.0,
			"featureGates": map[string]any{"AllAlpha": false}, "allowedUnsafeSysctls": []any{"net.core.somaxconn"}, "resolvConf": nil,
		}, nil},
		"misspelt": {ComponentKubelet, "1.37.1", map[string]any{"maxPod": 1},
			[]Problem{{Flag: "maxPod", Kind: KindUnknown, Suggestion: "maxPods", Message: "KubeletConfiguration has no field maxPod."}}},
		"wrong case": {ComponentKubelet, "1.37.1", map[string]any{"MaxPods": 1},
			[]Problem{{Flag: "MaxPods", Kind: KindUnknown, Suggestion: "maxPods", Message: "KubeletConfiguration has no field MaxPods."}}},
		"misspelt below": {ComponentKubeProxy, "1.37.1", map[string]any{"conntrack": map[string]any{"maxPerCor": 1}},
			[]Problem{{Flag: "conntrack.maxPerCor", Kind: KindUnknown, Suggestion: "conntrack.maxPerCore", Message: "conntrack has no field maxPerCor."}}},
		"owned": {ComponentKubelet, "1.37.1", map[string]any{"authentication": map[string]any{"x509": map[string]any{"clientCAFile": "/x"}}},
			[]Problem{{Flag: "authentication.x509.clientCAFile", Kind: KindOwned, Replacement: "pki",
				Message: "authentication.x509.clientCAFile belongs to hardway: the certificates are issued, placed and renewed by it."}}},
		"kind": {ComponentScheduler, "1.37.1", map[string]any{"kind": "X"},
			[]Problem{{Flag: "kind", Kind: KindOwned, Message: "kind belongs to hardway: it writes the one that the version takes."}}},
		"too new": {ComponentKubelet, "1.36.3", map[string]any{"defaultPodSysctls": map[string]any{}},
			[]Problem{{Flag: "defaultPodSysctls", Kind: KindNotYet, Since: "1.37", Source: "source 1.37.1",
				Message: "defaultPodSysctls came with kubelet 1.37; the cluster runs 1.36.3."}}},
		"new enough": {ComponentKubelet, "1.37.1", map[string]any{"tlsCurvePreferences": nil}, nil},
		"string for a number": {ComponentKubelet, "1.37.1", map[string]any{"maxPods": "many"},
			[]Problem{{Flag: "maxPods", Kind: KindBadValue, Message: `maxPods takes a whole number of 32 bits, not "many".`}}},
		"fraction": {ComponentKubelet, "1.37.1", map[string]any{"maxPods": 1.5},
			[]Problem{{Flag: "maxPods", Kind: KindBadValue, Message: `maxPods takes a whole number of 32 bits, not 1.5.`}}},
		"number for a duration": {ComponentKubelet, "1.37.1", map[string]any{"syncFrequency": 5},
			[]Problem{{Flag: "syncFrequency", Kind: KindBadValue, Message: `syncFrequency takes a duration such as "30s", not 5.`}}},
		"value for an object": {ComponentKubelet, "1.37.1", map[string]any{"authentication": true},
			[]Problem{{Flag: "authentication", Kind: KindBadValue, Message: "authentication takes an object, not true."}}},
		"object for a list": {ComponentKubelet, "1.37.1", map[string]any{"allowedUnsafeSysctls": map[string]any{}},
			[]Problem{{Flag: "allowedUnsafeSysctls", Kind: KindBadValue, Message: "allowedUnsafeSysctls takes a list, not an object."}}},
		"list for a map": {ComponentKubelet, "1.37.1", map[string]any{"systemReserved": []any{}},
			[]Problem{{Flag: "systemReserved", Kind: KindBadValue, Message: "systemReserved takes a map, not a list."}}},
		"map value": {ComponentKubelet, "1.37.1", map[string]any{"systemReserved": map[string]any{"cpu": 1}},
			[]Problem{{Flag: "systemReserved.cpu", Kind: KindBadValue, Message: "systemReserved.cpu takes a string, not 1."}}},
		"gate": {ComponentKubelet, "1.37.1", map[string]any{"featureGates": map[string]any{"AllAlhpa": true}},
			[]Problem{{Flag: "featureGates.AllAlhpa", Kind: KindUnknown, Suggestion: "featureGates.AllAlpha", Message: "Kubernetes 1.37.1 has no feature gate AllAlhpa."}}},
		"plugin args": {ComponentScheduler, "1.37.1", map[string]any{"profiles": []any{
			map[string]any{"pluginConfig": []any{map[string]any{"name": "NodeResourcesFit", "args": map[string]any{"scoringStrateg": 1}}}},
		}}, []Problem{{Flag: "profiles[0].pluginConfig[0].args.scoringStrateg", Kind: KindUnknown,
			Suggestion: "profiles[0].pluginConfig[0].args.scoringStrategy", Message: "profiles[0].pluginConfig[0].args has no field scoringStrateg."}}},
		"plugin from outside": {ComponentScheduler, "1.37.1", map[string]any{"profiles": []any{
			map[string]any{"pluginConfig": []any{map[string]any{"name": "Coscheduling", "args": map[string]any{"any": 1}}}},
		}}, nil},
		"in a list, too new": {ComponentScheduler, "1.36.3", map[string]any{"profiles": []any{
			map[string]any{"plugins": map[string]any{"podGroupPostFilter": map[string]any{}}},
		}}, []Problem{{Flag: "profiles[0].plugins.podGroupPostFilter", Kind: KindNotYet, Since: "1.37",
			Source:  "source 1.37.1",
			Message: "profiles[0].plugins.podGroupPostFilter came with kube-scheduler 1.37; the cluster runs 1.36.3."}}},
		"no object": {ComponentAPIServer, "1.37.1", map[string]any{"x": 1},
			[]Problem{{Flag: "x", Kind: KindUnknown, Replacement: "flags", Message: "kube-apiserver has no config object; use flags."}}},
		"strange value": {ComponentKubelet, "1.37.1", map[string]any{"maxPods": struct{}{}},
			[]Problem{{Kind: KindBadValue, Message: "maxPods: a value of type struct {} cannot stand in a config object."}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, CheckConfig(c.component, c.version, c.config)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	base := map[string]any{"a": 1, "m": map[string]any{"x": 1, "y": 2}, "l": []any{1, 2}}
	over := map[string]any{"a": nil, "m": map[string]any{"y": 3, "z": 4}, "l": []any{9}, "n": map[string]any{"k": nil, "v": 1}}
	got := Merge(base, over)
	want := map[string]any{"m": map[string]any{"x": 1, "y": 3, "z": 4}, "l": []any{9}, "n": map[string]any{"v": 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"x": 1, "y": 2}, base["m"]); diff != "" {
		t.Errorf("the base was changed:\n%s", diff)
	}
}
