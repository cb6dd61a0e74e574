package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func hostSpec() KubeconfigSpec {
	return KubeconfigSpec{
		Cluster: "lab", Server: "https://k8s-master:6443", CAFile: "/pki/ca.crt",
		User: "system:kube-scheduler", CertFile: "/pki/scheduler.crt", KeyFile: "/pki/scheduler.key",
	}
}

func TestKubeconfigGolden(t *testing.T) {
	out, err := Kubeconfig(hostSpec())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "scheduler.kubeconfig", out)
	for range 20 {
		again, err := Kubeconfig(hostSpec())
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("not the same bytes each time: %v", err)
		}
	}
}

func TestKubeconfigRoundTrip(t *testing.T) {
	spec := KubeconfigSpec{
		Cluster: "lab", Server: "https://[fd00::1]:6443", CAData: []byte("the CA"),
		User: "devuser", CertData: []byte("the certificate"), KeyData: NewSecret([]byte("the key")), Namespace: "dev",
	}
	out, err := Kubeconfig(spec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := clientcmd.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	want := &clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"lab": {Server: "https://[fd00::1]:6443", CertificateAuthorityData: []byte("the CA")}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"devuser": {ClientCertificateData: []byte("the certificate"), ClientKeyData: []byte("the key")}},
		Contexts:       map[string]*clientcmdapi.Context{"devuser@lab": {Cluster: "lab", AuthInfo: "devuser", Namespace: "dev"}},
		CurrentContext: "devuser@lab",
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if !spec.Embeds() || hostSpec().Embeds() {
		t.Error("Embeds is wrong")
	}
}

func TestKubeconfigErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*KubeconfigSpec)
		want   string
	}{
		"no cluster":         {func(s *KubeconfigSpec) { s.Cluster = "" }, "must not be empty"},
		"no user":            {func(s *KubeconfigSpec) { s.User = "" }, "must not be empty"},
		"http":               {func(s *KubeconfigSpec) { s.Server = "http://k8s:8080" }, "must be https://HOST:PORT"},
		"no scheme":          {func(s *KubeconfigSpec) { s.Server = "k8s:6443" }, "must be https"},
		"password in server": {func(s *KubeconfigSpec) { s.Server = "https://a:b@k8s:6443" }, "must be https"},
		"no CA":              {func(s *KubeconfigSpec) { s.CAFile = "" }, "authority's certificate either"},
		"two CAs":            {func(s *KubeconfigSpec) { s.CAData = []byte("x") }, "authority's certificate either"},
		"no key":             {func(s *KubeconfigSpec) { s.KeyFile = "" }, "client's certificate and key"},
		"no credentials":     {func(s *KubeconfigSpec) { s.KeyFile, s.CertFile = "", "" }, "client's certificate and key"},
		"half and half":      {func(s *KubeconfigSpec) { s.KeyFile, s.KeyData = "", NewSecret([]byte("hunter2")) }, "client's certificate and key"},
		"both": {func(s *KubeconfigSpec) {
			s.CertData, s.KeyData = []byte("x"), NewSecret([]byte("hunter2"))
		}, "client's certificate and key"},
		"file and a stray key": {func(s *KubeconfigSpec) { s.KeyData = NewSecret([]byte("hunter2")) }, "client's certificate and key"},
	} {
		spec := hostSpec()
		tt.change(&spec)
		_, err := Kubeconfig(spec)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestKubeconfigsAuthenticate sets up a TLS server with the API server's
// certificate that wants client certificates, and lets client-go talk to it
// with both kinds of kubeconfig, the files in the kubelet's combined form.
func TestKubeconfigsAuthenticate(t *testing.T) {
	now := time.Now() // client-go and the server have no other clock
	a, err := NewAuthority(AuthoritySpec{Name: AuthorityKubernetes, Validity: time.Hour, Generation: 1, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	p := testParams()
	p.Host = Host{Name: "m1", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	p.Validity = time.Hour
	issueNow := func(name string) Leaf {
		r, err := NewRequest(name, p)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := Issue(a, r, now)
		if err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	serving, client := issueNow(LeafAPIServer), issueNow(LeafKubeletClient)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.TLS.PeerCertificates[0].Subject
		_, _ = io.WriteString(w, name.CommonName+" "+strings.Join(name.Organization, ","))
	}))
	pair, err := tls.X509KeyPair(serving.CertPEM, serving.KeyPEM.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.CertPEM)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	ca, combined := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "kubelet-client-current.pem")
	for path, content := range map[string][]byte{ca: a.CertPEM, combined: client.Combined().Reveal()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := KubeconfigSpec{Cluster: "lab", Server: "https://127.0.0.1:" + port, User: "kubelet"}
	files, data := base, base
	files.CAFile, files.CertFile, files.KeyFile = ca, combined, combined
	data.CAData, data.CertData, data.KeyData = a.CertPEM, client.CertPEM, client.KeyPEM
	for name, spec := range map[string]KubeconfigSpec{"files": files, "embedded": data} {
		t.Run(name, func(t *testing.T) {
			out, err := Kubeconfig(spec)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := clientcmd.RESTConfigFromKubeConfig(out)
			if err != nil {
				t.Fatal(err)
			}
			httpClient, err := rest.HTTPClientFor(cfg)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := httpClient.Get(cfg.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, _ := io.ReadAll(resp.Body); string(got) != "system:node:m1 system:nodes" {
				t.Errorf("the server saw %q", got)
			}
		})
	}
}
