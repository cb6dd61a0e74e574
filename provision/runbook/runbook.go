// Package runbook turns the resources that should be into what a person would
// type to make them: steps in an order that apply could take, each with a
// reason, the place where it is done, and shell commands.
//
// It is pure. It knows commands of openssl, tar, ssh, systemctl and kubectl. It
// must never know HCL, a state, a host's connection or how a text is laid out;
// and it never sees a key: the commands themselves make all of them.
package runbook

import (
	"fmt"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Input is everything that a runbook depends on.
type Input struct {
	Cluster string // the cluster's name
	Hosts   []Host // in the order in which the configuration has them
	Want    resource.Set
	// Sources say where the bytes with a SHA-256 were obtained from: a URL or an
	// absolute path; a member of an archive stands behind "!".
	Sources map[string]string
}

// Host says how a person reaches a host.
type Host struct {
	Addr    addr.Host
	User    string   // of the SSH login
	Address string   // name or address to connect to
	Port    int      // of sshd
	Jumps   []string // [USER@]HOST[:PORT] of the hosts on the way, in order
}

// Runbook is the whole run.
type Runbook struct {
	Cluster string
	Hosts   []Host
	Steps   []Step
}

// Step is one thing to do, in one or several places.
type Step struct {
	Number int // from 1, in the whole run
	Title  string
	Why    string   // one or two sentences
	Links  []string // upstream's own words on it
	Blocks []Block  // in order
	// Host is the host that the step is for; the cluster, for what is made once.
	Host addr.Host
	// Resources are those that the step makes.
	Resources []addr.Address
}

// Block is a piece of POSIX shell that one person runs in one place. It needs
// nothing of the blocks before it but the files that they left.
type Block struct {
	// Where is a host, on which the block runs as root; the cluster stands for
	// the workstation, where it needs no right at all.
	Where addr.Host
	Shell string // ends in a newline
}

// OnWorkstation reports whether the block runs where no host is.
func (b Block) OnWorkstation() bool { return b.Where.IsCluster() }

// Place is the block's place in one word: the host's name, or "workstation".
func (b Block) Place() string {
	if b.OnWorkstation() {
		return Workstation
	}
	return b.Where.Name
}

// Workstation is the place that is no host.
const Workstation = "workstation"

// Build writes the runbook of a cluster that does not exist yet.
func Build(in Input) (Runbook, error) {
	w := &writer{in: in, hosts: map[addr.Host]Host{}, dir: `"$HOME/hardway-` + plainName(in.Cluster) + `"`}
	for _, h := range in.Hosts {
		w.hosts[h.Addr] = h
	}
	for _, r := range in.Want.All() {
		if !r.Addr.Host.IsCluster() && w.hosts[r.Addr.Host].Addr != r.Addr.Host {
			return Runbook{}, fmt.Errorf("writing the runbook: %s is on a host that is not among those given", r.Addr)
		}
		if r.Spec.Unit != nil && r.Spec.Unit.Stage == stageEtcd {
			w.members++
		}
	}
	groups, err := order(in)
	if err != nil {
		return Runbook{}, fmt.Errorf("writing the runbook: %w", err)
	}
	w.preparations()
	for _, g := range groups {
		if err := w.group(g); err != nil {
			return Runbook{}, fmt.Errorf("writing the runbook: %w", err)
		}
	}
	for i := range w.steps {
		w.steps[i].Number = i + 1
	}
	return Runbook{Cluster: in.Cluster, Hosts: in.Hosts, Steps: w.steps}, nil
}

// For narrows a runbook to what is done on one host and what has to be done on
// the workstation for it. The numbers stay those of the whole run.
func (r Runbook) For(h addr.Host) Runbook {
	out := Runbook{Cluster: r.Cluster, Steps: slices.DeleteFunc(slices.Clone(r.Steps), func(s Step) bool {
		if s.Host == h {
			return false
		}
		if !s.Host.IsCluster() {
			return true
		}
		// What is made once belongs to everybody, unless it is done on another host.
		return slices.ContainsFunc(s.Blocks, func(b Block) bool { return !b.OnWorkstation() && b.Where != h })
	})}
	out.Hosts = slices.DeleteFunc(slices.Clone(r.Hosts), func(o Host) bool { return o.Addr != h })
	return out
}

// writer collects steps.
type writer struct {
	in      Input
	hosts   map[addr.Host]Host
	dir     string // the workstation's directory, as a word of shell
	members int    // of etcd
	steps   []Step
}

// group writes the step, or steps, of resources that are made together.
func (w *writer) group(g group) error {
	switch g.topic.kind {
	case topicAuthorities:
		return w.authorities(g)
	case topicMachine:
		w.machine(g)
	case topicDirectories:
		w.directories(g)
	case topicBinaries:
		return w.binaries(g)
	case topicCertificates:
		return w.certificates(g)
	case topicUnit:
		w.unit(g)
	case topicImages:
		return w.images(g)
	case topicObjects:
		return w.objects(g)
	case topicNode:
		w.node(g)
	}
	return nil
}

// step adds a step about a group.
func (w *writer) step(g group, title string, why reason, blocks ...Block) {
	s := Step{Title: title, Why: why.text, Links: why.links, Host: g.topic.host, Blocks: blocks}
	for _, r := range g.resources {
		s.Resources = append(s.Resources, r.Addr)
	}
	w.steps = append(w.steps, s)
}
