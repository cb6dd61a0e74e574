//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// broken is a setting that hardway's own checks let pass, and with which the
// component fails: at its start, a moment later, or by never becoming healthy.
type broken struct {
	name    string
	setting string
	unit    string
	host    string // which has to bear it alone; empty: whichever comes first
}

// port is where a listener that is not ours stands on every host.
const port = "9999"

// brokenSettings are at least one of each component. The first five are for
// plain e2e: one of each that fails in a manner of its own.
var brokenSettings = []broken{
	{"apiserver: missing admission config", `apiserver_flags = { "admission-control-config-file" = "/etc/kubernetes/none.yaml" }`, "kube-apiserver", "m1"},
	{"kubelet: reserved cgroup that is not there", `n1_kubelet_settings = { enforceNodeAllocatable = ["pods", "system-reserved"], systemReserved = { cpu = "100m" }, systemReservedCgroup = "/none" }`, "kubelet", "n1"},
	{"etcd: election faster than its heartbeat", `etcd_flags = { "heartbeat-interval" = "2000" }`, "etcd", "m1"},
	{"controller-manager: lease shorter than its renewal", `controller_manager_flags = { "leader-elect-lease-duration" = "1s" }`, "kube-controller-manager", "m1"},
	{"kube-proxy: port taken", `n1_proxy_settings = { metricsBindAddress = "127.0.0.1:` + port + `", bindAddressHardFail = true }`, "kube-proxy", "n1"},

	{"apiserver: missing encryption config", `apiserver_flags = { "encryption-provider-config" = "/etc/kubernetes/none.yaml" }`, "kube-apiserver", "m1"},
	{"apiserver: missing audit webhook", `apiserver_flags = { "audit-webhook-config-file" = "/etc/kubernetes/none.yaml" }`, "kube-apiserver", "m1"},
	{"apiserver: negative limit", `apiserver_flags = { "max-requests-inflight" = "-1" }`, "kube-apiserver", "m1"},
	{"apiserver: storage of the past", `apiserver_flags = { "storage-backend" = "etcd2" }`, "kube-apiserver", "m1"},
	{"apiserver: unknown API", `apiserver_flags = { "runtime-config" = "nope/v1=true" }`, "kube-apiserver", "m1"},
	{"apiserver: unknown cipher", `apiserver_flags = { "tls-cipher-suites" = "NOPE" }`, "kube-apiserver", "m1"},
	{"controller-manager: unknown controller", `controller_manager_flags = { "controllers" = "nosuch" }`, "kube-controller-manager", "m1"},
	{"controller-manager: unknown TLS version", `controller_manager_flags = { "tls-min-version" = "VersionTLS99" }`, "kube-controller-manager", "m1"},
	{"controller-manager: address of nobody", `controller_manager_flags = { "bind-address" = "192.0.2.1" }`, "kube-controller-manager", "m1"},
	{"scheduler: score out of range", `scheduler_settings = { percentageOfNodesToScore = 101 }`, "kube-scheduler", "m1"},
	{"scheduler: lease shorter than its renewal", `scheduler_settings = { leaderElection = { leaseDuration = "1s" } }`, "kube-scheduler", "m1"},
	{"scheduler: unknown cipher", `scheduler_flags = { "tls-cipher-suites" = "NOPE" }`, "kube-scheduler", "m1"},
	{"etcd: unknown compaction", `etcd_flags = { "auto-compaction-mode" = "nope" }`, "etcd", "m1"},
	{"etcd: unknown cipher", `etcd_flags = { "cipher-suites" = "NOPE" }`, "etcd", "m1"},
	{"kubelet: gate without the one below it", `n1_kubelet_settings = { featureGates = { GracefulNodeShutdown = false, GracefulNodeShutdownBasedOnPodPriority = true } }`, "kubelet", "n1"},
	{"kubelet: threshold that is none", `n1_kubelet_settings = { evictionHard = { "memory.available" = "nope" } }`, "kubelet", "n1"},
	{"kubelet: port taken", `n1_kubelet_settings = { port = ` + port + ` }`, "kubelet", "n1"},
	{"kubelet everywhere: unknown log format", `kubelet_flags = { "logging-format" = "nope" }`, "kubelet", ""},
	{"kube-proxy everywhere: mark bit out of range", `proxy_settings = { iptables = { masqueradeBit = 99 } }`, "kube-proxy", ""},
	{"kube-proxy: unknown log format", `n1_proxy_settings = { logging = { format = "nope" } }`, "kube-proxy", "n1"},
	{"containerd everywhere: unknown default runtime", `containerd_settings = { containerd = { default_runtime_name = "nope" } }`, "containerd", ""},
}

// brokenInPlain is how many of them plain e2e takes.
const brokenInPlain = 5

// restoredWithin is from the restart with the broken setting until the former
// one is in force and healthy again.
const restoredWithin = 60 * time.Second

