package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/audit"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/state"
	"hardway/units"
)

// AuditOptions of an audit.
type AuditOptions struct {
	// PlanOnly audits what should be, without asking any host.
	PlanOnly bool
	Checks   []string    // as audit.Input has them
	Hosts    []addr.Host // empty: all
	OnHost   func(addr.Host, error)
}

// Audit holds the cluster against the CIS benchmark: the plan, or the hosts as
// one look at each of them shows. It reads the state without its lock, writes
// nothing, and has no connection in hand that could change a host. The plan alone
// can be audited before `hardway init` made a state.
func (s *Session) Audit(ctx context.Context, o AuditOptions) (audit.Report, error) {
	snap, err := s.load(ctx)
	switch {
	case o.PlanOnly && errors.Is(err, state.ErrNotInitialised):
		snap.Public = state.Public{Lineage: "not-initialised", Cluster: s.cfg.Name}
	case err != nil:
		return audit.Report{}, err
	}
	if err := s.sameCluster(snap.Public); err != nil {
		return audit.Report{}, err
	}
	for _, h := range o.Hosts {
		if !slices.ContainsFunc(s.cfg.Hosts, func(c config.Host) bool { return c.Addr == h }) {
			return audit.Report{}, fmt.Errorf("there is no %s in the configuration", h)
		}
	}
	in := desired.Input{Config: s.cfg, State: snap.Public}
	if in.Lock, err = s.readLock(); err != nil {
		return audit.Report{}, err
	}
	want, err := desired.Build(in)
	if err != nil {
		return audit.Report{}, err
	}
	var seen map[addr.Host]facts.Observation
	if !o.PlanOnly {
		asked := requests(s.cfg, want.Set, snap.Public, false)
		for h, q := range asked {
			if q.Argv = true; len(o.Hosts) > 0 && !slices.Contains(o.Hosts, h) {
				delete(asked, h)
				continue
			}
			asked[h] = q
		}
		seen = s.look(ctx, asked, o.OnHost)
		if err := ctx.Err(); err != nil {
			return audit.Report{}, err
		}
		in.Facts = seen
		if want, err = desired.Build(in); err != nil {
			return audit.Report{}, err
		}
	}
	return audit.Evaluate(audit.Input{
		Tool: s.opts.Version, Now: s.opts.Now().UTC(), Cluster: s.cfg.Name, Kubernetes: s.cfg.Version, Machines: auditMachines(s.cfg), Want: want.Set, Seen: seen, Checks: o.Checks, Hosts: o.Hosts,
	}), nil
}

// auditMachines are the hosts with the places of what the user set on each.
func auditMachines(cfg *config.Cluster) []audit.Machine {
	var out []audit.Machine
	for _, h := range cfg.Hosts {
		m := audit.Machine{Addr: h.Addr, Settings: map[string]audit.Settings{}}
		for name, c := range map[string]config.Component{
			units.ComponentEtcd: h.Etcd, units.ComponentAPIServer: h.APIServer, units.ComponentControllerManager: h.ControllerManager,
			units.ComponentScheduler: h.Scheduler, units.ComponentKubelet: h.Kubelet, units.ComponentKubeProxy: h.KubeProxy,
		} {
			m.Settings[name] = audit.Settings{Flags: c.FlagRanges, Fields: c.ConfigRanges}
		}
		out = append(out, m)
	}
	return out
}
