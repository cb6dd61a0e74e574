package templates

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml"
)

func containerdParams(version string) ContainerdParams {
	return ContainerdParams{
		Version:      version,
		Root:         "/var/lib/containerd",
		Runc:         "/usr/local/bin/runc",
		CNIBin:       "/opt/cni/bin",
		SandboxImage: "registry.k8s.io/pause:3.10.2",
		CgroupDriver: "systemd",
	}
}

func TestContainerd(t *testing.T) {
	lab := containerdParams("2.4.2")
	lab.CgroupDriver = "cgroupfs"
	lab.Config = map[string]any{
		"restrict_oom_score_adj":   true,
		"max_concurrent_downloads": float64(5),
		"debug":                    map[string]any{"level": "debug"},
		"cni":                      map[string]any{"max_conf_num": int64(2)},
		"containerd":               map[string]any{"runtimes": map[string]any{"gvisor": map[string]any{"runtime_type": "io.containerd.runsc.v1"}}},
		"plugins": map[string]any{
			pluginRuntime:                      map[string]any{"enable_selinux": true},
			"io.containerd.gc.v1.scheduler":    map[string]any{"pause_threshold": 0.02},
			"io.containerd.transfer.v1.local":  map[string]any{"max_concurrent_downloads": 5},
			"io.containerd.monitor.task.v1.cg": map[string]any{"odd key": "tab\there \\ \"quoted\""},
		},
	}
	for name, p := range map[string]ContainerdParams{
		"containerd-1.7.toml": containerdParams("1.7.33"),
		"containerd-2.0.toml": containerdParams("2.0.9"),
		"containerd-2.4.toml": containerdParams("2.4.2"),
		"containerd-lab.toml": lab,
	} {
		got, err := Containerd(p)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
		tree, err := toml.Load(got)
		if err != nil {
			t.Fatalf("%s is not TOML: %v\n%s", name, err, got)
		}
		if name != "containerd-lab.toml" {
			continue
		}
		for want, path := range map[any][]string{
			true:                      {"plugins", pluginRuntime, "restrict_oom_score_adj"},
			false:                     {"plugins", pluginRuntime, "containerd", "runtimes", "runc", "options", "SystemdCgroup"},
			int64(5):                  {"plugins", pluginImages, "max_concurrent_downloads"},
			0.02:                      {"plugins", "io.containerd.gc.v1.scheduler", "pause_threshold"},
			"tab\there \\ \"quoted\"": {"plugins", "io.containerd.monitor.task.v1.cg", "odd key"},
			"debug":                   {"debug", "level"},
		} {
			if got := tree.GetPath(path); got != want {
				t.Errorf("%v is %v, want %v", path, got, want)
			}
		}
	}
}

func TestCheckContainerd(t *testing.T) {
	for name, c := range map[string]struct {
		version string
		config  map[string]any
		want    []Problem
	}{
		"fine": {"2.4.2", map[string]any{"restrict_oom_score_adj": true, "registry": map[string]any{"headers": map[string]any{"X": []any{"y"}}}}, nil},
		"misspelt": {"2.4.2", map[string]any{"restrict_oom_score": true},
			[]Problem{{Key: "restrict_oom_score", Suggestion: "restrict_oom_score_adj", Message: "containerd 2.4.2 has no key restrict_oom_score."}}},
		"misspelt below": {"2.4.2", map[string]any{"cni": map[string]any{"max_conf_nun": 1}},
			[]Problem{{Key: "cni.max_conf_nun", Suggestion: "cni.max_conf_num", Message: "containerd 2.4.2 has no key cni.max_conf_nun."}}},
		"owned": {"2.4.2", map[string]any{"containerd": map[string]any{"runtimes": map[string]any{"runc": map[string]any{"options": map[string]any{"SystemdCgroup": true}}}}},
			[]Problem{{Key: "containerd.runtimes.runc.options.SystemdCgroup", Instead: "kubelet.config.cgroupDriver",
				Message: "containerd.runtimes.runc.options.SystemdCgroup belongs to hardway: kubelet and runtime have to use the same cgroup driver."}}},
		"owned, long way": {"2.4.2", map[string]any{"plugins": map[string]any{pluginImages: map[string]any{"pinned_images": map[string]any{"sandbox": "x"}}}},
			[]Problem{{Key: "plugins." + pluginImages + ".pinned_images.sandbox", Instead: "runtime.sandbox_image",
				Message: "plugins." + pluginImages + ".pinned_images.sandbox belongs to hardway: the image is imported by it."}}},
		"removed":    {"2.4.2", map[string]any{"enable_cdi": true}, []Problem{{Key: "enable_cdi", Message: "enable_cdi was removed in containerd 2.4."}}},
		"still here": {"2.3.4", map[string]any{"enable_cdi": true}, nil},
		"not yet": {"2.3.4", map[string]any{"containerd": map[string]any{"runtimes": map[string]any{"kata": map[string]any{"disable_pause_image_pull": true}}}},
			[]Problem{{Key: "containerd.runtimes.kata.disable_pause_image_pull", Message: "containerd.runtimes.kata.disable_pause_image_pull came with containerd 2.4."}}},
		"wrong kind": {"2.4.2", map[string]any{"max_concurrent_downloads": "3"},
			[]Problem{{Key: "max_concurrent_downloads", Message: "max_concurrent_downloads takes a whole number."}}},
		"old":        {"1.6.36", nil, []Problem{{Message: `containerd "1.6.36" is not supported; use a 2.x version, or 1.7 with Kubernetes before 1.23.`}}},
		"no version": {"two", nil, []Problem{{Message: `containerd "two" is not supported; use a 2.x version, or 1.7 with Kubernetes before 1.23.`}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, CheckContainerd(c.version, c.config)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			p := containerdParams(c.version)
			p.Config = c.config
			if _, err := Containerd(p); (err != nil) != (c.want != nil) {
				t.Errorf("Containerd: %v", err)
			}
		})
	}
}

