package ssh

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tracer stands in the way of the host's sh: scripts that it is armed for run
// under strace, which writes down what they do, or makes their system calls fail.
type tracer struct {
	dir string // for the PATH of the host
}

// traced are the system calls that change files, or make changes durable.
const traced = "openat,open,creat,write,writev,pwrite64,copy_file_range,sendfile,ftruncate,truncate," +
	"fsync,fdatasync,sync,syncfs,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat," +
	"chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,close,chdir,fchdir"

func newTracer(t *testing.T) *tracer {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	if out, err := exec.Command(strace, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %s", out)
	}
	tr := &tracer{t.TempDir()}
	// The loop is "sh -c"; a script of its is "sh FILE".
	wrapper := fmt.Sprintf(`#!/bin/sh
script=${1##*/s-}
if [ "$1" != -c ] && [ -s %[1]s/armed ] && read -r name inject <%[1]s/armed && [ "$name" = "$script" ]; then
	exec %[2]s -f -qq -y -s 8 -e signal=none -o %[1]s/log -e trace=%[3]s $inject /bin/sh "$@"
fi
exec /bin/sh "$@"
`, tr.dir, strace, traced)
	if err := os.WriteFile(filepath.Join(tr.dir, "sh"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	return tr
}

// program puts a program before the host's own.
func (tr *tracer) program(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(tr.dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// arm has every run of a script traced from now on; inject is strace's expression
// for what fails, or nothing.
func (tr *tracer) arm(t *testing.T, script, inject string) {
	t.Helper()
	if inject != "" {
		inject = "-e inject=" + inject
	}
	_ = os.Remove(filepath.Join(tr.dir, "log"))
	if err := os.WriteFile(filepath.Join(tr.dir, "armed"), []byte(script+" "+inject+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// disarm returns the calls that were traced since arm, in the order of their ends.
func (tr *tracer) disarm(t *testing.T) []syscallEvent {
	t.Helper()
	if err := os.Remove(filepath.Join(tr.dir, "armed")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(tr.dir, "log"))
	if err != nil {
		t.Fatalf("the script was not traced: %v", err)
	}
	return parseStrace(string(text))
}

// syscallEvent is one system call. Paths are absolute, of descriptors too.
type syscallEvent struct {
	pid, name string
	args      string // as strace prints them
	paths     []string
	failed    bool
	injected  bool
}

func (e syscallEvent) String() string { return e.name + "(" + e.args + ")" }

var (
	callLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(.*)$`)
	resumed  = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	// A path is a descriptor's, possibly followed by a name relative to it, or a string.
	pathArg = regexp.MustCompile(`(?:AT_FDCWD|\d+)<((?:[^<>\\]|\\.)*)>(?:, "((?:[^"\\]|\\.)*)")?|"((?:[^"\\]|\\.)*)"`)
)

func parseStrace(text string) []syscallEvent {
	var out []syscallEvent
	begun := map[string]string{} // the first half of a call that others interrupted, by process
	// Where a process is: where it went itself, or else where the script was, which
	// is the first process.
	at, script := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutSuffix(line, " <unfinished ...>"); ok {
			pid, _, _ := strings.Cut(head, " ")
			begun[pid] = head
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[2]
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		e := syscallEvent{pid: m[1], name: m[2], args: m[3], failed: strings.HasPrefix(m[4], "-"), injected: strings.Contains(m[5], "(INJECTED)")}
		args := m[3]
		if strings.Contains(e.name, "write") { // what is written is no path
			args, _, _ = strings.Cut(args, ", \"")
		}
		for _, p := range pathArg.FindAllStringSubmatch(args, -1) {
			switch base, rel := p[1], p[2]+p[3]; {
			case filepath.IsAbs(rel):
				e.paths = append(e.paths, rel)
			case rel != "" && filepath.IsAbs(base):
				e.paths = append(e.paths, filepath.Join(base, rel))
			case rel == "" && filepath.IsAbs(base):
				e.paths = append(e.paths, strings.TrimSuffix(base, " (deleted)"))
			case rel != "":
				e.paths = append(e.paths, filepath.Join("/", cmp.Or(at[e.pid], at[script]), rel))
			}
		}
		script = cmp.Or(script, e.pid)
		if strings.HasSuffix(e.name, "chdir") && !e.failed && len(e.paths) > 0 {
			at[e.pid] = e.paths[0]
		}
		out = append(out, e)
	}
	return out
}

// touches says whether one of the call's paths lies below a directory, or is it.
func (e syscallEvent) touches(dir string) bool {
	return slices.ContainsFunc(e.paths, func(p string) bool { return p == dir || strings.HasPrefix(p, dir+"/") })
}

func TestParseStrace(t *testing.T) {
	got := parseStrace(`12 openat(AT_FDCWD</>, "/d/.hardway.a.X", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</d/.hardway.a.X>
13 write(3</d/.hardway.a.X>, "a, \"/b\""..., 8192 <unfinished ...>
12 fsync(4</d>) = 0
13 <... write resumed>) = -1 ENOSPC (No space left on device) (INJECTED)
15 chdir("/d/e") = 0
15 mkdir("f", 0700) = 0
14 renameat2(AT_FDCWD</w>, "x.new", AT_FDCWD</w>, "/d/x", RENAME_NOREPLACE) = -1 EEXIST (File exists)
14 +++ exited with 0 +++
`)
	text := ""
	for _, e := range got {
		text += fmt.Sprintln(e.pid, e.name, e.paths, e.failed, e.injected)
	}
	want := `12 openat [/d/.hardway.a.X] false false
12 fsync [/d] false false
13 write [/d/.hardway.a.X] true true
15 chdir [/d/e] false false
15 mkdir [/d/e/f] false false
14 renameat2 [/w/x.new /d/x] true false
`
	if text != want {
		t.Fatalf("got\n%s", text)
	}
}
