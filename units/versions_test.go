package units

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"hardway/units/unitfile"
	"hardway/versions"
)

// TestEveryMinorTakesWhatIsRendered renders every component for every minor and
// holds each flag and each field against the tables of that minor.
func TestEveryMinorTakesWhatIsRendered(t *testing.T) {
	for _, m := range versions.All() {
		version := m.Name + ".1"
		t.Run(m.Name, func(t *testing.T) {
			for _, u := range everyUnit(t, version) {
				component := strings.TrimSuffix(u.Name, ".service")
				table := Flags(component)
				if table == nil {
					continue
				}
				componentVersion := version
				if component == ComponentEtcd {
					componentVersion = m.Etcd
				}
				_, flags, err := unitfile.SplitFlags(u.Exec)
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range flags {
					row, ok := table.Lookup(name)
					if !ok || !row.In(componentVersion) {
						t.Errorf("%s %s does not know --%s", component, componentVersion, name)
						continue
					}
					for _, p := range checkFlagValue(component, componentVersion, row, value) {
						if !p.Warning() {
							t.Errorf("%s %s: %s", component, componentVersion, p.Message)
						}
					}
				}
			}
			for component, text := range everyConfig(t, version) {
				var object map[string]any
				if err := yaml.Unmarshal([]byte(text), &object); err != nil {
					t.Fatal(err)
				}
				for _, field := range paths("", object) {
					if !hasField(component, version, field) {
						t.Errorf("%s %s has no field %s", component, version, field)
					}
				}
			}
		})
	}
}

// TestDefaultsOfOldMinors holds that a value is not written before it means
// something.
func TestDefaultsOfOldMinors(t *testing.T) {
	for _, tt := range []struct {
		minor, component, field string
		want                    bool
	}{
		{"1.23", ComponentKubeProxy, "detectLocalMode", false},
		{"1.24", ComponentKubeProxy, "detectLocalMode", true},
		{"1.24", ComponentKubelet, "seccompDefault", false},
		{"1.25", ComponentKubelet, "seccompDefault", true},
	} {
		got := strings.Contains(everyConfig(t, tt.minor+".1")[tt.component], "\n"+tt.field+":")
		if got != tt.want {
			t.Errorf("%s in the config of %s %s: %v, want %v", tt.field, tt.component, tt.minor, got, tt.want)
		}
	}
}

// TestReplacements holds that each is of something gone, and that what it names is there.
func TestReplacements(t *testing.T) {
	for key, instead := range replacements() {
		component, isField := strings.CutSuffix(key.component, " field")
		switch {
		case isField && hasField(component, "1.37.1", key.name):
			t.Errorf("%s %s is not gone", key.component, key.name)
		case isField && !strings.Contains(instead, "flags") && !hasField(component, "1.37.1", instead):
			t.Errorf("%s %s: %s is gone too", key.component, key.name, instead)
		case !isField && (len(knownPlugins("1.37.1", key.name)) > 0 || len(knownPlugins("1.37.1", instead)) == 0):
			t.Errorf("%s %s: it is there, or %s is not", key.component, key.name, instead)
		}
	}
}

// TestInsecurePort holds that it can be opened where it exists, and no later.
func TestInsecurePort(t *testing.T) {
	for version, want := range map[string]Kind{"1.19.16": KindDeprecated, "1.20.15": KindBadValue, "1.24.0": KindRemoved} {
		problems := Check(ComponentAPIServer, version, map[string]string{"insecure-port": "9090"})
		if len(problems) == 0 || problems[len(problems)-1].Kind != want || problems[len(problems)-1].Replacement != "secure-port" {
			t.Errorf("%s: %+v, want one that is %s", version, problems, want)
		}
	}
}

// TestSchedulerAPI holds the version of the config object's API by minor.
func TestSchedulerAPI(t *testing.T) {
	for minor, want := range map[string]string{"1.14": "v1alpha1", "1.18": "v1alpha2", "1.21": "v1beta1", "1.22": "v1beta2", "1.24": "v1beta3", "1.25": "v1", "1.37": "v1"} {
		if got := everyConfig(t, minor+".1")[ComponentScheduler]; !strings.Contains(got, "apiVersion: kubescheduler.config.k8s.io/"+want+"\n") {
			t.Errorf("%s: want %s in\n%s", minor, want, got)
		}
	}
}

