//go:build e2e && full

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOlderMinor installs the older of the supported minors, whose binaries
// `make e2e-full` builds first.
func TestOlderMinor(t *testing.T) {
	const version = "1.36.3"
	if _, err := os.Stat(filepath.Join(cacheDir(t), "mirror", "v"+version)); err != nil {
		t.Fatalf("the mirror has no Kubernetes %s: run make e2e-full", version)
	}
	l := newLab(t)
	bare := l.snapshot()
	l.edit("cluster.hcl", `kubernetes_version = "1.37.1"`, `kubernetes_version = "`+version+`"`)
	l.must(0, "init")
	l.must(0, "apply", "--auto-approve")
	l.noChanges()
	testVerify(l)
	if got := l.on("n1", "/usr/local/bin/kubelet --version"); !strings.Contains(got, version) {
		t.Errorf("n1 runs %s", got)
	}
	l.must(0, "destroy", "--destroy-data", "--auto-approve")
	l.same("after destroy", bare, l.snapshot())
	l.script("down")
}
