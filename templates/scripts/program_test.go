package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// supervisor puts a supervisorctl before all others that answers from files and
// writes down what it was asked.
func (b *bench) supervisor(answers map[string]string) (asked func() string) {
	b.Helper()
	bin, log := filepath.Join(b.dir, "bin"), filepath.Join(b.dir, "asked")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		b.Fatal(err)
	}
	for name, text := range answers {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	script := "#!/bin/sh\necho \"$*\" >>" + log + "\n[ ! -e \"" + bin + "/$1\" ] || cat \"" + bin + "/$1\"\n"
	if err := os.WriteFile(filepath.Join(bin, "supervisorctl"), []byte(script), 0o755); err != nil {
		b.Fatal(err)
	}
	b.env = append(b.env, "PATH="+bin+":"+os.Getenv("PATH"))
	return func() string {
		text, _ := os.ReadFile(log)
		_ = os.Remove(log)
		return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; ")
	}
}

// TestPrograms wants each action as the requests that have its effect, whatever
// state the program is in.
func TestPrograms(t *testing.T) {
	for _, c := range []struct {
		action  string
		answers map[string]string
		asked   string
		exit    int
	}{
		{"start", map[string]string{"update": "x: added process group\n", "start": "x: ERROR (already started)\n"}, "reread; update x; start x", 0},
		{"start", map[string]string{"start": "x: ERROR (spawn error)\n"}, "reread; update x; start x", 1},
		{"start", map[string]string{"start": "x: ERROR (no such process)\n"}, "reread; update x; start x", 1},
		{"restart", map[string]string{"update": "x: stopped\nx: updated process group\n"}, "reread; update x; start x", 0},
		{"restart", nil, "reread; update x; restart x", 0},
		{"stop", map[string]string{"stop": "x: ERROR (not running)\n"}, "stop x", 0},
		{"stop", map[string]string{"stop": "x: ERROR (no such process)\n"}, "stop x", 0},
		{"stop", map[string]string{"stop": "unix:///run/supervisor.sock refused connection\n"}, "stop x", 1},
		{"daemon-reload", map[string]string{"avail": "x    in use    auto    100:999\n"}, "reread; avail", 0},
		{"daemon-reload", map[string]string{"avail": "xy   in use    auto    100:999\n"}, "reread; avail; remove x", 0},
		{"daemon-reload", map[string]string{"reread": "ERROR: CANT_REREAD: bad file\n"}, "reread", 1},
		{"enable", nil, "", 0},
		{"unmask", nil, "", 0},
		{"nonsense", nil, "", 64},
	} {
		b := newBench(t)
		asked := b.supervisor(c.answers)
		if out, exit := b.run("unit", c.action, "x.program"); exit != c.exit {
			t.Errorf("%s with %v: exit %d, want %d\n%s", c.action, c.answers, exit, c.exit, out)
		}
		if got := asked(); got != c.asked {
			t.Errorf("%s with %v: asked %q, want %q", c.action, c.answers, got, c.asked)
		}
	}
	b := newBench(t)
	b.supervisor(nil)
	if _, exit := b.run("unit", "stop", "--all.program"); exit != 64 {
		t.Errorf("an option passes for a program: %d", exit)
	}
}

// TestProgramLog wants the last lines alone.
func TestProgramLog(t *testing.T) {
	b := newBench(t)
	asked := b.supervisor(map[string]string{"tail": "a\nb\nc\n"})
	if out, exit := b.run("unit-logs", "x.program", "2"); exit != 0 || out != "b\nc\n" {
		t.Errorf("%q, %d", out, exit)
	}
	if got := asked(); got != "tail -16000 x" {
		t.Errorf("asked %q", got)
	}
}
