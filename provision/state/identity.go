package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// Identities are the private halves of recipients: they open the sealed part.
// They print as "(sensitive value)".
type Identities struct {
	// From says where they came from: "HW_IDENTITY" or a path.
	From string
	list []age.Identity
}

// Recipients returns the public halves, as they stand in a state block.
func (i Identities) Recipients() []string {
	var out []string
	for _, id := range i.list {
		switch id := id.(type) {
		case *age.X25519Identity:
			out = append(out, id.Recipient().String())
		case *age.HybridIdentity:
			out = append(out, id.Recipient().String())
		}
	}
	return out
}

// Format hides the identities from every verb of package fmt.
func (i Identities) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText hides the identities from JSON and other encodings.
func (i Identities) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the identities from log/slog.
func (i Identities) LogValue() slog.Value { return slog.StringValue(hidden) }

// IdentitySource is where identities are looked for: the text in HW_IDENTITY,
// then the file that HW_IDENTITY_FILE names, then UserDir/hardway/identity.txt.
type IdentitySource struct {
	Getenv  func(string) string // os.Getenv
	UserDir string              // os.UserConfigDir
	// ConfigDir is the cluster's configuration directory. An identity inside it
	// is refused: it would be committed beside what it opens.
	ConfigDir string
	Now       func() time.Time
}

// maxIdentity bounds the size of an identity file.
const maxIdentity = 1 << 20

// ErrNoIdentity says that there is no identity in any of the three places.
var ErrNoIdentity = errors.New("no identity to open the state's keys with")

// Load returns the identities of the first place that has any, or an error that
// wraps ErrNoIdentity. A file that others may read, or that lies in the
// configuration directory, is refused.
func (s IdentitySource) Load() (Identities, error) {
	if text := s.Getenv("HW_IDENTITY"); text != "" {
		return parseIdentities("HW_IDENTITY", strings.NewReader(text))
	}
	path, named := s.path()
	if path == "" {
		return Identities{}, fmt.Errorf("%w: there is no user configuration directory; set HW_IDENTITY_FILE", ErrNoIdentity)
	}
	ids, err := s.read(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return Identities{}, fmt.Errorf("%w: %s does not exist; bring it back from its copy, or set HW_IDENTITY_FILE or HW_IDENTITY", ErrNoIdentity, path)
	}
	return ids, err
}

// Ensure is Load, but makes an X25519 identity in the default place when none
// is found anywhere. The file's mode is 0600, its directory's 0700. Created
// reports that it did; ids.From is then the new file's path.
func (s IdentitySource) Ensure() (ids Identities, created bool, err error) {
	ids, err = s.Load()
	if !errors.Is(err, ErrNoIdentity) {
		return ids, false, err
	}
	path, _ := s.path()
	if path == "" {
		return ids, false, err
	}
	if err := s.outside(path); err != nil {
		return Identities{}, false, err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return Identities{}, false, fmt.Errorf("making an identity: %w", err)
	}
	text := fmt.Sprintf("# made by hardway at %s; whoever has it can open the keys of your clusters\n# public key: %s\n%s\n",
		s.Now().UTC().Format(time.RFC3339), id.Recipient(), id)
	if created, err = createExclusive(path, []byte(text)); err != nil {
		return Identities{}, false, fmt.Errorf("making the identity file %s: %w", path, err)
	}
	ids, err = s.Load() // reads the other one's if somebody was faster
	return ids, created, err
}

// path returns the identity file, and whether the user named it.
func (s IdentitySource) path() (path string, named bool) {
	if p := s.Getenv("HW_IDENTITY_FILE"); p != "" {
		return p, true
	}
	if s.UserDir == "" {
		return "", false
	}
	return filepath.Join(s.UserDir, "hardway", "identity.txt"), false
}

func (s IdentitySource) read(path string) (Identities, error) {
	if err := s.outside(path); err != nil {
		return Identities{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Identities{}, fmt.Errorf("reading the identity: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Identities{}, fmt.Errorf("reading the identity: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return Identities{}, fmt.Errorf("the identity file %s can be read by others (mode %04o): run chmod 600 %[1]s", path, info.Mode().Perm())
	}
	return parseIdentities(path, f)
}

// outside refuses a path inside the configuration directory.
func (s IdentitySource) outside(path string) error {
	if s.ConfigDir == "" {
		return nil
	}
	rel, err := filepath.Rel(resolve(s.ConfigDir), resolve(path))
	if err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("the identity file %s lies inside the configuration directory %s: keep it outside, it opens the keys that are stored here", path, s.ConfigDir)
	}
	return nil
}

// resolve follows symlinks as far as the path exists.
func resolve(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	if dir := filepath.Dir(abs); dir != abs {
		return filepath.Join(resolve(dir), filepath.Base(abs))
	}
	return abs
}

// parseIdentities reads identities one a line. Errors of the parser may quote
// the line, so they are not passed on.
func parseIdentities(from string, r io.Reader) (Identities, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxIdentity))
	if err != nil {
		return Identities{}, fmt.Errorf("reading the identity in %s: %w", from, err)
	}
	list, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil || len(list) == 0 {
		return Identities{}, fmt.Errorf("%s holds no age identity: want a line that begins with AGE-SECRET-KEY-1, as age-keygen and `hardway init` write it", from)
	}
	return Identities{From: from, list: list}, nil
}

// createExclusive makes a whole, synced 0600 file, or reports false when one is there.
func createExclusive(path string, data []byte) (bool, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	tmp, err := os.CreateTemp(dir, ".identity-*") // made with mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(data); err != nil {
		return false, err
	}
	if err := tmp.Sync(); err != nil {
		return false, err
	}
	switch err := os.Link(tmp.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	return true, d.Sync()
}
