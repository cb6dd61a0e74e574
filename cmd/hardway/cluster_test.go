package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"hardway/cmd/internal/command"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
	"hardway/provision/resource"
)

// cluster is the machines of one script, in memory. They live as long as it
// does, so its commands run in the process of the test.
type cluster struct {
	machines map[string]*hosttest.Machine
	down     map[string]bool
	kept     map[string]map[string]hosttest.Snapshot // by the name of `snapshot`
}

type clusterKey struct{}

// now is when all scripts happen.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// The scripts drive the whole command line against machines in memory:
//
//	hw ARGS              runs hardway; "!" wants it to fail
//	exits CODE ARGS      runs hardway and wants that exit code
//	answers WORD ARGS    runs hardway on a terminal, where somebody types WORD
//	snapshot NAME        remembers all machines
//	unchanged NAME       fails unless they are as they were
//	machine HOST VERB …  see machine
//	valid SCHEMA FILE    see valid
func TestClusterScripts(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // where init leaves an identity
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chdir(dir) }()
	testscript.RunT(inTurn{t}, testscript.Params{
		Dir:           filepath.Join(dir, "testdata/cluster"),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) (err error) {
			env.Values[clusterKey{}], err = setup(env.WorkDir, filepath.Join(dir, "testdata/lab"), "m1", "n1")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"hw": func(ts *testscript.TestScript, neg bool, args []string) {
				if code := drive(ts, "", args); (code != 0) != neg {
					ts.Fatalf("exit code %d", code)
				}
			},
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				if code := drive(ts, "", args[1:]); code != want {
					ts.Fatalf("exit code %d, want %d", code, want)
				}
			},
			"answers": func(ts *testscript.TestScript, neg bool, args []string) {
				if code := drive(ts, args[0], args[1:]); (code != 0) != neg {
					ts.Fatalf("exit code %d", code)
				}
			},
			"snapshot": func(ts *testscript.TestScript, _ bool, args []string) {
				c := ts.Value(clusterKey{}).(*cluster)
				c.kept[args[0]] = c.snapshots()
			},
			"unchanged": func(ts *testscript.TestScript, _ bool, args []string) {
				c := ts.Value(clusterKey{}).(*cluster)
				ignore := cmpopts.IgnoreFields(hosttest.Snapshot{}, "Modules", "Objects")
				if d := cmp.Diff(c.kept[args[0]], c.snapshots(), ignore); d != "" {
					ts.Fatalf("the machines are not as they were at %s (-then +now):\n%s", args[0], d)
				}
			},
			"machine": machine,
			"valid":   valid(filepath.Join(dir, "../../docs/reference/schemas")),
		},
	})
}

// inTurn runs scripts one after the other: the working directory is the
// process's.
type inTurn struct{ *testing.T }

func (t inTurn) Parallel() {}

func (t inTurn) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(inTurn{t}) })
}

func (t inTurn) Verbose() bool { return testing.Verbose() }

