//go:build e2e

// Package e2e runs the built binary against the lab of examples/lab: real
// hosts, real Kubernetes. It knows only what a user knows: files, commands,
// exit codes and what a host looks like. It takes the lab for itself: hosts
// that are up are replaced by fresh ones.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// names of the lab's hosts, as containers are called.
var names = []string{"m1", "n1", "n2"}

// lab is a configuration directory of its own for the lab's hosts, so that a
// test never touches the state of a demo.
type lab struct {
	t   *testing.T
	dir string // configuration directory
	bin string
	src string // examples/lab
	env []string
}

// keepVariable names a directory in which the configuration, the state and the
// identity outlive a run, so that a test can be written against hosts that are up
// already: they are not replaced when it has a state.
const keepVariable = "HARDWAY_E2E_KEEP"

// newLab starts fresh hosts and copies the lab's configuration.
func newLab(t *testing.T) *lab {
	t.Helper()
	if l := keptLab(t); l != nil {
		return l
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir, home := t.TempDir(), t.TempDir() // the identity is made there, not in the user's own directory
	if kept := os.Getenv(keepVariable); kept != "" {
		dir, home = filepath.Join(kept, "dir"), filepath.Join(kept, "home")
		for _, d := range []string{dir, home} {
			if err := errors.Join(os.RemoveAll(d), os.MkdirAll(d, 0o700)); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := labIn(t, root, dir, home)
	l.script("down")
	l.script("up")
	for _, f := range []string{"cluster.hcl", "lab.auto.hclvars"} {
		b, err := os.ReadFile(filepath.Join(l.src, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l.dir, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(l.src, ".lab"), filepath.Join(l.dir, ".lab")); err != nil {
		t.Fatal(err)
	}
	return l
}

// keptLab is the lab of an earlier run, if one was kept.
func keptLab(t *testing.T) *lab {
	t.Helper()
	kept := os.Getenv(keepVariable)
	if kept == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(kept, "dir", "hardway.state")); err != nil {
		return nil
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return labIn(t, root, filepath.Join(kept, "dir"), filepath.Join(kept, "home"))
}

func labIn(t *testing.T, root, dir, home string) *lab {
	return &lab{
		t: t, dir: dir, bin: filepath.Join(root, "bin", "hardway"), src: filepath.Join(root, "examples", "lab"),
		env: append(os.Environ(), "HW_IDENTITY_FILE=", "XDG_CONFIG_HOME="+home, "NO_COLOR=1"),
	}
}

// script runs lab.sh.
func (l *lab) script(arg string) {
	l.t.Helper()
	start := time.Now()
	out, err := exec.Command(filepath.Join(l.src, "lab.sh"), arg).CombinedOutput()
	if err != nil {
		l.t.Fatalf("lab.sh %s: %v\n%s", arg, err, out)
	}
	l.t.Logf("lab.sh %s: %.1f s", arg, time.Since(start).Seconds())
}

// result is what a command left behind.
type result struct {
	exit        int
	out, errout string
}

func (r result) all() string { return r.out + r.errout }

// run runs hardway in the configuration directory.
func (l *lab) run(args ...string) result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := l.command(ctx, args...)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	start := time.Now()
	err := cmd.Run()
	r := result{out: out.String(), errout: errout.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.exit = exit.ExitCode()
	case err != nil:
		l.t.Fatalf("hardway %v: %v", args, err)
	}
	l.t.Logf("hardway %s: exit %d after %.1f s", strings.Join(args, " "), r.exit, time.Since(start).Seconds())
	return r
}

func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.bin, args...)
	cmd.Dir, cmd.Env = l.dir, l.env
	return cmd
}

// must runs hardway and wants an exit code.
func (l *lab) must(exit int, args ...string) result {
	l.t.Helper()
	r := l.run(args...)
	if r.exit != exit {
		l.t.Fatalf("hardway %v: exit %d, want %d\n%s", args, r.exit, exit, tail(r.all(), 6000))
	}
	return r
}

// edit replaces text in a file of the configuration; the old text must be there.
func (l *lab) edit(file, old, new string) {
	l.t.Helper()
	p := filepath.Join(l.dir, file)
	b, err := os.ReadFile(p)
	if err != nil {
		l.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		l.t.Fatalf("%s does not contain %q", file, old)
	}
	if err := os.WriteFile(p, []byte(strings.Replace(string(b), old, new, 1)), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// on runs a shell command as root on a host, past hardway and SSH, and returns
// its standard output. Errors stay apart: a message in the middle of a long list
// would tear one of its lines.
func (l *lab) on(host, command string) string {
	l.t.Helper()
	cmd := exec.Command("docker", "exec", "hardway-"+host, "bash", "-c", command)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		l.t.Fatalf("on %s: %s: %v\n%s%s", host, command, err, tail(out.String(), 6000), errout.String())
	}
	return strings.TrimSpace(out.String())
}

// cacheDir is where the mirror is built.
func cacheDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("HARDWAY_CACHE"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, ".cache", "hardway")
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
