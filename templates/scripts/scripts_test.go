package scripts

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, name := range []string{"", "prelude", "loop", "doas", "../scripts", "put.sh", "nope"} {
		if _, ok := Lookup(name); ok {
			t.Errorf("%q is a script", name)
		}
	}
	if !slices.IsSorted(Names()) || !slices.Contains(Names(), "put") {
		t.Errorf("names: %q", Names())
	}
}

// Every script parses in the shells that hosts have, says in its head what it
// is, and keeps to what any login and any awk can take.
func TestScriptsAreWellFormed(t *testing.T) {
	texts := map[string]string{"loop": Loop(), "doas": Doas()}
	for _, name := range Names() {
		texts[name], _ = Lookup(name)
	}
	for name, text := range texts {
		own := text[strings.LastIndex(text, "# "+name+".sh"):]
		if !strings.HasPrefix(own, "# "+name+".sh") {
			t.Errorf("%s has no head", name)
		}
		if name != "loop" && name != "doas" && !strings.Contains(text, "set -eu") {
			t.Errorf("%s goes on after a failure", name)
		}
		for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
			if _, err := exec.LookPath(shell); err != nil {
				continue
			}
			argv := []string{shell, "-n"}
			if shell == "busybox" {
				argv = []string{shell, "sh", "-n"}
			}
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Stdin = strings.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s in %s: %s", name, shell, out)
			}
		}
	}
}

// Shellcheck has nothing to say, but for what is meant: mkdir -p -m where only the
// last directory can be missing (SC2174), "a && b || c" where c is to follow
// whichever of the two failed (SC2015), and names that come from the prelude
// (SC2154) or are for others there (SC2034), as set -e does (SC2164).
func TestShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip(err)
	}
	all, err := filepath.Glob("*.sh")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--shell=dash", "--exclude=SC2174,SC2015,SC2154,SC2034,SC2164", "--format=gcc"}, all...)
	if out, err := exec.Command("shellcheck", args...).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
}

// bench runs scripts as the loop does.
type bench struct {
	*testing.T
	dir   string
	env   []string
	stdin string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("the scripts insist on directories of root's")
	}
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/state", 0o700); err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, dir: dir, env: append(os.Environ(), "LC_ALL=C", "HARDWAY_STATE="+dir+"/state", "HARDWAY_TMP="+dir)}
}

