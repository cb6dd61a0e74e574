package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

var (
	clock = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	n1    = addr.Host{Role: addr.Node, Name: "n1"}
)

// stateFake is a Session with a state and what could be one.
type stateFake struct {
	fake
	st        state.Public
	recovery  provision.Recovery
	forgotten []addr.Address
	pushed    string
	forced    bool
	recovered []provision.RecoverOptions
	err       error
}

func (f *stateFake) Config() *config.Cluster {
	c := f.fake.Config()
	c.State.Path = "/srv/lab/hardway.state"
	return c
}

func (f *stateFake) State(context.Context) (state.Public, error) { return f.st, f.err }

func (f *stateFake) ForgetResources(_ context.Context, targets []addr.Address) ([]addr.Address, error) {
	f.forgotten = targets
	gone, err := f.st.Forgetting(targets)
	return gone.Addresses, errors.Join(err, f.err)
}

func (f *stateFake) PullState(context.Context) ([]byte, error) { return []byte("stored\n"), f.err }

func (f *stateFake) PushState(_ context.Context, stored []byte, force bool) (state.Public, error) {
	f.pushed, f.forced = string(stored), force
	return f.st, f.err
}

func (f *stateFake) ForceUnlock(context.Context, string) error { return f.err }

func (f *stateFake) RecoveryCandidates(_ context.Context, onHost func(addr.Host, error)) (provision.Recovery, error) {
	onHost(n1, nil)
	return f.recovery, f.err
}

func (f *stateFake) Recover(_ context.Context, r provision.Recovery, o provision.RecoverOptions) (provision.Recovered, error) {
	f.recovered = append(f.recovered, o)
	return provision.Recovered{State: state.Public{Serial: 44}, Aside: []string{"/srv/lab/hardway.state.aside-x"}}, f.err
}

// withState returns a session whose state has a node and a file that only root reads.
func withState(t *testing.T) *stateFake {
	t.Helper()
	snap := state.New("lab", "0", clock)
	snap.Serial = 7
	begin := func(h addr.Host, kind, name string, spec resource.Spec) {
		a := addr.Address{Host: h, Kind: kind, Name: name}
		for _, e := range []state.Entry{{Time: clock, Begin: &state.Begin{Addr: a, Spec: spec}}, {Time: clock, Done: &state.Done{Addr: a}}} {
			if err := snap.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin(n1, "file", "secret", resource.Spec{File: &resource.File{Path: "/etc/x", Meta: resource.Root(0o600), Content: "token: CANARY\n"}})
	begin(n1, "unit", "kubelet", resource.Spec{Unit: &resource.Unit{Name: "kubelet.service", Path: "/etc/systemd/system/kubelet.service", Meta: resource.Root(0o644), Content: "[Unit]\n"}})
	begin(addr.Host{}, "node", "n1", resource.Spec{Node: &resource.Node{Name: "n1", Host: n1}})
	return &stateFake{st: snap.Public}
}

// words is a text without the places where its lines were broken.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestStateHelp(t *testing.T) {
	r := cli(t, withState(t), nil, false, nil, "state")
	for _, want := range []string{"hardway state recover", "list", "show", "rm", "pull", "push", "recover"} {
		if r.code != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("code %d, no %q in:\n%s", r.code, want, r.stdout)
		}
	}
	for _, name := range []string{"list", "show", "rm", "pull", "push", "recover"} {
		if r := cli(t, withState(t), nil, false, nil, "state", name, "--help"); r.code != 0 || !strings.Contains(r.stdout, "Examples:") {
			t.Errorf("%s: code %d\n%s", name, r.code, r.stdout)
		}
	}
}

