package mirror

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/tools/internal/gomodule"
)

func TestBinaryPaths(t *testing.T) {
	m := Mirror{Root: "/m"}
	tests := []struct{ component, version, name, want string }{
		{"kubernetes", "1.37.1", "kubelet", "/m/v1.37.1/bin/linux/" + runtime.GOARCH + "/kubelet"},
		{"etcd", "v3.7.3", "etcdctl", "/m/etcd/v3.7.3/bin/linux/" + runtime.GOARCH + "/etcdctl"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, m.Binary(tt.component, tt.version, tt.name)); diff != "" {
			t.Errorf("path (-want +got):\n%s", diff)
		}
	}
}

func TestEveryFileHasAPlaceOfItsOwn(t *testing.T) {
	f := &Filler{Mirror: Mirror{Root: "/m"}, BuildDir: "/b"}
	items, err := f.items(Versions{
		Kubernetes: []string{"1.36.3", "1.37.1"}, Etcd: []string{"3.7.3"}, Containerd: []string{"2.4.2"}, CNI: []string{"1.9.1"}, Runc: "1.1.5",
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, it := range items {
		if seen[it.path] || !filepath.IsAbs(it.path) {
			t.Errorf("%s stands twice or nowhere", it.path)
		}
		seen[it.path] = true
	}
	// 6 Kubernetes programs twice, 3 of etcd, 3 of containerd, 5 plugins, runc, 2 images.
	if len(items) != 26 {
		t.Errorf("%d files, want 26", len(items))
	}
}

func TestKubernetesKnowsItsVersion(t *testing.T) {
	src := gomodule.Source{Version: "v1.37.1", Commit: "f78e72", Time: time.Date(2026, 9, 23, 17, 6, 22, 0, time.UTC)}
	r := kubernetesRecipe("1.37.1")
	want := map[string]string{}
	for _, pkg := range []string{"k8s.io/component-base/version.", "k8s.io/client-go/pkg/version."} {
		want[pkg+"gitVersion"], want[pkg+"gitMajor"], want[pkg+"gitMinor"] = "v1.37.1", "1", "37"
		want[pkg+"gitTreeState"], want[pkg+"gitCommit"], want[pkg+"buildDate"] = "clean", "f78e72", "2026-09-23T17:06:22Z"
	}
	if diff := cmp.Diff(want, r.program(0, src).Set); diff != "" {
		t.Errorf("version variables (-want +got):\n%s", diff)
	}
	if got := r.published("k8s.io/api"); got != "v0.37.1" {
		t.Errorf("k8s.io/api is taken at %s", got)
	}
}

func TestUpstreamVersion(t *testing.T) {
	tests := []struct{ debian, want string }{
		{"1.1.5+ds1-1+deb12u1", "1.1.5"},
		{"1.3.2-2", "1.3.2"},
		{"1:1.0.0~rc93+ds1-5", "1.0.0~rc93"},
		{"1.4.3", "1.4.3"},
	}
	for _, tt := range tests {
		if got := upstreamVersion(tt.debian); got != tt.want {
			t.Errorf("upstreamVersion(%q) = %q, want %q", tt.debian, got, tt.want)
		}
	}
}
