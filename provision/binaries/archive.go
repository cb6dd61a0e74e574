package binaries

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Limits of what an archive may unfold to, in bytes and entries. The largest
// upstream archive, Kubernetes' server, unfolds to about 1.7 GB with its images.
const (
	maxFile     = 1 << 30
	maxUnfolded = 6 << 30
	maxEntries  = 10_000
)

// extract takes the wanted members out of a .tar.gz and gives each to sink.
// Nothing is written under a name from the archive. Only exact names count, with
// or without "./" in front; a wanted member must be a regular file and stand
// there once. An archive with any name that leads out of it is refused whole.
func extract(r io.Reader, wanted map[string]bool, sink func(member string, content io.Reader) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	defer z.Close()
	limited := &limitedReader{r: z, left: maxUnfolded}
	t := tar.NewReader(limited)
	found := map[string]bool{}
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		if n >= maxEntries {
			return fmt.Errorf("unpacking: more than %d entries", maxEntries)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if name == "" { // the directory itself
			continue
		}
		if !filepath.IsLocal(name) || strings.Contains(h.Name, `\`) {
			return fmt.Errorf("unpacking: the name %q leads out of the archive", h.Name)
		}
		if !wanted[name] {
			continue
		}
		switch {
		case found[name]:
			return fmt.Errorf("unpacking: %s is there twice", name)
		case h.Typeflag != tar.TypeReg:
			return fmt.Errorf("unpacking: %s is not a regular file (type %q)", name, h.Typeflag)
		case h.Size > maxFile:
			return fmt.Errorf("unpacking: %s is larger than %d MiB", name, maxFile>>20)
		}
		found[name] = true
		if err := sink(name, t); err != nil {
			return err
		}
	}
	// Behind the end mark lies padding; the checksum of gzip stands after it.
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	for name := range wanted {
		if !found[name] {
			return fmt.Errorf("unpacking: %s is not in the archive", name)
		}
	}
	return nil
}

// limitedReader fails, instead of ending, when the limit is reached.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("it unfolds to more than %d MiB", maxUnfolded>>20)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
