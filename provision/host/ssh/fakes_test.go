package ssh

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
)

// The fakes are systemctl, ctr and kubectl on the machine that the tests run on.
// Each is this test binary by another name: it hands its command line to the
// test, where a hosttest.Machine keeps what they do, and a real process stands for
// each running unit.
var fakeNames = []string{"systemctl", "ctr", "kubectl"}

// fakeSocket is where the fakes find the test, beside their own directory.
const fakeSocket = "fakes.sock"

type fakeCall struct {
	Args  []string
	Stdin []byte
}

func TestMain(m *testing.M) {
	if slices.Contains(fakeNames, filepath.Base(os.Args[0])) {
		os.Exit(fakeMain())
	}
	os.Exit(m.Run())
}

func fakeMain() int {
	call := fakeCall{Args: append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)}
	if slices.Contains(call.Args, "-") {
		call.Stdin, _ = io.ReadAll(os.Stdin)
	}
	at, err := exec.LookPath(os.Args[0])
	if err == nil {
		var conn net.Conn
		if conn, err = net.Dial("unix", filepath.Join(filepath.Dir(at), fakeSocket)); err == nil {
			defer conn.Close()
			var r host.Result
			if err = json.NewEncoder(conn).Encode(call); err == nil {
				if err = json.NewDecoder(conn).Decode(&r); err == nil {
					_, _ = os.Stdout.Write(r.Stdout)
					_, _ = os.Stderr.Write(r.Stderr)
					return r.Exit
				}
			}
		}
	}
	fmt.Fprintln(os.Stderr, "fake:", err)
	return 99
}

type fakes struct {
	dir, units string
	machine    *hosttest.Machine
	session    *hosttest.Session

	mu        sync.Mutex
	processes map[int]*exec.Cmd // by the machine's PID
}

