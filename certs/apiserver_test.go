package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// realBinary finds a program that `make` in tools/ built for the lab.
func realBinary(t *testing.T, pattern string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "hardway/mirror", pattern))
	if err != nil || len(found) == 0 {
		t.Skipf("no %s in the mirror", pattern)
	}
	return found[len(found)-1]
}

// TestRealServersTakeThem starts etcd and kube-apiserver with authorities, leaves
// and service account keys of every algorithm, whole subjects and cfssl's file
// names, and asks the API as the admin.
func TestRealServersTakeThem(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts etcd and kube-apiserver")
	}
	etcd := realBinary(t, "etcd/v*/bin/linux/amd64/etcd")
	apiserver := realBinary(t, "v1.*/bin/linux/amd64/kube-apiserver")
	dir, now := t.TempDir(), time.Now()
	naming, err := NewNaming(SchemeCFSSL)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	authorities := map[string]Authority{}
	for name, alg := range map[string]Algorithm{AuthorityKubernetes: RSA4096, AuthorityEtcd: ECDSAP384, AuthorityFrontProxy: RSA3072} {
		a, err := NewAuthority(AuthoritySpec{Name: name, Names: articleNames(), Algorithm: alg, Validity: 10 * year, Generation: 1, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		authorities[name] = a
		write(t, dir, naming.Bundles[name], a.CertPEM)
	}
	self := Host{Name: "m1", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	leaves := map[string]Leaf{}
	for name, alg := range map[string]Algorithm{
		LeafAPIServer: ECDSAP384, LeafAPIServerEtcdClient: RSA2048, LeafAPIServerKubeletClient: ECDSAP256, LeafFrontProxyClient: RSA3072,
		LeafEtcdServer: RSA2048, LeafAdmin: RSA2048, LeafSuperAdmin: ECDSAP256,
	} {
		req, err := NewRequest(name, Params{Host: self, Masters: []Host{self}, ServiceIP: netip.MustParseAddr("10.96.0.1"), DNSDomain: "cluster.local",
			Algorithm: alg, Validity: year, Names: articleNames()})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := Issue(authorities[req.Authority], req, now)
		if err != nil {
			t.Fatal(err)
		}
		leaves[name] = leaf
		if files, ok := naming.Leaves[name]; ok {
			write(t, dir, files.Cert, leaf.CertPEM)
			write(t, dir, files.Key, leaf.KeyPEM.Reveal())
		}
	}
	pair, err := NewKeyPair(RSA3072)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, naming.ServiceAccount.Cert, pair.PublicPEM)
	write(t, dir, naming.ServiceAccount.Key, pair.PrivatePEM.Reveal())

	ports := freePorts(t, 3)
	client, peer := fmt.Sprintf("https://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	files := func(leaf string) (string, string) { p := naming.Leaves[leaf]; return at(p.Cert), at(p.Key) }
	cert, key := files(LeafEtcdServer)
	startServer(t, etcd, "--data-dir="+at("data"), "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--cert-file="+cert, "--key-file="+key, "--client-cert-auth=true", "--trusted-ca-file="+at(naming.Bundles[AuthorityEtcd]))
	var argv []string
	for _, f := range []struct{ leaf, cert, key string }{
		{LeafAPIServer, "tls-cert-file", "tls-private-key-file"}, {LeafAPIServerEtcdClient, "etcd-certfile", "etcd-keyfile"},
		{LeafAPIServerKubeletClient, "kubelet-client-certificate", "kubelet-client-key"}, {LeafFrontProxyClient, "proxy-client-cert-file", "proxy-client-key-file"},
	} {
		cert, key := files(f.leaf)
		argv = append(argv, "--"+f.cert+"="+cert, "--"+f.key+"="+key)
	}
	log := startServer(t, apiserver, append(argv, "--etcd-servers="+client, "--etcd-cafile="+at(naming.Bundles[AuthorityEtcd]),
		"--client-ca-file="+at(naming.Bundles[AuthorityKubernetes]), "--requestheader-client-ca-file="+at(naming.Bundles[AuthorityFrontProxy]),
		"--requestheader-allowed-names=front-proxy-client", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]),
		"--advertise-address=192.0.2.1", "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--anonymous-auth=false",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+at(naming.ServiceAccount.Cert), "--service-account-signing-key-file="+at(naming.ServiceAccount.Key))...)

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities[AuthorityKubernetes].CertPEM)
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	ask := func(leaf Leaf, path string) (int, string) {
		pair, err := tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, DisableKeepAlives: true}}
		resp, err := c.Get(url + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		code, body := ask(leaves[LeafSuperAdmin], "/readyz")
		if code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			t.Fatalf("not ready: %d %s\n%s", code, body, text[max(0, len(text)-4000):])
		}
		time.Sleep(300 * time.Millisecond)
	}
	if code, body := ask(leaves[LeafSuperAdmin], "/api/v1/namespaces"); code != http.StatusOK {
		t.Errorf("the super-admin: %d %s", code, body)
	}
	// Known by its common name, and by no group of the subject's: O=k8s would be one.
	if code, body := ask(leaves[LeafAdmin], "/api/v1/namespaces"); code != http.StatusForbidden || !strings.Contains(body, `User \"kubernetes-admin\" cannot list`) {
		t.Errorf("the admin, whom no role is bound to: %d %s", code, body)
	}
}

// freePorts returns ports of the loopback that were free a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// startServer runs a program until the test ends, and returns where its output is.
func startServer(t *testing.T, program string, args ...string) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(program)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, filepath.Dir(log.Name())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		_ = log.Close()
	})
	return log.Name()
}
