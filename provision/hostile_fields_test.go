package provision_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml"
	"sigs.k8s.io/yaml"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/units/unitfile"
)

// flagOn returns the value of a flag of a unit on a host, as systemd would pass it.
func flagOn(h addr.Host, unit, flag string) func(compiled) []string {
	return func(c compiled) []string {
		r, ok := c.set.Get(addr.Address{Host: h, Kind: "unit", Name: unit})
		if !ok {
			return nil
		}
		argv, err := unitfile.ParseExec(r.Spec.Unit.Content)
		if err != nil {
			return nil
		}
		_, flags, _ := unitfile.SplitFlags(argv)
		if v, ok := flags[flag]; ok {
			return []string{v}
		}
		return nil
	}
}

func fileOn(c compiled, h addr.Host, path string) string {
	r, _ := c.set.Get(addr.Address{Host: h, Kind: "file", Name: path})
	if r.Spec.File == nil {
		return ""
	}
	return r.Spec.File.Content
}

// inYAML returns what a path of names leads to in a YAML file; a key "*" takes
// the only key itself.
func inYAML(h addr.Host, path string, names ...string) func(compiled) []string {
	return func(c compiled) []string {
		var v any
		if yaml.Unmarshal([]byte(fileOn(c, h, path)), &v) != nil {
			return nil
		}
		return walk(v, names)
	}
}

func inTOML(h addr.Host, path string, names ...string) func(compiled) []string {
	return func(c compiled) []string {
		tree, err := toml.Load(fileOn(c, h, path))
		if err != nil {
			return nil
		}
		return walk(any(tree.ToMap()), names)
	}
}

func walk(v any, names []string) []string {
	for _, name := range names {
		switch at := v.(type) {
		case map[string]any:
			if name == "*" {
				return slices.Collect(maps.Keys(at))
			}
			v = at[name]
		case []any:
			if len(at) == 0 {
				return nil
			}
			v = at[0]
		}
	}
	if s, ok := v.(string); ok {
		return []string{s}
	}
	return nil
}

func of(f func(c *config.Cluster) []string) func(compiled) []string {
	return func(c compiled) []string { return f(c.cfg) }
}

func one(s string) []string { return []string{s} }

func beside(dir, v string) string {
	if filepath.IsAbs(v) {
		return filepath.Clean(v)
	}
	if v == "~" {
		return dir
	}
	return filepath.Join(dir, v)
}

func inMap(format string) func(string) string {
	return func(lit string) string { return fmt.Sprintf(format, lit) }
}

const (
	kubeletFile    = "/var/lib/kubelet/config.yaml"
	containerdFile = "/etc/containerd/config.toml"
)

