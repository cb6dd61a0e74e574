package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/config"
)

// The lab: an applied configuration directory, and what is given to hardway
// with it, such as "--var-file=docker.hclvars".
const (
	labVariable     = "HARDWAY_LAB_DIR"
	labArgsVariable = "HARDWAY_LAB_ARGS"
)

// labFigures: the whole command, on real hosts to which the configuration was
// applied; against ssh with sha256sum and stat of every path that the state has.
func labFigures(t *testing.T, b *board) {
	const what = "hardway plan, nothing to do, on the lab's hosts, against ssh 'sha256sum; stat' of all managed files"
	dir := os.Getenv(labVariable)
	if dir == "" {
		b.skip("P2", what, labVariable+" names no applied lab")
		return
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(os.Getenv(labArgsVariable))
	raw, hosts, err := rawOfLab(t.Context(), dir, args)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "hardway")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/hardway")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	plan := func() (time.Duration, error) {
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"--chdir=" + dir, "plan", "--detailed-exitcode"}, args...)...)
		begun := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("hardway plan: %w: %s", err, out)
		}
		return time.Since(begun), err
	}
	limit := 1.5
	if hosts == 1 {
		limit = 1.3
	}
	mine, bare, err := interleave(noopRuns, plan, raw)
	if err != nil {
		t.Fatal(err)
	}
	b.pair("P2", fmt.Sprintf("%s (%d hosts)", what, hosts), mine, bare, limit)
}

// rawOfLab is what a person would type instead of a plan of the lab.
func rawOfLab(ctx context.Context, dir string, args []string) (func() (time.Duration, error), int, error) {
	o := config.Options{Dir: dir, UserHome: os.Getenv("HOME")}
	for _, a := range args {
		if file, ok := strings.CutPrefix(a, "--var-file="); ok {
			o.Vars = append(o.Vars, config.VarInput{File: filepath.Join(dir, file)})
		}
	}
	s, files, diags := provision.Open(provision.Options{Config: o, Version: "0.0.0-bench"})
	if s == nil {
		var text strings.Builder
		_ = config.WriteDiagnostics(&text, files, diags, 100, false)
		return nil, 0, errors.New(text.String())
	}
	defer s.Close()
	st, err := s.State(ctx)
	if err != nil {
		return nil, 0, err
	}
	managed := map[addr.Host][]string{}
	for _, a := range st.Addresses() {
		spec := st.Resources[a].Spec
		if path := spec.Path(); path != "" && spec.Directory == nil {
			managed[a.Host] = append(managed[a.Host], path)
		}
	}
	var commands [][]string
	for _, h := range s.Config().Hosts {
		paths := slices.Compact(slices.Sorted(slices.Values(managed[h.Addr])))
		if len(paths) == 0 {
			return nil, 0, fmt.Errorf("%s: nothing was applied to %s yet", dir, h.Addr)
		}
		list := strings.Join(paths, " ")
		script := "sh -c 'sha256sum -- " + list + " && stat -- " + list + "'"
		if h.SSH.Become.Method == "sudo" {
			script = "sudo -n " + script
		}
		c := []string{"ssh", "-F", "none", "-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes128-gcm@openssh.com", "-o", "ControlMaster=no",
			"-o", "ControlPath=none", "-o", "BatchMode=yes", "-i", h.SSH.PrivateKeys[0], "-p", fmt.Sprint(h.SSH.Port), "-l", h.SSH.User}
		for _, known := range h.SSH.KnownHosts {
			c = append(c, "-o", "UserKnownHostsFile="+known)
		}
		commands = append(commands, append(c, h.SSH.Host, script))
	}
	return func() (time.Duration, error) {
		begun := time.Now()
		failed := make(chan error, len(commands))
		for _, c := range commands {
			go func() {
				var errs bytes.Buffer
				cmd := exec.CommandContext(ctx, c[0], c[1:]...)
				cmd.Stderr = &errs
				err := cmd.Run()
				if err != nil {
					err = fmt.Errorf("ssh to %s: %w: %s", c[len(c)-2], err, errs.String())
				}
				failed <- err
			}()
		}
		var all []error
		for range commands {
			all = append(all, <-failed)
		}
		return time.Since(begun), errors.Join(all...)
	}, len(commands), nil
}
