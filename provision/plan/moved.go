package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hardway/provision/addr"
)

// Moved is one thing that a saved plan is based on and that is no longer so.
type Moved struct {
	Addr addr.Address `json:"address,omitzero"` // a whole host where all of it is meant; zero for what follows
	// What is the attribute that differs; "content" for a file of which no
	// attribute tells, "specification" for what should be there, "change" for the
	// change itself, "host"; "serial" of the state, "config" for the configuration.
	What string `json:"what"`
	Was  string `json:"was,omitempty"` // when the plan was saved
	Is   string `json:"is,omitempty"`
}

// String says it in a line.
func (m Moved) String() string {
	switch m.What {
	case movedSerial:
		return fmt.Sprintf("it was made at serial %s, the state is at %s", m.Was, m.Is)
	case movedConfig:
		return "the configuration changed since it was made"
	}
	return fmt.Sprintf("%s: %s was %s, is %s", m.Addr, m.What, m.Was, m.Is)
}

// What moves that is on no host.
const (
	movedSerial = "serial"
	movedConfig = "config"
)

// StaleError says that a saved plan no longer fits what it was made from.
type StaleError struct{ Moved []Moved }

// shownMoves is how many things an error names before it only counts.
const shownMoves = 5

func (e *StaleError) Error() string {
	var parts []string
	for i, m := range e.Moved {
		if i == shownMoves {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.Moved)-i))
			break
		}
		parts = append(parts, m.String())
	}
	return "the plan is stale: " + strings.Join(parts, "; ") + "; run `hardway plan` again"
}

// ForeignError says that a plan was made for another cluster, or in another
// directory, than it is about to be applied in.
type ForeignError struct {
	Cluster, Lineage         string // of the plan
	HereCluster, HereLineage string // of this directory
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the plan is of the cluster %q (lineage %s), this directory of %q (lineage %s); apply it in the directory it was made in, or run `hardway plan` here",
		e.Cluster, e.Lineage, e.HereCluster, e.HereLineage)
}

// Bound refuses a plan that was made from another state or configuration than
// the present ones: a *ForeignError for another cluster's or directory's, a
// *StaleError for an older one of this.
func Bound(saved *Plan, lineage string, serial uint64, configDigest, cluster string) error {
	if saved.Lineage != lineage || saved.Cluster != cluster {
		return &ForeignError{Cluster: saved.Cluster, Lineage: saved.Lineage, HereCluster: cluster, HereLineage: lineage}
	}
	var moved []Moved
	if saved.Serial != serial {
		moved = append(moved, Moved{What: movedSerial, Was: strconv.FormatUint(saved.Serial, 10), Is: strconv.FormatUint(serial, 10)})
	}
	if saved.ConfigDigest != configDigest {
		moved = append(moved, Moved{What: movedConfig, Was: short(saved.ConfigDigest), Is: short(configDigest)})
	}
	if len(moved) > 0 {
		return &StaleError{Moved: moved}
	}
	return nil
}

