package units

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPrograms compares programs of supervisord with golden text: one with an
// environment file, one whose children outlive it, one that keeps nothing running.
func TestPrograms(t *testing.T) {
	const version = "1.37.1"
	ok := func(u Unit, err error) Unit {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, u := range []Unit{ok(Etcd(etcdParams(version))), ok(Containerd(ContainerdParams{Bin: "/usr/local/bin", ConfigFile: "/etc/containerd/config.toml"})), ok(Routes(routesParams()))} {
		text, err := u.RenderProgram("0123", ProgramOptions{Log: "/var/log/kubernetes/x.log", Priority: 100})
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "programs/"+strings.TrimSuffix(u.Name, ".service")+".conf", text)
		if strings.Contains(text, "QUIT") {
			t.Errorf("%s is stopped with QUIT, which makes the Go runtime dump and exit", u.Name)
		}
	}
}

func TestProgramRefuses(t *testing.T) {
	good := Unit{Name: "x.service", Exec: []string{"/bin/x"}}
	for name, change := range map[string]func(*Unit, *ProgramOptions){
		"name":     func(u *Unit, _ *ProgramOptions) { u.Name = "x" },
		"user":     func(u *Unit, _ *ProgramOptions) { u.User = "etcd" },
		"before":   func(u *Unit, _ *ProgramOptions) { u.ExecStartPre = []Command{{Argv: []string{"/bin/y"}}} },
		"variable": func(u *Unit, _ *ProgramOptions) { u.Environment = map[string]string{"A": `"`} },
		"log":      func(_ *Unit, o *ProgramOptions) { o.Log = "/var/log/a ;b" },
		"command":  func(u *Unit, _ *ProgramOptions) { u.Exec = nil },
	} {
		u, o := good, ProgramOptions{Log: "/var/log/x.log"}
		change(&u, &o)
		if text, err := u.RenderProgram("", o); err == nil {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestKeptAlive runs the shell that keeps a setting: it is made, again until it
// works, and taken away by SIGTERM.
func TestKeptAlive(t *testing.T) {
	dir := t.TempDir()
	made, gone := filepath.Join(dir, "made"), filepath.Join(dir, "it's gone")
	u := Unit{Name: "x.service", Type: TypeOneshot, Exec: []string{"/bin/sh", "-c", "touch " + made},
		ExecStop: []Command{{Argv: []string{"/usr/bin/touch", gone}}}}
	argv := u.prepared()
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(made); err == nil {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("nothing was set up")
		}
	}
	time.Sleep(50 * time.Millisecond) // until it waits
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(gone); err != nil {
		t.Error("it was not taken away")
	}
}
