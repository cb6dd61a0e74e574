package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// DefaultSource has Kubernetes; the other groups then come from their
// projects' own release pages.
const DefaultSource = "https://dl.k8s.io"

// place is where files are read from.
type place interface {
	// open returns a file and its size, or -1. The error of a missing file
	// wraps fs.ErrNotExist; one worth another try is a *brokenError.
	open(ctx context.Context, rel string) (io.ReadCloser, int64, error)
	// name is the whole path or URL of a file, for people and for the lock file.
	name(rel string) string
	// checkedOnly says why only files that are pinned already may come from here;
	// empty when there is no reason.
	checkedOnly() string
}

// brokenError is a transfer that broke off and may succeed the next time.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// newPlace reads a source as the binaries block gives it.
func newPlace(source string, web *web) (place, error) {
	if source == "" {
		return nil, errors.New("no source is given: set source in the binaries block")
	}
	if !strings.Contains(source, "://") {
		info, err := os.Stat(source)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("the source directory %s does not exist", source)
		case err != nil:
			return nil, fmt.Errorf("the source: %w", err)
		case !info.IsDir():
			return nil, fmt.Errorf("the source %s is not a directory", source)
		}
		return directory{source}, nil
	}
	u, err := url.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("the source %q is not a URL", source)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the source %s is neither a directory nor an https base such as %s", u.Redacted(), DefaultSource)
	}
	return site{base: u, web: web}, nil
}

// directory is a place in the file system. A file outside it is never opened,
// whatever links lie inside.
type directory struct{ root string }

func (d directory) open(_ context.Context, rel string) (io.ReadCloser, int64, error) {
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(rel))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", d.name(rel))
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (d directory) name(rel string) string { return filepath.Join(d.root, filepath.FromSlash(rel)) }

func (d directory) checkedOnly() string { return "" }

// download is one file of a source with the artifacts that are made of it.
type download struct {
	place place
	rel   string
	sums  []string // files of sums; the first that exists counts
	parts []part
}

// part is an artifact in a download; with an empty member it is the whole file.
type part struct {
	artifact Artifact
	member   string
}

// resolve says where each artifact comes from. A source in the layout of
// dl.k8s.io has <base>/v<version>/bin/linux/<arch>/<file> for Kubernetes and
// <base>/<group>/v<version>/bin/linux/<arch>/<file> for the others, with a
// .sha512 or .sha256 beside each. A base that ends in /releases/download has a
// project's release archives.
//
// With archive, Kubernetes' programs come out of the archives that the project
// publishes, <base>/v<version>/kubernetes-server-linux-<arch>.tar.gz.
func resolve(wanted []Artifact, source string, overrides map[Group]string, archive bool, web *web) ([]*download, error) {
	places := map[string]place{}
	var out []*download
	index := map[string]*download{}
	for _, a := range wanted {
		base := source
		if o := overrides[a.Group]; o != "" {
			base = o
		} else if strings.TrimSuffix(source, "/") == DefaultSource && a.Group != Kubernetes {
			base = upstream()[a.Group].base
		}
		p, ok := places[base]
		if !ok {
			var err error
			if p, err = newPlace(base, web); err != nil {
				return nil, fmt.Errorf("binaries of %s: %w", a.Group, err)
			}
			places[base] = p
		}
		d := locate(a, strings.TrimSuffix(base, "/"))
		if archive && a.Group == Kubernetes {
			d = locateServer(a)
		}
		d.place = p
		key := p.name(d.rel)
		if same, ok := index[key]; ok {
			same.parts = append(same.parts, d.parts...)
			continue
		}
		index[key] = d
		out = append(out, d)
	}
	return out, nil
}

func locate(a Artifact, base string) *download {
	dir := "v" + a.Version
	if strings.HasSuffix(base, releasePath) {
		if r, ok := upstream()[a.Group]; ok {
			file := r.file(a.Version, a.Arch)
			d := &download{rel: path.Join(dir, file), sums: []string{path.Join(dir, r.sums(file))}, parts: []part{{artifact: a}}}
			if r.member != nil {
				d.parts[0].member = r.member(a.Version, a.Arch, a.Component)
			}
			return d
		}
	}
	if a.Group != Kubernetes {
		dir = path.Join(string(a.Group), dir)
	}
	rel := path.Join(dir, "bin", "linux", a.Arch, a.Component)
	return &download{rel: rel, sums: []string{rel + ".sha512", rel + ".sha256"}, parts: []part{{artifact: a}}}
}

// locateServer finds a program of Kubernetes in the archive of its release.
func locateServer(a Artifact) *download {
	dir := "v" + a.Version
	file := "kubernetes-server-linux-" + a.Arch + ".tar.gz"
	rel := path.Join(dir, file)
	return &download{
		rel: rel, sums: []string{rel + ".sha512", rel + ".sha256", path.Join(dir, "SHA512SUMS"), path.Join(dir, "SHA256SUMS")},
		parts: []part{{artifact: a, member: "kubernetes/server/bin/" + a.Component}},
	}
}

// readSum reads the published sum of a download.
func (d *download) readSum(ctx context.Context) (published, error) {
	var missing []string
	for _, rel := range d.sums {
		r, _, err := d.place.open(ctx, rel)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, d.place.name(rel))
			continue
		}
		if err != nil {
			return published{}, fmt.Errorf("reading the sum %s: %w", d.place.name(rel), err)
		}
		text, err := io.ReadAll(io.LimitReader(r, maxSums))
		r.Close()
		if err != nil {
			return published{}, fmt.Errorf("reading the sum %s: %w", d.place.name(rel), err)
		}
		algorithm, digest, err := parseSum(text, path.Base(d.rel))
		if err != nil {
			return published{}, fmt.Errorf("the sum %s is of no use: %w", d.place.name(rel), err)
		}
		return published{algorithm: algorithm, digest: digest, where: d.place.name(rel)}, nil
	}
	return published{}, fmt.Errorf("%s has no published sum to verify it with: none of %s exists", d.place.name(d.rel), strings.Join(missing, ", "))
}
