// Package graph makes a picture's worth of a cluster's resources: nodes, the
// boxes they stand in, and what needs what.
//
// It is pure, and one way: resources or the changes of a plan go in, a Graph
// comes out, in the same order for the same input. It decides what is drawn
// together so that a person can read it. It must never know in which language a
// graph is written down (that is package view's), a host or a configuration.
package graph

import (
	"cmp"
	"maps"
	"slices"

	"hardway/provision/addr"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// By says what the boxes are.
type By string

// The ways to draw. ByHost has a box for each host; ByResource draws what is
// the same on several hosts once, with the number of hosts.
const (
	ByHost     By = "host"
	ByResource By = "resource"
)

// Options choose what is drawn.
type Options struct {
	By By
	// All draws every resource. Without it, what is of one kind on one host is
	// one node, but for units, each of which is one; directories are left out,
	// and so are dependencies that follow from others.
	All bool
	// Hosts leaves out all others, but for the cluster; empty: none.
	Hosts []addr.Host
}

// Graph is what is drawn.
type Graph struct {
	Boxes []Box
	// Edges are sorted; From needs To.
	Edges []Edge
	// Planned: the nodes carry actions.
	Planned bool
}

// Box is a box with nodes.
type Box struct {
	Label string // the host, the kind; empty: the nodes stand without a box
	Nodes []Node
}

// Node is one resource, or several that are drawn as one.
type Node struct {
	ID    string // unique in the graph; the address where it is one resource
	Label string
	Kind  resource.Kind // of all its resources
	// Count is the number of resources, and Hosts that of the hosts they are on.
	Count, Hosts int
	// Action is the weightiest of its resources' actions, with a plan.
	Action plan.Action
	// Actions counts the resources by action, with a plan.
	Actions map[plan.Action]int
}

// Edge says that From needs To; both are IDs.
type Edge struct{ From, To string }

// Item is a resource with what it needs.
type Item struct {
	Addr      addr.Address
	DependsOn []addr.Address
	Action    plan.Action // empty without a plan
}

// OfSet lists the resources of a configuration.
func OfSet(set resource.Set) []Item {
	items := make([]Item, 0, len(set.All()))
	for _, r := range set.All() {
		items = append(items, Item{Addr: r.Addr, DependsOn: r.DependsOn})
	}
	return items
}

// OfPlan lists the changes of a plan, those of unchanged resources too.
func OfPlan(p *plan.Plan) []Item {
	items := make([]Item, 0, len(p.Changes))
	for _, c := range p.Changes {
		items = append(items, Item{Addr: c.Addr, DependsOn: c.DependsOn, Action: c.Action})
	}
	return items
}

// New draws items.
func New(items []Item, o Options) Graph {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b Item) int { return a.Addr.Compare(b.Addr) })
	d := drawing{o: o, nodes: map[string]*node{}, at: map[addr.Address]string{}, needs: map[addr.Address][]addr.Address{}}
	for _, it := range items {
		d.add(it)
	}
	edges := d.edges(items)
	if !o.All {
		edges = reduce(edges)
	}
	return Graph{Boxes: d.boxes(), Edges: edges, Planned: slices.ContainsFunc(items, func(it Item) bool { return it.Action != "" })}
}

// node collects the resources of one Node.
type node struct {
	Node
	box   box
	hosts map[addr.Host]bool
}

// box is where a node stands; boxes are in order of host, then of rank.
type box struct {
	host  addr.Host
	rank  int
	label string
}

type drawing struct {
	o     Options
	nodes map[string]*node
	at    map[addr.Address]string // the node of a resource; none for what is not drawn
	needs map[addr.Address][]addr.Address
}

func (d *drawing) add(it Item) {
	a := it.Addr
	d.needs[a] = it.DependsOn
	if len(d.o.Hosts) > 0 && !a.Host.IsCluster() && !slices.ContainsFunc(d.o.Hosts, func(h addr.Host) bool { return h.Compare(a.Host) == 0 }) {
		d.needs[a] = nil // neither drawn nor a way to what is
		return
	}
	id, label, at := d.place(a)
	if id == "" {
		return
	}
	n := d.nodes[id]
	if n == nil {
		n = &node{Node: Node{ID: id, Label: label, Kind: resource.Kind(a.Kind), Actions: map[plan.Action]int{}}, box: at, hosts: map[addr.Host]bool{}}
		d.nodes[id] = n
	}
	n.Count++
	n.hosts[a.Host] = true
	n.Hosts = len(n.hosts)
	if it.Action != "" {
		n.Actions[it.Action]++
		if n.Action == "" || weight(it.Action) > weight(n.Action) {
			n.Action = it.Action
		}
	}
	d.at[a] = id
}

// weight orders actions by what a reader should not overlook.
func weight(a plan.Action) int {
	return slices.Index([]plan.Action{plan.NoOp, plan.Read, plan.Forget, plan.Create, plan.Update, plan.Replace, plan.Delete}, a)
}

// edges finds, for each node, the nearest nodes that it needs: what is not
// drawn is looked through.
func (d *drawing) edges(items []Item) []Edge {
	found := map[Edge]bool{}
	for _, it := range items {
		from, ok := d.at[it.Addr]
		if !ok {
			continue
		}
		seen := map[addr.Address]bool{}
		for queue := slices.Clone(it.DependsOn); len(queue) > 0; queue = queue[1:] {
			if seen[queue[0]] {
				continue
			}
			seen[queue[0]] = true
			if to, drawn := d.at[queue[0]]; !drawn {
				queue = append(queue, d.needs[queue[0]]...)
			} else if to != from {
				found[Edge{from, to}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
}

// boxes puts the nodes into their boxes, both in order.
func (d *drawing) boxes() []Box {
	list := slices.SortedFunc(maps.Values(d.nodes), func(a, b *node) int {
		return cmp.Or(a.box.host.Compare(b.box.host), a.box.rank-b.box.rank, groupOf(a.Kind).rank-groupOf(b.Kind).rank, cmp.Compare(a.ID, b.ID))
	})
	var out []Box
	for i, n := range list {
		if i == 0 || list[i-1].box != n.box {
			out = append(out, Box{Label: n.box.label})
		}
		last := &out[len(out)-1]
		last.Nodes = append(last.Nodes, n.Node)
	}
	return out
}
