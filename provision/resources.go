package provision

import (
	"context"
	"errors"
	"fmt"

	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Resources compiles what the configuration asks for, without a connection and
// before anything was pinned or made: names and dependencies are those of a
// plan, but the digests of binaries and what the state holds may be empty.
func (s *Session) Resources(ctx context.Context) (resource.Set, error) {
	snap, err := s.load(ctx)
	if err != nil && !errors.Is(err, state.ErrNotInitialised) {
		return resource.Set{}, err
	}
	lock, err := unpinned(s.cfg)
	if err != nil {
		return resource.Set{}, err
	}
	want, err := desired.Build(desired.Input{Config: s.cfg, Lock: lock, State: snap.Public})
	return want.Set, err
}

// unpinned is a lock file that names what will be pinned, without any bytes.
func unpinned(cfg *config.Cluster) (binaries.Lock, error) {
	wanted, err := binaries.Wanted(versions(cfg), architectures(cfg))
	if err != nil {
		return binaries.Lock{}, fmt.Errorf("%s: %w", cfg.Range, err)
	}
	lock := binaries.Lock{Binaries: map[binaries.Key]binaries.Pin{}, Images: map[string]binaries.ImagePin{}}
	for _, a := range wanted {
		lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{Version: a.Version}
	}
	for _, i := range images(cfg) {
		lock.Images[i.Ref] = binaries.ImagePin{}
	}
	return lock, nil
}
