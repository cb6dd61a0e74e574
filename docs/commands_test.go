package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const commandsHead = `# Commands

This page is made from the program's own help by ` + "`go test ./docs -update`" + `; a test compares the two.

Options may be written with one dash or two: ` + "`-out=x`" + ` and ` + "`--out x`" + ` are the same. Exit codes and JSON documents are
described in [exit-codes-and-json.md](exit-codes-and-json.md).

Environment:

| variable | meaning |
|---|---|
| ` + "`HW_VAR_name`" + ` | value of the variable ` + "`name`" + ` |
| ` + "`HW_IDENTITY`" + ` | the age identity itself, one or several lines that begin with ` + "`AGE-SECRET-KEY-1`" + ` |
| ` + "`HW_IDENTITY_FILE`" + ` | path of the identity file, instead of ` + "`hardway/identity.txt`" + ` below the user's configuration directory |
| ` + "`HW_LOG`" + ` | log level, as ` + "`--log-level`" + ` |
| ` + "`NO_COLOR`" + ` | set to anything: no colour, as ` + "`--no-color`" + ` |
| ` + "`SSH_AUTH_SOCK`" + ` | ssh-agent whose keys may log in |
| ` + "`HOME`, `XDG_CONFIG_HOME`" + ` | where ` + "`~`" + ` and the user's configuration directory are |
`

// TestCommands compares reference/commands.md with the help of every command.
func TestCommands(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "hardway")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/hardway").CombinedOutput(); err != nil {
		t.Fatalf("building hardway: %v\n%s", err, out)
	}
	want := commandsHead + helpOf(t, bin, nil)
	path := filepath.Join("reference", "commands.md")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, filepath.Join("docs", path)); got != want {
		t.Errorf("docs/%s is not what the commands say; run go test ./docs -update and read the diff", path)
	}
}

var listed = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*)  +\S`)

// helpOf returns the section of a command and of the commands below it.
func helpOf(t *testing.T, bin string, command []string) string {
	t.Helper()
	cmd := exec.Command(bin, append(command, "--help")...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "NO_COLOR=1"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("hardway %s --help: %v", strings.Join(command, " "), err)
	}
	help := string(out)
	text := "\n## " + strings.Join(append([]string{"hardway"}, command...), " ") + "\n\n```text\n" + strings.TrimRight(help, "\n") + "\n```\n"
	_, lists, _ := strings.Cut(help, "ommands:\n")
	lists, _, _ = strings.Cut(lists, "\nFlags:\n")
	for _, m := range listed.FindAllStringSubmatch(lists, -1) {
		if m[1] != "help" { // its help is every command's
			text += helpOf(t, bin, append(append([]string{}, command...), m[1]))
		}
	}
	return text
}