// Moves compares what a saved plan has read of the hosts with what a plan
// that is computed now, with the same options, has read: for each change that it
// makes, and for what the units that it starts read then. What else moved is no
// matter of the saved plan's, and neither is what time alone changes.
func Moves(saved, now *Plan) []Moved {
	m := moves{now: map[addr.Address]*Change{}, unknown: map[addr.Host]string{}, deferred: map[addr.Address]string{}, told: map[addr.Host]bool{}}
	for i := range now.Changes {
		m.now[now.Changes[i].Addr] = &now.Changes[i]
	}
	for _, u := range now.Unknown {
		m.unknown[u.Host] = u.Reason
	}
	for _, d := range now.Deferred {
		m.deferred[d.Addr] = d.Reason
	}
	before := map[addr.Address]*Change{}
	for i := range saved.Changes {
		before[saved.Changes[i].Addr] = &saved.Changes[i]
	}
	read := map[addr.Address]bool{}
	for _, c := range saved.Changes {
		if c.Action == NoOp || c.Action == Read {
			continue
		}
		read[c.Addr] = true
		if c.Unit != nil && c.Unit.Start != "" && c.Spec.Unit != nil {
			for _, a := range c.Spec.Unit.ReadAtStart {
				read[a] = before[a] != nil // with targets it may not be in the plan
			}
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(read), addr.Address.Compare) {
		if read[a] && !inState(before[a].Spec) { // what lives in the state is bound by the serial
			m.compare(*before[a])
		}
	}
	return m.found
}

// moves collects.
type moves struct {
	now      map[addr.Address]*Change
	unknown  map[addr.Host]string
	deferred map[addr.Address]string
	told     map[addr.Host]bool // unknown hosts are named once
	found    []Moved
}

func (m *moves) add(a addr.Address, what, was, is string) {
	m.found = append(m.found, Moved{Addr: a, What: what, Was: was, Is: is})
}

// compare holds one change of the saved plan against the one of now.
func (m *moves) compare(was Change) {
	is, found := m.now[was.Addr]
	if !found {
		why, unknown := m.unknown[was.Addr.Host]
		deferred, waits := m.deferred[was.Addr]
		switch {
		case unknown && m.told[was.Addr.Host]:
		case unknown:
			m.told[was.Addr.Host] = true
			m.add(addr.Address{Host: was.Addr.Host}, "host", "reachable", "unknown: "+why)
		case waits:
			m.add(was.Addr, "change", string(was.Action), "deferred: "+deferred)
		case was.Addr.Host.IsCluster() && len(m.unknown) > 0:
			m.add(was.Addr, "change", string(was.Action), "unknown: no master could be read")
		default:
			m.add(was.Addr, "change", string(was.Action), "not in the plan")
		}
		return
	}
	before := len(m.found)
	m.attributes(was, *is)
	if len(m.found) == before && was.Expect != is.Expect {
		m.add(was.Addr, "content", expected(was.Expect), expected(is.Expect))
	}
	if len(m.found) == before && was.Spec.Digest() != is.Spec.Digest() {
		m.add(was.Addr, "specification", short(was.Spec.Digest()), short(is.Spec.Digest()))
	}
	if len(m.found) == before {
		m.steps(was, *is)
	}
	// --replace is no part of a plan, and a certificate's reasons come and go with
	// time; of everything else the change must still be to do.
	if len(m.found) == before && was.Action != NoOp && was.Action != Replace && is.Action == NoOp {
		m.add(was.Addr, "change", string(was.Action), "nothing to do")
	}
}

// steps compares what would be done: a member of etcd that was down then and runs
// now is not restarted together with the others.
func (m *moves) steps(was, is Change) {
	if was.Unit == nil || is.Unit == nil || was.Action == Replace || is.Action == NoOp {
		return
	}
	switch {
	case was.Unit.Start != is.Unit.Start:
		m.add(was.Addr, "step", started(was.Unit.Start), started(is.Unit.Start))
	case (was.Quorum == nil) != (is.Quorum == nil):
		m.add(was.Addr, "step", guarded(was.Quorum), guarded(is.Quorum))
	case len(was.Restore) == 0 && len(is.Restore) > 0:
		m.add(was.Addr, "step", "not put back when it fails", "put back when it fails")
	}
}

func started(step string) string {
	if step == "" {
		return "left running"
	}
	return step
}

func guarded(q *Quorum) string {
	if q == nil {
		return "no quorum to keep"
	}
	return "a quorum to keep"
}

// attributes compares what was read.
func (m *moves) attributes(was, is Change) {
	if there, still := exists(was), exists(is); there != still {
		m.add(was.Addr, "it", presence(there), presence(still))
		return
	}
	names := map[string]bool{}
	for name := range was.Before {
		names[name] = true
	}
	for name := range is.Before {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if derived(name, is) {
			continue
		}
		a, had := was.Before[name]
		b, has := is.Before[name]
		if had == has && (a == b || name == "state" && runs(a.Text) && runs(b.Text)) {
			continue
		}
		m.add(was.Addr, name, brief(a, had), brief(b, has))
	}
}

// derived reports whether an attribute says nothing that another one does not
// say too, or is the component's own to change: the kubelet renews its
// certificate by itself.
func derived(name string, c Change) bool {
	switch name {
	case "size", "issuer_key":
		return true
	case "serial", "key", "not_before", "not_after", "algorithm":
		return c.Spec.Certificate != nil && c.Spec.Certificate.Once
	}
	return false
}

// exists reports whether anything was found in the place of the resource.
func exists(c Change) bool { return len(c.Before) > 0 }

func presence(there bool) string {
	if there {
		return "there"
	}
	return "not there"
}

// runs reports whether a unit's state means that it has a process, or is about to.
func runs(state string) bool {
	return state == "active" || state == "activating" || state == "reloading"
}

// brief is a value in a few words: of a text its digest, of a secret nothing.
func brief(v Value, there bool) string {
	switch {
	case !there:
		return "not set"
	case v.Sensitive:
		return "(sensitive value)"
	case v.Block:
		return secretText(v.Text).Text
	}
	return fmt.Sprintf("%q", v.Text)
}

func expected(digest string) string {
	switch digest {
	case "":
		return "not read"
	case absent:
		return absent
	}
	return short(digest)
}
