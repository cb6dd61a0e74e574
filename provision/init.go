package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/state"
)

// InitOptions of an initialisation.
type InitOptions struct {
	// Upgrade accepts other bytes than those that the lock file pins.
	Upgrade  bool
	Progress func(binaries.Progress)
}

// InitResult says what init did.
type InitResult struct {
	Items    []binaries.Item
	LockFile string
	// StateCreated and IdentityCreated are paths of what was made now.
	StateCreated    string
	IdentityCreated string
	Lineage         string
}

func (s *Session) lockPath() string { return filepath.Join(s.cfg.Dir, binaries.LockName) }

// readLock reads the lock file of the binaries.
func (s *Session) readLock() (binaries.Lock, error) {
	lock, err := binaries.ReadLock(s.lockPath())
	if errors.Is(err, fs.ErrNotExist) {
		return lock, fmt.Errorf("%s does not exist: nothing is pinned yet; run `hardway init` first", s.lockPath())
	}
	return lock, err
}

// Init obtains, verifies and pins the binaries, and makes the state and, where
// nobody else may open it, an identity. It touches no host and can be repeated.
func (s *Session) Init(ctx context.Context, o InitOptions) (InitResult, error) {
	out := InitResult{LockFile: s.lockPath()}
	pinned, err := binaries.ReadLock(s.lockPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, err
	}
	wanted, err := binaries.Wanted(versions(s.cfg), architectures(s.cfg))
	if err != nil {
		return out, fmt.Errorf("%s: %w", s.cfg.Range, err)
	}
	obtained, err := binaries.Obtain(ctx, binaries.Options{
		Wanted: wanted, Images: images(s.cfg), Source: s.cfg.Binaries.Source, Sources: sources(s.cfg),
		Mirrors: s.cfg.Binaries.Mirrors, Archive: s.cfg.Binaries.Archive, Proxy: s.cfg.Binaries.Proxy,
		Cache: binaries.NewCache(s.cfg.Binaries.Cache), Lock: pinned, Upgrade: o.Upgrade, Progress: o.Progress, Now: s.opts.Now,
	})
	if err != nil {
		return out, err
	}
	out.Items = obtained.Items
	if err := binaries.WriteLock(s.lockPath(), obtained.Lock); err != nil {
		return out, err
	}
	return out, s.initState(ctx, &out)
}

// initState makes the first snapshot; one that exists is left as it is.
func (s *Session) initState(ctx context.Context, out *InitResult) error {
	snap, _, err := s.store.Load(ctx)
	if err == nil {
		out.Lineage = snap.Lineage
		return nil
	}
	if !errors.Is(err, state.ErrNotInitialised) {
		return err
	}
	if err := s.store.Lock(ctx, "init", s.opts.LockTimeout); err != nil {
		return err
	}
	s.locked = true
	snap = state.New(s.cfg.Name, s.opts.Version, s.opts.Now())
	if snap.Recipients = s.cfg.State.Recipients; len(snap.Recipients) == 0 {
		ids, created, err := s.identities().Ensure()
		if err != nil {
			return err
		}
		snap.Recipients = ids.Recipients()
		if created {
			out.IdentityCreated = ids.From
		}
	}
	if err := s.store.Create(ctx, snap); err != nil {
		return err
	}
	out.StateCreated, out.Lineage = s.store.Path(), snap.Lineage
	return nil
}

func versions(cfg *config.Cluster) binaries.Versions {
	return binaries.Versions{
		binaries.Kubernetes: cfg.Version, binaries.Etcd: cfg.Etcd.Version, binaries.Containerd: cfg.Runtime.Version,
		binaries.Runc: cfg.Runtime.RuncVersion, binaries.CNIPlugins: cfg.Runtime.CNIPluginsVersion,
	}
}

// architectures lists what the hosts are declared to be, by role.
func architectures(cfg *config.Cluster) map[addr.Role][]string {
	out := map[addr.Role][]string{}
	for _, h := range cfg.Hosts {
		if !slices.Contains(out[h.Addr.Role], h.Arch) {
			out[h.Addr.Role] = append(out[h.Addr.Role], h.Arch)
		}
	}
	return out
}

func sources(cfg *config.Cluster) map[binaries.Group]string {
	out := map[binaries.Group]string{}
	for group, base := range cfg.Binaries.Sources {
		out[binaries.Group(group)] = base
	}
	return out
}

func images(cfg *config.Cluster) []binaries.Image {
	var out []binaries.Image
	for ref, path := range cfg.Runtime.Images {
		out = append(out, binaries.Image{Ref: ref, Path: path})
	}
	slices.SortFunc(out, func(a, b binaries.Image) int {
		if a.Ref < b.Ref {
			return -1
		}
		return 1
	})
	return out
}
