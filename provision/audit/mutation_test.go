package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/units/unitfile"
)

// mutant is a desired set that is changed in one place.
type mutant struct {
	t    testing.TB
	list []resource.Resource
	hits int
}

// each changes the resources of a host that f takes.
func (m *mutant) each(h addr.Host, f func(*resource.Resource) bool) {
	for i := range m.list {
		if m.list[i].Addr.Host == h && f(&m.list[i]) {
			m.hits++
		}
	}
}

// unit changes the command line of a unit: no value takes the flag away.
func (m *mutant) unit(h addr.Host, component, flag string, value ...string) {
	m.each(h, func(r *resource.Resource) bool {
		if r.Spec.Unit == nil || r.Addr.Name != component {
			return false
		}
		argv, err := unitfile.ParseExec(r.Spec.Unit.Content)
		if err != nil {
			m.t.Fatal(err)
		}
		argv = slices.DeleteFunc(argv, func(w string) bool { return strings.HasPrefix(w, "--"+flag+"=") })
		if len(value) > 0 {
			argv = append(argv, "--"+flag+"="+value[0])
		}
		line, err := unitfile.RenderExec(argv)
		if err != nil {
			m.t.Fatal(err)
		}
		u := *r.Spec.Unit
		u.Content = "[Service]\nExecStart=" + line + "\n"
		r.Spec.Unit = &u
		return true
	})
}

// field changes a field of a config file: no value takes it away.
func (m *mutant) field(h addr.Host, path, dotted string, value ...any) {
	m.each(h, func(r *resource.Resource) bool {
		if r.Spec.File == nil || r.Spec.File.Path != path {
			return false
		}
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(r.Spec.File.Content), &object); err != nil {
			m.t.Fatal(err)
		}
		at := object
		names := strings.Split(dotted, ".")
		for _, name := range names[:len(names)-1] {
			inner, _ := at[name].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
				at[name] = inner
			}
			at = inner
		}
		if delete(at, names[len(names)-1]); len(value) > 0 {
			at[names[len(names)-1]] = value[0]
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			m.t.Fatal(err)
		}
		f := *r.Spec.File
		f.Content = string(text)
		r.Spec.File = &f
		return true
	})
}

// meta changes mode and owner of what stands at a path.
func (m *mutant) meta(h addr.Host, path string, mode uint32, owner string) {
	m.each(h, func(r *resource.Resource) bool {
		change := func(meta *resource.Meta) { meta.Mode, meta.Owner, meta.Group = mode, owner, owner }
		switch s := &r.Spec; {
		case s.Unit != nil && s.Unit.Path == path:
			u := *s.Unit
			change(&u.Meta)
			s.Unit = &u
		case s.File != nil && s.File.Path == path:
			f := *s.File
			change(&f.Meta)
			s.File = &f
		case s.Directory != nil && s.Directory.Path == path:
			d := *s.Directory
			change(&d.Meta)
			s.Directory = &d
		default:
			return false
		}
		return true
	})
}

func (m *mutant) certificate(h addr.Host, name string, change func(*resource.Certificate)) {
	m.each(h, func(r *resource.Resource) bool {
		if r.Spec.Certificate == nil || r.Addr.Name != name {
			return false
		}
		c := *r.Spec.Certificate
		change(&c)
		r.Spec.Certificate = &c
		return true
	})
}

const (
	unitDir     = "/etc/systemd/system/"
	kubeletYAML = "/var/lib/kubelet/config.yaml"
	proxyYAML   = "/etc/kubernetes/kube-proxy.yaml"
	policyYAML  = "/etc/kubernetes/audit-policy.yaml"
	schedYAML   = "/etc/kubernetes/scheduler.yaml"
	pki         = "/etc/kubernetes/pki/"
)

// mutation is one change of the desired set of the lab.
type mutation struct {
	change func(*mutant)
	// also are checks whose outcome it turns besides, because they are about the same flag.
	also    []string
	version string // "" is the lab's
}

