package image

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sources are the programs' own sources: they are built as a module of their own, so that the builder works from any
// directory.
//
//go:embed pause/*.go agnhost/*.go
var sources embed.FS

// Kind says which image, and how it is put together.
type Kind struct {
	Name        string // of the program, the directory of its source and the archive
	Reference   string
	User        string
	ExposedPort string
}

// Kinds are the images of the lab. Their references are under a name of our own: they stand in for upstream's pause and
// e2e test image and must never be taken for them.
func Kinds() []Kind {
	return []Kind{
		{Name: "pause", Reference: "hardway.local/pause:1", User: "65535:65535"},
		{Name: "agnhost", Reference: "hardway.local/agnhost:1", ExposedPort: "8080/tcp"},
	}
}

// Image is the kind's image around a built program.
func (k Kind) Image(program []byte, architecture string) Image {
	return Image{
		Reference: k.Reference, Architecture: architecture, Program: program, Path: "/" + k.Name,
		User: k.User, ExposedPort: k.ExposedPort,
	}
}

// Recipe is a digest of everything that decides the image's bytes: source, settings, toolchain and architecture.
func (k Kind) Recipe(toolchain, architecture string) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%+v\n%s %s\n", k, toolchain, architecture)
	err := k.eachSource(func(name string, content []byte) error {
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
		return nil
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// WriteModule writes the program's source into dir as a main module, buildable as ".".
func (k Kind) WriteModule(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the build directory of %s: %w", k.Name, err)
	}
	mod := "module hardway.build/" + k.Name + "\n\ngo 1.26\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return fmt.Errorf("writing the build module of %s: %w", k.Name, err)
	}
	return k.eachSource(func(name string, content []byte) error {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("writing the source of %s: %w", k.Name, err)
		}
		return nil
	})
}

// eachSource calls visit with the program's files, tests left out, in name order.
func (k Kind) eachSource(visit func(name string, content []byte) error) error {
	files, err := fs.Glob(sources, k.Name+"/*.go")
	if err != nil {
		return fmt.Errorf("listing the source of %s: %w", k.Name, err)
	}
	for _, file := range files {
		if ok, _ := filepath.Match("*_test.go", filepath.Base(file)); ok {
			continue
		}
		content, err := sources.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading the source of %s: %w", k.Name, err)
		}
		if err := visit(filepath.Base(file), content); err != nil {
			return err
		}
	}
	return nil
}
