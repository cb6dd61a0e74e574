package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/mod/semver"

	"hardway/versions"
)

// release matches versions as they are written here: three numbers, no v.
var release = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(-[0-9A-Za-z.-]{1,64})?$`)

// kubernetesVersion reads the version that everything else depends on.
func (r reader) kubernetesVersion() string {
	all := versions.All()
	oldest, newest := all[0].Name, all[len(all)-1].Name
	if !r.has("kubernetes_version") {
		r.l.diags.add(errorAt(r.rng, "Missing attribute", "%s needs the version of Kubernetes: kubernetes_version = \"%s.1\".", r.where, newest))
		return ""
	}
	version := r.release("kubernetes_version", "Kubernetes", "")
	if version == "" {
		return ""
	}
	m, ok := versions.Of(version)
	if !ok {
		age := "older than"
		if semver.Compare("v"+version, "v"+newest+".0") > 0 {
			age = "newer than"
		}
		r.fail("kubernetes_version", "Unsupported Kubernetes version", "Kubernetes %s is %s what this version of hardway knows the flags and defaults of: %s to %s. Any patch of these can be used.",
			version, age, oldest, newest)
		return ""
	}
	r.l.diags.add(supportNotice(m, version, newest, r.rangeOf("kubernetes_version")))
	return version
}

// supportNotice warns of a minor that is not supported; nil where it is.
func supportNotice(m versions.Minor, version, newest string, rng hcl.Range) *hcl.Diagnostic {
	switch m.Support {
	case versions.Ended:
		return warningAt(rng, "Kubernetes version past its end", "Kubernetes %s gets no more fixes from its authors, security fixes included; its newest patch was %s. What hardway writes for it is checked against the flags and fields of that minor. Plan an upgrade, one minor at a time, to %s.",
			version, m.Newest, newest)
	case versions.Untested:
		return warningAt(rng, "Kubernetes version not tested", "hardway has NEVER run a cluster of Kubernetes %s. It renders and plans one from tables that were read out of the source of %s; not tested are: starting the components, joining of nodes, rotation of certificates, upgrades, and any kernel or distribution (cgroup v2 needs 1.25 or newer). The minor gets no security fixes. Use it to study or to leave it behind, not for work that matters; its newest patch was %s.",
			version, m.Name, m.Newest)
	}
	return nil
}

// release reads a version number; fallback stands for an absent one.
func (r reader) release(name, of, fallback string) string {
	s, ok := r.word(name)
	if !ok {
		return fallback
	}
	if !release.MatchString(s) {
		hint := ""
		if trimmed := strings.TrimPrefix(s, "v"); trimmed != s && release.MatchString(trimmed) {
			hint = " Write " + strconv.Quote(trimmed) + ", without the v."
		} else if release.MatchString(trimmed + ".0") {
			hint = " The patch is missing: binaries are pinned, so write it, as in " + strconv.Quote(trimmed+".0") + "."
		}
		r.fail(name, "Not a version", "%s of %s is %s; a version of %s has three numbers, such as 1.2.3.%s", name, r.where, quote(s), of, hint)
		return ""
	}
	return s
}

// checkEtcdVersion holds etcd to what kube-apiserver takes: kubeadm's
// MinExternalEtcdVersion of that minor.
func (r reader) checkEtcdVersion(version, kubernetes string) {
	m, ok := versions.Of(kubernetes)
	if !ok || version == "" {
		return
	}
	all := versions.All()
	newest := all[len(all)-1].Etcd
	switch v := "v" + version; {
	case semver.Compare(v, "v"+oldestEtcd) < 0:
		r.fail("version", "etcd too old", "etcd %s is older than %s, the oldest line that this version of hardway knows the flags of.", version, oldestEtcd)
	case semver.Compare(v, "v"+m.OldestEtcd) < 0:
		r.fail("version", "etcd too old", "etcd %s is older than %s, the oldest that Kubernetes %s works with.", version, m.OldestEtcd, m.Name)
	case semver.Compare(semver.MajorMinor(v), semver.MajorMinor("v"+newest)) > 0:
		r.fail("version", "Unsupported etcd version", "etcd %s is newer than %s, the newest line this version of hardway knows the flags of.", version, strings.TrimPrefix(semver.MajorMinor("v"+newest), "v"))
	}
}

// oldestEtcd is the first release of the oldest line in the table of etcd's flags.
const oldestEtcd = "3.3.0"

// checkContainerd holds containerd to the CRI that the kubelet speaks: v1 is the
// only one from 1.26 on, and came with 1.23; containerd 2 has no other.
func (r reader) checkContainerd(version, kubernetes string) {
	m, ok := versions.Of(kubernetes)
	if !ok || version == "" {
		return
	}
	switch major := semver.Major("v" + version); {
	case major == "v2" && semver.Compare("v"+m.Name, "v1.23") < 0:
		r.fail("version", "containerd too new", "containerd %s speaks CRI v1 only, which the kubelet has from Kubernetes 1.23 on, and this cluster is to have %s. Use containerd %s.", version, kubernetes, m.Containerd)
	case major == "v2", major == "v1" && semver.Compare("v"+version, "v1.7") >= 0 && semver.Compare("v"+m.Name, "v1.35") <= 0:
	case major == "v1" && semver.Compare("v"+m.Name, "v1.35") > 0:
		r.fail("version", "containerd too old", "Kubernetes %s needs containerd 2.2 or newer, not %s.", m.Name, version)
	default:
		r.fail("version", "containerd too old", "Kubernetes %s needs containerd 1.7 or newer, not %s: that is the oldest whose configuration hardway writes.", m.Name, version)
	}
}

// proxyMode is one mode of kube-proxy with its history.
type proxyMode struct {
	name                    string
	beta, deprecated, until string // minors; empty for never
	off                     string // the minor from which it has to be turned on by a feature gate
	advice                  string
}

// proxyModes follows the changelogs: userspace left in 1.26, nftables came as
// alpha in 1.29, as beta (on by default) in 1.31 and is stable since 1.33, ipvs
// is deprecated since 1.35, off by default in 1.40 and goes in 1.43
// (kubernetes@v1.37.1:cmd/kube-proxy/app/server_linux.go).
func proxyModes() []proxyMode {
	return []proxyMode{
		{name: "iptables"},
		{name: "nftables", beta: "1.31"},
		{name: "ipvs", deprecated: "1.35", off: "1.40", until: "1.43", advice: "nftables"},
		{name: "userspace", deprecated: "1.23", until: "1.26", advice: "iptables or nftables"},
	}
}

// proxyModeProblem judges a mode for a version; nil means that it is fine.
func proxyModeProblem(mode, version string, rng hcl.Range) *hcl.Diagnostic {
	var names []string
	v := "v" + minorOf(version)
	for _, m := range proxyModes() {
		has := m.until == "" || semver.Compare(v, "v"+m.until) < 0
		early := m.beta != "" && semver.Compare(v, "v"+m.beta) < 0
		if has && !early {
			names = append(names, m.name)
		}
		if m.name != mode {
			continue
		}
		switch {
		case !has:
			return errorAt(rng, "Proxy mode removed", "kube-proxy has no mode %q since Kubernetes %s, and this cluster is to have %s. Use %s.", mode, m.until, version, m.advice)
		case early:
			return errorAt(rng, "Proxy mode not available", "kube-proxy has the mode %q from Kubernetes %s on, and this cluster is to have %s.", mode, m.beta, version)
		case m.deprecated != "" && semver.Compare(v, "v"+m.deprecated) >= 0:
			off := ""
			if m.off != "" {
				off = "will be off by default in " + m.off + " and "
			}
			return warningAt(rng, "Proxy mode deprecated", "The mode %q of kube-proxy is deprecated since Kubernetes %s, %swill be removed in %s. Plan a change to %s.", mode, m.deprecated, off, m.until, m.advice)
		}
		return nil
	}
	return errorAt(rng, "Unknown proxy mode", "kube-proxy of Kubernetes %s has no mode %s; it has %s.%s", version, quote(mode), enumerate(names, "and"), didYouMean(mode, names))
}
