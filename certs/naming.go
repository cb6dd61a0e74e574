package certs

import (
	"fmt"
	"slices"
	"strings"
)

// Scheme is a way to name the files of the PKI, relative to the certificate
// directory.
type Scheme string

// The schemes.
const (
	// SchemeKubeadm is kubeadm's: apiserver.crt, apiserver.key, etcd/ca.crt, sa.pub.
	SchemeKubeadm Scheme = "kubeadm"
	// SchemeCFSSL is what `cfssljson -bare` makes, as most articles by hand have it:
	// kubernetes.pem, kubernetes-key.pem, ca.pem, ca-key.pem, all in one directory.
	SchemeCFSSL Scheme = "cfssl"
	// SchemePEM is that of articles with openssl: apiserver-public.pem,
	// apiserver-private.pem, ca-public.pem, ca-private.pem.
	SchemePEM Scheme = "pem"
)

// Schemes returns all schemes, the default first.
func Schemes() []Scheme { return []Scheme{SchemeKubeadm, SchemeCFSSL, SchemePEM} }

// FilePair are the files of a certificate and its key: relative to the
// certificate directory, or absolute.
type FilePair struct{ Cert, Key string }

// Naming says which file holds what.
type Naming struct {
	// Leaves are keyed by the names of the catalogue. The kubelet's client
	// certificate, whose file is the kubelet's own to name, and what stands on no
	// host are not among them.
	Leaves map[string]FilePair
	// Bundles are the trust bundles of the authorities, by name.
	Bundles map[string]string
	// Signing is the certificate and the key that the controller-manager signs
	// with. The certificate is a file of its own, since a bundle may hold two.
	Signing FilePair
	// ServiceAccount is the key pair of service account tokens; Cert is the public key.
	ServiceAccount FilePair
}

// cfsslNames are the names that articles with cfssl give to what is called
// otherwise in the catalogue.
func cfsslNames() map[string]string {
	return map[string]string{
		"apiserver": "kubernetes", "controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler",
		"controller-manager-serving": "kube-controller-manager-serving", "scheduler-serving": "kube-scheduler-serving",
		"etcd/ca": "etcd-ca", "etcd/server": "etcd", "etcd/peer": "etcd-peer", "etcd/healthcheck-client": "etcd-healthcheck-client",
		"sa": "service-account",
	}
}

// NewNaming returns the file names of a scheme; an empty one is kubeadm's.
func NewNaming(s Scheme) (Naming, error) {
	pair := func(file string) FilePair { return FilePair{file + ".crt", file + ".key"} }
	switch s {
	case "", SchemeKubeadm:
	case SchemeCFSSL:
		pair = func(file string) FilePair {
			if name, ok := cfsslNames()[file]; ok {
				file = name
			}
			return FilePair{file + ".pem", file + "-key.pem"}
		}
	case SchemePEM:
		pair = func(file string) FilePair {
			file = strings.ReplaceAll(file, "/", "-")
			return FilePair{file + "-public.pem", file + "-private.pem"}
		}
	default:
		return Naming{}, fmt.Errorf("unknown naming scheme %q; choose one of kubeadm, cfssl, pem", s)
	}
	n := Naming{Leaves: map[string]FilePair{}, Bundles: map[string]string{}, ServiceAccount: pair(KeyPairs()[0].File)}
	if s == "" || s == SchemeKubeadm {
		n.ServiceAccount = FilePair{"sa.pub", "sa.key"}
	}
	for _, row := range Catalogue() {
		if row.Nameable() {
			n.Leaves[row.Name] = pair(row.File)
		}
	}
	for _, row := range Authorities() {
		n.Bundles[row.Name] = pair(row.File).Cert
		if row.Name == AuthorityKubernetes {
			n.Signing = pair(row.File + "-signing")
			if s == SchemeCFSSL || s == SchemePEM { // the articles' --cluster-signing-key-file
				n.Signing.Key = pair(row.File).Key
			}
		}
	}
	return n, nil
}

// Nameable reports whether the files of a leaf may be called otherwise: not where
// the kubelet names them, and not what stands on no host.
func (r Row) Nameable() bool { return r.Scope != ScopeCluster && r.Name != LeafKubeletClient }

// NamedFile is one file of a naming, with what it holds.
type NamedFile struct{ Path, What string }

// Files lists every file, in a fixed order.
func (n Naming) Files() []NamedFile {
	var out []NamedFile
	for _, row := range Authorities() {
		out = append(out, NamedFile{n.Bundles[row.Name], "the trust bundle of " + row.Name})
	}
	out = append(out, NamedFile{n.Signing.Cert, "the signing certificate"}, NamedFile{n.Signing.Key, "the signing key"},
		NamedFile{n.ServiceAccount.Cert, "the public key of service accounts"}, NamedFile{n.ServiceAccount.Key, "the private key of service accounts"})
	for _, row := range Catalogue() {
		if p, ok := n.Leaves[row.Name]; ok {
			out = append(out, NamedFile{p.Cert, "the certificate " + row.Name}, NamedFile{p.Key, "the key of " + row.Name})
		}
	}
	return out
}

// Collision returns two files of the naming with one path, or of which one is the
// other's directory; join makes a path absolute. A master has all of them.
func (n Naming) Collision(join func(string) string) (a, b NamedFile, found bool) {
	files := n.Files()
	for i := range files {
		files[i].Path = join(files[i].Path)
	}
	slices.SortStableFunc(files, func(a, b NamedFile) int { return strings.Compare(a.Path, b.Path) })
	for i, f := range files {
		for _, other := range files[i+1:] {
			if f.Path == other.Path || strings.HasPrefix(other.Path, f.Path+"/") {
				return f, other, true
			}
		}
	}
	return NamedFile{}, NamedFile{}, false
}
