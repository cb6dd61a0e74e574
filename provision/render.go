package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/binaries"
	"hardway/provision/desired"
	"hardway/provision/plan"
	"hardway/provision/render"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// RenderOptions of a folder.
type RenderOptions struct {
	Dir string
	// WithKeys writes private keys too, and issues what certificates are not
	// known. It needs an identity, and makes authorities that do not exist yet.
	WithKeys bool
	// WithBinaries copies programs and images too.
	WithBinaries bool
}

// Rendered is what was written.
type Rendered struct {
	Files   []string // with the folder's own path in front
	Missing int      // entries of the list that were not written
}

// Render writes what stands on every host into a folder, one tree a host,
// without a connection. For the same state it writes the same bytes again: a
// certificate that it issued into the folder is kept while it is right.
func (s *Session) Render(ctx context.Context, o RenderOptions) (out Rendered, err error) {
	snap, err := s.load(ctx)
	if err != nil {
		return out, err
	}
	if err := s.sameCluster(snap.Public); err != nil {
		return out, err
	}
	folder, err := render.Open(o.Dir, snap.Lineage)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	in := desired.Input{Config: s.cfg, State: snap.Public}
	if in.Lock, err = s.readLock(); err != nil {
		return out, err
	}
	var keys state.Secrets
	if o.WithKeys {
		if snap, keys, err = s.withKeys(ctx, snap, in); err != nil {
			return out, err
		}
		in.State = snap.Public
	}
	want, err := desired.Build(in)
	if err != nil {
		return out, err
	}
	tree := render.Input{Want: want.Set, Public: map[string][]byte{}, Private: map[string]certs.Secret{}, Sources: origins(in.Lock)}
	for _, r := range want.Set.All() {
		if f := r.Spec.File; f != nil && f.Material != "" {
			if text, _, ok := snap.Material(f.Material); ok && text != nil {
				tree.Public[f.Material] = text
			}
			if key := keys.Keys[f.Material]; key.IsSet() {
				tree.Private[f.Material] = certs.NewSecret([]byte(key.Reveal()))
			}
		}
	}
	if tree.Leaves, err = s.leaves(folder, want.Set, snap, keys, o.WithKeys); err != nil {
		return out, err
	}
	if o.WithBinaries {
		cache := binaries.NewCache(s.cfg.Binaries.Cache)
		folder.Artifacts = func(sha256 string) (io.ReadCloser, error) {
			rc, _, err := cache.Open(sha256)
			return rc, err
		}
	}
	if o.WithKeys {
		if err := os.Chmod(o.Dir, 0o700); err != nil {
			return out, err
		}
	}
	entries := render.Tree(tree)
	for _, e := range entries {
		if e.Missing != "" || e.Artifact != "" && !o.WithBinaries {
			out.Missing++
		}
	}
	out.Files, err = folder.Write(entries)
	return out, err
}

// withKeys opens the sealed keys. What is not made yet is made first, by the
// same change of a plan that an apply would make it with.
func (s *Session) withKeys(ctx context.Context, snap state.Snapshot, in desired.Input) (state.Snapshot, state.Secrets, error) {
	want, err := desired.Build(in)
	if err != nil {
		return snap, state.Secrets{}, err
	}
	var missing []addr.Address
	for _, r := range want.Set.All() {
		_, authority := snap.Authorities[r.Addr.Name]
		_, pair := snap.KeyPairs[r.Addr.Name]
		if r.Spec.Authority != nil && !authority || r.Spec.KeyPair != nil && !pair {
			missing = append(missing, r.Addr)
		}
	}
	if len(missing) > 0 {
		if snap, err = s.makeMaterial(ctx, want, missing); err != nil {
			return snap, state.Secrets{}, err
		}
	}
	keys, err := s.open(snap)
	return snap, keys, err
}

// makeMaterial runs that part of a plan which touches no host.
func (s *Session) makeMaterial(ctx context.Context, want desired.Result, targets []addr.Address) (state.Snapshot, error) {
	snap, err := s.lock(ctx, "render")
	if err != nil {
		return snap, err
	}
	secrets, err := s.open(snap)
	if err != nil {
		return snap, err
	}
	p, err := plan.Compute(plan.Input{
		Tool: s.opts.Version, Cluster: s.cfg.Name, ConfigDigest: s.cfg.Digest, Now: s.opts.Now().UTC(), Targets: targets,
		Recipients: s.cfg.State.Recipients, Desired: want.Set, Allocations: want.Allocations, State: snap.Public,
	})
	if err != nil {
		return snap, err
	}
	_, err = apply.Run(ctx, p, apply.Env{
		Store: s.store, Secrets: secrets, Recipients: s.recipients(snap.Public), Artifacts: binaries.NewCache(s.cfg.Binaries.Cache), Now: s.opts.Now,
	}, func(apply.Event) {})
	if err = errors.Join(err, s.store.Commit(context.WithoutCancel(ctx))); err != nil {
		return snap, fmt.Errorf("making the authorities: %w", err)
	}
	return s.store.Snapshot(), nil
}

// leaves finds the certificates: those that an earlier render left in the
// folder, with keys, while they are right; else new ones; and without keys those
// that the hosts have.
func (s *Session) leaves(folder *render.Folder, want resource.Set, snap state.Snapshot, keys state.Secrets, withKeys bool) (map[addr.Address]render.Leaf, error) {
	out := map[addr.Address]render.Leaf{}
	for _, r := range want.All() {
		c := r.Spec.Certificate
		if c == nil {
			continue
		}
		if !withKeys {
			if made := snap.Resources[r.Addr].Certificate; made != nil {
				out[r.Addr] = render.Leaf{CertPEM: []byte(made.PEM)}
			}
			continue
		}
		have := snap.Authorities[c.Authority]
		req := plan.Request(c)
		certPath, keyPath := c.CertPath, c.KeyPath
		if c.Combined {
			certPath, keyPath = c.CombinedFile(), c.CombinedFile()
		}
		cert, key := folder.Read(r.Addr.Host.Name+certPath), folder.Read(r.Addr.Host.Name+keyPath)
		if kept, ok := render.Kept(cert, key, req, []byte(have.CertPEM), s.opts.Now(), c.RenewBefore); ok {
			out[r.Addr] = kept
			continue
		}
		authority, err := certs.LoadAuthority(c.Authority, have.Generation, []byte(have.CertPEM), certs.NewSecret([]byte(keys.Keys[resource.MaterialKey(c.Authority)].Reveal())))
		if err != nil {
			return nil, err
		}
		leaf, err := certs.Issue(authority, req, s.opts.Now())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Addr, err)
		}
		out[r.Addr] = render.Leaf{CertPEM: leaf.CertPEM, Key: leaf.KeyPEM}
	}
	return out, nil
}
