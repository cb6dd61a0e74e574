// Package binaries obtains what is installed on hosts: it resolves where each
// file comes from, downloads or copies it, verifies it against the sum its
// source publishes and against the pin in hardway.lock.hcl, and keeps it in a
// cache under its own SHA-256.
//
// It knows sources, archives, sums, the lock file and the cache. It must never
// know hosts, HCL configuration or what the files do.
//
// Trust is on first use: the first init believes the published sum and pins the
// SHA-256 of each file; from then on only those bytes are installed.
package binaries

import (
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"hardway/provision/addr"
)

// Group is a set of components that are released together under one version.
type Group string

// The groups. The names are directories in a source's layout and keys of the
// binaries block.
const (
	Kubernetes Group = "kubernetes"
	Etcd       Group = "etcd"
	Containerd Group = "containerd"
	Runc       Group = "runc"
	CNIPlugins Group = "cni-plugins"
)

// Versions are the versions of the groups, without a leading v.
type Versions map[Group]string

// Artifact is one file for one architecture.
type Artifact struct {
	Component string // the file's name: kubelet
	Group     Group
	Version   string // without a leading v
	Arch      string // Go's name: amd64
	Roles     []addr.Role
}

// String names the artifact for people.
func (a Artifact) String() string { return a.Component + " " + a.Version + " (" + a.Arch + ")" }

// component is a row of the catalogue. Nodes lack the control plane; masters
// have everything, because they run kubelet and kube-proxy too.
type component struct {
	name   string
	group  Group
	onNode bool
}

func catalogue() []component {
	return []component{
		{"kube-apiserver", Kubernetes, false},
		{"kube-controller-manager", Kubernetes, false},
		{"kube-scheduler", Kubernetes, false},
		{"kubectl", Kubernetes, false},
		{"kubelet", Kubernetes, true},
		{"kube-proxy", Kubernetes, true},
		{"etcd", Etcd, false},
		{"etcdctl", Etcd, false},
		{"etcdutl", Etcd, false},
		{"containerd", Containerd, true},
		{"containerd-shim-runc-v2", Containerd, true},
		{"ctr", Containerd, true},
		{"runc", Runc, true},
		{"bridge", CNIPlugins, true},
		{"host-local", CNIPlugins, true},
		{"loopback", CNIPlugins, true},
		{"portmap", CNIPlugins, true},
	}
}

// machines maps the architectures that upstream releases for to the machine in
// a program's ELF header.
func machines() map[string]elf.Machine {
	return map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390}
}

// Wanted lists the artifacts that hosts of the given architectures need, in a
// stable order. Architectures are given by role, because a node needs no
// control plane; a role without hosts has none.
func Wanted(v Versions, arches map[addr.Role][]string) ([]Artifact, error) {
	var out []Artifact
	for _, c := range catalogue() {
		roles := map[string][]addr.Role{}
		for _, role := range []addr.Role{addr.Master, addr.Node} {
			if role == addr.Node && !c.onNode {
				continue
			}
			for _, arch := range arches[role] {
				if !slices.Contains(roles[arch], role) {
					roles[arch] = append(roles[arch], role)
				}
			}
		}
		for _, arch := range slices.Sorted(maps.Keys(roles)) {
			if _, ok := machines()[arch]; !ok {
				return nil, fmt.Errorf("there are no binaries for the architecture %q; known are %s", arch, strings.Join(slices.Sorted(maps.Keys(machines())), ", "))
			}
			version := strings.TrimPrefix(v[c.group], "v")
			if !plainVersion(version) {
				return nil, fmt.Errorf("%q is not a version of %s; want one such as 1.2.3", v[c.group], c.group)
			}
			if !Has(c.name, version) {
				continue
			}
			out = append(out, Artifact{Component: c.name, Group: c.group, Version: version, Arch: arch, Roles: roles[arch]})
		}
	}
	return out, nil
}

// Has reports whether a release has a component: etcdutl came with etcd 3.5, until
// when etcdctl did what it does.
func Has(component, version string) bool {
	return component != "etcdutl" || semver.Compare("v"+strings.TrimPrefix(version, "v"), "v3.5.0-0") >= 0
}

// plainVersion reports whether a version can be part of a path and of a URL.
func plainVersion(v string) bool {
	return v != "" && v[0] >= '0' && v[0] <= '9' && !strings.Contains(v, "..") &&
		strings.Trim(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-") == ""
}

// release is how a group's upstream publishes on GitHub: archives with the
// sums in a file beside them.
type release struct {
	base string
	file func(version, arch string) string
	sums func(file string) string
	// member is the name of a component in the archive; nil when the file is the
	// component itself.
	member func(version, arch, component string) string
}

// releasePath ends the base of every project's releases on GitHub, and of a mirror of it.
const releasePath = "/releases/download"

// upstream is where the groups are published that dl.k8s.io does not have. The
// names of archives, sums and members are those of the projects' release pages.
func upstream() map[Group]release {
	const github = "https://github.com/"
	return map[Group]release{
		Etcd: {
			base:   github + "etcd-io/etcd" + releasePath,
			file:   func(v, arch string) string { return "etcd-v" + v + "-linux-" + arch + ".tar.gz" },
			sums:   func(string) string { return "SHA256SUMS" },
			member: func(v, arch, c string) string { return "etcd-v" + v + "-linux-" + arch + "/" + c },
		},
		Containerd: {
			base:   github + "containerd/containerd" + releasePath,
			file:   func(v, arch string) string { return "containerd-" + v + "-linux-" + arch + ".tar.gz" },
			sums:   func(file string) string { return file + ".sha256sum" },
			member: func(_, _, c string) string { return "bin/" + c },
		},
		Runc: {
			base: github + "opencontainers/runc" + releasePath,
			file: func(_, arch string) string { return "runc." + arch },
			sums: func(string) string { return "runc.sha256sum" },
		},
		CNIPlugins: {
			base:   github + "containernetworking/plugins" + releasePath,
			file:   func(v, arch string) string { return "cni-plugins-linux-" + arch + "-v" + v + ".tgz" },
			sums:   func(file string) string { return file + ".sha256" },
			member: func(_, _, c string) string { return c },
		},
	}
}

// compareArtifacts orders by component, then architecture, as the lock file is.
func compareArtifacts(a, b Artifact) int {
	return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Arch, b.Arch))
}