// run returns what a script prints and its exit status.
func (b *bench) run(name string, args ...string) (string, int) {
	b.Helper()
	text, ok := Lookup(name)
	if !ok {
		b.Fatalf("no script %s", name)
	}
	cmd := exec.Command("sh", append([]string{"-c", text, name}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = &stdout, &stderr, b.env, "/"
	cmd.Stdin = strings.NewReader(b.stdin)
	err := cmd.Run()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		b.Fatal(err)
	}
	if failed {
		return stdout.String() + stderr.String(), exit.ExitCode()
	}
	return stdout.String(), 0
}

func (b *bench) want(out string, exit int, name string, args ...string) {
	b.Helper()
	got, code := b.run(name, args...)
	if got != out || code != exit {
		b.Fatalf("%s %q printed %q and exited with %d; want %q and %d", name, args, got, code, out, exit)
	}
}

func (b *bench) write(name, text string) string {
	b.Helper()
	p := filepath.Join(b.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
		b.Fatal(err)
	}
	return p
}

func (b *bench) read(p string) string {
	b.Helper()
	text, err := os.ReadFile(p)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// programs puts fakes before the machine's programs.
func (b *bench) programs(texts map[string]string) {
	bin := filepath.Join(b.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		b.Fatal(err)
	}
	for name, text := range texts {
		b.write("bin/"+name, "#!/bin/sh\n"+text)
	}
	b.env = append(b.env, "PATH="+bin+":"+os.Getenv("PATH"))
}

func TestSwap(t *testing.T) {
	b := newBench(t)
	b.programs(map[string]string{
		"swapoff": "echo off >>" + b.dir + "/log; exit 1\n", // swap of the machine that tests run on stays
		"swapon":  "echo on >>" + b.dir + "/log\n",
	})
	swaps := b.read("/proc/swaps")
	if strings.Count(swaps, "\n") > 1 {
		t.Skip("this machine swaps")
	}
	before := "# a comment with swap\n/dev/vda1 / ext4 defaults 0 1\n\tUUID=ab\tnone  swap sw 0 0\n/swapfile none swap\n#/dev/x none swap sw 0 0\n/srv/swap /mnt ext4 x 0 0"
	fstab := b.write("fstab", before)
	b.want("written\n", 0, "swap-off", fstab)
	if want := strings.NewReplacer("\tUUID", "#hardway#\tUUID", "/swapfile", "#hardway#/swapfile").Replace(before); b.read(fstab) != want {
		t.Fatalf("fstab: %q", b.read(fstab))
	}
	b.want("unchanged\n", 0, "swap-off", fstab)
	b.want("written\n", 0, "swap-on", fstab)
	if b.read(fstab) != before {
		t.Fatalf("fstab: %q", b.read(fstab))
	}
	b.want("unchanged\n", 0, "swap-on", fstab)
	if log := b.read(b.dir + "/log"); log != "on\n" {
		t.Fatalf("called: %q", log)
	}
}

func TestSysctl(t *testing.T) {
	b := newBench(t)
	kind := strings.TrimSpace(b.read("/proc/sys/kernel/ostype"))
	b.want("unchanged\n", 0, "sysctl", "kernel.ostype", kind)
	b.want("unchanged\n", 0, "sysctl", "net/ipv4/ip_local_port_range", strings.ReplaceAll(strings.TrimSpace(b.read("/proc/sys/net/ipv4/ip_local_port_range")), "\t", "  "))
	b.want("no.such: this kernel does not have it (is its module loaded?)\n", 1, "sysctl", "no.such", "1")
	b.want("kernel.ostype: cannot be set to Hurd here (read-only, or not allowed in a container)\n", 1, "sysctl", "kernel.ostype", "Hurd")
	for _, bad := range []string{"", "a b", "../../etc/passwd", "a..b"} {
		if _, code := b.run("sysctl", bad, "1"); code != 64 {
			t.Errorf("%q: exit %d", bad, code)
		}
	}
}

func TestModule(t *testing.T) {
	b := newBench(t)
	list, effect := b.write("list", "nodev\toverlay\n"), filepath.Join(b.dir, "effect")
	b.programs(map[string]string{"modprobe": fmt.Sprintf(`[ "$1" = -- ] || exit 9; [ "$2" = good_one ] || { echo "modprobe: FATAL: $2 not found"; exit 1; }; >%s`+"\n", effect)})
	b.want("unchanged\n", 0, "module", "nope", b.dir+"/missing", list+":overlay")
	b.want("kernel module nope cannot be loaded: modprobe: FATAL: nope not found\n", 1, "module", "nope", b.dir+"/missing", list+":over")
	b.want("loaded\n", 0, "module", "good_one", effect)
	b.want("unchanged\n", 0, "module", "good_one", effect)
	b.want("kernel module good_one was loaded, but shows none of: "+b.dir+"/missing\n", 1, "module", "good_one", b.dir+"/missing")
	if _, code := b.run("module", "-r"); code != 64 {
		t.Error("an option was taken for a module")
	}
}

func TestHTTPGet(t *testing.T) {
	b := newBench(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" && r.URL.RawQuery == "verbose" {
			fmt.Fprint(w, "ok\nand well")
			return
		}
		http.Error(w, "not here", http.StatusNotFound)
	}))
	defer s.Close()
	// A PATH without some of the programs.
	tools := func(names ...string) []string {
		bin := t.TempDir()
		for _, name := range append(names, "head", "cat", "sed", "tail", "timeout", "stat") {
			if at, err := exec.LookPath(name); err == nil {
				_ = os.Symlink(at, filepath.Join(bin, name))
			}
		}
		return append(slices.Clone(b.env), "PATH="+bin)
	}
	for _, with := range []string{"curl", "bash", "wget"} {
		t.Run(with, func(t *testing.T) {
			if _, err := exec.LookPath(with); err != nil {
				t.Skip(err)
			}
			b := &bench{T: t, dir: b.dir, env: tools(with)}
			b.want("200\nok\nand well", 0, "http-get", s.URL+"/healthz?verbose")
			b.want("404\nnot here\n", 0, "http-get", s.URL, "3")
			if out, code := b.run("http-get", "http://127.0.0.1:1/"); code != 1 || !strings.Contains(out, "no answer from http://127.0.0.1:1/") {
				t.Errorf("nobody there: exit %d, %q", code, out)
			}
		})
	}
	if out, code := b.run("http-get", "https://127.0.0.1/"); code != 64 {
		t.Errorf("https: exit %d, %q", code, out)
	}
}

func TestUnmount(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(b.dir, "kubelet")
	var points []string
	for _, name := range []string{"pods", "pods/a b", "plain"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
		if name != "plain" {
			if out, err := exec.Command("mount", "-t", "tmpfs", "none", p).CombinedOutput(); err != nil {
				t.Skipf("mounting is not possible here: %s", out)
			}
			t.Cleanup(func() { _ = exec.Command("umount", p).Run() })
			points = append(points, p)
		}
	}
	b.want("", 0, "kubelet-unmount", dir)
	for _, p := range points {
		if strings.Contains(b.read("/proc/self/mountinfo"), strings.ReplaceAll(p, " ", `\040`)+" ") {
			t.Errorf("%s is still mounted", p)
		}
	}
	b.want("", 0, "kubelet-unmount", dir)
}

func TestPodsStop(t *testing.T) {
	b := newBench(t)
	b.want("", 0, "pods-stop", "/nonexistent/ctr", "/nonexistent/socket") // nothing was ever there
}

// The whole of a state is gone afterwards, and nothing beside it.
func TestStateClear(t *testing.T) {
	b := newBench(t)
	b.write("state/x", "x")
	b.write("beside", "x")
	b.want("", 0, "state-clear")
	if _, err := os.Stat(b.dir + "/state"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the state is still there")
	}
	b.read(b.dir + "/beside")
}