// setup makes machines, of which the first is the master, and puts a mirror and
// the configuration in lab into a directory.
func setup(work, lab string, names ...string) (*cluster, error) {
	c := &cluster{machines: map[string]*hosttest.Machine{}, down: map[string]bool{}, kept: map[string]map[string]hosttest.Snapshot{}}
	first := hosttest.NewMachine(names[0])
	for _, name := range names {
		m := first
		if name != names[0] {
			m = hosttest.NewMachine(name)
			hosttest.Join(first, m)
		}
		c.machines[name] = m
	}
	for _, m := range c.machines {
		m.SetClock(now)
		m.SetFile("/usr/libexec", &hosttest.File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"})
		m.SetSysctl("kernel.keys.root_maxbytes", "20000")
		m.SetSysctl("kernel.keys.root_maxkeys", "200")
	}
	first.HandleExec("kubectl", api)
	for _, name := range []string{"id_ed25519", "known_hosts"} { // nobody reads them here
		if err := os.WriteFile(filepath.Join(work, name), nil, 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(work, os.DirFS(lab)); err != nil {
		return nil, err
	}
	return c, mirror(filepath.Join(work, "mirror"))
}

// api answers the paths that verify asks the API for, beside what kubectl of
// package hosttest knows.
func api(m *hosttest.Machine, args []string, stdin []byte) (host.Result, error) {
	for _, a := range args {
		switch {
		case strings.HasPrefix(a, "/api/v1/nodes"):
			return m.Kubectl([]string{"get", "nodes"}, nil), nil
		case strings.HasPrefix(a, "/api/v1/componentstatuses"):
			return host.Result{Stdout: []byte(`{"items":[{"metadata":{"name":"etcd-0"},"conditions":[{"type":"Healthy","status":"True"}]}]}`)}, nil
		}
	}
	return m.Kubectl(args, stdin), nil
}

// mirror writes a source of small binaries.
func mirror(dir string) error {
	wanted, err := binaries.Wanted(binaries.Versions{
		binaries.Kubernetes: "1.37.1", binaries.Etcd: "3.7.3", binaries.Containerd: "2.3.7", binaries.Runc: "1.4.3", binaries.CNIPlugins: "1.9.1",
	}, map[addr.Role][]string{addr.Master: {"amd64"}, addr.Node: {"amd64"}})
	if err != nil {
		return err
	}
	for _, a := range wanted {
		group := ""
		if a.Group != binaries.Kubernetes {
			group = string(a.Group)
		}
		path := filepath.Join(dir, group, "v"+a.Version, "bin/linux", a.Arch, a.Component)
		text := "#!/bin/sh\n# " + a.String() + "\n"
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		for name, content := range map[string]string{path: text, path + ".sha256": resource.SHA256([]byte(text)) + "\n"} {
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// drive runs one command line in the script's directory and returns its exit code.
func drive(ts *testscript.TestScript, answer string, args []string) int {
	ts.Check(os.Chdir(ts.MkAbs(".")))
	stdin := strings.NewReader(answer + "\n")
	return ts.Value(clusterKey{}).(*cluster).run(command.Env{
		Args: args, Stdin: stdin, Stdout: ts.Stdout(), Stderr: ts.Stderr(), Environ: []string{"HOME=" + ts.Getenv("WORK")},
		Terminal: func(stream any) (int, bool) { return 80, answer != "" && stream == any(stdin) },
	})
}

// run runs one command line in the working directory, with these machines for
// hosts, and returns its exit code.
func (c *cluster) run(env command.Env) int {
	env.Now, env.Version, env.Exit = now, "0.0.0-test", os.Exit
	env.Open = func(o provision.Options) (command.Session, *config.Files, hcl.Diagnostics) {
		o.Settle = time.Millisecond // a unit in memory falls over at once or not at all
		o.Dial = func(_ context.Context, h config.Host) (host.Host, error) {
			if c.down[h.Name] {
				return nil, fmt.Errorf("dial tcp %s:22: connect: no route to host", h.Address)
			}
			return c.machines[h.Name].Connect(), nil
		}
		return command.Open(o)
	}
	return command.Run(env)
}

func (c *cluster) snapshots() map[string]hosttest.Snapshot {
	out := map[string]hosttest.Snapshot{}
	for name, m := range c.machines {
		out[name] = m.Snapshot()
		delete(out[name].Files, "/run/hardway")               // goes with the session on a real machine
		delete(out[name].Files, "/var/lib/hardway/state.age") // another one after each run
	}
	return out
}

// machine does something behind hardway's back:
//
//	machine HOST write PATH TEXT    machine HOST sysctl KEY VALUE
//	machine HOST kill UNIT          machine HOST break UNIT
//	machine HOST mend UNIT          machine HOST lock HOLDER
//	machine HOST down               machine HOST up
//	machine HOST has PATH TEXT      (with "!": has not)
func machine(ts *testscript.TestScript, neg bool, args []string) {
	c := ts.Value(clusterKey{}).(*cluster)
	name, verb, rest := args[0], args[1], append(args[2:], "", "")
	m := c.machines[name]
	switch verb {
	case "write":
		m.WriteFile(rest[0], 0o600, rest[1]+"\n")
	case "sysctl":
		m.SetSysctl(rest[0], rest[1])
	case "kill":
		m.KillUnit(rest[0])
	case "break", "mend":
		m.BreakUnit(rest[0], verb == "break")
	case "lock":
		s := m.Connect()
		ts.Check(s.Lock(context.Background(), rest[0]))
		ts.Defer(func() { _ = s.Close() })
	case "down", "up":
		c.down[name] = verb == "down"
	case "has":
		f, ok := m.File(rest[0])
		if found := ok && strings.Contains(f.Content, rest[1]); found == neg {
			ts.Fatalf("%s has %s with %q: %v", name, rest[0], rest[1], found)
		}
	default:
		ts.Fatalf("machine: unknown verb %q", verb)
	}
}
