package flagscan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"hardway/tools/internal/gomodule"
	"hardway/tools/internal/mirror"
)

// Companions are the versions of other programs that kubeadm of one version names.
type Companions struct{ Etcd, OldestEtcd, Pause, CoreDNS string }

var (
	etcdConstant    = regexp.MustCompile(`\bDefaultEtcdVersion\s*=\s*"([0-9.]+)`)
	oldestConstant  = regexp.MustCompile(`\bMinExternalEtcdVersion\s*=\s*"([0-9.]+)`)
	pauseConstant   = regexp.MustCompile(`\bPauseVersion\s*=\s*"([0-9.]+)`)
	corednsConstant = regexp.MustCompile(`\bCoreDNSVersion\s*=\s*"v?([0-9.]+)`)
)

// CompanionsOf reads kubeadm's constants.
func CompanionsOf(ctx context.Context, version string) (Companions, error) {
	src, err := gomodule.Download(ctx, mirror.KubernetesModule, "v"+version)
	if err != nil {
		return Companions{}, err
	}
	var text []byte
	for _, name := range []string{"constants.go", "constants_unix.go"} {
		part, err := os.ReadFile(filepath.Join(src.Dir, "cmd/kubeadm/app/constants", name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Companions{}, fmt.Errorf("reading the constants of kubeadm %s: %w", version, err)
		}
		text = append(text, part...)
	}
	first := func(pattern *regexp.Regexp) string {
		if match := pattern.FindSubmatch(text); match != nil {
			return string(match[1])
		}
		return ""
	}
	return Companions{first(etcdConstant), first(oldestConstant), first(pauseConstant), first(corednsConstant)}, nil
}
