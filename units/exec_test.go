package units

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/units/unitfile"
)

// hostile are values that some layer between a configuration and a process
// could misread.
var hostile = []string{
	"", " ", "a b", "'", `"`, `\`, `\\`, `a\`, `\n`, `\x41`, "$(touch /canary)", "`touch /canary`", "$X", "${X}", "$$X", "$", "%", "%i", "%%n", "%H%",
	";", "; touch /canary", `\;`, "# no comment", ";no comment", "-leading", "--x=y", "@x", "|x", "..", "*", "[a]", "{a,b}", "~", "!x", "é", "日本", "\u202eevil", "\u00a0", "\u2028",
	"a=b=c", `{"k":"v's"}`, strings.Repeat("x", 65536), "\t", "\n", "\x00", "\r", "\x1b[31m", "\x7f", "\u0085", "\xff",
}

func TestHostileValuesRoundTrip(t *testing.T) {
	refused := 0
	for _, value := range hostile {
		argv := []string{"/bin/true", "--flag=" + value, value, "last"}
		u := Unit{Name: "x.service", Type: TypeExec, Exec: argv, Environment: map[string]string{"V": value}}
		text, err := u.Render("")
		if err != nil {
			refused++
			if !strings.ContainsAny(value, "\t\n\x00\r\x1b\x7f\u0085") && value != "\xff" {
				t.Errorf("%q was refused: %v", value, err)
			}
			continue
		}
		got, err := unitfile.ParseExec(text)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if diff := cmp.Diff(argv, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
	if refused != 8 {
		t.Errorf("%d values were refused, want the 7 with control characters and the one that is not UTF-8", refused)
	}
}

// TestHostileValuesThroughSystemd asks systemd itself what it makes of the
// values. It loads and starts a unit, so it has to be asked for, on a machine
// that may be thrown away: HARDWAY_TEST_SYSTEMD=1, as root.
func TestHostileValuesThroughSystemd(t *testing.T) {
	systemctl, err := exec.LookPath("systemctl")
	if err != nil || os.Getenv("HARDWAY_TEST_SYSTEMD") == "" {
		t.Skip("HARDWAY_TEST_SYSTEMD is not set, or there is no systemctl")
	}
	dir := t.TempDir()
	output := filepath.Join(dir, "argv")
	printer := filepath.Join(dir, "print")
	if err := os.WriteFile(printer, []byte("#!/bin/sh\nout=$1; shift; printf '%s\\0' \"$@\" \"V=$V\" > \"$out\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, value := range hostile {
		if unitfile.CheckValue(value) == nil && len(value) < 1000 {
			values = append(values, value)
		}
	}
	all := strings.Join(values, "|")
	u := Unit{Name: "hardway-unit-test.service", Type: TypeOneshot, Exec: append([]string{printer, output}, values...), Environment: map[string]string{"V": all}}
	file := filepath.Join("/run/systemd/system", u.Name)
	if err := os.WriteFile(file, []byte(must[string](t)(u.Render(""))), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
		_ = exec.Command(systemctl, "daemon-reload").Run()
	})
	if out, err := exec.CommandContext(t.Context(), systemctl, "daemon-reload").CombinedOutput(); err != nil {
		t.Fatalf("daemon-reload: %v %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), systemctl, "start", u.Name).CombinedOutput(); err != nil {
		t.Fatalf("start: %v %s", err, out)
	}
	got, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(values), "V="+all)
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(string(got), "\x00"), "\x00")); diff != "" {
		t.Errorf("what the process got (-want +got):\n%s", diff)
	}
}

func TestRenderRefuses(t *testing.T) {
	good := func() Unit { return Unit{Name: "x.service", Exec: []string{"/bin/x"}} }
	if _, err := good().Render("d"); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Unit){
		"name":                  func(u *Unit) { u.Name = "../x.service" },
		"not a service":         func(u *Unit) { u.Name = "x.timer" },
		"no command":            func(u *Unit) { u.Exec = nil },
		"relative executable":   func(u *Unit) { u.Exec = []string{"x"} },
		"odd executable":        func(u *Unit) { u.Exec = []string{"/bin/a b"} },
		"variable executable":   func(u *Unit) { u.Exec = []string{"/bin/$X"} },
		"newline":               func(u *Unit) { u.Description = "a\n[Service]\nExecStart=/bin/evil" },
		"trailing backslash":    func(u *Unit) { u.Description = `a\` },
		"comment":               func(u *Unit) { u.Comment = []string{"a\nb"} },
		"blank in a unit name":  func(u *Unit) { u.After = []string{"a b"} },
		"newline in a variable": func(u *Unit) { u.Environment = map[string]string{"A": "b\nc"} },
		"odd variable":          func(u *Unit) { u.Environment = map[string]string{"A B": "c"} },
		"relative file":         func(u *Unit) { u.EnvironmentFile = []string{"env"} },
	} {
		u := good()
		change(&u)
		if got, err := u.Render("d"); err == nil {
			t.Errorf("%s: rendered\n%s", name, got)
		}
	}
}

// FuzzExec renders any two arguments and reads them back.
func FuzzExec(f *testing.F) {
	for _, v := range hostile {
		f.Add(v, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		argv := []string{"/bin/x", a, "--b=" + b}
		text, err := Unit{Name: "x.service", Exec: argv}.Render("d")
		if err != nil {
			if unitfile.CheckValue(a) == nil && unitfile.CheckValue(b) == nil {
				t.Fatalf("%q was refused: %v", argv, err)
			}
			return
		}
		got, err := unitfile.ParseExec(text)
		if err != nil || !slices.Equal(got, argv) {
			t.Fatalf("%q became %q, %v\n%s", argv, got, err, text)
		}
	})
}

// FuzzParse reads any text, and whatever it understands has to survive another round.
func FuzzParse(f *testing.F) {
	f.Add("[Service]\nExecStart=/bin/x \\\n  --a='b' \\; \"c\\x41\"\n")
	f.Add("[Unit]\nA=\\\n#\n")
	f.Fuzz(func(t *testing.T, text string) {
		argv, err := unitfile.ParseExec(text)
		if err != nil {
			return
		}
		again, err := Unit{Name: "x.service", Exec: argv}.Render("")
		if err != nil {
			return // escapes can make what we would never write
		}
		got, err := unitfile.ParseExec(again)
		if err != nil || !slices.Equal(got, argv) {
			t.Fatalf("%q became %q, %v", argv, got, err)
		}
	})
}
