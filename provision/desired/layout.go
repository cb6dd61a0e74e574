package desired

import (
	"path"

	"hardway/certs"
	"hardway/provision/config"
)

// Paths that are the system's own and not for the user to choose.
const (
	unitDir    = "/etc/systemd/system"
	resolvConf = "/etc/resolv.conf"
	// cniStateDir is where the host-local plugin keeps the addresses it gave.
	cniStateDir = "/var/lib/cni"
)

// layout answers where things stand on a host. It is the one place that joins
// the user's directories with file names.
type layout struct{ d config.Directories }

func (l layout) bin(name string) string    { return path.Join(l.d.Bin, name) }
func (l layout) plugin(name string) string { return path.Join(l.d.CNI, name) }
func (l layout) conf(name string) string   { return path.Join(l.d.Conf, name) }
func (l layout) data(name ...string) string {
	return path.Join(append([]string{l.d.Data}, name...)...)
}
func (l layout) log(name string) string { return path.Join(l.d.Log, name) }

// cert and key are the files of a leaf; file is the catalogue's base name, such
// as "etcd/server".
func (l layout) cert(file string) string { return path.Join(l.d.Cert, file+".crt") }
func (l layout) key(file string) string  { return path.Join(l.d.Cert, file+".key") }

// bundle is the trust bundle of an authority: what relying parties read. The
// signing certificate stands in a file of its own, because kube-controller-manager
// signs with exactly one certificate while a bundle may hold two (kubeadm#1350).
func (l layout) bundle(authority string) string {
	row, _ := certs.LookupAuthority(authority)
	return path.Join(l.d.Cert, row.File+".crt")
}

func (l layout) signingCert() string { return path.Join(l.d.Cert, "ca-signing.crt") }
func (l layout) signingKey() string  { return path.Join(l.d.Cert, "ca-signing.key") }
func (l layout) saPublic() string    { return path.Join(l.d.Cert, "sa.pub") }
func (l layout) saPrivate() string   { return path.Join(l.d.Cert, "sa.key") }

// kubeletClient is the file that the kubelet itself replaces when it rotates
// its client certificate; hardway seeds it once.
func (l layout) kubeletClient() string {
	return l.data("kubelet", "pki", "kubelet-client-current.pem")
}

func unitPath(name string) string { return path.Join(unitDir, name) }
