package unitfile

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostile are arguments that would like to be something else to an ini file, to
// Python's string formatting or to a shell.
var hostile = []string{
	"", "a b", "%s", "%(ENV_HOME)s", "100%", `"`, `'`, `\`, `a\"b`, "a ;b", "a #b", "a  ; #b", ";", "#", "$HOME", "$(id)", "`id`", "--flag=a ;b", "a=b,c", "ü", "[x]", "{}", "*",
}

// TestProgramExec wants every argument back as it was.
func TestProgramExec(t *testing.T) {
	argv := append([]string{"/bin/x"}, hostile...)
	line, err := RenderProgramExec(argv)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseExec("[program:x]\ncommand=" + line + "\npriority=1\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(argv, got); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, line)
	}
	for _, wrong := range [][]string{nil, {"x"}, {"/bin/x", "a\nb"}, {"/bin/x", "a\x00"}} {
		if line, err := RenderProgramExec(wrong); err == nil {
			t.Errorf("%q became %s", wrong, line)
		}
	}
}

// TestProgramExecByPython holds the same against what supervisord uses.
func TestProgramExecByPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	argv := append([]string{"/bin/x"}, hostile...)
	line, err := RenderProgramExec(argv)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", `
import configparser, shlex, sys
p = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
p.read_string(sys.stdin.read())
value = p.get("program:x", "command") % {"ENV_HOME": "expanded"}
sys.stdout.write("\0".join(shlex.split(value)))
`)
	cmd.Stdin = strings.NewReader("# head\n\n[program:x]\ncommand=" + line + "\npriority=1\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := cmp.Diff(argv, strings.Split(string(out), "\x00")); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, line)
	}
}

func TestProgramVariable(t *testing.T) {
	if got, err := RenderProgramVariable("A", "50%"); err != nil || got != `A="50%%"` {
		t.Errorf("%s, %v", got, err)
	}
	for _, wrong := range []string{`"`, `\`, "'", "a\nb", "a ;b", "a #b"} {
		if got, err := RenderProgramVariable("A", wrong); err == nil {
			t.Errorf("%q became %s", wrong, got)
		}
	}
}

// FuzzProgramExec wants what was written back, whatever it is.
func FuzzProgramExec(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		argv := []string{"/bin/x", arg, "--y=" + arg}
		line, err := RenderProgramExec(argv)
		if err != nil {
			return
		}
		got, err := ParseExec("[program:x]\ncommand=" + line + "\n")
		if d := cmp.Diff(argv, got); err != nil || d != "" {
			t.Errorf("%v (-want +got):\n%s\n%s", err, d, line)
		}
	})
}
