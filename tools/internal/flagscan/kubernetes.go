package flagscan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"hardway/tools/internal/flagtable"
	"hardway/tools/internal/gomodule"
	"hardway/tools/internal/mirror"
)

// Versions are the minors that can be scanned: the newest patch of each that the module proxy has, but for 1.14, of
// which 1.14.1 is the one that articles install, and 1.18, of whose modules only the first release can be had.
var Versions = []string{
	"1.14.1", "1.15.12", "1.16.15", "1.17.17", "1.18.0", "1.19.16", "1.20.15", "1.21.14", "1.22.17", "1.23.17", "1.24.17",
	"1.25.16", "1.26.15", "1.27.16", "1.28.15",
	"1.29.15", "1.30.14", "1.31.14", "1.32.13", "1.33.13", "1.34.4", "1.35.4", "1.36.3", "1.37.1",
}

// roots are where the flags of each component begin. A function that a minor does not have is passed over.
var roots = map[string][]struct{ pkg, function string }{
	"kube-apiserver": {
		{"k8s.io/kubernetes/cmd/kube-apiserver/app", "NewAPIServerCommand"},
		{"k8s.io/kubernetes/cmd/kube-apiserver/app/options", "ServerRunOptions.Flags"},
	},
	"kube-controller-manager": {
		{"k8s.io/kubernetes/cmd/kube-controller-manager/app", "NewControllerManagerCommand"},
		{"k8s.io/kubernetes/cmd/kube-controller-manager/app/options", "KubeControllerManagerOptions.Flags"},
	},
	"kube-scheduler": {
		{"k8s.io/kubernetes/cmd/kube-scheduler/app", "NewSchedulerCommand"},
		{"k8s.io/kubernetes/cmd/kube-scheduler/app/options", "Options.initFlags"},
		{"k8s.io/kubernetes/cmd/kube-scheduler/app/options", "Options.Flags"},
	},
	"kubelet": {
		{"k8s.io/kubernetes/cmd/kubelet/app/options", "KubeletFlags.AddFlags"},
		{"k8s.io/kubernetes/cmd/kubelet/app/options", "AddKubeletConfigFlags"},
		{"k8s.io/kubernetes/cmd/kubelet/app/options", "AddGlobalFlags"},
	},
	"kube-proxy": {
		{"k8s.io/kubernetes/cmd/kube-proxy/app", "NewProxyCommand"},
		{"k8s.io/kubernetes/cmd/kube-proxy/app", "Options.AddFlags"},
		{"k8s.io/component-base/version/verflag", "AddFlags"},
		{"k8s.io/kubernetes/pkg/version/verflag", "AddFlags"},
		{"k8s.io/component-base/cli/globalflag", "AddGlobalFlags"}, // in its main function, by way of the global flag set
	},
}

// read are the packages that register flags or define a flag's value; all others stay empty.
var read = regexp.MustCompile(`^k8s\.io/(` + strings.Join([]string{
	`kubernetes/cmd/(kube-apiserver|kube-controller-manager|kube-scheduler|kubelet|kube-proxy|controller-manager|cloud-controller-manager)/app(/.*)?`,
	`kubernetes/pkg/(kubeapiserver|controlplane/apiserver)/options`, `kubernetes/pkg/(version/verflag|util/flag|client/leaderelectionconfig)`,
	`kubernetes/pkg/(kubelet|proxy|controller|scheduler)/(apis/config|config)`,
	`kubernetes/plugin/pkg/admission/defaulttolerationseconds`, `kubernetes/pkg/controller/[a-z]+/config`, `kubernetes/pkg/kubelet/kubeletconfig`, `kubernetes/pkg/util/taints`,
	`apiserver/pkg/(server/options(/encryptionconfig)?|util/(feature|flag|compatibility|version)|storage/storagebackend|server/egressselector)`, `apiserver/plugin/pkg/audit/(log|webhook|dynamic|truncate|buffered)`,
	`component-base/(cli|version|metrics|config|featuregate|compatibility|zpages|term|traces|tracing|logs)(/flag|/globalflag|/verflag|/options|/v1alpha1|/api/v1|/features|/flagz|/statusz)*`, `cloud-provider/(options|config|service/config)`, `controller-manager/.*`, `klog(/v2)?`,
	`client-go/tools/leaderelection/?.*`, `apimachinery/pkg/util/net`,
}, "|") + `)$`)

