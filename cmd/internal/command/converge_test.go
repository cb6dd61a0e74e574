package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/config"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/state"
)

func unseenPlan(n int) *plan.Plan {
	p := planOf(n, false)
	p.Unknown = []plan.Unknown{{Host: addr.Host{Role: addr.Node, Name: "n2"}, Reason: "i/o timeout"}}
	return p
}

func deferredPlan(n int) *plan.Plan {
	p := planOf(n, false)
	p.Deferred = []plan.Deferred{{Addr: addr.Address{Kind: "object", Name: "x"}, Reason: "the API server does not answer"}}
	return p
}

func TestPlanExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		p    *plan.Plan
		args []string
		code int
		want string
	}{
		"no changes":           {planOf(0, true), nil, 0, "No changes. Your cluster matches the configuration."},
		"no changes, detailed": {planOf(0, true), []string{"-detailed-exitcode"}, 0, "No changes."},
		"changes":              {planOf(2, true), nil, 0, "Plan: 2 to add, 0 to change, 0 to destroy."},
		"changes, detailed":    {planOf(2, true), []string{"-detailed-exitcode"}, 2, "Plan: 2 to add"},
		"unseen":               {unseenPlan(0), nil, 1, "Nothing to change in what could be seen"},
		"unseen, changes":      {unseenPlan(1), []string{"--detailed-exitcode"}, 1, "Plan: 1 to add"},
		"deferred":             {deferredPlan(0), nil, 1, "Nothing to change in what could be seen"},
		"deferred, changes":    {deferredPlan(1), []string{"--detailed-exitcode"}, 2, "Plan: 1 to add"},
		"json":                 {planOf(1, true), []string{"-json"}, 0, `"action": "create"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{plans: []*plan.Plan{c.p}}
			r := cli(t, f, nil, false, nil, append([]string{"plan"}, c.args...)...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d; stderr:\n%s", r.code, c.code, r.stderr)
			}
			if !strings.Contains(r.stdout, c.want) {
				t.Errorf("stdout lacks %q:\n%s", c.want, r.stdout)
			}
			if f.closed != 1 {
				t.Errorf("the session was closed %d times", f.closed)
			}
		})
	}
}

func TestPlanPassesOptions(t *testing.T) {
	f := &fake{plans: []*plan.Plan{planOf(0, true)}}
	cli(t, f, nil, false, nil, "plan", `-target=node["n1"]`, `-target`, `master["m1"].unit["etcd"]`, `-replace=node["n1"].cert["kubelet-server"]`)
	o := f.planned[0]
	if len(o.Targets) != 2 || o.Targets[1].Name != "etcd" || len(o.Replace) != 1 || o.Destroy {
		t.Errorf("options %+v", o)
	}
	for _, args := range [][]string{
		{"plan", "-target=nod"}, {"plan", "-destroy", `-replace=node["n1"]`}, {"plan", "-parallelism=0"}, {"plan", "-destroy-data"},
		{"plan", "-lock-timeout=-1s"}, {"plan", "extra"}, {"plan", "-log-level=loud"}, {"plan", "-var=x"},
	} {
		r := cli(t, &fake{}, nil, false, nil, args...)
		if r.code != ExitError || !strings.HasPrefix(r.stderr, "Error: ") || r.stdout != "" {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, r.code, r.stdout, r.stderr)
		}
	}
}

func TestSavedPlan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab plan")
	r := cli(t, &fake{plans: []*plan.Plan{planOf(2, true)}}, nil, false, nil, "plan", "-out", path)
	if r.code != 0 || !strings.Contains(r.stderr, "hardway apply "+quoted(path)) {
		t.Fatalf("code %d, stderr:\n%s", r.code, r.stderr)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	r = cli(t, nil, nil, false, nil, "show", path)
	if r.code != 0 || !strings.Contains(r.stdout, "Plan: 2 to add") {
		t.Errorf("show: code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	f := &fake{}
	r = cli(t, f, nil, false, nil, "apply", path) // nobody is asked
	if r.code != 0 || len(f.applied) != 1 || len(f.planned) != 0 || f.checked != 1 || !strings.Contains(r.stdout, "Apply complete! Resources: 2 added") {
		t.Errorf("apply: code %d, applied %d, planned %d\n%s%s", r.code, len(f.applied), len(f.planned), r.stdout, r.stderr)
	}
	if r = cli(t, f, nil, false, nil, "apply", "-destroy", path); r.code != 1 || !strings.Contains(r.stderr, "cannot be given with a saved plan") {
		t.Errorf("apply -destroy: code %d\n%s", r.code, r.stderr)
	}
	if !f.with[0].Saved {
		t.Error("the hosts are not read again before a saved plan is applied")
	}
}

func TestSavedPlanLeavesUnseenHostsOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.plan")
	if err := writePlan(path, unseenPlan(1)); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	r := cli(t, f, nil, false, nil, "apply", path)
	if r.code != 1 || len(f.applied) != 1 || f.checked != 0 {
		t.Errorf("code %d, applied %d, verified %d", r.code, len(f.applied), f.checked)
	}
	wants(t, r, "1 host could not be read; what does not depend on it is done, the rest waits.", `node["n2"]: i/o timeout`,
		`When it answers again, run "hardway apply"`, "Apply incomplete. Resources: 1 added, 0 changed, 0 destroyed; 1 host left out.")
}

func TestReadPlanRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, text := range map[string]string{"no JSON": "x", "other JSON": "{}", "cut": `{"format_version":"1.0"`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := cli(t, &fake{}, nil, false, nil, "apply", path)
		if r.code != 1 || !strings.Contains(r.stderr, "is no plan, or it is damaged") || !strings.Contains(r.stderr, "hardway plan --out") {
			t.Errorf("%s: code %d\n%s", path, r.code, r.stderr)
		}
	}
	if _, err := readPlan("nix"); err == nil || !strings.Contains(err.Error(), "There is no plan file") {
		t.Errorf("%v", err)
	}
}

// What is printed as JSON is the document that is saved.
func TestPlanJSONIsTheSavedPlan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.plan")
	r := cli(t, &fake{plans: []*plan.Plan{planOf(2, true)}}, nil, false, nil, "plan", "-json", "-out", path)
	saved, err := os.ReadFile(path)
	if err != nil || r.stdout != string(saved) {
		t.Errorf("%v: stdout\n%s\nthe file\n%s", err, r.stdout, saved)
	}
	if shown := cli(t, nil, nil, false, nil, "show", "-json", path); shown.stdout != string(saved) {
		t.Errorf("show --json:\n%s", shown.stdout)
	}
}

func TestApplyAsks(t *testing.T) {
	for name, c := range map[string]struct {
		answer   string
		terminal bool
		args     []string
		applied  int
		code     int
		want     string
	}{
		"yes":           {"yes\n", true, nil, 1, 0, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed."},
		"no":            {"no\n", true, nil, 0, 1, "Cancelled"},
		"y":             {"y\n", true, nil, 0, 1, "Cancelled"},
		"Yes":           {"Yes\n", true, nil, 0, 1, "Cancelled"},
		"end of input":  {"", true, nil, 0, 1, "Cancelled"},
		"no terminal":   {"yes\n", false, nil, 0, 1, "Nobody can be asked for approval"},
		"no input":      {"yes\n", true, []string{"-input=false"}, 0, 1, "Nobody can be asked for approval"},
		"approved":      {"", false, []string{"-auto-approve"}, 1, 0, "Apply complete!"},
		"json unasked":  {"yes\n", true, []string{"-json"}, 0, 1, "--json needs --auto-approve"},
		"json approved": {"", false, []string{"-json", "-auto-approve"}, 1, 0, `"type":"change_summary"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{plans: []*plan.Plan{planOf(2, true)}}
			r := cli(t, f, noReader{strings.NewReader(c.answer)}, c.terminal, nil, append([]string{"apply"}, c.args...)...)
			if r.code != c.code || len(f.applied) != c.applied {
				t.Errorf("code %d, want %d; applied %d, want %d", r.code, c.code, len(f.applied), c.applied)
			}
			if !strings.Contains(r.stdout+r.stderr, c.want) {
				t.Errorf("%q is missing in:\n%s%s", c.want, r.stdout, r.stderr)
			}
		})
	}
}

