package templates

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/mod/semver"
)

// Where containerd's files stand.
const (
	ContainerdPath       = "/etc/containerd/config.toml"
	ContainerdSocket     = "/run/containerd/containerd.sock"
	ContainerdState      = "/run/containerd"
	ContainerdRegistries = "/etc/containerd/certs.d"
)

// Names of the plugins in a containerd configuration of version 3.
const (
	pluginRuntime = "io.containerd.cri.v1.runtime"
	pluginImages  = "io.containerd.cri.v1.images"
	pluginCRI     = "io.containerd.grpc.v1.cri" // needs both of the others
)

// ContainerdParams describes containerd on one host.
type ContainerdParams struct {
	Version      string // of containerd: "2.4.2"
	Root         string // /var/lib/containerd
	Runc         string // the executable
	CNIBin       string // directory of the CNI plugins
	SandboxImage string // of the container that holds a pod's namespaces
	// CgroupDriver is the kubelet's, "systemd" or "cgroupfs".
	CgroupDriver string
	// Config holds the user's keys, see CheckContainerd.
	Config map[string]any
}

// Containerd returns containerd's config.toml. The configuration version is 3,
// which every containerd 2.x reads, and 2 for containerd 1.x. Registries are set
// up in files below ContainerdRegistries, which are read at every pull and need
// no restart.
func Containerd(p ContainerdParams) (string, error) {
	for _, problem := range CheckContainerd(p.Version, p.Config) {
		return "", errors.New("rendering " + ContainerdPath + ": " + problem.Message)
	}
	for what, file := range map[string]string{"root": p.Root, "runc": p.Runc, "directory of CNI plugins": p.CNIBin} {
		if !path.IsAbs(file) {
			return "", fmt.Errorf("rendering %s: the %s %q is not an absolute path", ContainerdPath, what, file)
		}
	}
	if err := word("sandbox image", p.SandboxImage); err != nil {
		return "", fmt.Errorf("rendering %s: %w", ContainerdPath, err)
	}
	if p.CgroupDriver != "systemd" && p.CgroupDriver != "cgroupfs" {
		return "", fmt.Errorf("rendering %s: the cgroup driver %q is neither systemd nor cgroupfs", ContainerdPath, p.CgroupDriver)
	}
	if !containerdKnows(p.Version, "2.0", "") {
		return containerd1(p)
	}
	cni := map[string]any{"conf_dir": CNIConfDir}
	if containerdKnows(p.Version, "2.1", "") {
		cni["bin_dirs"] = []string{p.CNIBin}
	} else { // bin_dirs came with 2.1, bin_dir went with 2.4
		cni["bin_dir"] = p.CNIBin
	}
	ours := map[string]any{
		"version": 3,
		"root":    p.Root,
		"state":   ContainerdState,
		"grpc":    map[string]any{"address": ContainerdSocket},
		// Without it containerd starts, and answers, also when the part that the
		// kubelet needs does not take its settings.
		"required_plugins": []string{pluginCRI},
		"plugins": map[string]any{
			pluginImages: map[string]any{
				// The image collector leaves pinned images alone: without the
				// sandbox image a host that cannot pull starts no pod any more.
				"pinned_images": map[string]any{"sandbox": p.SandboxImage},
				"registry":      map[string]any{"config_path": ContainerdRegistries},
			},
			pluginRuntime: map[string]any{
				"cni": cni,
				"containerd": map[string]any{
					"default_runtime_name": "runc",
					"runtimes": map[string]any{"runc": map[string]any{
						"runtime_type": "io.containerd.runc.v2",
						"options": map[string]any{
							"BinaryName":    p.Runc,
							"SystemdCgroup": p.CgroupDriver == "systemd",
						},
					}},
				},
			},
		},
	}
	var out strings.Builder
	out.WriteString(Header + "\n\n")
	if err := writeTOML(&out, overlay(ours, placeContainerdKeys(p.Config)), nil); err != nil {
		return "", fmt.Errorf("rendering %s: %w", ContainerdPath, err)
	}
	return out.String(), nil
}

// containerd1 is the configuration of containerd 1.x: one plugin has all that
// the kubelet needs. Its sandbox image cannot be pinned; the kubelet is told its
// name instead, by --pod-infra-container-image.
func containerd1(p ContainerdParams) (string, error) {
	object := map[string]any{
		"version":          2,
		"root":             p.Root,
		"state":            ContainerdState,
		"grpc":             map[string]any{"address": ContainerdSocket},
		"required_plugins": []string{pluginCRI},
		"plugins": map[string]any{pluginCRI: map[string]any{
			"sandbox_image": p.SandboxImage,
			"registry":      map[string]any{"config_path": ContainerdRegistries},
			"cni":           map[string]any{"conf_dir": CNIConfDir, "bin_dir": p.CNIBin},
			"containerd": map[string]any{
				"default_runtime_name": "runc",
				"runtimes": map[string]any{"runc": map[string]any{
					"runtime_type": "io.containerd.runc.v2",
					"options": map[string]any{
						"BinaryName":    p.Runc,
						"SystemdCgroup": p.CgroupDriver == "systemd",
					},
				}},
			},
		}},
	}
	var out strings.Builder
	out.WriteString(Header + "\n\n")
	if err := writeTOML(&out, object, nil); err != nil {
		return "", fmt.Errorf("rendering %s: %w", ContainerdPath, err)
	}
	return out.String(), nil
}

// overlay returns base with over laid on it, table by table; a null removes.
func overlay(base, over map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		below, isTable := v.(map[string]any)
		old, wasTable := out[k].(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isTable && wasTable:
			out[k] = overlay(old, below)
		default:
			out[k] = v
		}
	}
	return out
}

// containerdKnows reports whether a version lies in [since, removed); empty bounds are open.
func containerdKnows(version, since, removed string) bool {
	v := semver.MajorMinor("v" + strings.TrimPrefix(version, "v"))
	return (since == "" || semver.Compare(v, "v"+since) >= 0) && (removed == "" || semver.Compare(v, "v"+removed) < 0)
}
