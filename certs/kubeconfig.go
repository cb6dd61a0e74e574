package certs

import (
	"fmt"
	"net/url"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// KubeconfigSpec describes a kubeconfig with one cluster, one user and one
// context. Of each pair, file or data, exactly one is given.
//
// A host's kubeconfig references files: client-go then notices a renewed
// certificate within five minutes, without a restart (client-go
// transport.ReloadTLSFiles), which it never does with embedded data. A
// person's kubeconfig embeds them, to be one file.
type KubeconfigSpec struct {
	Cluster string // the name of the cluster entry
	Server  string // https://HOST:PORT
	CAFile  string
	CAData  []byte // PEM; a trust bundle

	User     string // the name of the user entry
	CertFile string
	KeyFile  string // may be CertFile, for a combined file
	CertData []byte // PEM
	KeyData  Secret // PEM

	Namespace string // of the context; empty: Kubernetes' "default"
}

// Embeds reports whether the kubeconfig will hold a private key, and is
// therefore as secret as that.
func (s KubeconfigSpec) Embeds() bool { return s.KeyData.IsSet() }

// Kubeconfig renders a kubeconfig through client-go's own types: equal specs,
// equal bytes. With Embeds, the result holds a private key: it is not to be
// logged, planned or compared in clear.
func Kubeconfig(s KubeconfigSpec) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("kubeconfig of %q: %w", s.User, err)
	}
	context := s.User + "@" + s.Cluster // kubeadm's naming
	out, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{s.Cluster: {
			Server:                   s.Server,
			CertificateAuthority:     s.CAFile,
			CertificateAuthorityData: s.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{s.User: {
			ClientCertificate:     s.CertFile,
			ClientCertificateData: s.CertData,
			ClientKey:             s.KeyFile,
			ClientKeyData:         s.KeyData.Reveal(),
		}},
		Contexts: map[string]*clientcmdapi.Context{context: {
			Cluster:   s.Cluster,
			AuthInfo:  s.User,
			Namespace: s.Namespace,
		}},
		CurrentContext: context,
	})
	if err != nil {
		return nil, fmt.Errorf("kubeconfig of %q: encoding: %w", s.User, err)
	}
	return out, nil
}

// check refuses what client-go would take and then use in a way not meant:
// data silently wins over a file, and a server without https sends no certificate.
func (s KubeconfigSpec) check() error {
	if s.Cluster == "" || s.User == "" {
		return fmt.Errorf("the names of cluster and user must not be empty")
	}
	u, err := url.Parse(s.Server)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("server %q: must be https://HOST:PORT", s.Server)
	}
	if (s.CAFile != "") == (len(s.CAData) > 0) {
		return fmt.Errorf("give the authority's certificate either as a file or as data")
	}
	files := s.CertFile != "" && s.KeyFile != ""
	data := len(s.CertData) > 0 && s.KeyData.IsSet()
	noFiles := s.CertFile == "" && s.KeyFile == ""
	noData := len(s.CertData) == 0 && !s.KeyData.IsSet()
	if (!files || !noData) && (!data || !noFiles) {
		return fmt.Errorf("give the client's certificate and key either both as files or both as data")
	}
	return nil
}