func TestApplyGoesOnUntilComplete(t *testing.T) {
	f := &fake{plans: []*plan.Plan{deferredPlan(2), deferredPlan(1), planOf(1, true)}}
	r := cli(t, f, nil, false, nil, "apply", "-auto-approve")
	if r.code != 0 || len(f.applied) != 3 || f.checked != 1 {
		t.Errorf("code %d, applied %d, verified %d", r.code, len(f.applied), f.checked)
	}
	for _, want := range []string{"Step 3:", "Apply complete! Resources: 4 added", `endpoint = "https://10.0.0.1:6443"`, `Cluster "lab" is healthy`} {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%q is missing in:\n%s%s", want, r.stdout, r.stderr)
		}
	}

	f = &fake{plans: []*plan.Plan{deferredPlan(1), deferredPlan(0)}}
	if r := cli(t, f, nil, false, nil, "apply", "-auto-approve"); r.code != 1 || len(f.applied) != 1 ||
		!strings.Contains(r.stderr, "is not all that the configuration says") || !strings.Contains(r.stdout, "; 1 resource undecided.") {
		t.Errorf("without progress: code %d, applied %d\n%s", r.code, len(f.applied), r.stderr)
	}

	f = &fake{}
	for range maxSteps + 3 {
		f.plans = append(f.plans, deferredPlan(1))
	}
	if r := cli(t, f, nil, false, nil, "apply", "-auto-approve"); r.code != 1 || len(f.applied) != maxSteps {
		t.Errorf("without end: code %d, applied %d", r.code, len(f.applied))
	}
}