// Kubernetes scans the flags of all components of one version, and says what it could not follow.
func Kubernetes(ctx context.Context, version string) (map[string]flagtable.Version, []string, error) {
	locate, err := Tree(ctx, version)
	if err != nil {
		return nil, nil, err
	}
	l := newLoader(func(importPath string) (string, bool) {
		if !read.MatchString(importPath) {
			return "", false
		}
		return locate(importPath)
	})
	all := map[string]flagtable.Version{}
	var lost []string
	logging := struct{ pkg, function string }{"k8s.io/component-base/logs", "init"} // it registers klog's flags globally
	for _, component := range slices.Sorted(maps.Keys(roots)) {
		w := &walker{loader: l, version: version, flags: map[string]*flagtable.Flag{}, seen: map[string]bool{}}
		for _, root := range append(slices.Clone(roots[component]), logging) {
			f, ok, err := l.lookup(root.pkg, root.function)
			if err != nil {
				return nil, nil, fmt.Errorf("scanning %s %s: %w", component, version, err)
			}
			if ok {
				w.walk(f, nil)
			}
		}
		if len(w.flags) == 0 {
			return nil, nil, fmt.Errorf("scanning %s %s: no flags were found; does the package still have its constructor", component, version)
		}
		w.define("help", "bool", "")
		for _, name := range []string{"v", "vmodule", "log-flush-frequency"} {
			w.define(name, "", "") // of every component; kube-proxy's main function adds them by way of the global flag set
		}
		v := flagtable.Version{Version: version, Scanned: true}
		for _, name := range slices.Sorted(maps.Keys(w.flags)) {
			v.Flags = append(v.Flags, *w.flags[name])
		}
		all[component] = v
		for _, line := range w.lost {
			lost = append(lost, component+" "+version+": "+line)
		}
	}
	return all, lost, nil
}

// Tree finds the packages of k8s.io of one version: those in the module of Kubernetes, and those in the modules that
// are published from its staging directory. Up to 1.14 the module itself still holds that directory.
func Tree(ctx context.Context, version string) (Locate, error) {
	src, err := gomodule.Download(ctx, mirror.KubernetesModule, "v"+version)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{"kubernetes": src.Dir}
	for _, name := range scanned {
		staging := filepath.Join(src.Dir, "staging/src/k8s.io", name)
		if _, err := os.Stat(staging); err == nil {
			dirs[name] = staging
			continue
		}
		path := "k8s.io/" + name
		published, err := gomodule.Download(ctx, path, mirror.Staging(version)(path))
		if err != nil {
			continue // not every minor has every module; what is missing shows in what is lost
		}
		dirs[name] = published.Dir
	}
	klogPath, klogDir, err := klog(ctx, src.Dir)
	if err != nil {
		return nil, err
	}
	return func(importPath string) (string, bool) {
		if importPath == klogPath {
			return klogDir, true
		}
		rest, ok := strings.CutPrefix(importPath, "k8s.io/")
		if !ok {
			return "", false
		}
		module, below, _ := strings.Cut(rest, "/")
		dir, ok := dirs[module]
		return filepath.Join(dir, below), ok
	}, nil
}

// klogOf1_14 is the commit in Godeps.json of Kubernetes 1.14, which has no go.mod.
const klogOf1_14 = "8e90cee79f823779174776412c13478955131846"

// klog finds the logging library that a tree of Kubernetes is built with.
func klog(ctx context.Context, kubernetes string) (importPath, dir string, err error) {
	text, err := os.ReadFile(filepath.Join(kubernetes, "go.mod"))
	importPath, version := "k8s.io/klog", klogOf1_14
	if err == nil {
		file, err := modfile.Parse("go.mod", text, nil)
		if err != nil {
			return "", "", fmt.Errorf("reading the go.mod of Kubernetes: %w", err)
		}
		for _, require := range file.Require {
			if strings.HasPrefix(require.Mod.Path, "k8s.io/klog") && !require.Indirect {
				importPath, version = require.Mod.Path, require.Mod.Version
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("reading the go.mod of Kubernetes: %w", err)
	}
	src, err := gomodule.Download(ctx, importPath, version)
	return importPath, src.Dir, err
}

// scanned are the staging modules in which flags, feature gates or config objects are defined.
var scanned = []string{
	"apiserver", "component-base", "cloud-provider", "controller-manager", "client-go", "apiextensions-apiserver",
	"kube-aggregator", "kubelet", "kube-proxy", "kube-scheduler",
}
