package state

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Entry is one change of the state, as it stands in the journal. Exactly one of
// the pointers is set.
type Entry struct {
	Time        time.Time     `json:"time"`
	Begin       *Begin        `json:"begin,omitempty"`
	Remove      *addr.Address `json:"remove,omitempty"` // a removal begins
	Done        *Done         `json:"done,omitempty"`
	Failed      *Failed       `json:"failed,omitempty"`
	Forget      *addr.Address `json:"forget,omitempty"` // removed, or no longer ours
	Keys        *Keys         `json:"keys,omitempty"`
	Allocations *Allocations  `json:"allocations,omitempty"`
	Run         *Run          `json:"run,omitempty"`  // a run begins, or ended
	Held        *Held         `json:"held,omitempty"` // a change failed and is taken back
	// Release is the configuration that a run is about; holds of any other are
	// over. With an empty digest all of them are.
	Release *Release `json:"release,omitempty"`
}

// Release ends holds: those that do not keep back ConfigDigest.
type Release struct {
	ConfigDigest string `json:"config_digest"`
}

// Begin says that a resource is about to be written.
type Begin struct {
	Addr      addr.Address   `json:"addr"`
	Spec      resource.Spec  `json:"spec"`
	DependsOn []addr.Address `json:"depends_on,omitempty"`
	// Prior is what stands in its place now. It counts only the first time: when
	// the same path is begun again, what stands there may be our own work.
	Prior Prior `json:"prior"`
	// Keep is the generation under which the host keeps what stood there, for as
	// long as the change is not settled; 0 when it does not.
	Keep uint64 `json:"keep,omitempty"`
}

// Done says that the resource is as the last Begin said.
type Done struct {
	Addr        addr.Address `json:"addr"`
	SHA256      string       `json:"sha256,omitempty"` // of a single file's content
	Certificate *Certificate `json:"certificate,omitempty"`
	RestartOwed bool         `json:"restart_owed,omitempty"`
	// Settles are the resources whose change is now known to be good.
	Settles []addr.Address `json:"settles,omitempty"`
}

// Failed says that the operation ended with an error; the host may be half
// changed. Reason must hold no secret.
type Failed struct {
	Addr   addr.Address `json:"addr"`
	Reason string       `json:"reason"`
}

// Keys replaces authorities, key pairs and the sealed part together, so that
// they never disagree. The maps are whole, not a difference.
type Keys struct {
	Recipients  []string             `json:"recipients"`
	Authorities map[string]Authority `json:"authorities,omitempty"`
	KeyPairs    map[string]KeyPair   `json:"keypairs,omitempty"`
	Sealed      []byte               `json:"sealed,omitempty"`
}

// Apply changes the snapshot by one entry. An entry that does not fit, such as
// Done without Begin, is an error and changes nothing.
func (s *Snapshot) Apply(e Entry) error {
	var err error
	switch {
	case e.Begin != nil:
		err = s.begin(*e.Begin, e.Time)
	case e.Remove != nil:
		err = s.update(*e.Remove, func(r *Record) error { r.Pending, r.Removing = true, true; return nil })
	case e.Done != nil:
		err = s.update(e.Done.Addr, func(r *Record) error {
			if !r.Pending || r.Removing {
				return fmt.Errorf("done without begin")
			}
			r.Pending, r.Tainted, r.Applied = false, "", e.Time
			if r.SHA256 != e.Done.SHA256 {
				r.Changed = e.Time
			}
			r.SHA256, r.Certificate, r.RestartOwed = e.Done.SHA256, e.Done.Certificate, e.Done.RestartOwed
			return nil
		})
		if err == nil {
			s.settle(e.Done.Settles)
		}
	case e.Failed != nil:
		err = s.update(e.Failed.Addr, func(r *Record) error { r.Tainted = e.Failed.Reason; return nil })
	case e.Forget != nil:
		if _, err = s.record(*e.Forget); err == nil {
			delete(s.Resources, canonical(*e.Forget))
		}
	case e.Keys != nil:
		s.Recipients = slices.Clone(e.Keys.Recipients)
		s.Authorities, s.KeyPairs = maps.Clone(e.Keys.Authorities), maps.Clone(e.Keys.KeyPairs)
		s.Sealed = slices.Clone(e.Keys.Sealed)
	case e.Allocations != nil:
		s.Allocations = e.Allocations.clone()
	case e.Run != nil:
		run := *e.Run
		s.Run = &run
	case e.Held != nil:
		err = s.hold(*e.Held)
	case e.Release != nil:
		s.Holds = slices.DeleteFunc(slices.Clone(s.Holds), func(h Hold) bool { return h.ConfigDigest != e.Release.ConfigDigest })
	default:
		err = fmt.Errorf("the entry says nothing")
	}
	if err != nil {
		return err
	}
	s.Updated = e.Time
	return nil
}

func (s *Snapshot) begin(b Begin, at time.Time) error {
	a := canonical(b.Addr)
	if string(b.Spec.Kind()) != a.Kind {
		return fmt.Errorf("%s: begun with a spec of the kind %q", a, b.Spec.Kind())
	}
	r, known := s.Resources[a]
	last := r.Last
	if b.Keep > 0 && last == nil {
		switch {
		case !known || r.Removing:
			last = &Last{Generation: b.Keep}
		case !r.Pending && r.Path() == b.Spec.Path():
			last = &Last{Spec: r.Spec, SHA256: r.SHA256, Certificate: r.Certificate, Generation: b.Keep}
		}
	}
	if !known || r.Removing || r.Path() != b.Spec.Path() {
		r = Record{Prior: b.Prior}
	}
	r.Last = last
	if digest := b.Spec.Digest(); digest != r.SpecDigest {
		r.SpecDigest, r.Changed = digest, at
	}
	r.Spec, r.DependsOn = b.Spec, nil
	for _, d := range b.DependsOn {
		r.DependsOn = append(r.DependsOn, canonical(d))
	}
	r.Pending, r.Removing = true, false
	if s.Resources == nil {
		s.Resources = map[addr.Address]Record{}
	}
	s.Resources[a] = r
	return nil
}

// settle forgets what the changes of resources could be gone back to.
func (s *Snapshot) settle(list []addr.Address) {
	for _, a := range list {
		if r, ok := s.Resources[canonical(a)]; ok && r.Last != nil {
			r.Last = nil
			s.Resources[canonical(a)] = r
		}
	}
}

// hold adds a hold in place of an older one for the same unit, and puts the
// records back.
func (s *Snapshot) hold(h Held) error {
	for a, r := range h.Records {
		if string(r.Spec.Kind()) != canonical(a).Kind {
			return fmt.Errorf("%s: held with a record of the kind %q", a, r.Spec.Kind())
		}
	}
	s.Holds = append(slices.DeleteFunc(slices.Clone(s.Holds), func(old Hold) bool { return old.Unit == h.Hold.Unit }), h.Hold)
	if s.Resources == nil && len(h.Records) > 0 {
		s.Resources = make(map[addr.Address]Record, len(h.Records))
	}
	for a, r := range h.Records {
		r.Pending, r.Removing = true, false
		s.Resources[canonical(a)] = r
	}
	return nil
}

func (s *Snapshot) record(a addr.Address) (Record, error) {
	r, ok := s.Resources[canonical(a)]
	if !ok {
		return r, fmt.Errorf("%s: not in the state", a)
	}
	return r, nil
}

func (s *Snapshot) update(a addr.Address, change func(*Record) error) error {
	r, err := s.record(a)
	if err != nil {
		return err
	}
	if err := change(&r); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	s.Resources[canonical(a)] = r
	return nil
}
