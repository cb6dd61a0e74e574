package resource

import (
	"fmt"
	"slices"

	"hardway/provision/addr"
)

// Set is all resources that should be, in address order, each once.
type Set struct {
	list  []Resource
	index map[addr.Address]int
}

// NewSet sorts and checks: a second resource with the same address, or a
// dependency on something that is not in the set, is an error of the compiler,
// never of the user. A cycle is found where the set is put in order.
func NewSet(list []Resource) (Set, error) {
	s := Set{list: slices.Clone(list), index: make(map[addr.Address]int, len(list))}
	slices.SortFunc(s.list, func(a, b Resource) int { return a.Addr.Compare(b.Addr) })
	for i, r := range s.list {
		if _, twice := s.index[r.Addr]; twice {
			return Set{}, fmt.Errorf("resource %s is declared twice", r.Addr)
		}
		if string(r.Spec.Kind()) != r.Addr.Kind {
			return Set{}, fmt.Errorf("resource %s holds a %s", r.Addr, r.Spec.Kind())
		}
		s.index[r.Addr] = i
	}
	for _, r := range s.list {
		for _, d := range r.DependsOn {
			if _, ok := s.index[d]; !ok {
				return Set{}, fmt.Errorf("resource %s depends on %s, which is not in the set", r.Addr, d)
			}
		}
	}
	return s, nil
}

// All returns the resources in address order. The slice must not be changed.
func (s Set) All() []Resource { return s.list }

// Get returns the resource with that address.
func (s Set) Get(a addr.Address) (Resource, bool) {
	i, ok := s.index[a]
	if !ok {
		return Resource{}, false
	}
	return s.list[i], true
}
