package provision

import (
	"context"
	"fmt"
	"strconv"

	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/runbook"
	"hardway/provision/state"
)

// Explain writes down how a person would make the cluster by hand, from
// nothing. It asks no host and opens no key; of the state it takes the lineage
// and which host has which range of pods, so that what comes of it is the same
// cluster.
func (s *Session) Explain(ctx context.Context) (runbook.Runbook, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return runbook.Runbook{}, err
	}
	if err := s.sameCluster(snap.Public); err != nil {
		return runbook.Runbook{}, err
	}
	in := desired.Input{Config: s.cfg, State: state.Public{
		Lineage: snap.Lineage, Cluster: snap.Cluster, Allocations: state.Allocations{Pods: snap.Allocations.Pods},
	}}
	if in.Lock, err = s.readLock(); err != nil {
		return runbook.Runbook{}, err
	}
	want, err := desired.Build(in)
	if err != nil {
		return runbook.Runbook{}, err
	}
	for _, h := range s.cfg.Hosts {
		if h.SSH.User == "" {
			return runbook.Runbook{}, fmt.Errorf("%s: %s has no user: a runbook is for machines without your ssh_config; write ssh { user = \"…\" }", h.SSH.Range, h.Addr)
		}
	}
	return runbook.Build(runbook.Input{Cluster: s.cfg.Name, Hosts: logins(s.cfg), Want: want.Set, Sources: origins(in.Lock)})
}

// logins are the hosts as a person reaches them.
func logins(cfg *config.Cluster) []runbook.Host {
	var out []runbook.Host
	for _, h := range cfg.Hosts {
		host := runbook.Host{Addr: h.Addr, User: h.SSH.User, Address: h.SSH.Host, Port: h.SSH.Port}
		for _, b := range h.SSH.Bastions {
			jump := b.Host
			if b.User != "" {
				jump = b.User + "@" + jump
			}
			if b.Port != 0 && b.Port != 22 {
				jump += ":" + strconv.Itoa(b.Port)
			}
			host.Jumps = append(host.Jumps, jump)
		}
		out = append(out, host)
	}
	return out
}

// origins are where the pinned bytes were obtained from, by digest.
func origins(lock binaries.Lock) map[string]string {
	out := map[string]string{}
	for _, p := range lock.Binaries {
		out[p.SHA256] = p.Source
	}
	for _, p := range lock.Images {
		out[p.SHA256] = p.Source
	}
	return out
}
