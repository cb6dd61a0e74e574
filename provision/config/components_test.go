package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

const componentsHCL = `variable "extra" {
  default = { evictionHard = { "memory.available" = "100Mi" } }
}
kubelet {
  flags  = { v = 2, "node-labels" = ["a=b", "c=d"], "gone" = true }
  config = merge({ maxPods = 100 }, var.extra)
}
node "n1" {
  address = "192.168.10.31"
  kubelet {
    flags = {
      "v"    = 4
      "gone" = null
    }
    config = {
      maxPods = 200
      systemReserved = {
        cpu = "200m"
      }
      evictionHard = null
      ratio        = 0.5
      list         = [1, "a", { b = true }]
    }
  }
  containerd { config = { x = 1 } }
}
runtime "containerd" {
  config = { x = 0, y = { z = "keep" } }
}
master "m2" {
  address = "192.168.10.22"
  apiserver { flags = { "event-ttl" = "2h" } }
  runtime "containerd" { config = { w = 2 } }
}
`

// components loads componentsHCL, which warns about an even number of masters.
func components(t *testing.T) *Cluster {
	t.Helper()
	c, f, diags := loadFiles(t, with(map[string]string{"main.hcl": componentsHCL}), Options{})
	if diags.HasErrors() {
		t.Fatal(render(t, f, diags))
	}
	return c
}

func TestComponentMerge(t *testing.T) {
	c := components(t)
	m1, m2, n1 := c.Hosts[0], c.Hosts[1], c.Hosts[2]
	eviction := map[string]any{"memory.available": "100Mi"}
	for name, tt := range map[string]struct {
		got    Component
		flags  map[string]string
		config map[string]any
	}{
		"cluster kubelet": {c.Kubelet, map[string]string{"v": "2", "node-labels": "a=b,c=d", "gone": "true"},
			map[string]any{"maxPods": int64(100), "evictionHard": eviction}},
		"m1 kubelet": {m1.Kubelet, map[string]string{"v": "2", "node-labels": "a=b,c=d", "gone": "true"},
			map[string]any{"maxPods": int64(100), "evictionHard": eviction}},
		"n1 kubelet": {n1.Kubelet, map[string]string{"v": "4", "node-labels": "a=b,c=d"},
			map[string]any{"maxPods": int64(200), "systemReserved": map[string]any{"cpu": "200m"}, "ratio": 0.5,
				"list": []any{int64(1), "a", map[string]any{"b": true}}}},
		"n1 containerd": {n1.Containerd, map[string]string{}, map[string]any{"x": int64(1), "y": map[string]any{"z": "keep"}}},
		"m2 containerd": {m2.Containerd, map[string]string{}, map[string]any{"w": int64(2), "x": int64(0), "y": map[string]any{"z": "keep"}}},
		"m2 apiserver":  {m2.APIServer, map[string]string{"event-ttl": "2h"}, map[string]any{}},
		"m1 apiserver":  {m1.APIServer, map[string]string{}, map[string]any{}},
		"n1 apiserver":  {n1.APIServer, map[string]string{}, map[string]any{}},
	} {
		if diff := cmp.Diff(tt.flags, tt.got.Flags); diff != "" {
			t.Errorf("%s flags (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tt.config, tt.got.Config); diff != "" {
			t.Errorf("%s config (-want +got):\n%s", name, diff)
		}
	}
}

// TestComponentRanges: every flag and every leaf of config has a place, the most
// precise one that the source gives.
func TestComponentRanges(t *testing.T) {
	c := components(t)
	kubelet := c.Hosts[2].Kubelet
	text := func(rng hcl.Range) string {
		if rng.Filename == "" {
			return "no range"
		}
		return strings.Join(strings.Fields(componentsHCL[rng.Start.Byte:rng.End.Byte]), " ")
	}
	got := map[string]string{}
	for name, rng := range kubelet.FlagRanges {
		got["flag "+name] = text(rng)
	}
	for path, rng := range kubelet.ConfigRanges {
		got["config "+path] = text(rng)
	}
	for path, rng := range c.Kubelet.ConfigRanges {
		got["cluster "+path] = text(rng)
	}
	want := map[string]string{
		"flag v":                                `"v" = 4`,
		"flag node-labels":                      `"node-labels" = ["a=b", "c=d"]`,
		"config maxPods":                        `maxPods = 200`,
		"config systemReserved.cpu":             `cpu = "200m"`,
		"config ratio":                          `ratio = 0.5`,
		"config list":                           `list = [1, "a", { b = true }]`,
		"cluster maxPods":                       `merge({ maxPods = 100 }, var.extra)`,
		"cluster evictionHard.memory.available": `merge({ maxPods = 100 }, var.extra)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name := range kubelet.Flags {
		if _, ok := kubelet.FlagRanges[name]; !ok {
			t.Errorf("flag %s has no range", name)
		}
	}
}

// TestLayersAreNotShared: a host's settings must not leak to another host.
func TestLayersAreNotShared(t *testing.T) {
	c := components(t)
	c.Hosts[0].Containerd.Config["y"].(map[string]any)["z"] = "changed"
	if got := c.Hosts[1].Containerd.Config["y"].(map[string]any)["z"]; got != "keep" {
		t.Errorf("hosts share a configuration object: %v", got)
	}
}
