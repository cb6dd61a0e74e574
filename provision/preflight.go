package provision

import (
	"context"
	"errors"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/firewall"
	"hardway/provision/packages"
	"hardway/provision/plan"
	"hardway/provision/preflight"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// PreflightOptions of a preflight.
type PreflightOptions struct {
	OnHost func(addr.Host, error) // told of each connection
}

// Preflight is what was found on all hosts.
type Preflight struct {
	Findings []preflight.Finding
	Hosts    []addr.Host // those that were judged
	Unknown  []plan.Unknown
}

// Preflight reads every host once and judges all of them in full, those too that
// are part of the cluster already. It changes nothing, and needs no state.
func (s *Session) Preflight(ctx context.Context, o PreflightOptions) (Preflight, error) {
	public := state.Public{}
	snap, err := s.load(ctx)
	switch {
	case err == nil:
		public = snap.Public
	case !errors.Is(err, state.ErrNotInitialised):
		return Preflight{}, err
	}
	requests, all := map[addr.Host]facts.Request{}, map[addr.Host]bool{}
	for _, h := range s.cfg.Hosts {
		requests[h.Addr], all[h.Addr] = preflight.Ask(s.cfg, h, facts.Request{}), true
	}
	seen := s.look(ctx, requests, o.OnHost)
	if err := ctx.Err(); err != nil {
		return Preflight{}, err
	}
	out := Preflight{Findings: s.judge(public, seen, all)}
	for _, h := range s.cfg.Hosts {
		if o := seen[h.Addr]; o.Reachable() {
			out.Hosts = append(out.Hosts, h.Addr)
		} else {
			out.Unknown = append(out.Unknown, plan.Unknown{Host: h.Addr, Reason: o.Err})
		}
	}
	return out, nil
}

// judge is what is wrong with the hosts.
func (s *Session) judge(public state.Public, seen map[addr.Host]facts.Observation, who map[addr.Host]bool) []preflight.Finding {
	return preflight.Run(preflight.Input{
		Config: s.cfg, Observed: seen, Judge: who, Own: own(public), Needs: packages.Needed(desired.PackageSettings(s.cfg)),
		Rules: func(h config.Host) []firewall.Rule { return desired.FirewallRules(s.cfg, h) },
	})
}

// judged are the hosts that a plan judges in full: those on which nothing of the
// cluster has run yet. Going back and destroying judge nobody.
func (s *Session) judged(public state.Public, o PlanOptions) map[addr.Host]bool {
	out := map[addr.Host]bool{}
	if o.mode() != plan.Normal {
		return out
	}
	for _, h := range s.cfg.Hosts {
		out[h.Addr] = true
	}
	for a, r := range public.Resources {
		if r.Kind() == resource.KindUnit && !r.Applied.IsZero() {
			delete(out, a.Host)
		}
	}
	return out
}

// fit refuses to plan for hosts that are not fit, with all that was found on all
// of them; what is no error becomes a warning of the plan. With targets only the
// hosts that they name count.
func (s *Session) fit(public state.Public, o PlanOptions, judge map[addr.Host]bool, seen map[addr.Host]facts.Observation) ([]plan.Warning, error) {
	if o.mode() == plan.Destroy {
		return nil, nil
	}
	for _, h := range seen {
		if m := h.Mark; m.Lineage != "" && m.Lineage != public.Lineage {
			return nil, nil // another cluster's: the comparison says so, and that comes first
		}
	}
	var list []preflight.Finding
	for _, f := range s.judge(public, seen, judge) {
		if targeted(f.Host, o.Targets) {
			list = append(list, f)
		}
	}
	if preflight.Failed(list) {
		return nil, &preflight.FailedError{Findings: list}
	}
	var out []plan.Warning
	for _, f := range list {
		out = append(out, plan.Warning{Addr: addr.Address{Host: f.Host}, Summary: f.Found + "; " + f.Do})
	}
	return out, nil
}

func targeted(h addr.Host, targets []addr.Address) bool {
	for _, t := range targets {
		if t.Host == h {
			return true
		}
	}
	return len(targets) == 0
}

// own reports which units are hardway's, by what the state says was made.
func own(public state.Public) func(addr.Host, string) bool {
	type unit struct {
		host addr.Host
		name string
	}
	units := map[unit]bool{}
	for a, r := range public.Resources {
		if u := r.Spec.Unit; u != nil {
			units[unit{a.Host, u.Name}] = true
		}
	}
	return func(h addr.Host, name string) bool { return units[unit{h, name}] }
}
