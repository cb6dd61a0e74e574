package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/mod/semver"
)

// release matches versions as they are written here: three numbers, no v.
var release = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(-[0-9A-Za-z.-]{1,64})?$`)

// kubernetesVersion reads the version that everything else depends on.
func (r reader) kubernetesVersion() string {
	all := minors()
	newest := all[len(all)-1].name
	if !r.has("kubernetes_version") {
		r.l.diags.add(errorAt(r.rng, "Missing attribute", "%s needs the version of Kubernetes: kubernetes_version = \"%s.1\".", r.where, newest))
		return ""
	}
	version := r.release("kubernetes_version", "Kubernetes", "")
	if version == "" {
		return ""
	}
	if _, ok := companions(version); !ok {
		var names []string
		for _, m := range all {
			names = append(names, m.name)
		}
		age := "older than"
		if semver.Compare("v"+version, "v"+newest+".0") > 0 {
			age = "newer than"
		}
		r.fail("kubernetes_version", "Unsupported Kubernetes version", "Kubernetes %s is %s what this version of hardway knows the flags and defaults of: %s. Any patch of these can be used.",
			version, age, enumerate(names, "and"))
		return ""
	}
	return version
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
// MinExternalEtcdVersion is 3.5.24 for all supported minors.
func (r reader) checkEtcdVersion(version string) {
	switch v := "v" + version; {
	case version == "":
	case semver.Compare(v, "v3.5.24") < 0:
		r.fail("version", "etcd too old", "etcd %s is older than 3.5.24, the oldest that the supported versions of Kubernetes work with.", version)
	case semver.Compare(semver.MajorMinor(v), "v3.7") > 0:
		r.fail("version", "Unsupported etcd version", "etcd %s is newer than 3.7, the newest line this version of hardway knows the flags of.", version)
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