// newFakes puts the fakes into a directory and serves them.
func newFakes(t *testing.T) *fakes {
	t.Helper()
	m := hosttest.NewMachine("fake")
	f := &fakes{dir: t.TempDir(), units: t.TempDir(), machine: m, session: m.Connect(), processes: map[int]*exec.Cmd{}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fakeNames {
		if err := os.Symlink(self, filepath.Join(f.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(f.dir, fakeSocket))
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer conn.Close()
				var call fakeCall
				if err := json.NewDecoder(conn).Decode(&call); err == nil {
					_ = json.NewEncoder(conn).Encode(f.serve(t, call))
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
		for _, p := range f.processes {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return f
}

func (f *fakes) serve(t *testing.T, call fakeCall) host.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch call.Args[0] {
	case "kubectl":
		return f.machine.Kubectl(call.Args[1:], call.Stdin)
	case "ctr":
		return f.ctr(t, call.Args[1:])
	}
	return f.systemctl(t, call.Args[1:])
}

const machineUnits = "/etc/systemd/system/"

func (f *fakes) systemctl(t *testing.T, args []string) host.Result {
	// The unit files on disk are those of the machine.
	for p := range f.machine.Snapshot().Files {
		if strings.HasPrefix(p, machineUnits) {
			f.machine.SetFile(p, nil)
		}
	}
	entries, _ := os.ReadDir(f.units)
	for _, e := range entries {
		names := []string{e.Name()}
		if e.IsDir() { // of drop-ins
			names = nil
			inside, _ := os.ReadDir(filepath.Join(f.units, e.Name()))
			for _, d := range inside {
				names = append(names, filepath.Join(e.Name(), d.Name()))
			}
		}
		for _, name := range names {
			text, _ := os.ReadFile(filepath.Join(f.units, name))
			f.machine.WriteFile(machineUnits+name, 0o644, string(text))
		}
	}
	var words []string
	var properties []string
	for _, a := range args {
		if p, ok := strings.CutPrefix(a, "--property="); ok {
			properties = append(properties, strings.Split(p, ",")...)
		} else if a == "--no-block" {
			words[0] = string(host.StartNoBlock)
		} else if !strings.HasPrefix(a, "-") {
			words = append(words, a)
		}
	}
	if words[0] == "show" {
		return host.Result{Stdout: f.show(words[1:], properties)}
	}
	name := ""
	if len(words) > 1 {
		name = words[1]
	}
	err := f.session.Unit(t.Context(), name, host.UnitAction(words[0]))
	f.reconcile(t)
	if err != nil {
		return host.Result{Exit: 1, Stderr: []byte(err.Error() + "\n")}
	}
	return host.Result{}
}

// reconcile has a process for each unit that runs, started with its inputs.
func (f *fakes) reconcile(t *testing.T) {
	running := map[int]bool{}
	for name := range f.machine.Snapshot().Units {
		u := f.observe(name)
		if u.PID == 0 {
			continue
		}
		running[u.PID] = true
		if f.processes[u.PID] == nil {
			cmd := exec.Command("sleep", "1000")
			cmd.Env = []string{"A=b", "HARDWAY_INPUTS=" + u.Inputs}
			if err := cmd.Start(); err != nil {
				t.Error(err)
				return
			}
			f.processes[u.PID] = cmd
		}
	}
	for pid, p := range f.processes {
		if !running[pid] {
			_ = p.Process.Kill()
			_ = p.Wait()
			delete(f.processes, pid)
		}
	}
}

func (f *fakes) observe(name string) facts.Unit {
	o, err := f.session.Observe(context.Background(), facts.Request{Units: []string{name}})
	if err != nil {
		panic(err)
	}
	return o.Units[name]
}

// show prints blocks as systemctl does.
func (f *fakes) show(names, properties []string) []byte {
	var blocks []string
	for _, name := range names {
		u := f.observe(name)
		text, _ := f.machine.File(machineUnits + name)
		values := map[string]string{
			"Id": name, "LoadState": u.Load, "ActiveState": u.Active, "SubState": u.Sub, "UnitFileState": u.Enabled,
			"FragmentPath": "", "DropInPaths": "", "MainPID": "0", "NRestarts": "0", "Result": u.Result, "NeedDaemonReload": "no",
			"Type": "simple", "Environment": "",
		}
		for i, p := range u.DropIns {
			values["DropInPaths"] += strings.Repeat(" ", min(i, 1)) + filepath.Join(f.units, strings.TrimPrefix(p, machineUnits))
		}
		if u.Fragment != "" {
			values["FragmentPath"] = filepath.Join(f.units, name)
		}
		if p := f.processes[u.PID]; p != nil {
			values["MainPID"] = fmt.Sprint(p.Process.Pid)
		}
		if u.NeedsReload {
			values["NeedDaemonReload"] = "yes"
		}
		for line := range strings.SplitSeq(text.Content, "\n") {
			if k, v, ok := strings.Cut(line, "="); ok && (k == "Type" || k == "Environment") {
				values[k] = v
			}
		}
		block := ""
		for _, p := range properties {
			block += p + "=" + values[p] + "\n"
		}
		blocks = append(blocks, block)
	}
	return []byte(strings.Join(blocks, "\n"))
}

func (f *fakes) ctr(t *testing.T, args []string) host.Result {
	for len(args) > 1 && strings.HasPrefix(args[0], "-") { // -a SOCKET -n NAMESPACE
		args = args[2:]
	}
	have := f.machine.Snapshot().Images
	switch {
	case args[0] != "images":
		return host.Result{Exit: 1, Stderr: []byte("fake ctr: " + args[0])}
	case args[1] == "import":
		text, err := os.ReadFile(args[len(args)-1])
		if err != nil {
			return host.Result{Exit: 1, Stderr: []byte(err.Error())}
		}
		f.machine.AddImage(strings.TrimPrefix(string(text), "an archive of "), "")
	case args[1] == "label":
		f.machine.AddImage(args[2], strings.TrimPrefix(args[3], "hardway.io/archive="))
	case args[1] == "rm":
		_, _ = f.session.Run(t.Context(), host.Script{Name: "image-remove", Args: []string{"", "", args[len(args)-1]}})
	case args[1] == "ls":
		out := ""
		if args[len(args)-1] != "-q" {
			out = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
		}
		for _, ref := range slices.Sorted(maps.Keys(have)) {
			if args[len(args)-1] == "-q" {
				out += ref + "\n"
				continue
			}
			labels := "io.cri-containerd.image=managed"
			if have[ref] != "" {
				labels = "hardway.io/archive=" + have[ref] + "," + labels
			}
			out += ref + " application/vnd.oci.image.index.v1+json sha256:0123 318.0 KiB linux/amd64 " + labels + "\n"
		}
		return host.Result{Stdout: []byte(out)}
	}
	return host.Result{}
}
