// Package versions knows the minors of Kubernetes that hardway renders: how far
// each is supported, and which etcd, containerd and other programs go with it.
//
// It knows nothing of flags (package units has their tables) and must never know
// a configuration or a host.
package versions

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
)

// Support says what may be expected of hardway with a minor of Kubernetes.
type Support string

// The levels of support.
const (
	// Supported: upstream still maintains the minor, and hardway is tested with it.
	Supported Support = "supported"
	// Ended: upstream maintains the minor no longer.
	Ended Support = "ended"
	// Untested: rendered from tables that were read out of the minor's source; no
	// cluster of it was ever run by a test.
	Untested Support = "untested"
)

// Minor is a minor of Kubernetes with the versions that go with it.
type Minor struct {
	Name    string // "1.37"
	Support Support
	// Newest is the newest patch when the table was written; any can be used.
	Newest string
	Etcd   string // the default, of the line that kubeadm of the minor names
	// OldestEtcd is the oldest that kubeadm of the minor works with.
	OldestEtcd string
	Containerd string
	Runc       string
	CNIPlugins string
	Pause      string // tag of the sandbox image
	CoreDNS    string
}

//go:embed minors.tsv companions.tsv
var tables embed.FS

// minors are read once and never changed. A table that cannot be read is a
// defect of the build, which a test finds.
var minors = sync.OnceValue(func() []Minor {
	companions := map[string][]string{}
	for _, r := range rows("companions.tsv", "minor", "etcd", "oldest_etcd", "pause", "coredns", "source") {
		companions[r[0]] = r
	}
	var out []Minor
	for _, r := range rows("minors.tsv", "minor", "support", "newest", "etcd", "containerd", "runc", "cni_plugins", "source") {
		c, ok := companions[r[0]]
		if !ok {
			panic("versions: companions.tsv has no row for " + r[0])
		}
		out = append(out, Minor{
			Name: r[0], Support: Support(r[1]), Newest: r[2], Etcd: r[3], Containerd: r[4], Runc: r[5], CNIPlugins: r[6],
			OldestEtcd: c[2], Pause: c[3], CoreDNS: c[4],
		})
	}
	return out
})

// rows reads a table of tab-separated values.
func rows(name string, header ...string) [][]string {
	text, err := tables.ReadFile(name)
	if err != nil {
		panic("versions: " + err.Error())
	}
	var out [][]string
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) != len(header) || i == 0 && !slices.Equal(cells, header) {
			panic(fmt.Sprintf("versions: %s:%d: want the columns %v, not %v", name, i+1, header, cells))
		}
		if i > 0 {
			out = append(out, cells)
		}
	}
	return out
}

// All lists the minors, oldest first.
func All() []Minor { return slices.Clone(minors()) }

// Of finds the minor of a version such as "1.37.1"; ok is false for one that
// hardway does not know.
func Of(version string) (Minor, bool) {
	name := semver.MajorMinor("v" + strings.TrimPrefix(version, "v"))
	for _, m := range minors() {
		if "v"+m.Name == name {
			return m, true
		}
	}
	return Minor{}, false
}
