package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"
)

// Options say what to load and from where. Everything a load depends on is in
// here or in the files: it reads no environment and no clock of its own.
type Options struct {
	// Dir is the configuration directory. Diagnostics name files as Dir/name, so
	// "." gives bare names.
	Dir string
	// Vars are --var and --var-file in the order of the command line.
	Vars []VarInput
	// Environ is os.Environ(): HW_VAR_name=value gives variables their values.
	Environ []string
	// UserHome stands for ~ in paths; without it a path with ~ is an error.
	UserHome string
}

// VarInput is one --var name=value, or one --var-file when File is set.
type VarInput struct {
	Name, Value string
	File        string // as given; relative to the working directory
}

// ParseVar splits the argument of --var.
func ParseVar(arg string) (VarInput, error) {
	name, value, ok := strings.Cut(arg, "=")
	if name = strings.TrimSpace(name); !ok || !hclsyntax.ValidIdentifier(name) {
		return VarInput{}, fmt.Errorf("--var wants name=value, such as --var ssh_user=ubuntu")
	}
	return VarInput{Name: name, Value: value}, nil
}

// DefaultVarFile is read from the configuration directory when it is there.
const DefaultVarFile = "hardway.hclvars"

// Load reads and evaluates a configuration directory. The cluster is nil when
// any diagnostic is an error. Files is never nil: it holds the sources for
// WriteDiagnostics, with sensitive values masked.
func Load(opts Options) (*Cluster, *Files, hcl.Diagnostics) {
	l := newLoader(opts)
	c := l.load()
	diags := l.diags.sorted()
	if l.diags.errors {
		return nil, l.files, diags
	}
	return c, l.files, diags
}

// loader is the state of one load.
type loader struct {
	opts  Options
	dir   string // absolute
	files *Files
	diags collector
	meter *meter

	total, blocks int // bytes and blocks read so far

	decl      declarations
	functions map[string]function.Function
	scope     *scope
	hosts     []*hostDecl // of the roles expanded so far, each role by name
	expanded  int         // hosts that for_each made so far
}

func newLoader(opts Options) *loader {
	return &loader{opts: opts, files: &Files{}, meter: &meter{}}
}

func (l *loader) load() *Cluster {
	dir, err := filepath.Abs(l.opts.Dir)
	if err != nil {
		l.fail("Cannot read configuration", "finding the directory %s: %v.", l.opts.Dir, err)
		return nil
	}
	l.dir = dir
	sources, auto, err := configFiles(dir)
	if err != nil {
		l.fail("Cannot read configuration", "%s.", sentence(fileProblem(l.opts.Dir, err)))
		return nil
	}
	if len(sources) == 0 {
		l.fail("No configuration files", "%s has no *.hcl file. Change to the directory of your configuration, or name it with --chdir.", dir)
		return nil
	}
	if len(sources) > maxFiles {
		l.fail("Too many files", "%s has %d *.hcl files; a configuration may have %d.", dir, len(sources), maxFiles)
		return nil
	}
	var bodies []*hclsyntax.Body
	for _, name := range sources {
		if body := l.parse(filepath.Join(dir, name), l.shown(name)); body != nil {
			bodies = append(bodies, body)
			l.files.maskSensitiveCalls(body)
		}
	}
	if l.diags.errors {
		return nil
	}
	l.functions = l.functionTable()
	l.declare(bodies)
	vars := l.variableValues(auto)
	l.scope = newScope(l, vars)
	l.validateVariables()
	return l.cluster()
}

// shown is the name of a file of the directory in diagnostics.
func (l *loader) shown(name string) string { return filepath.Join(l.opts.Dir, name) }

// fail reports what has no place in a source file.
func (l *loader) fail(summary, format string, args ...any) {
	l.diags.add(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: sentence(fmt.Sprintf(format, args...))})
}

// path makes a path of the configuration absolute: ~ is the user's home, and
// anything else is relative to the configuration directory.
func (l *loader) path(p string) (string, error) {
	switch {
	case p == "":
		return "", fmt.Errorf("the path is empty")
	case p == "~" || strings.HasPrefix(p, "~/"):
		if l.opts.UserHome == "" {
			return "", fmt.Errorf("%s: the home directory is not known; write an absolute path", p)
		}
		return filepath.Join(l.opts.UserHome, strings.TrimPrefix(p, "~")), nil
	case strings.HasPrefix(p, "~"):
		return "", fmt.Errorf("%s: only your own home directory can be written as ~; write an absolute path", p)
	case filepath.IsAbs(p):
		return filepath.Clean(p), nil
	}
	return filepath.Join(l.dir, p), nil
}

// existingFile is path for a file that must be there.
func (l *loader) existingFile(p string) (string, error) {
	abs, err := l.path(p)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return abs, fmt.Errorf("%s", fileProblem(abs, err))
	}
	if !info.Mode().IsRegular() {
		return abs, fmt.Errorf("%s is not a regular file", abs)
	}
	return abs, nil
}

// absent reports whether there is nothing at a path that could be a file's.
func (l *loader) absent(p string) bool {
	abs, err := l.path(p)
	if err == nil {
		_, err = os.Stat(abs)
	}
	return errors.Is(err, fs.ErrNotExist)
}
