package plan

import (
	"fmt"
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Input is everything a plan is computed from. Equal inputs give equal plans.
type Input struct {
	Tool         string
	Cluster      string
	ConfigDigest string
	Now          time.Time
	Mode         Mode
	// DestroyData lets a destruction remove etcd's data too.
	DestroyData bool
	Targets     []addr.Address
	// Replace are addresses to make anew although nothing asks for it.
	Replace []addr.Address

	Desired     resource.Set // empty when destroying
	Allocations state.Allocations
	Observed    map[addr.Host]facts.Observation
	State       state.Public
}

// Compute decides what to do. It fails only on what no plan can express.
func Compute(in Input) (*Plan, error) {
	p := &Plan{
		FormatVersion: FormatVersion, Tool: in.Tool, Created: in.Now, Mode: in.Mode, Cluster: in.Cluster,
		Lineage: in.State.Lineage, Serial: in.State.Serial, ConfigDigest: in.ConfigDigest,
		Allocations: in.Allocations, Targets: in.Targets, Complete: true,
	}
	for _, h := range sortedHosts(in.Observed) {
		if o := in.Observed[h]; !o.Reachable() {
			p.Unknown = append(p.Unknown, Unknown{Host: h, Reason: o.Err})
			p.Complete = false
		}
	}
	c := &comparison{in: &in, plan: p}
	if err := c.checkReplace(); err != nil {
		return nil, err
	}
	for _, r := range in.Desired.All() {
		c.desired(r)
	}
	for _, a := range in.State.Addresses() {
		if _, kept := in.Desired.Get(a); !kept {
			c.deletion(a, in.State.Resources[a])
		}
	}
	if in.Mode == Destroy {
		c.dropMaterial()
	}
	if err := c.target(); err != nil {
		return nil, err
	}
	rolling(p.Changes)
	var err error
	if p.Changes, err = order(p.Changes); err != nil {
		return nil, err
	}
	return p, nil
}

// comparison walks the sets and collects changes.
type comparison struct {
	in   *Input
	plan *Plan
}

// host returns the observation that speaks of a: that of its host, or, for
// objects of the cluster, of the first master whose API answered.
func (c *comparison) host(a addr.Address) (facts.Observation, bool) {
	if !a.Host.IsCluster() {
		o, ok := c.in.Observed[a.Host]
		return o, ok && o.Reachable()
	}
	var best facts.Observation
	found := false
	for _, h := range sortedHosts(c.in.Observed) {
		o := c.in.Observed[h]
		if h.Role != addr.Master || !o.Reachable() {
			continue
		}
		if !found || kubeRank(o.Kube.State) > kubeRank(best.Kube.State) {
			best, found = o, true
		}
	}
	return best, found
}

// kubeRank prefers an answer to "down", and "down" to "no cluster": one master
// with data is enough for the cluster to exist.
func kubeRank(s facts.KubeState) int {
	switch s {
	case facts.Up:
		return 4
	case facts.Forbidden:
		return 3
	case facts.Down:
		return 2
	case facts.NoCluster:
		return 1
	}
	return 0
}

func (c *comparison) desired(r resource.Resource) {
	record, owned := c.in.State.Resources[r.Addr]
	ch := Change{Addr: r.Addr, Action: NoOp, Disruption: None, DependsOn: r.DependsOn, Spec: r.Spec}
	var obs facts.Observation
	if !inState(r.Spec) {
		var ok bool
		if obs, ok = c.host(r.Addr); !ok {
			return // listed under Unknown
		}
	}
	if !c.compare(&ch, obs, record, owned) {
		return // deferred
	}
	if ch.Action == NoOp && record.Pending {
		ch.note(Update, "an earlier apply was interrupted while it changed this")
	}
	if ch.Action == NoOp && slices.ContainsFunc(c.in.Replace, func(a addr.Address) bool { return a.Covers(r.Addr) }) {
		ch.note(Replace, "replacement was asked for")
	}
	if !owned && ch.Prior == nil {
		ch.Prior = priorOf(r.Spec, obs)
	}
	c.plan.Changes = append(c.plan.Changes, ch)
}

// compare fills the change for one resource; it returns false when the answer
// must wait for a later plan.
func (c *comparison) compare(ch *Change, obs facts.Observation, record state.Record, owned bool) bool {
	switch s := ch.Spec; s.Kind() {
	case resource.KindAuthority, resource.KindKeyPair:
		c.material(ch)
	case resource.KindDirectory:
		compareDirectory(ch, s.Directory, obs)
	case resource.KindFile:
		compareFile(ch, s.File, obs, owned)
	case resource.KindBlock:
		compareBlock(ch, s.Block, obs)
	case resource.KindBinary:
		compareBinary(ch, s.Binary, obs)
	case resource.KindImage:
		compareImage(ch, s.Image, obs)
	case resource.KindCertificate:
		c.certificate(ch, s.Certificate, obs, record, owned)
	case resource.KindSysctl:
		compareSysctl(ch, s.Sysctl, obs)
	case resource.KindModule:
		compareModule(ch, s.Module, obs)
	case resource.KindSwap:
		compareSwap(ch, obs)
	case resource.KindUnit:
		compareUnit(ch, s.Unit, obs)
	case resource.KindObject:
		return c.object(ch, s.Object, obs)
	case resource.KindNode:
		return c.node(ch, s.Node, obs)
	default:
		panic(fmt.Sprintf("plan: no comparison for kind %q", s.Kind()))
	}
	return true
}

// note sets the action and the reason, the first reason winning.
func (ch *Change) note(a Action, reason string) {
	if ch.Action == NoOp {
		ch.Action = a
	}
	if ch.Reason == "" {
		ch.Reason = reason
	}
}

// deferred records that a later plan decides about the change.
func (c *comparison) deferred(ch *Change, reason string) bool {
	c.plan.Deferred = append(c.plan.Deferred, Deferred{Addr: ch.Addr, Reason: reason})
	c.plan.Complete = false
	return false
}

// inState reports whether the resource lives in the state rather than on a host.
func inState(s resource.Spec) bool { return s.Authority != nil || s.KeyPair != nil }

// checkReplace refuses to replace what only a guided procedure may touch.
func (c *comparison) checkReplace() error {
	for _, a := range c.in.Replace {
		if a.Kind == string(resource.KindAuthority) || a.Kind == string(resource.KindKeyPair) {
			return fmt.Errorf("--replace %s: an authority is trusted by running processes and cannot be swapped in one step", a)
		}
		known := false
		for _, r := range c.in.Desired.All() {
			known = known || a.Covers(r.Addr)
		}
		if !known {
			return fmt.Errorf("--replace %s: no such resource in this configuration; `hardway plan --verbose` lists them", a)
		}
	}
	return nil
}

func sortedHosts(m map[addr.Host]facts.Observation) []addr.Host {
	hosts := make([]addr.Host, 0, len(m))
	for h := range m {
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, addr.Host.Compare)
	return hosts
}