// testBroken breaks a healthy cluster with each of the settings, and wants it
// put back by itself, on the one host that was touched.
func testBroken(l *lab, list []broken) {
	l.addKnobs()
	l.turn()
	l.must(0, "apply", "--auto-approve", "--verify=false") // only where a test before has left another
	l.noChanges()
	for _, h := range names {
		l.on(h, "setsid socat TCP-LISTEN:"+port+",fork,reuseaddr /dev/null >/dev/null 2>&1 & echo $! >/run/foreign.pid")
	}
	defer func() {
		for _, h := range names {
			l.on(h, "kill $(cat /run/foreign.pid); rm /run/foreign.pid")
		}
	}()
	took := map[string]time.Duration{}
	for _, b := range list {
		if !l.brokenBy(b, took) { // the rest starts from a healthy cluster all the same
			l.turn()
			l.must(0, "apply", "--auto-approve", "--verify=false", "--retry")
		}
	}
	if len(took) == 0 {
		l.t.Fatal("nothing was put back")
	}
	sorted := slices.Sorted(maps.Values(took))
	l.t.Logf("%d broken settings put back; from the restart to healthy again: min %.1f s, median %.1f s, max %.1f s",
		len(sorted), sorted[0].Seconds(), sorted[len(sorted)/2].Seconds(), sorted[len(sorted)-1].Seconds())
}

// brokenBy reports whether everything was put back.
func (l *lab) brokenBy(b broken, took map[string]time.Duration) bool {
	l.t.Helper()
	before, ran := l.installed(), l.processes()
	l.turn(b.setting)
	r := l.run("apply", "--auto-approve", "--json", "--verify=false")
	if r.exit != 1 {
		l.t.Errorf("%s: apply: exit %d, want 1\n%s", b.name, r.exit, tail(r.errout, 1500))
		return false
	}
	restored := l.restorations(r.out)
	if len(restored) != 1 {
		l.t.Errorf("%s: %d units were put back, want 1\n%s", b.name, len(restored), tail(r.all(), 3000))
		return false
	}
	for unit, elapsed := range restored {
		if !strings.Contains(unit, `unit["`+b.unit+`"]`) {
			l.t.Errorf("%s: %s was put back, want %s", b.name, unit, b.unit)
		}
		took[b.name] = elapsed
		if elapsed > restoredWithin {
			l.t.Errorf("%s: it took %s from the restart to healthy again, want at most %s", b.name, elapsed, restoredWithin)
		}
		l.t.Logf("%s: %s put back after %.1f s", b.name, unit, elapsed.Seconds())
	}
	if !strings.Contains(r.all(), "what was there before was put back") {
		l.t.Errorf("%s: the text does not say what was done:\n%s", b.name, tail(r.all(), 3000))
	}
	l.same(b.name+", the files", before, l.installed())
	var touched []string
	for h, now := range l.processes() {
		if now != ran[h] {
			touched = append(touched, h)
		}
	}
	if len(touched) != 1 || b.host != "" && touched[0] != b.host {
		l.t.Errorf("%s: processes were restarted on %q, want on one host %s", b.name, touched, b.host)
	}
	// What lost its lease while the API was away ends, and systemd starts it anew.
	r = l.run("verify", "--smoke=false")
	for deadline := time.Now().Add(30 * time.Second); r.exit != 0 && time.Now().Before(deadline); r = l.run("verify", "--smoke=false") {
		time.Sleep(time.Second)
	}
	if r.exit != 0 {
		l.t.Errorf("%s: not healthy afterwards: %s", b.name, tail(r.all(), 3000))
	}
	if r := l.run("plan", "--detailed-exitcode"); r.exit != 1 || !strings.Contains(r.all(), "held back") || strings.Contains(r.out, "Plan: ") {
		l.t.Errorf("%s: the next plan: exit %d, want 1, held back and no change\n%s", b.name, r.exit, tail(r.all(), 3000))
	}
	l.turn()
	l.noChanges()
	return true
}

// restorations reads from the events what was put back, and how long it took.
func (l *lab) restorations(events string) map[string]time.Duration {
	l.t.Helper()
	out := map[string]time.Duration{}
	for line := range strings.Lines(events) {
		var e struct {
			Type string `json:"type"`
			Hook struct {
				Resource struct {
					Addr string `json:"addr"`
				} `json:"resource"`
				Elapsed float64 `json:"elapsed_seconds"`
			} `json:"hook"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			l.t.Fatalf("an event is not JSON: %v: %s", err, line)
		}
		if e.Type == "restore_complete" {
			out[e.Hook.Resource.Addr] = time.Duration(e.Hook.Elapsed * float64(time.Second))
		}
	}
	return out
}

// installed is every file that hardway has put on each host, with its digest; of
// the executables, size and time.
func (l *lab) installed() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for _, h := range names {
		out[h] = l.on(h, `find /etc/kubernetes /etc/systemd/system /etc/containerd /etc/cni /etc/etcd /etc/sysctl.d /etc/modules-load.d /var/lib/kubelet/config.yaml `+
			`-type f -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum; find /usr/local/bin /opt/cni -type f -printf '%s %T@ %p\n' | sort`)
	}
	return out
}

// processes are the main processes of the components on each host.
func (l *lab) processes() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for _, h := range names {
		out[h] = l.on(h, `for u in etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy; do echo "$u $(systemctl show -P MainPID $u)"; done`)
	}
	return out
}