func TestContainerdRefuses(t *testing.T) {
	for name, change := range map[string]func(*ContainerdParams){
		"relative root":  func(p *ContainerdParams) { p.Root = "var" },
		"no runc":        func(p *ContainerdParams) { p.Runc = "" },
		"no image":       func(p *ContainerdParams) { p.SandboxImage = "" },
		"odd image":      func(p *ContainerdParams) { p.SandboxImage = "a\nb" },
		"no such driver": func(p *ContainerdParams) { p.CgroupDriver = "docker" },
		"list of tables": func(p *ContainerdParams) {
			p.Config = map[string]any{"plugins": map[string]any{"x": map[string]any{"y": []any{map[string]any{}}}}}
		},
		"odd key":         func(p *ContainerdParams) { p.Config = map[string]any{"debug": map[string]any{"a\"b": "x"}} },
		"invalid unicode": func(p *ContainerdParams) { p.Config = map[string]any{"debug": map[string]any{"level": "\xff"}} },
	} {
		p := containerdParams("2.4.2")
		change(&p)
		if got, err := Containerd(p); err == nil {
			t.Errorf("%s: rendered\n%s", name, got)
		}
	}
}

func TestContainerdKeyTable(t *testing.T) {
	kinds := []string{"bool", "int", "string", "strings", "table", "any", "scalar"}
	for _, k := range containerdKeys() {
		if !slices.Contains(kinds, k.kind) {
			t.Errorf("%s: kind %q", strings.Join(k.path, "."), k.kind)
		}
		if !slices.Contains([]string{"runtime", "images", "server"}, k.section) {
			t.Errorf("%s: section %q", strings.Join(k.path, "."), k.section)
		}
	}
}

// TestContainerdAccepts lets the real program read the file, when one is cached.
func TestContainerdAccepts(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip(err)
	}
	found, err := filepath.Glob(filepath.Join(home, ".cache/hardway/mirror/containerd/v*/bin/linux/amd64/containerd"))
	if err != nil || len(found) == 0 {
		t.Skip("no containerd in the mirror of binaries")
	}
	binary := found[len(found)-1]
	p := containerdParams(strings.TrimPrefix(strings.Split(strings.TrimPrefix(binary, home+"/.cache/hardway/mirror/containerd/"), "/")[0], "v"))
	p.Config = map[string]any{"restrict_oom_score_adj": true}
	text, err := Containerd(p)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "--config="+file, "config", "dump").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"SystemdCgroup = true", "restrict_oom_score_adj = true", "registry.k8s.io/pause:3.10.2", "/opt/cni/bin", "/run/containerd/containerd.sock"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the effective configuration has no %q", want)
		}
	}
	if strings.Contains(string(out), "gnoring unknown key") {
		t.Errorf("keys are unknown to containerd:\n%s", out)
	}
}

// FuzzTOML writes any string and number as value and key and reads them back.
func FuzzTOML(f *testing.F) {
	f.Add("key", "value", 1.5)
	f.Add("a.b \"c\"", "\x00\x1f\x7f\\\"\n'''", -0.0)
	f.Add("", "\u2028\u202e", 1e300)
	f.Fuzz(func(t *testing.T, key, value string, number float64) {
		if strings.ContainsAny(key, "[]") {
			t.Skip("go-toml v1 does not read a bracket in the quoted name of a table")
		}
		in := map[string]any{key: value, key + "n": number, key + "t": map[string]any{key: value, "l": []any{value, value}}}
		var out strings.Builder
		if err := writeTOML(&out, in, nil); err != nil {
			return // refused
		}
		tree, err := toml.Load(out.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		got := tree.ToMap()
		if !slices.Contains(slices.Collect(maps.Values(got)), any(value)) {
			t.Errorf("%q became %v\n%s", value, got, out.String())
		}
	})
}