func flagOf(component, flag string, value ...string) mutation {
	return mutation{change: func(m *mutant) { m.unit(m1, component, flag, value...) }}
}

func kubeletField(dotted string, value ...any) mutation {
	return mutation{change: func(m *mutant) { m.field(n1, kubeletYAML, dotted, value...) }}
}

func metaOf(h addr.Host, path string, mode uint32, owner string) mutation {
	return mutation{change: func(m *mutant) { m.meta(h, path, mode, owner) }}
}

// mutations turn the outcome of the check by whose id they stand: from pass to
// fail, or, where hardway's default is a failure that is accepted, to pass.
func mutations() map[string]mutation {
	const plugin = "DenyServiceExternalIPs,NodeRestriction"
	all := map[string]mutation{
		"1.1.1": metaOf(m1, unitDir+"kube-apiserver.service", 0o644, "root"), "1.1.2": metaOf(m1, unitDir+"kube-apiserver.service", 0o600, "kube"),
		"1.1.3": metaOf(m1, unitDir+"kube-controller-manager.service", 0o610, "root"), "1.1.4": metaOf(m1, unitDir+"kube-controller-manager.service", 0o600, "kube"),
		"1.1.5": metaOf(m1, unitDir+"kube-scheduler.service", 0o604, "root"), "1.1.6": metaOf(m1, unitDir+"kube-scheduler.service", 0o400, "kube"),
		"1.1.7": metaOf(m1, unitDir+"etcd.service", 0o700, "root"), "1.1.8": metaOf(m1, unitDir+"etcd.service", 0o600, "etcd"),
		"1.1.9": metaOf(m1, "/etc/cni/net.d/10-hardway.conflist", 0o644, "root"), "1.1.10": metaOf(m1, "/etc/cni/net.d/10-hardway.conflist", 0o600, "cni"),
		"1.1.11": metaOf(m1, "/var/lib/etcd", 0o750, "root"), "1.1.12": metaOf(m1, "/var/lib/etcd", 0o700, "etcd"),
		"1.1.13": metaOf(m1, "/etc/kubernetes/admin.conf", 0o640, "root"), "1.1.14": metaOf(m1, "/etc/kubernetes/admin.conf", 0o600, "me"),
		"1.1.15": metaOf(m1, "/etc/kubernetes/scheduler.conf", 0o644, "root"), "1.1.16": metaOf(m1, "/etc/kubernetes/scheduler.conf", 0o600, "kube"),
		"1.1.17": metaOf(m1, "/etc/kubernetes/controller-manager.conf", 0o644, "root"), "1.1.18": metaOf(m1, "/etc/kubernetes/controller-manager.conf", 0o600, "kube"),
		"1.1.19": metaOf(m1, pki+"sa.pub", 0o644, "kube"), "1.1.20": metaOf(m1, pki+"etcd/ca.crt", 0o664, "root"), "1.1.21": metaOf(m1, pki+"sa.key", 0o640, "root"),

		"1.2.1": flagOf(api, "anonymous-auth", "true"), "1.2.2": flagOf(api, "token-auth-file", "/etc/tokens.csv"), "1.2.3": flagOf(api, plugins, "NodeRestriction"),
		"1.2.4": flagOf(api, "kubelet-client-key"), "1.2.5": flagOf(api, "kubelet-certificate-authority"),
		"1.2.6": flagOf(api, modes, "AlwaysAllow,Node,RBAC"), "1.2.7": flagOf(api, modes, "RBAC"), "1.2.8": flagOf(api, modes, "Node,Webhook"),
		"1.2.9": flagOf(api, plugins, plugin+",EventRateLimit"), "1.2.10": flagOf(api, plugins, plugin+",AlwaysAdmit"), "1.2.11": flagOf(api, plugins, plugin+",AlwaysPullImages"),
		"1.2.12": flagOf(api, disabled, "ServiceAccount"), "1.2.13": flagOf(api, disabled, "PodSecurity,NamespaceLifecycle"), "1.2.14": flagOf(api, disabled, "NodeRestriction"),
		"1.2.15": flagOf(api, "profiling"), "1.2.16": flagOf(api, "audit-log-path", ""), "1.2.17": flagOf(api, "audit-log-maxage", "29"),
		"1.2.18": flagOf(api, "audit-log-maxbackup"), "1.2.19": flagOf(api, "audit-log-maxsize", "99"), "1.2.20": flagOf(api, "request-timeout", "0s"),
		"1.2.21": flagOf(api, "service-account-lookup", "false"), "1.2.22": flagOf(api, "service-account-key-file"), "1.2.23": flagOf(api, "etcd-certfile"),
		"1.2.24": flagOf(api, "tls-private-key-file"), "1.2.25": flagOf(api, "client-ca-file"), "1.2.26": flagOf(api, "etcd-cafile"),
		"1.2.27": flagOf(api, "encryption-provider-config", "/etc/enc.yaml"), "1.2.28": flagOf(api, "encryption-provider-config", "/etc/enc.yaml"),
		"1.2.29": flagOf(api, "tls-cipher-suites", "TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA"), "1.2.30": flagOf(api, "service-account-extend-token-expiration", "true"),

		"1.3.1": flagOf(manager, "terminated-pod-gc-threshold"), "1.3.2": flagOf(manager, "profiling", "true"), "1.3.3": flagOf(manager, "use-service-account-credentials", "false"),
		"1.3.4": flagOf(manager, "service-account-private-key-file"), "1.3.5": flagOf(manager, "root-ca-file"),
		"1.3.6": flagOf(manager, "feature-gates", "A=true,kube:RotateKubeletServerCertificate=0"), "1.3.7": flagOf(manager, "bind-address", "0.0.0.0"),
		"1.4.1": {change: func(m *mutant) { m.field(m1, schedYAML, "enableProfiling", true) }}, "1.4.2": flagOf(sched, "bind-address", "::"),

		"2.1": flagOf(etcdServer, "key-file"), "2.2": flagOf(etcdServer, "client-cert-auth", "false"), "2.3": flagOf(etcdServer, "auto-tls", "true"), "2.4": flagOf(etcdServer, "peer-cert-file"),
		"2.5": flagOf(etcdServer, "peer-client-cert-auth"), "2.6": flagOf(etcdServer, "peer-auto-tls", "true"), "2.7": flagOf(etcdServer, "trusted-ca-file", pki+"ca.crt"),
		"3.2.1": flagOf(api, "audit-policy-file"),
		"3.2.2": {change: func(m *mutant) {
			m.field(m1, policyYAML, "rules", []any{map[string]any{"level": "Request"}})
		}},

		"4.1.1": metaOf(n1, unitDir+"kubelet.service", 0o644, "root"), "4.1.2": metaOf(n1, unitDir+"kubelet.service", 0o600, "kube"),
		"4.1.3": metaOf(n1, "/etc/kubernetes/kube-proxy.conf", 0o644, "root"), "4.1.4": metaOf(n1, "/etc/kubernetes/kube-proxy.conf", 0o600, "kube"),
		"4.1.5": metaOf(n1, "/etc/kubernetes/kubelet.conf", 0o644, "root"), "4.1.6": metaOf(n1, "/etc/kubernetes/kubelet.conf", 0o600, "kube"),
		"4.1.7": metaOf(n1, pki+"ca.crt", 0o666, "root"), "4.1.8": metaOf(n1, pki+"ca.crt", 0o644, "kube"),
		"4.1.9": metaOf(n1, kubeletYAML, 0o644, "root"), "4.1.10": metaOf(n1, kubeletYAML, 0o600, "kube"),

		"4.2.1": kubeletField("authentication.anonymous.enabled", true), "4.2.2": kubeletField("authorization.mode", "AlwaysAllow"), "4.2.3": kubeletField("authentication.x509.clientCAFile"),
		"4.2.4": kubeletField("readOnlyPort", 10255), "4.2.5": kubeletField("streamingConnectionIdleTimeout", "0s"), "4.2.6": kubeletField("makeIPTablesUtilChains", false),
		"4.2.7": {change: func(m *mutant) { m.unit(n1, let, "hostname-override", "n1") }}, "4.2.8": kubeletField("eventRecordQPS", -1),
		"4.2.9": kubeletField("tlsPrivateKeyFile"), "4.2.10": kubeletField("rotateCertificates", false), "4.2.11": kubeletField("featureGates.RotateKubeletServerCertificate", false),
		"4.2.12": kubeletField("tlsCipherSuites", []any{"TLS_RSA_WITH_AES_256_CBC_SHA"}), "4.2.13": kubeletField("podPidsLimit", -1), "4.2.14": kubeletField("seccompDefault"),
		"4.3.1": {change: func(m *mutant) { m.field(n1, proxyYAML, "metricsBindAddress", "0.0.0.0:10249") }},
		"5.1.7": {change: func(m *mutant) {
			m.certificate(m1, "admin", func(c *resource.Certificate) { c.Subject.O = []string{"system:masters"} })
		}},

		"1.6/1.2.2": flagOf(api, "basic-auth-file", "/etc/users.csv"), "1.6/1.2.18": flagOf(api, "insecure-bind-address", "0.0.0.0"), "1.6/1.2.19": flagOf(api, "insecure-port", "9090"),
		"1.24/4.2.6": kubeletField("protectKernelDefaults", false),
	}
	for id, with := range map[string]string{"1.2.27": "1.2.28", "1.2.28": "1.2.27"} {
		m := all[id]
		m.also = []string{with}
		all[id] = m
	}
	for id, version := range map[string]string{"1.6/1.2.2": "1.18.20", "1.6/1.2.18": "1.23.1", "1.6/1.2.19": "1.23.1", "1.24/4.2.6": "1.24.1"} {
		m := all[id]
		m.version = version
		all[id] = m
	}
	return all
}

