package flagtable

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"hardway/tools/internal/gomodule"
	"hardway/tools/internal/mirror"
)

// dumpers are the programs that print a component's flags.
//
//go:embed dump
var dumpers embed.FS

// Kubernetes components with the function that makes their command; the kubelet has a program of its own.
var kubernetesComponents = []struct{ name, constructor string }{
	{"kube-apiserver", "NewAPIServerCommand"},
	{"kube-controller-manager", "NewControllerManagerCommand"},
	{"kube-scheduler", "NewSchedulerCommand"},
	{"kube-proxy", "NewProxyCommand"},
	{"kubelet", ""},
}

// Builder builds the programs in modules of its own below Dir.
type Builder struct {
	Dir string
	Log io.Writer
	// Step runs work that takes long under a label.
	Step func(label string, work func() error) error
}

// Kubernetes reads the flags of all components of one version.
func (b Builder) Kubernetes(ctx context.Context, version string) (map[string]Version, error) {
	src, err := gomodule.Download(ctx, mirror.KubernetesModule, "v"+version)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.Dir, "flags-kubernetes-"+version)
	if err := src.WriteMain(dir, "hardway.build/flags", mirror.Staging(version)); err != nil {
		return nil, err
	}
	all := map[string]Version{}
	for i, component := range kubernetesComponents {
		label := fmt.Sprintf("reading the flags of %s %s (%d of %d)", component.name, version, i+1, len(kubernetesComponents))
		err := b.Step(label, func() error {
			source := "dump/command.go.tmpl"
			if component.constructor == "" {
				source = "dump/" + component.name + ".go.tmpl"
			}
			data := struct{ Name, Constructor string }{component.name, component.constructor}
			if err := writeProgram(filepath.Join(dir, component.name), data, "dump/main.go.txt", source); err != nil {
				return err
			}
			flags, err := b.dumped(ctx, dir, component.name)
			all[component.name] = Version{Version: version, Flags: flags}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// writeProgram renders the sources into a package directory.
func writeProgram(dir string, data any, sources ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the program's directory: %w", err)
	}
	for _, source := range sources {
		t, err := template.ParseFS(dumpers, source)
		if err != nil {
			return fmt.Errorf("reading the program: %w", err)
		}
		var text bytes.Buffer
		if err := t.Execute(&text, data); err != nil {
			return fmt.Errorf("rendering the program: %w", err)
		}
		name, _, _ := strings.Cut(filepath.Base(source), ".")
		if err := os.WriteFile(filepath.Join(dir, name+".go"), text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("writing the program: %w", err)
		}
	}
	return nil
}

// dumped is dump, asked once: compiling a component takes minutes, and the answer for a version never changes. It lies
// beside the program, under the digest of the program's source; deleting the directory asks again.
func (b Builder) dumped(ctx context.Context, dir, pkg string) ([]Flag, error) {
	digest := sha256.New()
	for _, name := range []string{"main.go", "command.go", pkg + ".go"} {
		text, err := os.ReadFile(filepath.Join(dir, pkg, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the program: %w", err)
		}
		digest.Write(text)
	}
	kept := filepath.Join(dir, pkg, fmt.Sprintf("flags-%x.json", digest.Sum(nil)[:6]))
	if text, err := os.ReadFile(kept); err == nil {
		return parseDump(text)
	}
	flags, err := b.dump(ctx, dir, pkg)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, flag := range flags {
		if err := encoder.Encode(flag); err != nil {
			return nil, fmt.Errorf("keeping the flags: %w", err)
		}
	}
	if err := os.WriteFile(kept, text.Bytes(), 0o644); err != nil {
		return nil, fmt.Errorf("keeping the flags: %w", err)
	}
	return flags, nil
}

// dump builds a program of the module and reads what it prints. The program is not kept: it is as big as the component.
func (b Builder) dump(ctx context.Context, dir, pkg string) ([]Flag, error) {
	program := filepath.Join(dir, pkg, "flagdump")
	if err := gomodule.Build(ctx, dir, gomodule.Program{Package: "./" + pkg}, program, b.Log); err != nil {
		return nil, err
	}
	defer os.Remove(program)
	cmd := exec.CommandContext(ctx, program)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w: %s", program, err, stderr.Bytes())
	}
	return parseDump(out)
}

// parseDump reads one flag a line.
func parseDump(out []byte) ([]Flag, error) {
	var flags []Flag
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var flag Flag
		if err := json.Unmarshal(lines.Bytes(), &flag); err != nil {
			return nil, fmt.Errorf("reading the flags: %w", err)
		}
		if flag.Name == "" {
			return nil, fmt.Errorf("reading the flags: one has no name: %s", lines.Text())
		}
		flags = append(flags, flag)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the flags: %w", err)
	}
	if len(flags) == 0 {
		return nil, fmt.Errorf("reading the flags: there are none")
	}
	return flags, nil
}
