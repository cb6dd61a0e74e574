// Package gomodule builds programs out of published Go modules, for machines that can reach a module proxy but no
// release server.
//
// A program whose module carries `replace` directives (Kubernetes, etcd) cannot be had with `go install path@version`.
// This package therefore writes a small main module around the published one: the published go.mod, with every
// directory replacement turned into the version under which that directory is published. It knows the go command and
// the go.mod format; it must never know which programs there are, their versions, or where the results go.
package gomodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/mod/modfile"
)

// Source is a published module, unpacked in the module cache.
type Source struct {
	Path    string // module path, "k8s.io/kubernetes"
	Version string // with its v, "v1.37.1"
	Dir     string // the unpacked, read-only module
	Commit  string // git commit of the tag, "" when the proxy does not say
	Time    time.Time
}

// Download fetches a module (checked against the checksum database by the go command) and says where it lies.
func Download(ctx context.Context, path, version string) (Source, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path+"@"+version)
	cmd.Dir = os.TempDir() // never inside somebody's module: its replacements would apply
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, runErr := cmd.Output()
	var answer struct {
		Path, Version, Dir, Error, Info string
		Origin                          struct{ Hash string }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return Source{}, fmt.Errorf("downloading %s@%s: %w: %s", path, version, errors.Join(runErr, err), bytes.TrimSpace(stderr.Bytes()))
	}
	if answer.Error != "" || runErr != nil {
		return Source{}, fmt.Errorf("downloading %s@%s: %s (does the version exist, is a module proxy reachable: go env GOPROXY)", path, version, answer.Error)
	}
	src := Source{Path: answer.Path, Version: answer.Version, Dir: answer.Dir, Commit: answer.Origin.Hash}
	info, err := os.ReadFile(answer.Info)
	if err != nil {
		return src, nil // the time is a nicety: only programs' "build date" shows it
	}
	var tag struct{ Time time.Time }
	if err := json.Unmarshal(info, &tag); err != nil {
		return Source{}, fmt.Errorf("reading %s: %w", answer.Info, err)
	}
	src.Time = tag.Time
	return src, nil
}

// Published gives the version under which a module that the source replaces by one of its own directories is
// published; "" drops the replacement.
type Published func(modulePath string) (version string)

// WriteMain writes into dir a main module named name that can build the source's packages: its go.mod (required
// versions, godebug settings) with the replacements resolved, and its go.sum.
func (s Source) WriteMain(dir, name string, published Published) error {
	text, err := os.ReadFile(filepath.Join(s.Dir, "go.mod"))
	if err != nil {
		return fmt.Errorf("reading the go.mod of %s: %w", s.Path, err)
	}
	mod, err := mainModule(text, name, s.Path, s.Version, published)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the build directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return fmt.Errorf("writing the build module: %w", err)
	}
	sum, err := os.ReadFile(filepath.Join(s.Dir, "go.sum"))
	if err != nil {
		return fmt.Errorf("reading the go.sum of %s: %w", s.Path, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		return fmt.Errorf("writing the build module: %w", err)
	}
	return nil
}

// mainModule is WriteMain's decision: published go.mod in, buildable go.mod out.
func mainModule(text []byte, name, path, version string, published Published) ([]byte, error) {
	file, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the go.mod of %s: %w", path, err)
	}
	if err := file.AddModuleStmt(name); err != nil {
		return nil, fmt.Errorf("naming the build module of %s: %w", path, err)
	}
	file.DropToolchainStmt() // a suggestion to developers; the machine's own toolchain builds, if `go` allows it
	for _, tool := range file.Tool {
		if err := file.DropTool(tool.Path); err != nil {
			return nil, fmt.Errorf("dropping tool %s of %s: %w", tool.Path, path, err)
		}
	}
	for _, r := range file.Replace {
		if r.New.Version != "" {
			continue // a module by another one: meant for us too
		}
		old := r.Old
		if target := published(old.Path); target == "" {
			err = file.DropReplace(old.Path, old.Version)
		} else {
			err = file.AddReplace(old.Path, old.Version, old.Path, target)
		}
		if err != nil {
			return nil, fmt.Errorf("resolving the replacement of %s in %s: %w", old.Path, path, err)
		}
	}
	if err := file.AddRequire(path, version); err != nil {
		return nil, fmt.Errorf("requiring %s: %w", path, err)
	}
	file.Cleanup()
	file.SortBlocks()
	return file.Format()
}

// Program is one binary to link.
type Program struct {
	Package string            // import path of the main package
	Set     map[string]string // string variables set by the linker, "import/path.name": value
	Tags    string            // build tags, comma separated
}

// Build links a static, stripped, path-independent linux binary of the machine's architecture at output. dir is a
// directory that WriteMain has filled. What the go command says goes to log, and its end into the error.
func Build(ctx context.Context, dir string, p Program, output string, log io.Writer) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags(p.Set)}
	if p.Tags != "" {
		args = append(args, "-tags", p.Tags)
	}
	return run(ctx, dir, log, append(args, "-o", output, p.Package)...)
}

// run is one go command in a generated module.
func run(ctx context.Context, dir string, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=-mod=mod", "GOWORK=off")
	tail := &tailWriter{limit: 4 << 10}
	both := io.MultiWriter(log, tail) // the same writer twice: exec then copies both streams in one goroutine
	cmd.Stdout, cmd.Stderr = both, both
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("go %s in %s: %w:\n%s", args[0], dir, err, tail.String())
	}
	return nil
}
