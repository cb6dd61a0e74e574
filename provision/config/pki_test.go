package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/certs"
)

// whole fills what follows from the attributes of a pki block without blocks.
func whole(t *testing.T, p PKI) PKI {
	t.Helper()
	var err error
	if p.Naming, err = certs.NewNaming(certs.SchemeKubeadm); err != nil {
		t.Fatal(err)
	}
	p.ServiceAccountAlgorithm = p.Algorithm
	p.Authorities, p.Certificates = map[string]PKIAuthority{}, map[string]PKICertificate{}
	for _, row := range certs.Authorities() {
		p.Authorities[row.Name] = PKIAuthority{CommonName: row.CN, Algorithm: p.Algorithm, Validity: p.CAValidity}
	}
	for _, row := range certs.Catalogue() {
		if row.Scope != certs.ScopeCluster {
			p.Certificates[row.Name] = PKICertificate{Algorithm: p.Algorithm, Validity: p.CertificateValidity, RenewBefore: p.RenewBefore}
		}
	}
	return p
}

// TestArticlePKI: the PKI of an article by hand, with cfssl's names, subjects, RSA
// and lifetimes of years, and what stands out of line in it.
func TestArticlePKI(t *testing.T) {
	c := mustLoad(t, map[string]string{"main.hcl": `
directories { cert = "/mnt/app/kubernetes/ssl" }

pki {
  algorithm            = "rsa-2048"
  certificate_validity = "43800h"
  files                = "cfssl"

  subject {
    country             = "CN"
    province            = "Beijing"
    locality            = "Chaoyang"
    organization        = "k8s"
    organizational_unit = "System"
  }

  service_account {
    algorithm   = "rsa-4096"
    private_key = "sa-key.pem"
  }

  authority "kubernetes" {
    common_name  = "kube-ca"
    algorithm    = "rsa-4096"
    validity     = "175200h"
    signing_cert = "signing/ca.pem"
  }

  certificate "apiserver" {
    cert     = "server.pem"
    key      = "/mnt/app/keys/server-key.pem"
    validity = "720h"
  }

  certificate "admin" {
    algorithm    = "ecdsa-p384"
    validity     = "240h"
    renew_before = "24h"
  }
}
`}, Options{})
	want := whole(t, PKI{Algorithm: "rsa-2048", CertificateValidity: 43800 * time.Hour, CAValidity: 87600 * time.Hour, RenewBefore: 720 * time.Hour, CSRSigning: true})
	want.Subject = certs.Subject{C: []string{"CN"}, ST: []string{"Beijing"}, L: []string{"Chaoyang"}, O: []string{"k8s"}, OU: []string{"System"}}
	want.Naming, _ = certs.NewNaming(certs.SchemeCFSSL)
	want.Naming.ServiceAccount.Key = "sa-key.pem"
	want.Naming.Signing.Cert = "signing/ca.pem"
	want.Naming.Leaves["apiserver"] = certs.FilePair{Cert: "server.pem", Key: "/mnt/app/keys/server-key.pem"}
	want.ServiceAccountAlgorithm = "rsa-4096"
	want.Authorities["kubernetes"] = PKIAuthority{CommonName: "kube-ca", Algorithm: "rsa-4096", Validity: 175200 * time.Hour}
	want.Certificates["apiserver"] = PKICertificate{Algorithm: "rsa-2048", Validity: 720 * time.Hour, RenewBefore: 240 * time.Hour} // a third
	want.Certificates["admin"] = PKICertificate{Algorithm: "ecdsa-p384", Validity: 240 * time.Hour, RenewBefore: 24 * time.Hour}
	if diff := cmp.Diff(want, c.PKI, ignoreRanges()); diff != "" {
		t.Error(diff)
	}
}

// TestIPVSBlock: the block is another way to write fields of the config object.
func TestIPVSBlock(t *testing.T) {
	c, _, diags := loadFiles(t, with(map[string]string{"main.hcl": `
kube_proxy {
  mode   = "ipvs"
  config = { ipvs = { syncPeriod = "30s" }, bindAddress = "0.0.0.0" }

  ipvs {
    scheduler     = "wlc"
    strict_arp    = true
    exclude_cidrs = ["192.0.2.0/24", "fd00::/64"]
  }
}
`}), Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	want := map[string]any{"bindAddress": "0.0.0.0", "ipvs": map[string]any{
		"syncPeriod": "30s", "scheduler": "wlc", "strictARP": true, "excludeCIDRs": []any{"192.0.2.0/24", "fd00::/64"},
	}}
	for _, got := range []Component{c.KubeProxy.Component, c.Hosts[0].KubeProxy} {
		if diff := cmp.Diff(want, got.Config); diff != "" {
			t.Error(diff)
		}
		if at := got.ConfigRanges["ipvs.scheduler"]; at.Start.Line == 0 {
			t.Error("the scheduler has no place")
		}
	}
}