// stringFields are the places of the language where a text can stand, and where
// it has to arrive.
func stringFields() []stringField {
	nodeLabels := func(c compiled) []string {
		r, _ := c.set.Get(addr.Address{Host: addr.Host{Role: addr.Cluster}, Kind: "node", Name: "n1"})
		return one(r.Spec.Node.Labels["l"])
	}
	nodeOf := func(c *config.Cluster) config.Host { return c.Hosts[1] }
	fields := []stringField{
		{block: "ssh", attribute: "private_key", file: true, want: beside, got: of(func(c *config.Cluster) []string { return c.Hosts[0].SSH.PrivateKeys })},
		{block: "ssh", attribute: "known_hosts", file: true, want: beside, got: of(func(c *config.Cluster) []string { return c.Hosts[0].SSH.KnownHosts })},
		{block: "ssh", attribute: "known_hosts", expression: inMap("[%s]"), file: true, want: beside, got: of(func(c *config.Cluster) []string { return c.Hosts[0].SSH.KnownHosts })},
		{block: "node/ssh", attribute: "private_key", file: true, want: beside, got: of(func(c *config.Cluster) []string { return nodeOf(c).SSH.PrivateKeys })},
		{block: "node/ssh", attribute: "known_hosts", file: true, want: beside, got: of(func(c *config.Cluster) []string { return nodeOf(c).SSH.KnownHosts })},
		{block: "ssh", attribute: "certificate", file: true, want: beside, got: of(func(c *config.Cluster) []string { return c.Hosts[0].SSH.Certificates })},
		{block: "ssh", attribute: "agent", want: beside, got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].SSH.Agent) })},
		{block: "ssh", attribute: "password", got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].SSH.Password.Reveal()) })},
		{block: "ssh", attribute: "ssh_config", file: true, want: beside, got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].SSH.SSHConfig.File) })},
		{block: "node/ssh", attribute: "certificate", file: true, want: beside, got: of(func(c *config.Cluster) []string { return nodeOf(c).SSH.Certificates })},
		{block: "node/ssh", attribute: "agent", want: beside, got: of(func(c *config.Cluster) []string { return one(nodeOf(c).SSH.Agent) })},
		{block: "node/ssh", attribute: "password", got: of(func(c *config.Cluster) []string { return one(nodeOf(c).SSH.Password.Reveal()) })},
		{block: "node/ssh", attribute: "ssh_config", file: true, want: beside, got: of(func(c *config.Cluster) []string { return one(nodeOf(c).SSH.SSHConfig.File) })},
		{block: "node/ssh", attribute: "host_key_alias", got: of(func(c *config.Cluster) []string { return one(nodeOf(c).SSH.HostKeyAlias) })},
		{block: "host", attribute: "extra_packages", expression: inMap("[%s]"), got: of(func(c *config.Cluster) []string { return c.Machine.ExtraPackages })},
		{block: "host", attribute: "preflight", expression: inMap(`{ memory = %s }`)},
		{block: "host", attribute: "preflight", expression: inMap(`{ (%s) = "warn" }`)},
		{block: "binaries", attribute: "mirrors", expression: inMap("[%s]"), want: beside, got: of(func(c *config.Cluster) []string { return c.Binaries.Mirrors })},
		{block: "binaries", attribute: "proxy", got: of(func(c *config.Cluster) []string { return one(c.Binaries.Proxy) })},
		{block: "ssh/become", attribute: "password", got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].SSH.Become.Password.Reveal()) })},
		{block: "node", attribute: "labels", expression: inMap("{ l = %s }"), got: nodeLabels},
		{block: "node", attribute: "labels", expression: inMap("{ (%s) = 1 }"), got: of(func(c *config.Cluster) []string { return slices.Collect(maps.Keys(nodeOf(c).Labels)) })},
		{block: "node", attribute: "taints", expression: inMap("[%s]")},
		{block: "master", attribute: "labels", expression: inMap("{ l = %s }"), got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].Labels["l"]) })},
		{block: "master", attribute: "taints", expression: inMap(`["k=${%s}:NoSchedule"]`), got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].Taints[0].Value) })},
		{block: "node/kubelet", attribute: "flags", expression: inMap(`{ "logging-format" = %s }`), got: flagOn(n1, "kubelet", "logging-format")},
		{block: "node/kubelet", attribute: "config", expression: inMap(`{ systemCgroups = %s }`), got: inYAML(n1, kubeletFile, "systemCgroups")},
		{block: "master/apiserver", attribute: "flags", expression: inMap(`{ "external-hostname" = %s }`), got: flagOn(m1, "kube-apiserver", "external-hostname")},
		{block: "master/apiserver", attribute: "flags", expression: inMap(`{ "external-hostname" = [%s] }`), got: flagOn(m1, "kube-apiserver", "external-hostname")},
		{block: "apiserver", attribute: "flags", expression: inMap(`{ "external-hostname" = %s }`), got: flagOn(m1, "kube-apiserver", "external-hostname")},
		{block: "apiserver", attribute: "flags", expression: inMap(`{ (%s) = 1 }`)},
		{block: "controller_manager", attribute: "flags", expression: inMap(`{ "external-cloud-volume-plugin" = %s }`), got: flagOn(m1, "kube-controller-manager", "external-cloud-volume-plugin")},
		{block: "scheduler", attribute: "flags", expression: inMap(`{ "logging-format" = %s }`), got: flagOn(m1, "kube-scheduler", "logging-format")},
		{block: "scheduler", attribute: "config", expression: inMap(`{ profiles = [{ schedulerName = %s }] }`), got: inYAML(m1, "/etc/kubernetes/scheduler.yaml", "profiles", "0", "schedulerName")},
		{block: "etcd", attribute: "flags", expression: inMap(`{ "auth-token" = %s }`), got: flagOn(m1, "etcd", "auth-token")},
		{block: "kubelet", attribute: "flags", expression: inMap(`{ "logging-format" = %s }`), got: flagOn(n1, "kubelet", "logging-format")},
		{block: "kubelet", attribute: "config", expression: inMap(`{ systemCgroups = %s }`), got: inYAML(m1, kubeletFile, "systemCgroups")},
		{block: "kubelet", attribute: "config", expression: inMap(`{ allowedUnsafeSysctls = [%s] }`), got: inYAML(m1, kubeletFile, "allowedUnsafeSysctls", "0")},
		{block: "kubelet", attribute: "config", expression: inMap(`{ systemReserved = { (%s) = "1" } }`), got: inYAML(m1, kubeletFile, "systemReserved", "*")},
		{block: "kubelet", attribute: "config", expression: inMap(`{ evictionHard = { "memory.available" = %s } }`), got: inYAML(m1, kubeletFile, "evictionHard", "memory.available")},
		{block: "kubelet", attribute: "config", expression: inMap(`{ (%s) = 1 }`)},
		{block: "kube_proxy", attribute: "flags", expression: inMap(`{ "logging-format" = %s }`), got: flagOn(n1, "kube-proxy", "logging-format")},
		{block: "kube_proxy", attribute: "config", expression: inMap(`{ bindAddress = %s }`), got: inYAML(n1, "/etc/kubernetes/kube-proxy.yaml", "bindAddress")},
		{block: "runtime", attribute: "config", expression: inMap(`{ containerd = { default_runtime_name = %s } }`),
			got: inTOML(n1, containerdFile, "plugins", "io.containerd.cri.v1.runtime", "containerd", "default_runtime_name")},
		{block: "runtime", attribute: "config", expression: inMap(`{ containerd = { runtimes = { (%s) = { runtime_type = "io.containerd.runc.v2" } } } }`),
			got: func(c compiled) []string {
				tree, err := toml.Load(fileOn(c, n1, containerdFile))
				if err != nil {
					return nil
				}
				runtimes, _ := tree.GetPath([]string{"plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes"}).(*toml.Tree)
				if runtimes == nil {
					return nil
				}
				return slices.DeleteFunc(runtimes.Keys(), func(k string) bool { return k == "runc" })
			}},
		{block: "runtime", attribute: "images", expression: inMap(`{ "a/b:1" = %s }`), file: true, want: beside, got: of(func(c *config.Cluster) []string { return one(c.Runtime.Images["a/b:1"]) })},
		{block: "runtime", attribute: "images", expression: inMap(`{ (%s) = "key" }`), got: of(func(c *config.Cluster) []string { return slices.Collect(maps.Keys(c.Runtime.Images)) })},
		{block: "runtime", attribute: "sandbox_image", got: inTOML(n1, containerdFile, "plugins", "io.containerd.cri.v1.images", "pinned_images", "sandbox")},
		{block: "host", attribute: "sysctl", expression: inMap(`{ "vm.x" = %s }`), got: func(c compiled) []string {
			r, _ := c.set.Get(addr.Address{Host: n1, Kind: "sysctl", Name: "vm.x"})
			_, line, _ := strings.Cut(fileOn(c, n1, "/etc/sysctl.d/99-hardway.conf"), "vm.x = ")
			line, _, _ = strings.Cut(line, "\n")
			return []string{r.Spec.Sysctl.Value, line}
		}},
		{block: "host", attribute: "sysctl", expression: inMap(`{ (%s) = 1 }`)},
		{block: "host", attribute: "modules", expression: inMap(`[%s]`), got: func(c compiled) []string {
			if _, ok := c.set.Get(addr.Address{Host: n1, Kind: "module", Name: c.cfg.Machine.Modules[0]}); !ok {
				return nil
			}
			return c.cfg.Machine.Modules
		}},
		{block: "binaries", attribute: "source", want: beside, got: of(func(c *config.Cluster) []string { return one(c.Binaries.Source) })},
		{block: "binaries", attribute: "sources", expression: inMap(`{ etcd = %s }`), want: beside, got: of(func(c *config.Cluster) []string { return one(c.Binaries.Sources["etcd"]) })},
		{block: "binaries", attribute: "sources", expression: inMap(`{ (%s) = "x" }`)},
		{block: "binaries", attribute: "cache", want: beside, got: of(func(c *config.Cluster) []string { return one(c.Binaries.Cache) })},
		{block: "state", attribute: "path", want: beside, got: of(func(c *config.Cluster) []string { return one(c.State.Path) })},
		{block: "state/backend", attribute: "path", want: beside, got: of(func(c *config.Cluster) []string { return one(c.State.Path) })},
		{block: "state", attribute: "recipients", expression: inMap("[%s]")},
		{block: "api", attribute: "extra_sans", expression: inMap("[%s]"), got: func(c compiled) []string {
			r, _ := c.set.Get(addr.Address{Host: m1, Kind: "cert", Name: "apiserver"})
			if r.Spec.Certificate == nil || !slices.Contains(r.Spec.Certificate.DNS, c.cfg.API.ExtraSANs[0]) {
				return nil
			}
			return c.cfg.API.ExtraSANs
		}},
		{block: "verify", attribute: "image", got: of(func(c *config.Cluster) []string { return one(c.Verify.Image) })},
		{block: "output", attribute: "value", got: of(func(c *config.Cluster) []string { return one(c.Outputs[0].Value.AsString()) })},
		{block: "output", attribute: "description", nowhere: true},
		{block: "variable", attribute: "description", nowhere: true},
		{block: "variable", attribute: "default", got: of(func(c *config.Cluster) []string { return one(c.Outputs[0].Value.AsString()) })},
		{block: "ssh", attribute: "user", got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].SSH.User) })},
		{block: "node/ssh", attribute: "user", got: of(func(c *config.Cluster) []string { return one(nodeOf(c).SSH.User) })},
		{block: "node/ssh", attribute: "host", got: of(func(c *config.Cluster) []string { return one(nodeOf(c).SSH.Host) })},
		{block: "cluster", attribute: "dns_domain", got: inYAML(n1, kubeletFile, "clusterDomain")},
		{block: "api", attribute: "host", got: of(func(c *config.Cluster) []string { return one(c.API.Host) })},
		// Names of blocks, which stand in the header.
		{block: "cluster", expression: inMap("cluster %s"), got: inYAML(m1, "/etc/kubernetes/admin.conf", "clusters", "0", "name")},
		{block: "master", expression: inMap("master %s"), got: of(func(c *config.Cluster) []string { return one(c.Hosts[0].Name) })},
		{block: "node", expression: inMap("node %s"), got: of(func(c *config.Cluster) []string { return one(nodeOf(c).Name) })},
		{block: "output", expression: inMap("output %s"), got: of(func(c *config.Cluster) []string { return one(c.Outputs[0].Name) })}, {block: "variable", expression: inMap("variable %s"), nowhere: true},
		{block: "node", attribute: "for_each", expression: inMap("toset([%s])"), got: of(func(c *config.Cluster) []string { return one(nodeOf(c).Name) })},
		{block: "node", attribute: "for_each", expression: inMap("{ (%s) = 1 }"), got: of(func(c *config.Cluster) []string { return one(nodeOf(c).Name) })},
	}
	for block, attributes := range closed() {
		for _, a := range attributes {
			fields = append(fields, stringField{block: block, attribute: a})
		}
	}
	slices.SortStableFunc(fields, func(a, b stringField) int { return strings.Compare(a.block, b.block) })
	// Directories: below an absolute path, with every file of the unit in place.
	for name, got := range map[string]func(config.Directories) string{
		"bin": func(d config.Directories) string { return d.Bin }, "cert": func(d config.Directories) string { return d.Cert }, "conf": func(d config.Directories) string { return d.Conf },
		"log": func(d config.Directories) string { return d.Log }, "data": func(d config.Directories) string { return d.Data }, "cni": func(d config.Directories) string { return d.CNI },
	} {
		fields = append(fields, stringField{block: "directories", attribute: name, expression: inMap(`"/srv/${%s}"`), want: func(_, v string) string { return "/srv/" + v }, got: func(c compiled) []string {
			dir := got(c.cfg.Directories)
			for _, r := range c.set.All() {
				if p := r.Spec.Path(); strings.HasPrefix(p, dir+"/") || p == dir {
					return one(dir)
				}
			}
			return nil
		}})
	}
	return fields
}