func TestApplyWithoutChanges(t *testing.T) {
	f := &fake{plans: []*plan.Plan{planOf(0, true)}}
	r := cli(t, f, nil, false, nil, "apply") // nothing to approve, so nobody is asked
	if r.code != 0 || len(f.applied) != 0 || f.checked != 0 || !strings.Contains(r.stdout, "No changes.") ||
		!strings.Contains(r.stdout, "Apply complete! Resources: 0 added, 0 changed, 0 destroyed.") {
		t.Errorf("code %d, applied %d, verified %d\n%s%s", r.code, len(f.applied), f.checked, r.stdout, r.stderr)
	}
}

func TestApplyTellsFailures(t *testing.T) {
	f := &fake{plans: []*plan.Plan{planOf(2, true)}, fail: &apply.IncompleteError{Skipped: 3, Errs: []error{
		errors.New(`node["n1"].swap["a"]: exit status 1`), fmt.Errorf(`node["n1"].file["b"]: %w`, &host.ChangedError{Path: "/etc/x", Want: "aaaaaaaaaaaaaaa", Got: "bbbbbbbbbbbbbb"}),
	}}}
	r := cli(t, f, nil, false, nil, "apply", "-auto-approve")
	if r.code != 1 || f.checked != 0 {
		t.Errorf("code %d, verified %d", r.code, f.checked)
	}
	for _, want := range []string{`Error: node["n1"].swap["a"]: exit status 1`, "A host is no longer what the plan read of it", "/etc/x changed",
		"3 changes that depend on what failed were skipped", "goes on from here"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is missing in:\n%s", want, r.stderr)
		}
	}
	if !strings.Contains(r.stdout, "Apply incomplete") {
		t.Errorf("stdout:\n%s", r.stdout)
	}
}

func TestApplyUnhealthyIsAnError(t *testing.T) {
	f := &fake{plans: []*plan.Plan{planOf(1, true)}, sick: true}
	if r := cli(t, f, nil, false, nil, "apply", "-auto-approve"); r.code != 1 || !strings.Contains(r.stdout, "endpoint = ") {
		t.Errorf("code %d\n%s", r.code, r.stdout)
	}
	f = &fake{plans: []*plan.Plan{planOf(1, true)}, sick: true}
	if r := cli(t, f, nil, false, nil, "apply", "-auto-approve", "-verify=false"); r.code != 0 || f.checked != 0 {
		t.Errorf("code %d, verified %d", r.code, f.checked)
	}
}

func TestDestroy(t *testing.T) {
	p := planOf(2, true)
	p.Mode = plan.Destroy
	for i := range p.Changes {
		p.Changes[i].Action = plan.Delete
	}
	f := &fake{plans: []*plan.Plan{p}}
	r := cli(t, f, noReader{strings.NewReader("yes\n")}, true, nil, "destroy", "-destroy-data")
	if r.code != 0 || f.checked != 0 || !f.planned[0].Destroy || !f.planned[0].DestroyData {
		t.Errorf("code %d, verified %d, options %+v\n%s", r.code, f.checked, f.planned, r.stderr)
	}
	for _, want := range []string{"Destroy complete! Resources: 2 destroyed.", "There is no undo."} {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%q is missing in:\n%s%s", want, r.stdout, r.stderr)
		}
	}
	if strings.Contains(r.stdout, "endpoint") {
		t.Error("outputs of a cluster that is gone")
	}
}

