package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/audit"
	"hardway/provision/config"
	"hardway/provision/health"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// fake is a Session whose plans are given beforehand: what is tested here is
// when the command line asks, goes on, and with which code it ends.
type fake struct {
	Session // methods that a test does not expect are nil, and panic

	plans   []*plan.Plan
	planned []provision.PlanOptions
	applied []*plan.Plan
	with    []provision.ApplyOptions
	drift   *plan.Drift
	drifted []provision.DriftOptions
	report  audit.Report
	audited []provision.AuditOptions
	kept    []local.Generation
	state   state.Public
	hosts   []config.Host
	fail    error
	sick    bool
	during  func(ctx context.Context) // while applying
	closed  int
	checked int
}

func (f *fake) Config() *config.Cluster {
	return &config.Cluster{Name: "lab", Hosts: f.hosts, Outputs: []config.Output{{Name: "endpoint", Value: cty.StringVal("https://10.0.0.1:6443")}}}
}

func (f *fake) Plan(_ context.Context, o provision.PlanOptions) (*plan.Plan, error) {
	f.planned = append(f.planned, o)
	if len(f.plans) == 0 {
		return nil, errors.New("no more plans")
	}
	p := f.plans[0]
	f.plans = f.plans[1:]
	return p, nil
}

func (f *fake) Apply(ctx context.Context, p *plan.Plan, o provision.ApplyOptions) (apply.Result, error) {
	f.applied, f.with = append(f.applied, p), append(f.with, o)
	if f.during != nil {
		f.during(ctx)
	}
	r := apply.Result{Counts: p.Counts(), Elapsed: time.Second}
	o.Sink(apply.Event{Phase: apply.Finished})
	if f.fail != nil {
		r.Counts, r.Failed = plan.Counts{}, 1
	}
	return r, f.fail
}

func (f *fake) Verify(_ context.Context, o provision.VerifyOptions) (health.Report, error) {
	f.checked++
	return health.Report{Cluster: "lab", Healthy: !f.sick}, nil
}

func (f *fake) Drift(_ context.Context, o provision.DriftOptions) (*plan.Drift, error) {
	f.drifted = append(f.drifted, o)
	return f.drift, nil
}

func (f *fake) Audit(_ context.Context, o provision.AuditOptions) (audit.Report, error) {
	f.audited = append(f.audited, o)
	return f.report, nil
}

func (f *fake) Generations(context.Context) ([]local.Generation, error) { return f.kept, nil }

func (f *fake) State(context.Context) (state.Public, error) { return f.state, nil }

func (f *fake) Close() error { f.closed++; return nil }

// planOf returns a plan that creates n things; complete unless told otherwise.
func planOf(n int, complete bool) *plan.Plan {
	p := &plan.Plan{FormatVersion: plan.FormatVersion, Mode: plan.Normal, Cluster: "lab", Lineage: "4711", Complete: complete}
	for i := range n {
		p.Changes = append(p.Changes, plan.Change{Action: plan.Create, Spec: resource.Spec{Swap: &resource.Swap{Off: true}},
			Addr: addr.Address{Host: addr.Host{Role: addr.Node, Name: "n1"}, Kind: "swap", Name: string(rune('a' + i))}})
	}
	return p
}

// result is what one command line did.
type result struct {
	code           int
	stdout, stderr string
}

// cli runs a command line against a session.
func cli(t *testing.T, s Session, stdin io.Reader, terminal bool, interrupts chan os.Signal, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	r := result{}
	r.code = Run(Env{
		Args: args, Stdin: stdin, Stdout: &out, Stderr: &errs, Version: "0.0.0-test", Interrupts: interrupts,
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Terminal: func(stream any) (int, bool) {
			_, isInput := stream.(io.Writer)
			return 80, terminal && !isInput // only the input: the buffers are no terminals
		},
		Open: func(provision.Options) (Session, *config.Files, hcl.Diagnostics) { return s, nil, nil },
		Exit: func(int) {},
	})
	r.stdout, r.stderr = out.String(), errs.String()
	return r
}

// cliOpening runs a command line whose configuration is opened by open.
func cliOpening(t *testing.T, open OpenFunc, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	r := result{code: Run(Env{
		Args: args, Stdin: bytes.NewReader(nil), Stdout: &out, Stderr: &errs, Version: "0.0.0-test", Now: time.Now, Exit: func(int) {}, Open: open,
	})}
	r.stdout, r.stderr = out.String(), errs.String()
	return r
}

// noReader hides that a reader is more than a reader.
type noReader struct{ io.Reader }
