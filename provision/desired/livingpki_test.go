package desired

import (
	"strings"
	"testing"
	"time"

	"hardway/certs"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// withPKI gives the state what an apply of the configuration would have made.
func withPKI(t *testing.T, in Input, before string) Input {
	t.Helper()
	in = living(t, in, before)
	in.State.Authorities, in.State.KeyPairs = map[string]state.Authority{}, map[string]state.KeyPair{}
	now := time.Date(2026, 11, 21, 12, 0, 0, 987654321, time.UTC)
	for _, r := range build(t, input(t, before)).Set.All() {
		switch s := r.Spec; {
		case s.Authority != nil:
			a, err := certs.NewAuthority(certs.AuthoritySpec{Name: r.Addr.Name, CN: s.Authority.CN, Names: certs.Subject(s.Authority.Names),
				Algorithm: certs.Algorithm(s.Authority.Algorithm), Validity: s.Authority.Validity, Generation: 1, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			in.State.Authorities[r.Addr.Name] = state.Authority{Generation: 1, CertPEM: string(a.CertPEM), NotAfter: a.NotAfter}
		case s.KeyPair != nil:
			pair, err := certs.NewKeyPair(certs.Algorithm(s.KeyPair.Algorithm))
			if err != nil {
				t.Fatal(err)
			}
			in.State.KeyPairs[r.Addr.Name] = state.KeyPair{Generation: 1, PublicPEM: string(pair.PublicPEM)}
		}
	}
	return in
}

// TestLivingPKI: what concerns leaves is a renewal; what would make another
// authority is refused, and the message says how to keep the old one.
func TestLivingPKI(t *testing.T) {
	lab := source(t, "lab")
	const kept = `
  authority "kubernetes" { algorithm = "ecdsa-p256" }
  authority "etcd" { algorithm = "ecdsa-p256" }
  authority "front-proxy" { algorithm = "ecdsa-p256" }
  service_account { algorithm = "ecdsa-p256" }
`
	for name, c := range map[string]struct{ before, after, want string }{
		"nothing":                  {"", "", ""},
		"leaves only":              {"", "pki {\n certificate \"apiserver\" { algorithm = \"rsa-2048\" }\n}", ""},
		"lifetimes":                {"", "pki {\n certificate_validity = \"100h\"\n renew_before = \"10h\"\n }", ""},
		"file names":               {"", `pki { files = "cfssl" }`, ""},
		"all leaves, kept CAs":     {"", "pki {\n algorithm = \"rsa-2048\"" + kept + "}", ""},
		"algorithm of all":         {"", `pki { algorithm = "rsa-2048" }`, `the authority kubernetes was made with the algorithm ecdsa-p256, and the configuration asks for rsa-2048: that would be another authority, which nothing trusts yet, and replacing one is not supported yet. authority "kubernetes" { algorithm = "ecdsa-p256" } inside of pki keeps it`},
		"algorithm of tokens":      {"", `pki { algorithm = "rsa-2048" }`, `service_account { algorithm = "ecdsa-p256" } inside of pki keeps them`},
		"lifetime of an authority": {"", `pki { ca_validity = "9000h" }`, `the authority etcd was made with the validity 87600h0m0s, and the configuration asks for 9000h0m0s`},
		"name of an authority":     {"", "pki {\n authority \"etcd\" { common_name = \"ca-of-etcd\" }\n}", `made with the subject CN=etcd-ca, and the configuration asks for CN=ca-of-etcd`},
		"subject":                  {"pki {\n subject { country = \"CN\" }\n}", "pki {\n subject { country = \"DE\" }\n}", "made with the subject CN=kubernetes, C=CN, and the configuration asks for CN=kubernetes, C=DE"},
		"same subject":             {"pki {\n subject { country = \"CN\" }\n}", "pki {\n subject { country = \"CN\" }\n}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(withPKI(t, input(t, lab+c.after), lab+c.before))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestNamedFiles: flags, kubeconfigs and config objects name the files that the
// scheme and the overrides say, and processes that read a path are restarted.
func TestNamedFiles(t *testing.T) {
	lab := source(t, "lab")
	text := lab + `
directories { cert = "/mnt/app/kubernetes/ssl" }
pki {
  files = "cfssl"
  certificate "kube-proxy" { cert = "proxy.pem" }
  certificate "etcd-server" {
    cert = "/mnt/app/etcd/ssl/etcd.pem"
    key  = "/mnt/app/etcd/ssl/etcd-key.pem"
  }
}
`
	before, set := build(t, input(t, lab)).Set, build(t, input(t, text)).Set
	for unit, words := range map[string][]string{
		"kube-apiserver": {"--tls-cert-file=/mnt/app/kubernetes/ssl/kubernetes.pem", "--tls-private-key-file=/mnt/app/kubernetes/ssl/kubernetes-key.pem",
			"--client-ca-file=/mnt/app/kubernetes/ssl/ca.pem", "--service-account-key-file=/mnt/app/kubernetes/ssl/service-account.pem"},
		"kube-controller-manager": {"--cluster-signing-key-file=/mnt/app/kubernetes/ssl/ca-key.pem", "--root-ca-file=/mnt/app/kubernetes/ssl/ca.pem"},
		"etcd":                    {"--cert-file=/mnt/app/etcd/ssl/etcd.pem", "--key-file=/mnt/app/etcd/ssl/etcd-key.pem", "--trusted-ca-file=/mnt/app/kubernetes/ssl/etcd-ca.pem"},
	} {
		u := get(t, set, m1, resource.KindUnit, unit).Spec.Unit
		for _, w := range words {
			if !strings.Contains(u.Content, w) {
				t.Errorf("%s has no %s:\n%s", unit, w, u.Content)
			}
		}
	}
	conf := get(t, set, n1, resource.KindFile, "/etc/kubernetes/kube-proxy.conf").Spec.File.Content
	for _, w := range []string{"/mnt/app/kubernetes/ssl/proxy.pem", "/mnt/app/kubernetes/ssl/kube-proxy-key.pem", "/mnt/app/kubernetes/ssl/ca.pem"} {
		if !strings.Contains(conf, w) {
			t.Errorf("the kubeconfig has no %s:\n%s", w, conf)
		}
	}
	for _, unit := range []string{"kube-proxy", "kubelet"} {
		if get(t, before, n1, resource.KindUnit, unit).Spec.Unit.Inputs == get(t, set, n1, resource.KindUnit, unit).Spec.Unit.Inputs {
			t.Errorf("%s is not restarted with its new paths", unit)
		}
	}
	get(t, set, m1, resource.KindDirectory, "/mnt/app/etcd/ssl")
}
