package render

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"hardway/provision/resource"
)

// ManifestName is the list of files, at the top of the folder.
const ManifestName = "MANIFEST"

// manifestHead begins the list; what stands behind it is the lineage.
const manifestHead = "# written by hardway render; lineage "

// columns explains the list.
const columns = "# kind\tmode\towner\tgroup\tsha256\tpath\tnote\n"

// Folder is a folder to write to. Nothing outside it can be reached by a name.
type Folder struct {
	root *os.Root
	dir  string
	// lineage is of the cluster that the folder is for.
	lineage string
	old     []string // what an earlier render wrote
	// Artifacts opens bytes that are pinned; nil leaves them out.
	Artifacts func(sha256 string) (io.ReadCloser, error)
}

// Open makes the folder where it does not exist, and refuses one that holds
// something that no earlier render of this cluster has written.
func Open(dir, lineage string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{root: root, dir: dir, lineage: lineage}
	if err := f.readManifest(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// Close releases the folder.
func (f *Folder) Close() error { return f.root.Close() }

func (f *Folder) readManifest() error {
	text, err := f.root.ReadFile(ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		list, err := fs.ReadDir(f.root.FS(), ".")
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("%s is not empty, and no earlier render has written it (it has no %s): name an empty or a new directory", f.dir, ManifestName)
		}
		return err
	}
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Scan()
	lineage, ok := strings.CutPrefix(lines.Text(), manifestHead)
	switch {
	case !ok:
		return fmt.Errorf("%s/%s was not written by hardway: name an empty or a new directory", f.dir, ManifestName)
	case lineage != f.lineage:
		return fmt.Errorf("%s was rendered for another cluster (lineage %s, here %s): name an empty or a new directory", f.dir, lineage, f.lineage)
	}
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), "\t"); len(fields) > 5 && fields[0] != KindDirectory && fields[4] != "-" {
			f.old = append(f.old, fields[5])
		}
	}
	return lines.Err()
}

// Read returns a file that an earlier render wrote; nil when there is none.
func (f *Folder) Read(name string) []byte {
	if !slices.Contains(f.old, name) {
		return nil
	}
	b, err := f.root.ReadFile(name)
	if err != nil {
		return nil
	}
	return b
}

// Write brings the folder to what the tree says and returns the files written.
// What an earlier render wrote and this one does not is removed first.
func (f *Folder) Write(tree []Entry) (written []string, err error) {
	slices.SortStableFunc(tree, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	now := map[string]bool{}
	for _, e := range tree {
		now[e.Path] = f.has(e)
	}
	for _, name := range f.old {
		if !now[name] {
			if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	var list strings.Builder
	list.WriteString(manifestHead + f.lineage + "\n" + columns)
	for _, e := range tree {
		sum, err := f.put(e)
		if err != nil {
			return written, fmt.Errorf("writing %s: %w", path.Join(f.dir, e.Path), err)
		}
		if f.has(e) {
			written = append(written, path.Join(f.dir, e.Path))
		}
		note := e.Missing
		if e.Kind == KindLink && note == "" {
			note = "-> " + e.Target
		}
		if e.Artifact != "" {
			note = e.From
			if f.Artifacts == nil {
				note += " (not written; sha256 " + e.Artifact + ")"
			}
		}
		fmt.Fprintf(&list, "%s\t%04o\t%s\t%s\t%s\t%s\t%s\n", e.Kind, e.Mode, e.Owner, e.Group, sum, e.Path, strings.TrimSpace(note))
	}
	if err := f.replace(ManifestName, 0o644, strings.NewReader(list.String())); err != nil {
		return written, err
	}
	return append(written, path.Join(f.dir, ManifestName)), nil
}

// has reports whether the entry becomes a file.
func (f *Folder) has(e Entry) bool {
	return e.Kind != KindDirectory && e.Missing == "" && (e.Artifact == "" || f.Artifacts != nil)
}

// put writes one entry and returns its digest, "-" where there is no file.
func (f *Folder) put(e Entry) (sum string, err error) {
	if e.Kind == KindDirectory {
		return "-", f.directory(e.Path, os.FileMode(e.Mode))
	}
	if !f.has(e) {
		return "-", nil
	}
	if e.Kind == KindLink {
		sum = resource.SHA256([]byte(e.Target))
		if at, err := f.root.Readlink(e.Path); err == nil && at == e.Target {
			return sum, nil
		}
		if err := f.root.MkdirAll(path.Dir(e.Path), 0o755); err != nil {
			return "", err
		}
		return sum, f.root.Symlink(e.Target, e.Path)
	}
	content := e.Content
	if e.Private.IsSet() {
		content = e.Private.Reveal()
	}
	var from io.Reader = bytes.NewReader(content)
	sum = resource.SHA256(content)
	h := sha256.New()
	if e.Artifact != "" {
		rc, err := f.Artifacts(e.Artifact)
		if err != nil {
			return "", err
		}
		defer rc.Close()
		from, sum = rc, e.Artifact
	}
	if err := f.replace(e.Path, os.FileMode(e.Mode), io.TeeReader(from, h)); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return "", fmt.Errorf("its bytes have the sha256 %s, expected %s", got, sum)
	}
	return sum, nil
}

// directory makes a directory with its mode, and its parents.
func (f *Folder) directory(name string, mode os.FileMode) error {
	if err := f.root.MkdirAll(name, 0o755); err != nil {
		return err
	}
	return f.root.Chmod(name, mode|0o700) // whoever renders has to get in again
}

// replace writes a file that is never seen half, nor with another mode.
func (f *Folder) replace(name string, mode os.FileMode, from io.Reader) error {
	if err := f.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	next := name + ".hardway-new"
	_ = f.root.Remove(next) // of a run that was killed
	out, err := f.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode&0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err = errors.Join(err, out.Chmod(mode), out.Close()); err != nil {
		return errors.Join(err, f.root.Remove(next))
	}
	return f.root.Rename(next, name)
}
