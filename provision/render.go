package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hardway/provision/desired"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Render writes every file that hosts would get into dir, one folder a host,
// without a connection. What only the state holds, and what apply issues, is
// named in MISSING.txt. It returns the files written.
func (s *Session) Render(ctx context.Context, dir string) ([]string, error) {
	snap, err := s.load(ctx)
	if errors.Is(err, state.ErrNotInitialised) {
		snap = state.Snapshot{Public: state.Public{Lineage: "not-initialised", Cluster: s.cfg.Name}}
	} else if err != nil {
		return nil, err
	}
	in := desired.Input{Config: s.cfg, State: snap.Public}
	if in.Lock, err = s.readLock(); err != nil {
		return nil, err
	}
	want, err := desired.Build(in)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir) // a name in the configuration cannot lead out of it
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var written, missing []string
	for _, r := range want.Set.All() {
		text, mode, ok := rendered(r.Spec)
		if !ok {
			if f := r.Spec; f.File != nil || f.Certificate != nil || f.Binary != nil {
				missing = append(missing, fmt.Sprintf("%s: %s", r.Addr, whyMissing(f)))
			}
			continue
		}
		name := filepath.Join(r.Addr.Host.Name, r.Spec.Path())
		if r.Addr.Host.IsCluster() {
			name = filepath.Join("cluster", r.Spec.Object.Kind+"-"+strings.ReplaceAll(r.Spec.Object.Name, ":", "-")+".json")
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return written, err
		}
		if err := root.WriteFile(name, []byte(text), mode); err != nil {
			return written, err
		}
		written = append(written, filepath.Join(dir, name))
	}
	if len(missing) > 0 {
		if err := root.WriteFile("MISSING.txt", []byte(strings.Join(missing, "\n")+"\n"), 0o644); err != nil {
			return written, err
		}
		written = append(written, filepath.Join(dir, "MISSING.txt"))
	}
	return written, nil
}

// rendered returns the text of a resource that is a text.
func rendered(s resource.Spec) (text string, mode os.FileMode, ok bool) {
	switch {
	case s.File != nil && (s.File.Material == "" || s.File.Content != ""):
		return s.File.Content, os.FileMode(s.File.Mode), true
	case s.Unit != nil:
		return s.Unit.Content, os.FileMode(s.Unit.Mode), true
	case s.Block != nil:
		return resource.BlockBegin + "\n" + s.Block.Content + resource.BlockEnd + "\n", 0o644, true
	case s.Object != nil:
		return string(s.Object.Manifest) + "\n", 0o644, true
	}
	return "", 0, false
}

func whyMissing(s resource.Spec) string {
	switch {
	case s.Certificate != nil:
		return fmt.Sprintf("%s: apply issues it (CN=%s, authority %s)", s.Certificate.CertPath, s.Certificate.Subject.CN, s.Certificate.Authority)
	case s.Binary != nil:
		return fmt.Sprintf("%s: %s %s, sha256 %s", s.Binary.Path, s.Binary.Component, s.Binary.Version, s.Binary.SHA256)
	}
	return fmt.Sprintf("%s: %s, held by the state", s.File.Path, s.File.Material)
}
