package plan

import (
	"fmt"
	"maps"
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
	// Generation is what a rollback goes back to; Desired is that generation's.
	Generation uint64
	// Recipients are whom the configuration wants the private keys sealed for; empty
	// where it leaves that to init.
	Recipients []string
	// Retry tries again what was held back.
	Retry bool
	// Kept is what a hold of everything keeps: the generation that was gone back
	// to. Nil stands for what was applied last.
	Kept []resource.Resource

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
		Allocations: in.Allocations, Targets: in.Targets, Generation: in.Generation, Retry: in.Retry, Complete: true,
	}
	c := &comparison{in: &in, plan: p, gone: map[addr.Host]bool{}}
	if err := c.hold(); err != nil {
		return nil, err
	}
	c.unknown()
	if err := c.marks(); err != nil {
		return nil, err
	}
	if err := c.checkReplace(); err != nil {
		return nil, err
	}
	for _, r := range in.Desired.All() {
		c.desired(r)
	}
	for _, a := range in.State.Addresses() {
		if _, kept := in.Desired.Get(a); !kept && in.Mode != ReadDrift {
			c.deletion(a, in.State.Resources[a])
		}
	}
	if in.Mode == Destroy && p.Complete && len(in.Targets) == 0 { // else something stays that its keys belong to
		c.dropMaterial()
	}
	if in.Mode != ReadDrift { // which does nothing, so nothing has to wait
		c.waitForUnseen()
	}
	if err := c.target(); err != nil {
		return nil, err
	}
	if err := c.checkMembers(); err != nil {
		return nil, err
	}
	if in.Mode != ReadDrift { // what reads a file that drifted has not drifted itself
		foreignInputs(p.Changes)
	}
	c.dropIns()
	if in.Mode != ReadDrift {
		c.guardQuorum()
		p.Waves = c.waves()
	}
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

	unseen     map[addr.Host]string            // hosts of which nothing is known, and why
	api        *facts.Observation              // see host; nil until it was looked for
	apiKnown   bool                            // it is one of a master that answered
	dependents map[addr.Address][]addr.Address // see deletion; nil until it was asked for
	owners     map[place]addr.Address          // see taken; nil until it was asked for
	gone       map[addr.Host]bool              // hosts out of the configuration that were warned of
}

// host returns the observation that speaks of a: that of its host, or, for
// objects of the cluster, of the first master whose API answered.
func (c *comparison) host(a addr.Address) (facts.Observation, bool) {
	if !a.Host.IsCluster() {
		o, ok := c.in.Observed[a.Host]
		return o, ok && o.Reachable()
	}
	if c.api == nil {
		c.api = &facts.Observation{}
		for _, h := range slices.SortedFunc(maps.Keys(c.in.Observed), addr.Host.Compare) {
			o := c.in.Observed[h]
			if h.Role != addr.Master || !o.Reachable() {
				continue
			}
			if !c.apiKnown || kubeRank(o.Kube.State) > kubeRank(c.api.Kube.State) {
				*c.api, c.apiKnown = o, true
			}
		}
	}
	return *c.api, c.apiKnown
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
	if record.Removing { // an interrupted destroy may have put back what stood there before
		owned = false
	}
	ch := Change{Addr: r.Addr, Action: NoOp, Disruption: None, DependsOn: r.DependsOn, Spec: r.Spec}
	// To a host that does not answer nothing is moved either.
	if _, seen := c.host(r.Addr); owned && (seen || inState(r.Spec)) && c.moves(&ch, record) {
		record, owned = state.Record{}, false
		ch.Prior = c.back(&ch)
	}
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
	if ch.Former != nil {
		ch.note(Update, "")
		ch.Reason = "it moves here from " + ch.Former.Addr.Name
	}
	recall(&ch, record)
	if ch.Unit != nil && ch.Unit.Start == "" && record.RestartOwed && r.Spec.Unit.Running {
		ch.note(Update, "an earlier apply was interrupted before it restarted this")
		ch.Unit.Start, ch.Disruption = "restart", Restart
	}
	if ch.Action == NoOp && record.Pending {
		ch.note(Update, "an earlier apply was interrupted while it changed this")
		if u := r.Spec.Unit; u != nil && u.Oneshot { // no process shows which inputs it ran with
			ch.restart()
		}
	}
	if ch.Action == NoOp && c.replaces(r.Addr) {
		ch.note(Replace, askedFor)
		if r.Spec.Unit != nil {
			ch.restart()
		}
	}
	switch {
	case owned || ch.Prior != nil:
	case record.Removing && !replaced(r.Spec, obs, record):
		// What stands there is our own, or what was put back: the record knows both.
		prior := record.Prior
		ch.Prior = &prior
	default:
		ch.Prior = priorOf(r.Spec, obs)
	}
	c.plan.Changes = append(c.plan.Changes, ch)
}

// replaced reports whether somebody put a file of their own where an interrupted
// removal left ours, or nothing.
func replaced(s resource.Spec, obs facts.Observation, record state.Record) bool {
	if s.File == nil && s.Binary == nil && s.Unit == nil || record.Prior.Exists {
		return false
	}
	f := obs.Files[s.Path()]
	return f.Exists() && f.SHA256 != record.SHA256
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
	case resource.KindPackages:
		comparePackages(ch, s.Packages, obs)
	case resource.KindFirewall:
		compareFirewall(ch, s.Firewall, obs, record, owned)
	case resource.KindSELinux:
		compareSELinux(ch, s.SELinux, obs, record, owned)
	case resource.KindUnit:
		compareUnit(ch, s.Unit, obs, record, owned)
	case resource.KindObject:
		return c.object(ch, s.Object, obs)
	case resource.KindNode:
		return c.node(ch, s.Node, obs, record)
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

// askedFor is the reason of a replacement that only --replace asks for.
const askedFor = "replacement was asked for"

func (c *comparison) replaces(a addr.Address) bool {
	return slices.ContainsFunc(c.in.Replace, func(t addr.Address) bool { return t.Covers(a) })
}

// checkReplace refuses to replace what only a guided procedure may touch.
func (c *comparison) checkReplace() error {
	for _, a := range c.in.Replace {
		known := false
		for _, r := range c.in.Desired.All() {
			if !a.Covers(r.Addr) {
				continue
			}
			known = true
			switch s := r.Spec; {
			case inState(s):
				return fmt.Errorf("--replace %s: %s is trusted by running processes and cannot be swapped in one step", a, r.Addr)
			case s.Unit != nil && s.Unit.Stage == stageEtcd, s.Directory != nil && s.Directory.Data:
				return fmt.Errorf("--replace %s: %s belongs to a member of etcd, which is replaced by removing it and adding it anew; name other resources of the host one by one", a, r.Addr)
			}
		}
		if !known {
			return fmt.Errorf("--replace %s: no such resource in this configuration; `hardway plan --verbose` lists them", a)
		}
	}
	return nil
}
