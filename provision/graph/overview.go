package graph

import (
	"slices"
	"strconv"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// group is how resources of a kind are drawn together.
type group struct {
	rank int // order of making, and of drawing
	name string
	// single kinds have a node for each resource, hidden ones none at all.
	single, hidden bool
}

// groupOf is the table of the kinds.
func groupOf(k resource.Kind) group {
	switch k {
	case resource.KindAuthority, resource.KindKeyPair:
		return group{rank: 0, name: "authorities"}
	case resource.KindSwap, resource.KindModule, resource.KindSysctl:
		return group{rank: 1, name: "kernel"}
	case resource.KindDirectory:
		return group{rank: 2, name: "directories", hidden: true}
	case resource.KindBinary:
		return group{rank: 3, name: "binaries"}
	case resource.KindImage:
		return group{rank: 4, name: "images"}
	case resource.KindCertificate:
		return group{rank: 5, name: "certificates"}
	case resource.KindFile, resource.KindBlock:
		return group{rank: 6, name: "files"}
	case resource.KindUnit:
		return group{rank: 7, name: "units", single: true}
	case resource.KindObject:
		return group{rank: 8, name: "objects"}
	case resource.KindNode:
		return group{rank: 9, name: "nodes"}
	}
	return group{rank: 10, name: string(k)}
}

// place says as which node a resource is drawn, and in which box. There is no
// ID for what is not drawn.
func (d *drawing) place(a addr.Address) (id, label string, at box) {
	g := groupOf(resource.Kind(a.Kind))
	separate := d.o.All || g.single
	switch {
	case !d.o.All && g.hidden:
		return "", "", box{}
	case d.o.By == ByResource && separate:
		return a.Kind + "[" + strconv.Quote(a.Name) + "]", name(a, d.o.All), box{rank: g.rank, label: g.name}
	case d.o.By == ByResource:
		return g.name, g.name, box{rank: g.rank}
	case separate:
		return a.String(), name(a, d.o.All), box{host: a.Host, label: a.Host.String()}
	}
	return a.Host.String() + "." + g.name, g.name, box{host: a.Host, label: a.Host.String()}
}

// name is what stands in a node of one resource.
func name(a addr.Address, all bool) string {
	if !all {
		return a.Name
	}
	return a.Kind + " " + a.Name
}

// reduce removes every edge that says no more than a way over others does. With
// a cycle, which drawing together can make, what can be reached stays the same.
func reduce(edges []Edge) []Edge {
	next := map[string][]string{}
	for _, e := range edges {
		next[e.From] = append(next[e.From], e.To)
	}
	var kept []Edge
	for _, e := range edges {
		if reaches(next, e) {
			next[e.From] = slices.DeleteFunc(next[e.From], func(to string) bool { return to == e.To })
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// reaches reports whether there is a way from one end of an edge to the other
// that does not begin with the edge itself.
func reaches(next map[string][]string, e Edge) bool {
	seen := map[string]bool{e.From: true, e.To: true}
	for stack := []string{e.From}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, to := range next[at] {
			if to == e.To && at != e.From {
				return true
			}
			if !seen[to] {
				seen[to] = true
				stack = append(stack, to)
			}
		}
	}
	return false
}
