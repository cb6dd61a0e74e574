package flagscan

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"hardway/tools/internal/flagtable"
	"hardway/tools/internal/gomodule"
)

// etcdVersions are the lines of etcd from before its flags had a constructor that can be called. That of 3.4 is published
// under a version that only its commit explains: it is 3.4.13, which Kubernetes 1.20 to 1.21 are built with.
var etcdVersions = []struct{ version, module, published, importPath string }{
	{"3.3.27", "go.etcd.io/etcd", "v3.3.27+incompatible", "github.com/coreos/etcd"},
	{"3.4.13", "go.etcd.io/etcd", "v0.5.0-alpha.5.0.20200910180754-dd1b699fc489", "go.etcd.io/etcd"},
	{"3.5.35", "go.etcd.io/etcd/server/v3", "v3.5.35", "go.etcd.io/etcd/server/v3"},
}

// Etcd scans the flags of etcd's server for the lines before 3.6.
func Etcd(ctx context.Context) ([]flagtable.Version, error) {
	var all []flagtable.Version
	for _, etcd := range etcdVersions {
		src, err := gomodule.Download(ctx, etcd.module, etcd.published)
		if err != nil {
			return nil, err
		}
		l := newLoader(func(importPath string) (string, bool) {
			below, ok := strings.CutPrefix(importPath, etcd.importPath+"/")
			return filepath.Join(src.Dir, below), ok && (below == "etcdmain" || below == "embed" || below == "pkg/flags")
		})
		w := &walker{loader: l, flags: map[string]*flagtable.Flag{}, seen: map[string]bool{}}
		f, ok, err := l.lookup(etcd.importPath+"/etcdmain", "newConfig")
		if err != nil || !ok {
			return nil, fmt.Errorf("scanning etcd %s: no constructor (%w)", etcd.version, err)
		}
		w.walk(f, nil)
		if len(w.flags) == 0 { // what is lost is a loop over flags of etcd 0.4, which are ignored
			return nil, fmt.Errorf("scanning etcd %s: no flags were found", etcd.version)
		}
		v := flagtable.Version{Version: etcd.version, Scanned: true}
		for _, name := range slices.Sorted(maps.Keys(w.flags)) {
			v.Flags = append(v.Flags, *w.flags[name])
		}
		all = append(all, v)
	}
	return all, nil
}
