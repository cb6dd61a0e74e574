package templates

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestHosts(t *testing.T) {
	m1, n1 := netip.MustParseAddr("192.168.10.21"), netip.MustParseAddr("fd00::31")
	got, err := Hosts([]HostEntry{{m1, []string{"m1", "api.example.com"}}, {n1, []string{"n1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "192.168.10.21 m1 api.example.com\nfd00::31 n1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, bad := range map[string][]HostEntry{
		"name with a newline":    {{m1, []string{"m1\n1.2.3.4 bank"}}},
		"name with a blank":      {{m1, []string{"m1 m2"}}},
		"comment":                {{m1, []string{"m1#"}}},
		"no name":                {{m1, nil}},
		"no address":             {{netip.Addr{}, []string{"m1"}}},
		"one name, two machines": {{m1, []string{"m1"}}, {n1, []string{"m1"}}},
	} {
		if got, err := Hosts(bad); err == nil {
			t.Errorf("%s: rendered %q", name, got)
		}
	}
}

func TestSystemFiles(t *testing.T) {
	sysctls := DefaultSysctls()
	sysctls["net.ipv4.ping_group_range"] = "0 2147483647"
	sysctl, err := Sysctl(sysctls)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sysctl.conf", sysctl)
	modules, err := Modules(append(DefaultModules(), ProxyModules("ipvs", "", "")...))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "modules.conf", modules)
	crictl, err := Crictl("unix://" + ContainerdSocket)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "crictl.yaml", crictl)
	var settings map[string]any
	if err := yaml.UnmarshalStrict([]byte(crictl), &settings); err != nil || settings["runtime-endpoint"] != "unix:///run/containerd/containerd.sock" {
		t.Errorf("crictl.yaml: %v, %v", settings, err)
	}

	for _, bad := range []map[string]string{{"a=b": "1"}, {"a": "1\nkernel.panic = 0"}, {"": "1"}, {"a": ""}, {"a\nb": "1"}} {
		if got, err := Sysctl(bad); err == nil {
			t.Errorf("Sysctl(%q) rendered %q", bad, got)
		}
	}
	if got, err := Modules([]Module{{Name: "a\nb"}}); err == nil {
		t.Errorf("Modules rendered %q", got)
	}
}

func TestProxyModules(t *testing.T) {
	names := func(list []Module) string {
		var out []string
		for _, m := range list {
			if len(m.Effects) == 0 {
				t.Errorf("module %s has no effect to judge it by", m.Name)
			}
			out = append(out, m.Name)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct{ mode, scheduler, kernel, want string }{
		{"iptables", "", "6.1.0", ""},
		{"nftables", "rr", "6.1.0", ""},
		{"userspace", "", "3.10.0", ""},
		{"ipvs", "", "", "ip_vs ip_vs_rr ip_vs_sh ip_vs_wrr"},
		{"ipvs", "rr", "4.19.0", "ip_vs ip_vs_rr ip_vs_sh ip_vs_wrr"},
		{"ipvs", "lc", "5.15.0-91-generic", "ip_vs ip_vs_lc ip_vs_rr ip_vs_sh ip_vs_wrr"},
		{"ipvs", "", "4.18.0-513.el8.x86_64", "ip_vs ip_vs_rr ip_vs_sh ip_vs_wrr nf_conntrack_ipv4"},
		{"ipvs", "wrr", "3.10.0-1160.el7.x86_64", "ip_vs ip_vs_rr ip_vs_sh ip_vs_wrr nf_conntrack_ipv4"},
	} {
		if got := names(ProxyModules(c.mode, c.scheduler, c.kernel)); got != c.want {
			t.Errorf("%s %q on %s: %q, want %q", c.mode, c.scheduler, c.kernel, got, c.want)
		}
	}
	names(DefaultModules())
}

func TestKernelAtLeast(t *testing.T) {
	for _, c := range []struct {
		release, version string
		want             bool
	}{
		{"5.13.0", "5.13", true}, {"5.12.19", "5.13", false}, {"6.1.0-13-amd64", "5.13", true}, {"5.4.0", "5.13", false},
		{"5.13", "5.13", true}, {"5.13-rc1", "5.13", true}, {"10.0", "5.13", true}, {"", "5.13", true}, {"what.ever", "5.13", true}, {"4", "5.13", true},
	} {
		if got := KernelAtLeast(c.release, c.version); got != c.want {
			t.Errorf("%q at least %s: %t", c.release, c.version, got)
		}
	}
}

func TestRenderIsStrict(t *testing.T) {
	if got, err := render("crictl.yaml", map[string]string{"Other": "x"}); err == nil {
		t.Errorf("a missing key rendered as %q", got)
	}
}

func TestAuditPolicy(t *testing.T) {
	var policy struct {
		APIVersion string `json:"apiVersion"`
		Kind       string
		Rules      []struct {
			Level     string
			Resources []struct{ Resources []string }
		}
	}
	if err := yaml.Unmarshal([]byte(AuditPolicy()), &policy); err != nil {
		t.Fatal(err)
	}
	if policy.APIVersion != "audit.k8s.io/v1" || policy.Kind != "Policy" {
		t.Errorf("it is a %s %s", policy.APIVersion, policy.Kind)
	}
	// The content of a secret must never reach the log: the first rule that
	// fits secrets has to be Metadata.
	for _, rule := range policy.Rules {
		for _, r := range rule.Resources {
			for _, name := range r.Resources {
				if name == "secrets" && rule.Level != "Metadata" {
					t.Errorf("secrets are logged at level %s", rule.Level)
				}
			}
		}
	}
	if last := policy.Rules[len(policy.Rules)-1]; last.Level != "Metadata" || last.Resources != nil {
		t.Errorf("the last rule is %+v, want Metadata for all the rest", last)
	}
}

func TestCNI(t *testing.T) {
	got, err := CNI(CNIParams{Name: "lab", PodCIDR: netip.MustParsePrefix("10.244.3.7/24")})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "cni.conflist", got)
	for name, bad := range map[string]CNIParams{
		"no range": {Name: "lab"},
		"no name":  {PodCIDR: netip.MustParsePrefix("10.244.3.0/24")},
	} {
		if got, err := CNI(bad); err == nil {
			t.Errorf("%s: rendered %s", name, got)
		}
	}
}

func TestClusterRoleBindings(t *testing.T) {
	list, err := ClusterRoleBindings("", "")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, m := range list {
		var object struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal(m.JSON, &object); err != nil || object.Metadata.Name != m.Name {
			t.Errorf("%s: %+v, %v", m.Name, object, err)
		}
		text.Write(m.JSON)
		text.WriteString("\n")
	}
	golden(t, "clusterrolebindings.json", text.String())
}
