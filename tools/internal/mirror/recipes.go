package mirror

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"hardway/tools/internal/gomodule"
)

// Versions are what to build, without v; an empty list or name leaves the component out.
type Versions struct {
	Kubernetes []string
	Etcd       []string
	Containerd []string
	CNI        []string
	Runc       string // taken from Debian's package, which must have this upstream version
}

// recipe says how the programs of one Go module are built.
type recipe struct {
	component string // its directory in the mirror
	version   string // of the component, without v
	module    string
	programs  []gomodule.Program // Set is filled from versionVars
	names     []string           // of the binaries, in the programs' order
	published gomodule.Published
	// versionVars are the linker variables from which the program knows its version.
	versionVars func(gomodule.Source) map[string]string
}

// recipes are all modules to build for the versions.
func (v Versions) recipes() []recipe {
	var all []recipe
	for _, version := range v.Kubernetes {
		all = append(all, kubernetesRecipe(version))
	}
	for _, version := range v.Etcd {
		all = append(all, etcdRecipes(version)...)
	}
	for _, version := range v.Containerd {
		all = append(all, containerdRecipe(version))
	}
	for _, version := range v.CNI {
		all = append(all, cniRecipe(version))
	}
	return all
}

// add appends one binary.
func (r *recipe) add(name, pkg, tags string) {
	r.names = append(r.names, name)
	r.programs = append(r.programs, gomodule.Program{Package: pkg, Tags: tags})
}

// KubernetesModule is the module of every Kubernetes component, and Staging the version under which the modules in its
// staging directory are published: v0.37.1 for v1.37.1.
const KubernetesModule = "k8s.io/kubernetes"

// Staging gives the published version of a staging module; version is Kubernetes', without v.
func Staging(version string) gomodule.Published {
	published := "v0." + strings.TrimPrefix(version, "1.")
	return func(module string) string {
		if other, ok := stagingFallback[module+"@"+published]; ok {
			return other
		}
		return published
	}
}

// stagingFallback names, for published modules that the module proxy does not have, another patch of the same minor.
// All of them hold types, whose flags are registered elsewhere.
var stagingFallback = map[string]string{
	"k8s.io/controller-manager@v0.25.16": "v0.25.0",
	"k8s.io/kube-proxy@v0.25.16":         "v0.25.0",
	"k8s.io/kube-scheduler@v0.25.16":     "v0.25.0",
	"k8s.io/controller-manager@v0.26.15": "v0.26.1",
	"k8s.io/kube-proxy@v0.26.15":         "v0.26.1",
	"k8s.io/controller-manager@v0.27.16": "v0.27.3",
	"k8s.io/cloud-provider@v0.27.16":     "v0.27.3",
	"k8s.io/kube-proxy@v0.27.16":         "v0.27.3",
	"k8s.io/kube-proxy@v0.30.14":         "v0.30.4",
	"k8s.io/kube-proxy@v0.31.14":         "v0.31.4",
	"k8s.io/kube-scheduler@v0.31.14":     "v0.31.0",
	"k8s.io/kube-aggregator@v0.31.14":    "v0.31.0",
	"k8s.io/kube-proxy@v0.32.13":         "v0.32.2",
	"k8s.io/kube-scheduler@v0.32.13":     "v0.32.2",
}

func kubernetesRecipe(version string) recipe {
	r := recipe{
		component: kubernetes, version: version, module: KubernetesModule, published: Staging(version),
		versionVars: kubernetesVersionVars,
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"} {
		r.add(name, KubernetesModule+"/cmd/"+name, "")
	}
	return r
}

