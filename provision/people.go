package provision

import (
	"context"
	"fmt"
	"time"

	"hardway/certs"
	"hardway/provision/desired"
	"hardway/provision/resource"
)

// adminValidity is the lifetime of a kubeconfig that `hardway kubeconfig` hands
// out: it lies on people's machines and cannot be revoked.
const adminValidity = 30 * 24 * time.Hour

// Kubeconfig issues a client certificate for an administrator and returns a
// kubeconfig that embeds it. The user is in the group that the cluster's own
// ClusterRoleBinding makes administrators, never in system:masters.
func (s *Session) Kubeconfig(ctx context.Context, user string) (certs.Secret, time.Time, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return certs.Secret{}, time.Time{}, err
	}
	have, ok := snap.Authorities[certs.AuthorityKubernetes]
	if !ok {
		return certs.Secret{}, time.Time{}, fmt.Errorf("the cluster has no authority yet; `hardway apply` makes it")
	}
	secrets, err := s.open(snap)
	if err != nil {
		return certs.Secret{}, time.Time{}, err
	}
	key := secrets.Keys[resource.MaterialKey(certs.AuthorityKubernetes)]
	authority, err := certs.LoadAuthority(certs.AuthorityKubernetes, have.Generation, []byte(have.CertPEM), certs.NewSecret([]byte(key.Reveal())))
	if err != nil {
		return certs.Secret{}, time.Time{}, err
	}
	req, err := certs.NewUserRequest(user, []string{certs.GroupAdmins}, certs.Algorithm(s.cfg.PKI.Algorithm), min(adminValidity, s.cfg.PKI.CertificateValidity))
	if err != nil {
		return certs.Secret{}, time.Time{}, err
	}
	leaf, err := certs.Issue(authority, req, s.opts.Now())
	if err != nil {
		return certs.Secret{}, time.Time{}, err
	}
	text, err := certs.Kubeconfig(certs.KubeconfigSpec{
		Cluster: s.cfg.Name, Server: desired.Endpoint(s.cfg), CAData: []byte(have.Bundle()),
		User: user, CertData: leaf.CertPEM, KeyData: leaf.KeyPEM,
	})
	return certs.NewSecret(text), leaf.Info.NotAfter, err
}
