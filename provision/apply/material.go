package apply

import (
	"fmt"
	"maps"

	"hardway/certs"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// material makes an authority or a key pair. It is durable, sealed, before any
// host can hold something of it: hosts' changes depend on this one.
func (r *run) material(c plan.Change) error {
	r.keyMu.Lock()
	defer r.keyMu.Unlock()
	now := r.Store.Snapshot()
	keys := state.Keys{Recipients: r.Recipients, Authorities: maps.Clone(now.Authorities), KeyPairs: maps.Clone(now.KeyPairs)}
	switch {
	case c.Spec.Authority != nil:
		spec := c.Spec.Authority
		a, err := certs.NewAuthority(certs.AuthoritySpec{
			Name: c.Addr.Name, CN: spec.CN, Names: certs.Subject(spec.Names), Algorithm: certs.Algorithm(spec.Algorithm),
			Validity: spec.Validity, Generation: spec.Generation, Now: r.Now(),
		})
		if err != nil {
			return err
		}
		if keys.Authorities == nil {
			keys.Authorities = map[string]state.Authority{}
		}
		r.keys[resource.MaterialKey(c.Addr.Name)] = state.NewSecret(string(a.KeyPEM.Reveal()))
		keys.Authorities[c.Addr.Name] = state.Authority{
			Generation: spec.Generation, CertPEM: string(a.CertPEM),
			KeySHA256: resource.SHA256(a.KeyPEM.Reveal()), NotAfter: a.NotAfter,
		}
	default:
		pair, err := certs.NewKeyPair(certs.Algorithm(c.Spec.KeyPair.Algorithm))
		if err != nil {
			return err
		}
		if keys.KeyPairs == nil {
			keys.KeyPairs = map[string]state.KeyPair{}
		}
		r.keys[resource.MaterialPrivate(c.Addr.Name)] = state.NewSecret(string(pair.PrivatePEM.Reveal()))
		keys.KeyPairs[c.Addr.Name] = state.KeyPair{
			Generation: c.Spec.KeyPair.Generation, PublicPEM: string(pair.PublicPEM),
			PrivateSHA256: resource.SHA256(pair.PrivatePEM.Reveal()),
		}
	}
	var err error
	if keys.Sealed, err = now.Seal(r.Recipients, state.Secrets{Keys: r.keys}); err != nil {
		return err
	}
	return r.Store.PutKeys(r.ctx, keys)
}

// authority puts an authority together from the state and the opened keys.
func (r *run) authority(name string) (certs.Authority, error) {
	a, ok := r.Store.Material().Authorities[name]
	if !ok {
		return certs.Authority{}, fmt.Errorf("the state has no authority %q", name)
	}
	r.keyMu.Lock()
	key, ok := r.keys[resource.MaterialKey(name)]
	r.keyMu.Unlock()
	if !ok {
		return certs.Authority{}, fmt.Errorf("the key of the authority %q is not in the sealed part of the state", name)
	}
	return certs.LoadAuthority(name, a.Generation, []byte(a.CertPEM), certs.NewSecret([]byte(key.Reveal())))
}

// dropMaterial forgets an authority or a key pair: the cluster is gone.
func (r *run) dropMaterial(c plan.Change) error {
	r.keyMu.Lock()
	defer r.keyMu.Unlock()
	now := r.Store.Snapshot()
	keys := state.Keys{Recipients: r.Recipients, Authorities: maps.Clone(now.Authorities), KeyPairs: maps.Clone(now.KeyPairs)}
	delete(keys.Authorities, c.Addr.Name)
	delete(keys.KeyPairs, c.Addr.Name)
	delete(r.keys, resource.MaterialKey(c.Addr.Name))
	delete(r.keys, resource.MaterialPrivate(c.Addr.Name))
	if len(r.keys) > 0 {
		var err error
		if keys.Sealed, err = now.Seal(r.Recipients, state.Secrets{Keys: r.keys}); err != nil {
			return err
		}
	}
	return r.Store.PutKeys(r.ctx, keys)
}