// The first Ctrl-C ends the context and says so; apply finishes what is under way.
func TestInterrupt(t *testing.T) {
	interrupts := make(chan os.Signal, 1)
	f := &fake{plans: []*plan.Plan{planOf(1, true)}, fail: &apply.IncompleteError{Skipped: 4}}
	f.during = func(ctx context.Context) {
		interrupts <- os.Interrupt
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
			t.Error("the context does not end")
		}
	}
	r := cli(t, f, nil, false, interrupts, "apply", "-auto-approve")
	if r.code != 1 {
		t.Errorf("code %d", r.code)
	}
	for _, want := range []string{"Interrupt received. Finishing the operations under way", "Error: Interrupted", "4 changes were not started", "goes on from here"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is missing in:\n%s", want, r.stderr)
		}
	}
}

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"not initialised": {fmt.Errorf("x: %w", state.ErrNotInitialised), []string{"There is no state yet", `Run "hardway init".`}},
		"host locked":     {fmt.Errorf(`node["n1"]: %w`, &host.LockedError{Holder: "alice"}), []string{"A host is locked", "alice", "then run the command again"}},
		"interrupted":     {fmt.Errorf("planning: %w", context.Canceled), []string{"Error: Interrupted"}},
		"several":         {errors.Join(errors.New("one"), state.ErrNotInitialised), []string{"Error: One", "There is no state yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{err: c.err}
			r := cli(t, f, nil, false, nil, "plan")
			if r.code != 1 {
				t.Errorf("code %d", r.code)
			}
			for _, want := range c.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q is missing in:\n%s", want, r.stderr)
				}
			}
		})
	}
}

// failing is a Session that cannot plan.
type failing struct {
	fake
	err error
}

func (f *failing) Plan(context.Context, provision.PlanOptions) (*plan.Plan, error) { return nil, f.err }

// With --json stdout has nothing but JSON lines, whatever else is said.
func TestApplyJSON(t *testing.T) {
	f := &fake{plans: []*plan.Plan{planOf(2, true)}, sick: true}
	r := cli(t, f, nil, false, nil, "apply", "-json", "-auto-approve")
	if r.code != 1 || f.checked != 1 || !strings.Contains(r.stderr, "is not healthy") {
		t.Errorf("code %d, verified %d\n%s", r.code, f.checked, r.stderr)
	}
	var types []string
	for line := range strings.Lines(r.stdout) {
		var m struct{ Type string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		types = append(types, m.Type)
	}
	if diff := cmp.Diff([]string{"version", "planned_change", "planned_change", "change_summary", "change_summary", "outputs"}, types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	f = &fake{plans: []*plan.Plan{planOf(1, true)}, fail: errors.New("no space left on device")}
	if r = cli(t, f, nil, false, nil, "apply", "-json", "-auto-approve"); !strings.Contains(r.stdout, `"type":"diagnostic"`) || !strings.Contains(r.stdout, "No space left") {
		t.Errorf("the failure is not among the events:\n%s", r.stdout)
	}
}

// terminalBuffer is a stderr that says it is a terminal, and may be written to
// from several places as one may.
type terminalBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *terminalBuffer) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *terminalBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// On a terminal the "^C" that it shows is taken away before bars are drawn anew.
func TestInterruptOnATerminal(t *testing.T) {
	interrupts := make(chan os.Signal, 1)
	var errs terminalBuffer
	var out strings.Builder
	f := &fake{plans: []*plan.Plan{planOf(1, true)}, fail: &apply.IncompleteError{Skipped: 4}}
	f.during = func(ctx context.Context) {
		before := errs.String()
		interrupts <- os.Interrupt
		<-ctx.Done()
		if said := strings.TrimPrefix(errs.String(), before); said != "\r\x1b[K" {
			t.Errorf("past the bars %q was written", said)
		}
	}
	code := Run(Env{
		Args: []string{"apply", "-auto-approve"}, Stdout: &out, Stderr: &errs, Interrupts: interrupts, Now: time.Now, Exit: func(int) {},
		Terminal: func(stream any) (int, bool) { return 80, stream == any(&errs) },
		Open:     func(provision.Options) (Session, *config.Files, hcl.Diagnostics) { return f, nil, nil },
	})
	if code != 1 {
		t.Errorf("code %d", code)
	}
}