func TestStateListAndShow(t *testing.T) {
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // parts
		not            string
	}{
		{args: `list`, stdout: "cluster.node[\"n1\"]\nnode[\"n1\"].file[\"secret\"]\nnode[\"n1\"].unit[\"kubelet\"]\n"},
		{args: `list node["n1"].unit cluster`, stdout: "cluster.node[\"n1\"]\nnode[\"n1\"].unit[\"kubelet\"]\n", not: "file"},
		{args: `list --json node["n1"].unit`, stdout: `"node[\"n1\"].unit[\"kubelet\"]"`},
		{args: `list node["n2"]`, code: 1, stderr: `node["n2"] is not in the state`},
		{args: `list node["n1"].unit["kublet"]`, code: 1, stderr: `Did you mean node["n1"].unit["kubelet"]?`},
		{args: `list nod`, code: 1, stderr: "Bad address"},
		{args: `show node["n1"].unit["kubelet"]`, stdout: "spec.unit.mode     0644"},
		{args: `show node["n1"].file["secret"]`, stdout: "(sensitive value)", not: "CANARY"},
		{args: `show --json node["n1"].file["secret"]`, stdout: `"content": "(sensitive value)"`, not: "CANARY"},
		{args: `show node["n1"]`, code: 1, stderr: "names more than one resource", not: "CANARY"},
		{args: `show node["n1"].file["x"]`, code: 1, stderr: "not in the state"},
		{args: `show`, code: 1, stderr: "takes one ADDRESS"},
	} {
		f := withState(t)
		r := cli(t, f, nil, false, nil, append([]string{"state"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(r.stderr, c.stderr) || c.not != "" && strings.Contains(r.stdout, c.not) {
			t.Errorf("%s: code %d\n%s%s", c.args, r.code, r.stdout, r.stderr)
		}
		if c.code == 0 && f.closed != 1 {
			t.Errorf("%s: the session was closed %d times", c.args, f.closed)
		}
	}
}

func TestStateRm(t *testing.T) {
	want := []addr.Address{{Host: n1}}
	for _, c := range []struct {
		name           string
		args, answer   string
		terminal       bool
		code           int
		forgets        bool
		stdout, stderr string
	}{
		{name: "asks", args: `node["n1"]`, answer: "yes", terminal: true, forgets: true, stdout: "  - the pod range of node[\"n1\"]\n\nForgot 3 resources.", stderr: "Do you want hardway to forget this?"},
		{name: "no", args: `node["n1"]`, answer: "no", terminal: true, code: 1, stdout: "  - cluster.node[\"n1\"]", stderr: "Cancelled"},
		{name: "nobody to ask", args: `node["n1"]`, code: 1, stdout: "  - cluster.node[\"n1\"]", stderr: "Give --auto-approve."},
		{name: "auto", args: `--auto-approve node["n1"]`, forgets: true, stdout: "Forgot 3 resources. The hosts were not touched."},
		{name: "unknown", args: `--auto-approve node["n2"]`, code: 1, stderr: "not in the state"},
		{name: "authority", args: `--auto-approve cluster.authority["kubernetes"]`, code: 1, stderr: "authorities and key pairs are not forgotten"},
		{name: "nothing", code: 1, stderr: "takes at least one ADDRESS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := withState(t)
			r := cli(t, f, strings.NewReader(c.answer+"\n"), c.terminal, nil, append([]string{"state", "rm"}, strings.Fields(c.args)...)...)
			if r.code != c.code || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(words(r.stderr), c.stderr) {
				t.Errorf("code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			if c.forgets != (f.forgotten != nil) || c.forgets && cmp.Diff(want, f.forgotten) != "" {
				t.Errorf("forgot %v", f.forgotten)
			}
		})
	}
}

func TestStatePullAndPush(t *testing.T) {
	if r := cli(t, withState(t), nil, false, nil, "state", "pull"); r.code != 0 || r.stdout != "stored\n" || r.stderr != "" {
		t.Errorf("pull: code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	path := filepath.Join(t.TempDir(), "x.state")
	if err := os.WriteFile(path, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want string
		forced     bool
	}{{path, "from a file", false}, {"-", "from stdin", false}, {path + " --force", "from a file", true}} {
		f := withState(t)
		r := cli(t, f, strings.NewReader("from stdin"), false, nil, append([]string{"state", "push"}, strings.Fields(c.args)...)...)
		if r.code != 0 || f.pushed != c.want || f.forced != c.forced || r.stdout != "The state was replaced: serial 7, 3 resources.\n" {
			t.Errorf("%s: code %d, pushed %q\n%s%s", c.args, r.code, f.pushed, r.stdout, r.stderr)
		}
	}
	for args, want := range map[string]string{path + ".none": "There is no file", "": "takes one FILE"} {
		if r := cli(t, withState(t), nil, false, nil, append([]string{"state", "push"}, strings.Fields(args)...)...); r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: code %d\n%s", args, r.code, r.stderr)
		}
	}
	f := withState(t)
	f.err = &state.ForeignError{What: "snapshot", Reason: "its lineage is a, this state's b"}
	if r := cli(t, f, nil, false, nil, "state", "push", path); r.code != 1 || !strings.Contains(r.stderr, "its lineage is a") {
		t.Errorf("code %d\n%s", r.code, r.stderr)
	}
}

// found is a recovery of a damaged journal, as the façade finds it.
func found(marked uint64) provision.Recovery {
	k := func(source string, serial uint64) state.Candidate {
		return state.Candidate{Source: source, Cluster: "lab", Lineage: "L", Serial: serial, Updated: clock, Run: &state.Run{Operation: "apply"}, Stored: []byte("x")}
	}
	return provision.Recovery{
		Candidates: []state.Candidate{k("hardway.state", 42), k("hardway.state.backup", 41), {Source: "hardway.state.journal", Err: errors.New("line 3 is not what hardway wrote")}},
		Choice:     state.Choice{Best: 0, Why: "it has the highest serial of the lineage L, which 2 of the 2 marked hosts carry", Lineage: "L", Highest: marked, Host: n1},
	}
}

func TestStateRecover(t *testing.T) {
	whole := found(42)
	whole.Candidates[0].Present = true
	lost := provision.Recovery{Choice: state.Choice{Best: -1}, Err: errors.New("nothing that can be used was found, neither here nor on a master")}
	unseen := found(42)
	unseen.Unreachable = map[addr.Host]string{n1: "no route\x1b to host"}
	for _, c := range []struct {
		name           string
		r              provision.Recovery
		args           string
		answer         string
		code           int
		did            []provision.RecoverOptions
		stdout, stderr []string
	}{
		{name: "asks", r: found(42), answer: "yes", did: []provision.RecoverOptions{{}},
			stdout: []string{"1 *   42", "line 3 is not what hardway wrote", "Candidate 1 is taken: it has the highest serial", "with serial 44", "kept as /srv/lab/hardway.state.aside-x"},
			stderr: []string{"Do you want candidate 1 to be the state?", "/srv/lab/hardway.state and its journal are kept", "No host is changed"}},
		{name: "no", r: found(42), answer: "no", code: 1, stderr: []string{"Cancelled"}},
		{name: "nobody to ask", r: found(42), code: 1, stderr: []string{"Give --auto-approve."}},
		{name: "auto", r: found(42), args: "--auto-approve", did: []provision.RecoverOptions{{}}, stdout: []string{"with serial 44"}},
		{name: "another one", r: found(42), args: "--source 2 --accept-older --auto-approve", did: []provision.RecoverOptions{{Source: 2, AcceptOlder: true}},
			stdout: []string{"2 *   41", "it was chosen with --source", "It is older than the hosts: its serial is 41"}},
		{name: "one that cannot be used", r: found(42), args: "--source 3 --auto-approve", code: 1, stderr: []string{"cannot be used"}},
		{name: "one that is not there", r: found(42), args: "--source 4 --auto-approve", code: 1, stderr: []string{"no candidate 4"}},
		{name: "older", r: found(50), args: "--auto-approve", code: 1, stdout: []string{"1 *   42"},
			stderr: []string{"What was found is older than what the hosts carry", `node["n1"] has serial 50`, "hardway state push FILE", "--accept-older"}},
		{name: "older, accepted", r: found(50), args: "--auto-approve --accept-older", did: []provision.RecoverOptions{{AcceptOlder: true}}, stdout: []string{"What was recorded since is lost"}},
		{name: "whole", r: whole, stdout: []string{"Nothing is wrong with the state /srv/lab/hardway.state (serial 42)."}},
		{name: "nothing left", r: lost, code: 1, stdout: []string{"Nothing was found"}, stderr: []string{"neither here nor on a master"}},
		{name: "a host is silent", r: unseen, args: "--auto-approve", did: []provision.RecoverOptions{{}}, stderr: []string{`node["n1"] was not asked what it carries: no route\x1b to host`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := withState(t)
			f.recovery = c.r
			r := cli(t, f, strings.NewReader(c.answer+"\n"), c.answer != "", nil, append([]string{"state", "recover"}, strings.Fields(c.args)...)...)
			if r.code != c.code {
				t.Errorf("code %d, want %d", r.code, c.code)
			}
			stdout, stderr := words(r.stdout), words(r.stderr)
			for _, want := range c.stdout {
				if !strings.Contains(stdout, words(want)) {
					t.Errorf("stdout lacks %q:\n%s", want, r.stdout)
				}
			}
			for _, want := range c.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
				}
			}
			if d := cmp.Diff(c.did, f.recovered); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestForceUnlock(t *testing.T) {
	f := withState(t)
	if r := cli(t, f, nil, false, nil, "force-unlock", "4711"); r.code != 0 || !strings.Contains(r.stderr, "4711") || r.stdout != "" {
		t.Errorf("code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	f.err = fmt.Errorf("unlocking: %w", &local.LockedError{Path: "/x", Age: 3 * time.Minute,
		Holder: local.LockInfo{ID: "4711", Operation: "apply", Who: "ann@laptop\x1b", PID: 99, Created: clock}})
	r := cli(t, f, nil, false, nil, "force-unlock", "4711")
	for _, want := range []string{"The lock is held by a living process", `ann@laptop\x1b`, "apply", "2026-01-02 03:04:05 UTC, 3m0s ago", "4711", "kill 99"} {
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("code %d, no %q in:\n%s", r.code, want, r.stderr)
		}
	}
	f.err = errors.New("the state /x is not locked")
	if r := cli(t, f, nil, false, nil, "force-unlock", "4711"); r.code != 1 || !strings.Contains(r.stderr, "is not locked") {
		t.Errorf("code %d\n%s", r.code, r.stderr)
	}
	if r := cli(t, f, nil, false, nil, "force-unlock"); r.code != 1 || !strings.Contains(r.stderr, "takes one ID") {
		t.Errorf("code %d\n%s", r.code, r.stderr)
	}
}
