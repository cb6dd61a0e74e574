package audit

import (
	"strings"

	"hardway/units"
)

const (
	api        = units.ComponentAPIServer
	manager    = units.ComponentControllerManager
	sched      = units.ComponentScheduler
	etcdServer = units.ComponentEtcd
)

// leave is the fix of what no setting can break.
const leave = "No setting changes it: \"hardway apply\" puts it right."

func controlPlaneFiles() []Check {
	unitNote := " (here: of its systemd unit)"
	var list []Check
	for i, c := range []struct{ id, name, component string }{{"1.1.1", "API server", api}, {"1.1.3", "controller manager", manager}, {"1.1.5", "scheduler", sched}, {"1.1.7", "etcd", etcdServer}} {
		list = append(list,
			Check{ID: c.id, Title: "The " + c.name + " pod specification file has permissions 600 or stricter" + unitNote, Scored: true, rule: atMost(0o600, unitFile(c.component))},
			Check{ID: "1.1." + string('0'+rune(2*i+2)), Title: "The " + c.name + " pod specification file belongs to root:root" + unitNote, Scored: true, rule: byRoot(unitFile(c.component))})
	}
	scheduler, controllerManager := fileOf(sched, "authentication-kubeconfig", ""), fileOf(manager, "kubeconfig", "")
	dataDir := fileOf(etcdServer, "data-dir", "")
	list = append(list,
		Check{ID: "1.1.9", Title: "Container network interface files have permissions 600 or stricter", rule: cniFiles(func(p paths) rule { return atMost(0o600, p) })},
		Check{ID: "1.1.10", Title: "Container network interface files belong to root:root", rule: cniFiles(byRoot)},
		Check{ID: "1.1.11", Title: "The etcd data directory has permissions 700 or stricter", Scored: true, rule: atMost(0o700, dataDir)},
		Check{ID: "1.1.12", Title: "The etcd data directory belongs to etcd:etcd", Scored: true, rule: ownedBy("etcd", dataDir),
			Fix:      "there is no setting for it yet.",
			Accepted: "etcd runs as root here, as under kubeadm, because its keys lie in the PKI directory, which check 1.1.19 wants to be root's. The directory has mode 0700, so that nobody else gets at the data."},
		Check{ID: "1.1.13", Title: "The administrator's kubeconfig has permissions 600", Scored: true, rule: atMost(0o600, adminConf)},
		Check{ID: "1.1.14", Title: "The administrator's kubeconfig belongs to root:root", Scored: true, rule: byRoot(adminConf)},
		Check{ID: "1.1.15", Title: "The scheduler's kubeconfig has permissions 600 or stricter", Scored: true, rule: atMost(0o600, scheduler)},
		Check{ID: "1.1.16", Title: "The scheduler's kubeconfig belongs to root:root", Scored: true, rule: byRoot(scheduler)},
		Check{ID: "1.1.17", Title: "The controller manager's kubeconfig has permissions 600 or stricter", Scored: true, rule: atMost(0o600, controllerManager)},
		Check{ID: "1.1.18", Title: "The controller manager's kubeconfig belongs to root:root", Scored: true, rule: byRoot(controllerManager)},
		Check{ID: "1.1.19", Title: "The PKI directory and its files belong to root:root", Scored: true, rule: byRoot(pkiFiles)},
		Check{ID: "1.1.20", Title: "Certificate files of the PKI have permissions 644 or stricter", rule: atMost(0o644, pkiCerts)},
		Check{ID: "1.1.21", Title: "Key files of the PKI have permissions 600", rule: atMost(0o600, pkiKeys)},
	)
	for i := range list {
		if list[i].Level, list[i].Masters = 1, true; list[i].Fix == "" {
			list[i].Fix = leave
		}
	}
	return list
}

func controllerManager() []Check {
	list := []Check{
		{ID: "1.3.1", Title: "--terminated-pod-gc-threshold is set", rule: flagsSet(manager, "terminated-pod-gc-threshold"),
			Fix: `controller_manager { flags = { "terminated-pod-gc-threshold" = 12500 } }`},
		{ID: "1.3.2", Title: "--profiling is false", Scored: true, rule: flagIs(manager, "profiling", "false"), Fix: `controller_manager { flags = { profiling = false } }`},
		{ID: "1.3.3", Title: "--use-service-account-credentials is true", Scored: true, rule: flagIs(manager, "use-service-account-credentials", "true"),
			Fix: `controller_manager { flags = { "use-service-account-credentials" = true } }`},
		{ID: "1.3.4", Title: "--service-account-private-key-file is set", Scored: true, rule: flagsSet(manager, "service-account-private-key-file"), Fix: leave},
		{ID: "1.3.5", Title: "--root-ca-file is set", Scored: true, rule: flagsSet(manager, "root-ca-file"), Fix: leave},
		{ID: "1.3.6", Title: "The feature gate RotateKubeletServerCertificate is not off", Scored: true, Level: 2, rule: gateOn(manager, "RotateKubeletServerCertificate", ""),
			Fix: `controller_manager { flags = { "feature-gates" = "RotateKubeletServerCertificate=true" } }`},
		{ID: "1.3.7", Title: "--bind-address is 127.0.0.1", Scored: true, rule: loopback(manager), Fix: `controller_manager { flags = { "bind-address" = "127.0.0.1" } }`},
	}
	return masters(list)
}