// paths lists the fields of an object.
func paths(prefix string, object map[string]any) []string {
	var out []string
	for name, value := range object {
		field := join(prefix, name)
		out = append(out, field)
		if below, ok := value.(map[string]any); ok {
			out = append(out, paths(field, below)...)
		}
	}
	return out
}

// everyUnit is a unit of each component, with nothing chosen by a user.
func everyUnit(t *testing.T, version string) []Unit {
	t.Helper()
	ok := must[Unit](t)
	etcd := etcdParams(version)
	m, _ := versions.Of(version)
	etcd.Version = m.Etcd
	kubelet := masterKubeletParams(version)
	kubelet.Config, kubelet.PauseImage = nil, "registry.k8s.io/pause:"+m.Pause
	return []Unit{
		ok(Etcd(etcd)), ok(APIServer(apiServerParams(version))), ok(ControllerManager(controllerManagerParams(version))),
		ok(Scheduler(schedulerParams(version))), ok(Kubelet(kubelet)), ok(KubeProxy(kubeProxyParams(version))),
	}
}

func everyConfig(t *testing.T, version string) map[string]string {
	t.Helper()
	ok := must[string](t)
	kubelet := masterKubeletParams(version)
	kubelet.Config = nil
	proxy := kubeProxyParams(version)
	proxy.Mode = "iptables"
	return map[string]string{
		ComponentKubelet:   ok(KubeletConfig(kubelet)),
		ComponentScheduler: ok(SchedulerConfig(schedulerParams(version))),
		ComponentKubeProxy: ok(KubeProxyConfig(proxy)),
	}
}

// TestOldMinors holds what is different in old minors: what took the place of
// the flags and fields that they do not have.
func TestOldMinors(t *testing.T) {
	tests := []struct {
		minor, component string
		has, hasNot      []string
	}{
		{"1.14", ComponentAPIServer, []string{"insecure-port=0", "kubelet-https=true", "service-account-issuer=https://kubernetes.default.svc.cluster.local"}, []string{"service-account-extend-token-expiration"}},
		{"1.14", ComponentControllerManager, []string{"port=0"}, nil},
		{"1.14", ComponentScheduler, []string{"port=0"}, nil},
		{"1.14", ComponentKubelet, []string{"container-runtime=remote", "container-runtime-endpoint=unix:///run/containerd/containerd.sock", "register-with-taints=node-role.kubernetes.io/control-plane=:NoSchedule", "pod-infra-container-image=registry.k8s.io/pause:3.1"}, []string{"network-plugin"}},
		{"1.26", ComponentKubelet, []string{"container-runtime=remote", "container-runtime-endpoint=unix:///run/containerd/containerd.sock"}, []string{"register-with-taints"}},
		{"1.27", ComponentKubelet, nil, []string{"container-runtime", "container-runtime-endpoint"}},
		{"1.35", ComponentKubelet, nil, []string{"pod-infra-container-image"}},
		{"1.24", ComponentAPIServer, nil, []string{"insecure-port", "kubelet-https"}},
		{"1.14", ComponentEtcd, nil, []string{"tls-min-version", "experimental-watch-progress-notify-interval"}},
		{"1.26", ComponentEtcd, []string{"experimental-watch-progress-notify-interval=5s"}, nil},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s of %s", tt.component, tt.minor), func(t *testing.T) {
			for _, u := range everyUnit(t, tt.minor+".1") {
				if strings.TrimSuffix(u.Name, ".service") != tt.component {
					continue
				}
				line := strings.Join(u.Exec, " ") + " "
				for _, want := range tt.has {
					if !strings.Contains(line, " --"+want+" ") {
						t.Errorf("no --%s in %s", want, line)
					}
				}
				for _, not := range tt.hasNot {
					if strings.Contains(line, " --"+not+"=") {
						t.Errorf("--%s in %s", not, line)
					}
				}
			}
		})
	}
}