// kubernetesVersionVars are what hack/lib/version.sh of Kubernetes sets. The tree is clean by construction: a module is
// the tag's content, checked against the checksum database.
func kubernetesVersionVars(src gomodule.Source) map[string]string {
	parts := strings.SplitN(strings.TrimPrefix(src.Version, "v"), ".", 3)
	vars := map[string]string{
		"gitVersion": src.Version, "gitMajor": parts[0], "gitMinor": parts[1], "gitTreeState": "clean",
		"gitCommit": "unknown", "buildDate": src.Time.UTC().Format(time.RFC3339),
	}
	if src.Commit != "" {
		vars["gitCommit"] = src.Commit
	}
	set := map[string]string{}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for name, value := range vars {
			set[pkg+"."+name] = value
		}
	}
	return set
}

// EtcdServerModule is etcd's server.
const EtcdServerModule = "go.etcd.io/etcd/server/v3"

// EtcdSiblings gives the published version of etcd's other modules, which are released together; version is without v.
func EtcdSiblings(version string) gomodule.Published {
	return func(path string) string {
		switch strings.TrimPrefix(path, "go.etcd.io/etcd/") {
		case "api/v3", "client/pkg/v3", "client/v3", "pkg/v3", "server/v3":
			return "v" + version
		}
		return "" // a guard against forbidden imports, pointing nowhere
	}
}

// etcdRecipes are three modules that replace each other by their directories.
func etcdRecipes(version string) []recipe {
	versionVars := func(src gomodule.Source) map[string]string {
		if src.Commit == "" {
			return nil // the version itself is a constant in the source
		}
		return map[string]string{"go.etcd.io/etcd/api/v3/version.GitSHA": src.Commit[:min(9, len(src.Commit))]}
	}
	var all []recipe
	for _, program := range []struct{ name, module string }{
		{"etcd", EtcdServerModule}, {"etcdctl", "go.etcd.io/etcd/etcdctl/v3"}, {"etcdutl", "go.etcd.io/etcd/etcdutl/v3"},
	} {
		r := recipe{
			component: "etcd", version: version, module: program.module, published: EtcdSiblings(version), versionVars: versionVars,
		}
		r.add(program.name, program.module, "")
		all = append(all, r)
	}
	return all
}

// containerdRecipe uses the build tags of containerd's Makefile for a static release; there too the shim goes without
// gRPC, since one runs beside every pod.
func containerdRecipe(version string) recipe {
	const module = "github.com/containerd/containerd/v2"
	const tags = "urfave_cli_no_docs,osusergo,netgo,static_build"
	r := recipe{
		component: "containerd", version: version, module: module,
		published: func(path string) string { return "" },
		versionVars: func(src gomodule.Source) map[string]string {
			return map[string]string{
				module + "/version.Version": src.Version, module + "/version.Revision": src.Commit,
				module + "/version.Package": module,
			}
		},
	}
	r.add("containerd", module+"/cmd/containerd", tags)
	r.add("containerd-shim-runc-v2", module+"/cmd/containerd-shim-runc-v2", tags+",no_grpc")
	r.add("ctr", module+"/cmd/ctr", tags)
	return r
}

// cniRecipe is the reference plugins that the bridge network needs.
func cniRecipe(version string) recipe {
	const module = "github.com/containernetworking/plugins"
	r := recipe{
		component: "cni-plugins", version: version, module: module,
		published: func(string) string { return "" },
		versionVars: func(src gomodule.Source) map[string]string {
			return map[string]string{module + "/pkg/utils/buildversion.BuildVersion": src.Version}
		},
	}
	for _, plugin := range []string{"main/bridge", "ipam/host-local", "main/loopback", "meta/portmap", "meta/firewall"} {
		r.add(plugin[strings.Index(plugin, "/")+1:], module+"/plugins/"+plugin, "")
	}
	return r
}

// program is the i-th program with its version variables set.
func (r recipe) program(i int, src gomodule.Source) gomodule.Program {
	p := r.programs[i]
	p.Set = maps.Clone(r.versionVars(src))
	return p
}

// label names the i-th program in progress lines.
func (r recipe) label(i int) string {
	return fmt.Sprintf("%s %s", r.names[i], r.version)
}
