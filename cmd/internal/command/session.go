package command

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hardway/certs"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/audit"
	"hardway/provision/config"
	"hardway/provision/health"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/runbook"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// OpenFunc loads the configuration of a directory. It asks nothing of any
// host. Without errors among the diagnostics the Session is ready; Files are
// the sources that the diagnostics quote.
type OpenFunc func(provision.Options) (Session, *config.Files, hcl.Diagnostics)

// Open is the OpenFunc of the real thing.
func Open(o provision.Options) (Session, *config.Files, hcl.Diagnostics) {
	s, files, diags := provision.Open(o)
	if s == nil {
		return nil, files, diags // and not a nil *provision.Session inside a Session
	}
	return s, files, diags
}

// Session is what commands need of provision.Session: a loaded configuration
// and everything that can be done with it.
type Session interface {
	Config() *config.Cluster
	Init(context.Context, provision.InitOptions) (provision.InitResult, error)
	Preflight(context.Context, provision.PreflightOptions) (provision.Preflight, error)
	Plan(context.Context, provision.PlanOptions) (*plan.Plan, error)
	Drift(context.Context, provision.DriftOptions) (*plan.Drift, error)
	Audit(context.Context, provision.AuditOptions) (audit.Report, error)
	Generations(context.Context) ([]local.Generation, error)
	Apply(context.Context, *plan.Plan, provision.ApplyOptions) (apply.Result, error)
	Verify(context.Context, provision.VerifyOptions) (health.Report, error)
	Resources(context.Context) (resource.Set, error)
	Render(context.Context, provision.RenderOptions) (provision.Rendered, error)
	Explain(context.Context) (runbook.Runbook, error)
	Certificates(context.Context) ([]provision.Certificate, error)
	PlanRenewal(ctx context.Context, names []string) (*plan.Plan, error)
	ProveRenewal(ctx context.Context, p *plan.Plan, within time.Duration) ([]provision.Proof, error)
	Kubeconfig(ctx context.Context, user string) (certs.Secret, time.Time, error)
	State(context.Context) (state.Public, error)
	ForgetResources(context.Context, []addr.Address) ([]addr.Address, error)
	PullState(context.Context) ([]byte, error)
	PushState(ctx context.Context, stored []byte, force bool) (state.Public, error)
	HostKeys(ctx context.Context, hosts []string) ([]provision.HostKeys, error)
	Trust(context.Context, []provision.HostKeys) error
	ForceUnlock(ctx context.Context, id string) error
	RecoveryCandidates(ctx context.Context, onHost func(addr.Host, error)) (provision.Recovery, error)
	Recover(context.Context, provision.Recovery, provision.RecoverOptions) (provision.Recovered, error)
	Close() error
}
