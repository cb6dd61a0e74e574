package runbook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// The kinds of topics, in the order in which they are taken when several could
// come next.
const (
	topicAuthorities = iota
	topicMachine
	topicDirectories
	topicBinaries
	topicCertificates
	topicUnit
	topicImages
	topicObjects
	topicNode
)

// stageEtcd is the stage of etcd's units, as package units names it.
const stageEtcd = "etcd"

// topic is what one step is about. Resources of one topic are made together
// where what they need is there.
type topic struct {
	kind int
	rank int // among topics of one kind: that of the component
	host addr.Host
	name string // of the component
}

// group is resources of one topic, each behind what it depends on.
type group struct {
	topic     topic
	resources []resource.Resource
}

// order puts every resource behind what it depends on, and otherwise in the
// order of a hand-made cluster: component by component through all hosts, since
// that is how they find each other running.
func order(in Input) ([]group, error) {
	all := in.Want.All()
	topics, err := topicsOf(in)
	if err != nil {
		return nil, err
	}
	index := make(map[addr.Address]int, len(all))
	for i, r := range all {
		index[r.Addr] = i
	}
	waiting := make([]int, len(all))
	dependents := make([][]int, len(all))
	var ready []int
	for i, r := range all {
		waiting[i] = len(r.DependsOn)
		for _, d := range r.DependsOn {
			dependents[index[d]] = append(dependents[index[d]], i)
		}
		if waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	position := map[addr.Host]int{}
	for i, h := range in.Hosts {
		position[h.Addr] = i
	}
	compare := func(a, b int) int {
		s, t := topics[a], topics[b]
		return cmp.Or(cmp.Compare(rankOf(s), rankOf(t)), cmp.Compare(s.rank, t.rank), cmp.Compare(position[s.host], position[t.host]),
			strings.Compare(s.name, t.name), cmp.Compare(within(all[a].Spec), within(all[b].Spec)), all[a].Addr.Compare(all[b].Addr))
	}
	var out []group
	done := 0
	for len(ready) > 0 {
		next := slices.MinFunc(ready, compare)
		if n := len(out); n > 0 { // go on with what was begun, where it can go on
			for _, i := range ready {
				if topics[i] == out[n-1].topic && (topics[next] != out[n-1].topic || compare(i, next) < 0) {
					next = i
				}
			}
		}
		if n := len(out); n == 0 || out[n-1].topic != topics[next] {
			out = append(out, group{topic: topics[next]})
		}
		g := &out[len(out)-1]
		g.resources = append(g.resources, all[next])
		ready = slices.DeleteFunc(ready, func(i int) bool { return i == next })
		done++
		for _, d := range dependents[next] {
			if waiting[d]--; waiting[d] == 0 {
				ready = append(ready, d)
			}
		}
	}
	if done != len(all) {
		return nil, fmt.Errorf("%d resources depend on each other in a circle", len(all)-done)
	}
	return out, nil
}

// rankOf is where a topic stands among the kinds. Units and images are ranked
// together by component; the role bindings come with the API server, before a
// kubelet could ask for what it is not allowed yet.
func rankOf(t topic) int {
	switch t.kind {
	case topicImages, topicObjects:
		return topicUnit
	}
	return t.kind
}

// within orders the resources of one topic that do not wait for each other.
func within(s resource.Spec) int {
	switch s.Kind() {
	case resource.KindPackages:
		return -1
	case resource.KindBlock:
		return 0
	case resource.KindSwap:
		return 1
	case resource.KindModule:
		return 2
	case resource.KindSysctl:
		return 4
	case resource.KindUnit:
		return 9
	}
	return 3
}

// topicsOf finds each resource's topic. A text belongs to the component that
// reads it, the first one where there are several. A kind of resource that no
// step is known for is an error: a runbook with a hole in it is worse than none.
func topicsOf(in Input) ([]topic, error) {
	all := in.Want.All()
	reader := map[addr.Address]string{}
	for _, r := range all {
		if r.Spec.Unit == nil {
			continue
		}
		for _, d := range r.DependsOn {
			old, taken := reader[d]
			if !taken || componentRank(r.Addr.Name) < componentRank(old) {
				reader[d] = r.Addr.Name
			}
		}
	}
	out := make([]topic, len(all))
	for i, r := range all {
		t := topic{host: r.Addr.Host}
		switch r.Spec.Kind() {
		case resource.KindAuthority, resource.KindKeyPair:
			t.kind = topicAuthorities
		case resource.KindPackages, resource.KindFirewall, resource.KindSELinux, resource.KindBlock, resource.KindSwap, resource.KindModule, resource.KindSysctl:
			t.kind = topicMachine
		case resource.KindDirectory:
			t.kind = topicDirectories
		case resource.KindBinary:
			t.kind = topicBinaries
		case resource.KindCertificate:
			t.kind = topicCertificates
		case resource.KindUnit:
			t.kind, t.name, t.rank = topicUnit, r.Addr.Name, componentRank(r.Addr.Name)
		case resource.KindImage:
			t.kind, t.rank = topicImages, componentRank(componentRuntime)+1
		case resource.KindObject:
			t.kind, t.rank = topicObjects, componentRank(componentAPI)+1
		case resource.KindNode:
			t.kind, t.name = topicNode, r.Addr.Name
		case resource.KindFile:
			switch {
			case r.Spec.File.Material != "":
				t.kind = topicCertificates
			case len(r.DependsOn) == 0: // in a directory of the system: for the machine itself
				t.kind = topicMachine
			default:
				t.kind, t.name = topicUnit, reader[r.Addr]
				t.rank = componentRank(t.name)
			}
		default:
			return nil, fmt.Errorf("%s: no step is known for a %s", r.Addr, r.Spec.Kind())
		}
		out[i] = t
	}
	return out, nil
}