// closed are the attributes that take no free text at all, by block: a hostile
// one is refused in each.
func closed() map[string][]string {
	return map[string][]string{
		"cluster": {"kubernetes_version", "pod_cidr", "node_prefix", "service_cidr", "dns_address"}, "ssh": {"port", "connect_timeout", "identities_only"}, "ssh/become": {"method"},
		"master": {"address", "arch", "for_each"}, "node": {"address", "arch", "for_each"}, "node/ssh": {"port", "connect_timeout", "identities_only", "direct"}, "api": {"port"}, "etcd": {"version", "config"}, "kube_proxy": {"mode"},
		"apiserver": {"config"}, "controller_manager": {"config"}, "master/apiserver": {"config"},
		"runtime": {"version", "runc_version", "cni_plugins_version"}, "host": {"swap", "manage_sysctl", "manage_modules", "manage_hosts", "packages", "remove_packages", "firewall", "selinux"}, "binaries": {"archive"},
		"pki": {"algorithm", "certificate_validity", "ca_validity", "renew_before", "csr_signing", "files"}, "verify": {"timeout"},
		"output": {"sensitive"}, "variable": {"type", "sensitive", "nullable"},
	}
}

var knownAttributes = regexp.MustCompile(`The attributes are ([a-z_, ]+)\.`)

// TestHostileFieldsAreAll wants every attribute that the loader knows to be among
// the fields, and every field to be one that it knows.
func TestHostileFieldsAreAll(t *testing.T) {
	w := newHostileWorld(t)
	tried := map[string][]string{}
	for _, f := range stringFields() {
		tried[f.block] = append(tried[f.block], f.attribute)
	}
	for _, block := range headers {
		doc := hostileBase()
		doc[block]["qqqqqqqqqqqq"] = "1"
		w.write("cluster.hcl", doc.text())
		_, _, diags := config.Load(config.Options{Dir: w.dir, UserHome: w.dir})
		m := knownAttributes.FindStringSubmatch(diags.Error() + fmt.Sprint(diags.Errs()))
		if m == nil {
			t.Errorf("%s: the loader does not list what it knows: %v", block, diags)
			continue
		}
		known := strings.Split(m[1], ", ")
		for _, a := range known {
			if !slices.Contains(tried[block], a) {
				t.Errorf("%s.%s is not tried", block, a)
			}
		}
		for _, a := range tried[block] {
			if a != "" && !slices.Contains(known, a) {
				t.Errorf("%s.%s is no attribute", block, a)
			}
		}
	}
}
