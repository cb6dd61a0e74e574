package mirror

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
	"strings"
)

// algorithm is a digest kept beside a file, in a file with that extension.
type algorithm struct {
	extension string
	hash      func() hash.Hash
}

var (
	sha256sum = algorithm{".sha256", sha256.New}
	sha512sum = algorithm{".sha512", sha512.New}
)

// digest of a file, in hex.
func (a algorithm) digest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := a.hash()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// condition is what verify found.
type condition int

const (
	absent  condition = iota // the file or one of its digests is missing
	damaged                  // the file is not what its .sha256 says
	intact
)

// verify compares a file with its .sha256. The other digests only have to be there: one hash says enough and hashing is
// what a run without work spends its time on.
func verify(path string, algorithms []algorithm) (condition, error) {
	for _, a := range algorithms {
		if _, err := os.Stat(path + a.extension); errors.Is(err, fs.ErrNotExist) {
			return absent, nil
		} else if err != nil {
			return absent, err
		}
	}
	want, err := os.ReadFile(path + sha256sum.extension)
	if err != nil {
		return absent, err
	}
	got, err := sha256sum.digest(path)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	if got != strings.TrimSpace(string(want)) {
		return damaged, nil
	}
	return intact, nil
}

// put has produce write a temporary file and moves it to path, the digests last: what has its digests is whole.
func put(path string, mode fs.FileMode, algorithms []algorithm, produce func(temporary string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the mirror's directory: %w", err)
	}
	for _, a := range algorithms {
		if err := os.Remove(path + a.extension); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the old digest: %w", err)
		}
	}
	temporary := filepath.Join(dir, "."+filepath.Base(path)+".partial")
	defer os.Remove(temporary) // gone already when all went well
	if err := produce(temporary); err != nil {
		return err
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return fmt.Errorf("setting the mode of %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("moving %s into place: %w", path, err)
	}
	for _, a := range algorithms {
		sum, err := a.digest(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+a.extension, []byte(sum), 0o644); err != nil {
			return fmt.Errorf("writing the digest of %s: %w", path, err)
		}
	}
	return nil
}