func scheduler() []Check {
	return masters([]Check{
		{ID: "1.4.1", Title: "--profiling is false", Scored: true, Fix: `scheduler { config = { enableProfiling = false } }`,
			// The config object is what counts, the command line where scanners look.
			rule: decide(sched, "", "enableProfiling", func(v value) bool { return v.set && same(v.last(), "false") }).and(flagIs(sched, "profiling", "false"))},
		{ID: "1.4.2", Title: "--bind-address is 127.0.0.1", Scored: true, rule: loopback(sched), Fix: `scheduler { flags = { "bind-address" = "127.0.0.1" } }`},
	})
}

func etcd() []Check {
	return masters([]Check{
		{ID: "2.1", Title: "--cert-file and --key-file are set", Scored: true, rule: flagsSet(etcdServer, "cert-file", "key-file"), Fix: leave},
		{ID: "2.2", Title: "--client-cert-auth is true", Scored: true, rule: flagIs(etcdServer, "client-cert-auth", "true"), Fix: leave},
		{ID: "2.3", Title: "--auto-tls is not true", Scored: true, rule: flagNot(etcdServer, "auto-tls", "true"), Fix: leave},
		{ID: "2.4", Title: "--peer-cert-file and --peer-key-file are set", Scored: true, rule: flagsSet(etcdServer, "peer-cert-file", "peer-key-file"), Fix: leave},
		{ID: "2.5", Title: "--peer-client-cert-auth is true", Scored: true, rule: flagIs(etcdServer, "peer-client-cert-auth", "true"), Fix: leave},
		{ID: "2.6", Title: "--peer-auto-tls is not true", Scored: true, rule: flagNot(etcdServer, "peer-auto-tls", "true"), Fix: leave},
		{ID: "2.7", Title: "etcd has a certificate authority of its own", Level: 2, rule: ownAuthority(), Fix: leave},
	})
}

// ownAuthority wants etcd to trust another bundle than the API server does.
func ownAuthority() rule {
	return rule{test: each(etcdServer, func(m *machine, c command) finding {
		trusted := c.value(m, "trusted-ca-file", "").last()
		if trusted == "" {
			return fail("%s has no --trusted-ca-file", c.from)
		}
		for _, a := range m.commands[api] {
			if a.value(m, "client-ca-file", "").last() == trusted {
				return fail("etcd and the API server both trust %s", quoted(trusted))
			}
		}
		return pass("%s has --trusted-ca-file=%s", c.from, quoted(trusted))
	})}
}

// loopback wants a component to listen on 127.0.0.1 alone.
func loopback(component string) rule {
	return decide(component, "bind-address", "", func(v value) bool { return v.set && (v.last() == "127.0.0.1" || v.last() == "::1") })
}

// gateOn wants a feature gate not to be switched off, by flag or in the config
// object; it has been on by default since Kubernetes 1.12.
func gateOn(component, gate, object string) rule {
	r := decide(component, "feature-gates", "", func(v value) bool {
		for _, pair := range v.list() {
			name, setting, _ := strings.Cut(strings.TrimPrefix(pair, "kube:"), "=")
			if name == gate && same(setting, "false") {
				return false
			}
		}
		return true
	})
	if object != "" {
		r = r.and(decide(component, "", object+"."+gate, func(v value) bool { return !v.set || !same(v.last(), "false") }))
	}
	return r
}

// masters fills in what the checks of the control plane share.
func masters(list []Check) []Check {
	for i := range list {
		list[i].Masters = true
		if list[i].Level == 0 {
			list[i].Level = 1
		}
	}
	return list
}

func auditLog() []Check {
	return masters([]Check{
		{ID: "3.2.1", Title: "There is an audit policy", rule: flagsSet(api, "audit-policy-file"), Fix: "Leave audit-policy-file to hardway, which writes one."},
		{ID: "3.2.2", Title: "The audit policy covers key security concerns", Level: 2, rule: auditPolicy(),
			Fix: "Log secrets, configmaps and tokenreviews at level Metadata, and changes of pods and deployments, pods/exec, pods/portforward, pods/proxy and services/proxy at least so; or leave audit-policy-file to hardway."},
	})
}
