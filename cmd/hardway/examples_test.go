package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/command"
)

// scene is what the examples of a command find. Those without one share a
// cluster of a master and three nodes that was applied, and leave it as it was.
type scene struct {
	before string // lines for the shell
	bare   bool   // nothing was made; before does without a cluster
	each   bool   // every example has a scene of its own: the one before would be in its way
}

const (
	savedPlan = "hardway plan --out lab.plan\n"
	elsewhere = "mkdir -p examples/lab\ncp -r *.hcl mirror id_ed25519 known_hosts examples/lab\n"
	deadLock  = `printf '{"id":"5e1f0b6c-8d0a-4c53-9a55-1f8a3c1e9d20","pid":1}' > hardway.state.lock.info` + "\n"
)

func scenes() map[string]scene {
	return map[string]scene{
		"hardway":               {bare: true},
		"hardway init":          {bare: true, before: elsewhere},
		"hardway validate":      {before: elsewhere},
		"hardway graph":         {before: "printf 'kubelet {\\n  flags = { v = 3 }\\n}\\n' > more.hcl\n"},
		"hardway apply":         {before: savedPlan},
		"hardway show":          {before: savedPlan},
		"hardway destroy":       {each: true},
		"hardway rollback":      {each: true, before: "hardway apply --auto-approve --var level=3\nhardway apply --auto-approve --var level=4\n"},
		"hardway force-unlock":  {each: true, before: elsewhere + deadLock + "cp hardway.state* examples/lab\n"},
		"hardway kubeconfig":    {before: "mkdir ~/.kube\n"},
		"hardway state push":    {each: true, before: "hardway state pull > lab-2026-11-20.state\nmkdir -p .hardway/snapshots\ncp lab-2026-11-20.state .hardway/snapshots/hardway.state.00000000000000000042\n"},
		"hardway state rm":      {each: true},
		"hardway state recover": {each: true, before: "rm hardway.state\n"},
		"hardway state":         {before: "rm hardway.state\nhardway state recover\n"},
	}
}

// exits are the examples that end with another code than 0, and why.
func exits() map[string]int {
	return map[string]int{
		// No machine in memory serves a certificate, so the proof at the end fails.
		"hardway certs renew apiserver":      1,
		"hardway certs renew --auto-approve": 1,
		// Nor does it speak SSH, so there is no key to be learned.
		"hardway ssh trust":       1,
		"hardway ssh trust n1":    1,
		"hardway ssh trust n1 n2": 1,
		"hardway ssh trust n1 --auto-approve --fingerprint SHA256:qN3...": 1,
	}
}

// TestExamples runs every example in the help of every command, as it stands
// there, in a shell: with its pipes and redirections, jq, kubectl and dot being
// the real ones or, where they are not installed, programs that read and agree.
// Whoever is asked says yes.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many clusters")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chdir(here) })
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	ran := 0
	var shared *stage
	queue := []*cobra.Command{command.Tree("0.0.0-test")}
	for ; len(queue) > 0; queue = queue[1:] {
		c := queue[0]
		queue = append(queue, c.Commands()...)
		s, own := scenes()[c.CommandPath()]
		lines := examples(c)
		if len(lines) == 0 {
			continue
		}
		if !own && shared == nil {
			shared = newStage(t, here, scene{})
		}
		t.Run(strings.ReplaceAll(c.CommandPath(), " ", "-"), func(t *testing.T) {
			st := shared
			for i, line := range lines {
				if own && (i == 0 || s.each) {
					st = newStage(t, here, s)
				}
				ran++
				out, code := st.shell(t, line)
				if want := exits()[line]; code != want {
					t.Errorf("%s\nexit code %d, want %d\n%s", line, code, want, out)
				}
			}
		})
	}
	if ran < 60 {
		t.Errorf("only %d examples were run", ran)
	}
}

// examples are the lines of a command's example that run hardway or use what
// the line before made.
func examples(c *cobra.Command) []string {
	var out []string
	for line := range strings.Lines(c.Example) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// stage is a directory with a cluster, and the programs for a shell in it.
type stage struct{ dir, bin, socket string }

func newStage(t *testing.T, here string, s scene) *stage {
	t.Helper()
	st := &stage{dir: t.TempDir(), bin: t.TempDir()}
	short, err := os.MkdirTemp("", "hw") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	st.socket = filepath.Join(short, "s")
	c, err := setup(st.dir, filepath.Join(here, "testdata/lab"), "m1", "n1", "n2", "n3")
	if err != nil {
		t.Fatal(err)
	}
	// A change of level restarts something on one host only, since each takes its time.
	nodes := "node \"n2\" {\n  address = \"192.168.10.32\"\n}\nnode \"n3\" {\n  address = \"192.168.10.33\"\n" +
		"  kube_proxy {\n    flags = { v = var.level }\n  }\n}\nvariable \"level\" {\n  default = 2\n}\n"
	if err := os.WriteFile(filepath.Join(st.dir, "nodes.hcl"), []byte(nodes), 0o644); err != nil {
		t.Fatal(err)
	}
	answer(t, st.socket, c)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(st.bin, "hardway")); err != nil {
		t.Fatal(err)
	}
	for name, stub := range map[string]string{"jq": "cat >/dev/null", "dot": "cat >/dev/null", "kubectl": `test -r "$KUBECONFIG"`} {
		if _, err := exec.LookPath(name); err == nil && name != "kubectl" { // there is no API server to ask
			continue
		}
		if err := os.WriteFile(filepath.Join(st.bin, name), []byte("#!/bin/sh\n"+stub+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := s.before
	if !s.bare {
		before = "hardway init\nhardway apply --auto-approve\n" + before
	}
	if out, code := st.shell(t, "set -e\n"+before); code != 0 {
		t.Fatalf("%sexit code %d\n%s", before, code, out)
	}
	return st
}

// shell runs a line and returns what it wrote to both streams.
func (st *stage) shell(t *testing.T, line string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = st.dir
	cmd.Env = []string{"PATH=" + st.bin + ":" + os.Getenv("PATH"), "HOME=" + st.dir, socketVariable + "=" + st.socket}
	b, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}