// wrong are the checks that fail on some host, accepted or not.
func wrong(r Report) []string {
	var out []string
	for _, res := range r.Results {
		if res.Status == Fail || res.Status == Accepted {
			out = append(out, res.Check)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestEachCheckCanFail: for every check that hardway decides there is one change
// that turns it, and nothing else. A check that nothing turns checks nothing.
func TestEachCheckCanFail(t *testing.T) {
	lab := compile(t, "../../examples/lab", "", "")
	all := mutations()
	for _, c := range Checks() {
		mut, found := all[c.ID]
		if found != c.Decided() {
			t.Errorf("%s: decided %v, and there is a mutation: %v", c.ID, c.Decided(), found)
			continue
		}
		delete(all, c.ID)
		if !found {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			w := lab
			if mut.version != "" {
				cfg := *lab.cfg
				cfg.Version = mut.version
				w.cfg = &cfg
			}
			before := wrong(w.audit())
			m := &mutant{t: t, list: slices.Clone(w.set.All())}
			if mut.change(m); m.hits != 1 {
				t.Fatalf("the mutation changed %d resources", m.hits)
			}
			set, err := resource.NewSet(m.list)
			if err != nil {
				t.Fatal(err)
			}
			w.set = set
			after := wrong(w.audit())
			var turned []string
			for _, id := range slices.Concat(before, after) {
				if slices.Contains(before, id) != slices.Contains(after, id) {
					turned = append(turned, id)
				}
			}
			slices.Sort(turned)
			want := append([]string{c.ID}, mut.also...)
			slices.Sort(want)
			if diff := cmp.Diff(want, turned); diff != "" {
				t.Errorf("what the mutation turned (-want +got):\n%s", diff)
			}
		})
	}
	for id := range all {
		t.Errorf("the mutation %s is of no check", id)
	}
}
