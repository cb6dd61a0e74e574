package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Recovery is what was found that could be the state, and which of it to take.
type Recovery struct {
	// Candidates are those of this directory, the present state first, and then
	// the sealed copies of the masters.
	Candidates []state.Candidate
	Choice     state.Choice
	// Err is why no candidate can be chosen; then Choice.Best is -1.
	Err error
	// Unreachable are the hosts that could not be asked, and why: what they carry
	// is not known.
	Unreachable map[addr.Host]string
	// Foreign are hosts that carry the mark of another cluster.
	Foreign map[addr.Host]facts.Mark

	local []state.Candidate // of this directory, as they were found
}

// Whole reports whether the state as it is now is the one to take: nothing has
// to be recovered.
func (r Recovery) Whole() bool {
	return r.Err == nil && r.Candidates[r.Choice.Best].Present && r.Choice.Highest <= r.Candidates[r.Choice.Best].Serial
}

// RecoveryCandidates looks for everything that could be the state: here, and as
// sealed copies on the masters, and holds it against what the hosts were marked
// with. It takes no lock and changes nothing. A host that cannot be reached is
// no error.
func (s *Session) RecoveryCandidates(ctx context.Context, onHost func(addr.Host, error)) (Recovery, error) {
	r := Recovery{local: s.store.Candidates(), Unreachable: map[addr.Host]string{}, Foreign: map[addr.Host]facts.Mark{}}
	r.Candidates = slices.Clone(r.local)
	ev := state.Evidence{Cluster: s.cfg.Name, Marks: map[addr.Host]facts.Mark{}}
	for h, o := range s.read(ctx, nil, onHost) {
		switch {
		case !o.Reachable():
			r.Unreachable[h] = o.Err
		case o.Mark.Lineage != "" && o.Mark.Cluster != s.cfg.Name:
			r.Foreign[h] = o.Mark
		default:
			ev.Marks[h] = o.Mark
		}
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	r.Candidates = append(r.Candidates, s.copies(ctx, ev.Marks)...)
	r.Choice, r.Err = state.Choose(r.Candidates, ev)
	return r, ctx.Err()
}

// copies reads and opens the sealed copies of the masters. Masters that carry the
// same one are one candidate.
func (s *Session) copies(ctx context.Context, marks map[addr.Host]facts.Mark) []state.Candidate {
	identities := sync.OnceValues(s.identities().Load) // not needed where there are no copies
	var out []state.Candidate
	at := map[string]int{} // digest of a copy to its candidate
	for _, m := range masters(s.cfg) {
		conn, ok := s.hosts[m]
		if !ok {
			continue
		}
		mark, answered := marks[m]
		if i, ok := at[mark.Copy]; ok && answered {
			out[i].Source += ", " + m.String()
			continue
		}
		c := state.Candidate{Source: "sealed copy on " + m.String()}
		copied, err := readCopy(ctx, conn)
		switch {
		case err == nil && copied == nil:
			if mark.Copy == "" {
				continue // there is none, and none is expected
			}
			c.Err = errors.New("it is gone from the host, whose mark speaks of one")
		case err != nil:
			c.Err = err
		default:
			ids, err := identities()
			if c.Err = err; err == nil {
				c = openCopy(c.Source, copied, mark, ids)
			}
		}
		out = append(out, c)
		if c.Err == nil {
			at[resource.SHA256(copied)] = len(out) - 1
		}
	}
	return out
}

func openCopy(source string, copied []byte, mark facts.Mark, ids state.Identities) state.Candidate {
	c := state.Candidate{Source: source}
	snap, err := state.OpenSnapshot(copied, ids)
	if err != nil {
		if c.Err = err; mark.Copy != "" && mark.Copy != resource.SHA256(copied) {
			c.Err = &state.DamagedError{What: "sealed copy", Reason: "it is not the one that the host was marked with"}
		}
		return c
	}
	stored, err := state.Encode(snap)
	if err != nil {
		c.Err = err
		return c
	}
	return state.NewCandidate(source, snap, stored)
}

// readCopy reads a master's sealed copy in pieces; nil when there is none.
func readCopy(ctx context.Context, h host.Host) ([]byte, error) {
	out := []byte{}
	for {
		r, err := h.Run(ctx, host.Script{Name: "state-read", Args: []string{strconv.Itoa(len(out))}})
		if failed, ok := errors.AsType[*host.ScriptError](err); ok && failed.Exit == 3 {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the sealed copy: %w", err)
		}
		if len(r.Stdout) == 0 {
			return out, nil
		}
		if out = append(out, r.Stdout...); len(out) > state.MaxSize {
			return nil, fmt.Errorf("reading the sealed copy: it is larger than %d MiB", state.MaxSize>>20)
		}
	}
}

// RecoverOptions of a recovery.
type RecoverOptions struct {
	// Source is the number of the candidate to take, counted from 1; 0 takes the
	// chosen one.
	Source int
	// AcceptOlder takes a state that is older than what hosts were marked with.
	AcceptOlder bool
}

// Recovered is what a recovery did.
type Recovered struct {
	State state.Public
	// Aside are the files in which the replaced state was kept.
	Aside []string
}

// Take returns the candidate that a recovery with these options takes, and an
// error when it must not.
func (r Recovery) Take(o RecoverOptions) (state.Candidate, error) {
	at := r.Choice.Best
	switch {
	case o.Source < 0 || o.Source > len(r.Candidates):
		return state.Candidate{}, fmt.Errorf("there is no candidate %d: they are numbered from 1 to %d", o.Source, len(r.Candidates))
	case o.Source > 0:
		at = o.Source - 1
	case r.Err != nil:
		return state.Candidate{}, r.Err
	}
	c := r.Candidates[at]
	switch {
	case c.Err != nil:
		return c, fmt.Errorf("candidate %d, %s, cannot be used: %w", at+1, c.Source, c.Err)
	case r.Choice.Highest > 0 && c.Lineage != r.Choice.Lineage:
		return c, fmt.Errorf("candidate %d, %s, has the lineage %s, and the hosts carry %s: they would refuse it", at+1, c.Source, c.Lineage, r.Choice.Lineage)
	case c.Serial < r.Choice.Highest && !o.AcceptOlder:
		return c, &state.OlderError{Serial: c.Serial, Seen: r.Choice.Highest, Where: r.Choice.Host.String(), Path: c.Source,
			Recover: "find a newer one (another machine, a backup) and put it in place with `hardway state push`, or give --accept-older: " +
				"what was changed on the hosts since is then not known, and the next plan shows it as differences"}
	}
	return c, nil
}

// Recover puts a candidate in place of the state. What stands there is set aside,
// never deleted. It takes the state's lock, and refuses when the state is no
// longer what r was made from.
func (s *Session) Recover(ctx context.Context, r Recovery, o RecoverOptions) (Recovered, error) {
	c, err := r.Take(o)
	if err != nil {
		return Recovered{}, err
	}
	if c.Cluster != s.cfg.Name {
		return Recovered{}, s.foreignCluster(c.Source, c.Cluster)
	}
	if err := s.lockOnly(ctx, "state recover"); err != nil {
		return Recovered{}, err
	}
	if !slices.EqualFunc(r.local, s.store.Candidates(), sameCandidate) {
		return Recovered{}, fmt.Errorf("the state %s changed while it was looked at; %s again", s.store.Path(), state.Recover)
	}
	above := r.Choice.Highest
	for _, k := range r.Candidates {
		if k.Lineage == c.Lineage {
			above = max(above, k.Serial)
		}
	}
	aside, err := s.store.Restore(ctx, c.Stored, above)
	if err != nil {
		return Recovered{Aside: aside}, err
	}
	return Recovered{State: s.store.Snapshot().Public, Aside: aside}, nil
}

func sameCandidate(a, b state.Candidate) bool {
	return a.Source == b.Source && bytes.Equal(a.Stored, b.Stored) && fmt.Sprint(a.Err) == fmt.Sprint(b.Err)
}

func (s *Session) foreignCluster(source, cluster string) error {
	return fmt.Errorf("%s: %s is of the cluster %q, this configuration of %q; a directory is one cluster", s.cfg.Range, strings.TrimSpace(source), cluster, s.cfg.Name)
}
