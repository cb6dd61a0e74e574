// Package mirror fills a directory with real component binaries, built from Go modules, in the layout in which
// dl.k8s.io serves Kubernetes. It knows which program comes from which module and how it learns its version; it must
// never know how clusters are configured.
package mirror

import (
	"path/filepath"
	"runtime"
	"strings"
)

// Mirror is the directory. Its layout is a contract with `hardway init`:
//
//	<root>/v1.37.1/bin/linux/amd64/kubelet            Kubernetes, as on dl.k8s.io
//	<root>/etcd/v3.7.3/bin/linux/amd64/etcd           every other component under its name
//	<root>/images/pause.tar                           images to import
//
// Beside each file lie its .sha256 and (binaries) .sha512: the hex digest alone, as dl.k8s.io writes it.
type Mirror struct{ Root string }

// kubernetes is the component whose versions lie at the mirror's root.
const kubernetes = "kubernetes"

// Binary is the path of a program of the machine's architecture; version is without v.
func (m Mirror) Binary(component, version, name string) string {
	dir := m.Root
	if component != kubernetes {
		dir = filepath.Join(dir, component)
	}
	return filepath.Join(dir, "v"+strings.TrimPrefix(version, "v"), "bin", "linux", runtime.GOARCH, name)
}

// Image is the path of an image archive.
func (m Mirror) Image(name string) string { return filepath.Join(m.Root, "images", name+".tar") }
