package binaries

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Cache keeps files under their SHA-256, in <dir>/sha256/<hex>. Several
// processes and clusters may share one.
type Cache struct {
	dir string

	mu sync.Mutex
	// verified are the files as they were when their digest was last found
	// right, so that each is hashed once a process and not once a host.
	verified map[string]fs.FileInfo
}

// NewCache returns the cache in dir, which is made when it is first written to.
func NewCache(dir string) *Cache {
	return &Cache{dir: dir, verified: map[string]fs.FileInfo{}}
}

// Path returns where the file with that digest is, if it is cached.
func (c *Cache) Path(sha256 string) string { return filepath.Join(c.dir, "sha256", sha256) }

// NotCachedError says that a pinned file is not in the cache.
type NotCachedError struct{ Path string }

// Error names the file and the command that fetches it.
func (e *NotCachedError) Error() string {
	return fmt.Sprintf("%s is not in the cache: run `hardway init`", e.Path)
}

// CorruptError says that a cached file is not what its name says.
type CorruptError struct {
	Path   string
	Actual string // its SHA-256
}

// Error names the file and the command that replaces it.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("the cached file %s is damaged (its sha256 is %s): nothing was installed from it; run `hardway init` to fetch it again", e.Path, e.Actual)
}

// Open returns a cached file and its size in bytes, after its content was found
// to have that digest. The errors are *NotCachedError and *CorruptError.
func (c *Cache) Open(sha256 string) (io.ReadCloser, int64, error) {
	if !isHex(sha256, 64) {
		return nil, 0, fmt.Errorf("opening a cached file: %q is not a sha256", sha256)
	}
	path := c.Path(sha256)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, &NotCachedError{Path: path}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("opening a cached file: %w", err)
	}
	size, err := c.verify(f, sha256)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// verify hashes the open file unless it is known to be unchanged, and rewinds it.
func (c *Cache) verify(f *os.File, want string) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading a cached file: %w", err)
	}
	c.mu.Lock()
	known := c.verified[want]
	c.mu.Unlock()
	if known != nil && os.SameFile(known, info) && known.Size() == info.Size() && known.ModTime().Equal(info.ModTime()) {
		return info.Size(), nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return 0, fmt.Errorf("reading a cached file: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return 0, &CorruptError{Path: f.Name(), Actual: got}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("reading a cached file: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verified[want] = info
	return info.Size(), nil
}

// has reports whether the file is there and whole. A damaged one is removed, to
// be fetched again.
func (c *Cache) has(sha256 string) (bool, error) {
	f, _, err := c.Open(sha256)
	switch {
	case err == nil:
		return true, f.Close()
	case errors.As(err, new(*NotCachedError)):
		return false, nil
	case errors.As(err, new(*CorruptError)):
		return false, os.Remove(c.Path(sha256))
	}
	return false, err
}

// entry is a file on its way into the cache: whatever is written to it is
// hashed, and nobody sees it before commit.
type entry struct {
	cache          *Cache
	file           *os.File
	sha256, sha512 hash.Hash
	size           int64
	head           []byte // the first bytes, which tell a program's machine
	committed      bool
}

func (c *Cache) newEntry() (*entry, error) {
	dir := filepath.Join(c.dir, "tmp")
	for _, d := range []string{filepath.Join(c.dir, "sha256"), dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("writing to the cache: %w", err)
		}
	}
	f, err := os.CreateTemp(dir, "fetch-*")
	if err != nil {
		return nil, fmt.Errorf("writing to the cache: %w", err)
	}
	return &entry{cache: c, file: f, sha256: sha256.New(), sha512: sha512.New()}, nil
}

// Write hashes and writes.
func (e *entry) Write(p []byte) (int, error) {
	n, err := e.file.Write(p)
	e.sha256.Write(p[:n])
	e.sha512.Write(p[:n])
	e.size += int64(n)
	if missing := elfHead - len(e.head); missing > 0 {
		e.head = append(e.head, p[:min(n, missing)]...)
	}
	if err != nil {
		return n, fmt.Errorf("writing to the cache: %w", err)
	}
	return n, nil
}

// restart forgets what was written.
func (e *entry) restart() error {
	if e.size == 0 {
		return nil
	}
	if _, err := e.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("writing to the cache: %w", err)
	}
	if err := e.file.Truncate(0); err != nil {
		return fmt.Errorf("writing to the cache: %w", err)
	}
	e.sha256.Reset()
	e.sha512.Reset()
	e.size, e.head = 0, nil
	return nil
}

// digest returns the hex digest so far, by an algorithm's name.
func (e *entry) digest(algorithm string) string {
	if algorithm == "sha512" {
		return hex.EncodeToString(e.sha512.Sum(nil))
	}
	return hex.EncodeToString(e.sha256.Sum(nil))
}

// commit makes the entry durable and visible under its digest.
func (e *entry) commit() error {
	sum := e.digest("sha256")
	err := e.file.Chmod(0o644)
	if err == nil {
		err = e.file.Sync()
	}
	if err == nil {
		err = os.Rename(e.file.Name(), e.cache.Path(sum))
	}
	if err == nil {
		e.committed = true
		err = syncDir(filepath.Dir(e.cache.Path(sum)))
	}
	if err != nil {
		return fmt.Errorf("writing to the cache: %w", err)
	}
	return nil
}

// close ends the entry; without a commit nothing stays of it.
func (e *entry) close() {
	e.file.Close()
	if !e.committed {
		os.Remove(e.file.Name())
	}
}

// staleAfter is the age at which a temporary file in the cache is taken for the
// remains of a process that was killed.
const staleAfter = 24 * time.Hour

// sweep removes the remains of killed processes.
func (c *Cache) sweep(now time.Time) {
	dir := filepath.Join(c.dir, "tmp")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // no cache yet
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > staleAfter {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
