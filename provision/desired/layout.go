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
type layout struct {
	d     config.Directories
	files certs.Naming
}

func (l layout) bin(name string) string    { return path.Join(l.d.Bin, name) }
func (l layout) plugin(name string) string { return path.Join(l.d.CNI, name) }
func (l layout) conf(name string) string   { return path.Join(l.d.Conf, name) }
func (l layout) data(name ...string) string {
	return path.Join(append([]string{l.d.Data}, name...)...)
}
func (l layout) log(name string) string { return path.Join(l.d.Log, name) }

// pki is a file of the PKI: names count from the directory of certificates.
func (l layout) pki(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(l.d.Cert, name)
}

// bundle is the trust bundle of an authority: what relying parties read. The
// signing certificate stands in a file of its own, because kube-controller-manager
// signs with exactly one certificate while a bundle may hold two (kubeadm#1350).
func (l layout) bundle(authority string) string { return l.pki(l.files.Bundles[authority]) }

func (l layout) signingCert() string { return l.pki(l.files.Signing.Cert) }
func (l layout) signingKey() string  { return l.pki(l.files.Signing.Key) }
func (l layout) saPublic() string    { return l.pki(l.files.ServiceAccount.Cert) }
func (l layout) saPrivate() string   { return l.pki(l.files.ServiceAccount.Key) }

// kubeletClient is the file that the kubelet itself replaces when it rotates
// its client certificate; hardway seeds it once.
func (l layout) kubeletClient() string {
	return l.data("kubelet", "pki", "kubelet-client-current.pem")
}

func unitPath(name string) string { return path.Join(unitDir, name) }
