package view

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/certs"
	"hardway/provision/resource"
)

func certificates() []Certificate {
	day := 24 * time.Hour
	return []Certificate{
		{Name: "kubelet-server", Host: n1, Path: "/etc/kubernetes/pki/kubelet.crt", Subject: "CN=system:node:n1, O=system:nodes",
			SANs: []string{"DNS:n1", "IP:192.168.10.31"}, Issuer: "kubernetes", Serial: "7", NotBefore: start, NotAfter: start.Add(365 * day), RenewBefore: 30 * day},
		{Name: "apiserver", Host: m1, Path: "/etc/kubernetes/pki/apiserver.crt", Subject: "CN=kube-apiserver",
			SANs:   []string{"DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:kubernetes.default.svc.cluster.local", "DNS:m1", "IP:10.96.0.1", "IP:192.168.10.21"},
			Issuer: "kubernetes", Serial: "4", NotBefore: start.Add(-350 * day), NotAfter: start.Add(15*day + time.Hour), RenewBefore: 30 * day},
		{Name: "kubernetes", Host: cluster, Path: "", Subject: "CN=kubernetes-ca", Issuer: "kubernetes", Serial: "1", NotBefore: start, NotAfter: start.Add(3650 * day)},
		{Name: "admin", Host: m1, Path: "/etc/kubernetes/pki/admin.crt", Subject: "CN=admin", Issuer: "kubernetes", Serial: "9",
			NotBefore: start.Add(-400 * day), NotAfter: start.Add(-time.Hour), RenewBefore: 30 * day},
		{Name: "etcd-peer", Host: m1, Path: "/etc/kubernetes/pki/etcd/peer.crt", Problem: "the host does not answer"},
	}
}

func TestCertificatesGolden(t *testing.T) {
	for name, s := range map[string]Style{"80": {Width: 80}, "120-color": {Width: 120, Color: true}} {
		var b bytes.Buffer
		if err := Certificates(&b, certificates(), start, s); err != nil {
			t.Fatal(err)
		}
		golden(t, "certificates/"+name+".txt", b.String())
	}
	var b bytes.Buffer
	if err := CertificatesJSON(&b, certificates(), start); err != nil {
		t.Fatal(err)
	}
	golden(t, "certificates/list.json", b.String())
}

func TestNewCertificate(t *testing.T) {
	info := certs.Info{Subject: certs.Subject{CN: "a", O: []string{"b", "c"}}, DNS: []string{"d"}, IPs: []string{"1.2.3.4"}, IssuerCN: "ca", Serial: "0a", NotBefore: start, NotAfter: start}
	want := Certificate{Name: "x", Host: n1, Path: "/x", Subject: "CN=a, O=b, O=c", SANs: []string{"DNS:d", "IP:1.2.3.4"}, Issuer: "ca", Serial: "0a",
		NotBefore: start, NotAfter: start, RenewBefore: time.Hour}
	if diff := cmp.Diff(want, NewCertificate("x", n1, "/x", info, time.Hour, "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProofsGolden(t *testing.T) {
	var b bytes.Buffer
	if err := Proofs(&b, []Proof{
		{Addr: at(m1, resource.KindCertificate, "apiserver"), Endpoint: "192.168.10.21:6443", Want: "0a", Got: "0a"},
		{Addr: at(n1, resource.KindCertificate, "kubelet-server"), Endpoint: "192.168.10.31:10250", Want: "0b", Got: "07"},
		{Addr: at(n1, resource.KindCertificate, "kube-proxy"), Want: "0c"},
		{Addr: at(n2, resource.KindCertificate, "kubelet-server"), Endpoint: "192.168.10.32:10250", Want: "0d", Err: "connection refused\x1b"},
	}, Style{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "certificates/proofs.txt", b.String())
}
