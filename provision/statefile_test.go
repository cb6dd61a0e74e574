package provision_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// parse reads addresses.
func parse(t *testing.T, texts ...string) []addr.Address {
	t.Helper()
	var out []addr.Address
	for _, text := range texts {
		a, err := addr.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// A dead host is forgotten, and what it was given is free; nothing is done on any
// host, and what must not be forgotten stays.
func TestStateForgetsADeadHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	before := w.mustConverge(provision.PlanOptions{})
	machines := w.snapshots()
	s := w.open()
	defer w.close(s)
	for target, want := range map[string]string{
		`master["m1"]`: "the last member of etcd", `cluster.authority["kubernetes"]`: "authorities and key pairs", `node["n9"]`: "not in the state",
	} {
		if _, err := s.ForgetResources(t.Context(), parse(t, target)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", target, err)
		}
	}
	gone, err := s.ForgetResources(t.Context(), parse(t, `node["n1"]`))
	if err != nil {
		t.Fatal(err)
	}
	w.close(s)
	st := w.state()
	if st.Serial != before.Serial+1 || len(st.Resources)+len(gone) != len(before.Resources) || len(gone) < 10 {
		t.Errorf("serial %d after %d; %d resources and %d forgotten of %d", st.Serial, before.Serial, len(st.Resources), len(gone), len(before.Resources))
	}
	for a := range st.Resources {
		if a.Host == n1 || a.Kind == "node" && a.Name == "n1" {
			t.Errorf("%s is still there", a)
		}
	}
	if !slices.ContainsFunc(gone, func(a addr.Address) bool { return a.Host.IsCluster() && a.Kind == "node" && a.Name == "n1" }) {
		t.Error("the cluster still has the record of the Node")
	}
	if _, ok := st.Allocations.Pods["n1"]; ok || len(st.Allocations.Pods) != 1 || len(st.Allocations.Etcd) != 1 {
		t.Errorf("allocations %+v", st.Allocations)
	}
	w.machinesAre(machines)
}

func TestStatePullAndPush(t *testing.T) {
	t.Parallel()
	x := wrecked(t)
	x.reset(nil)
	s := x.s
	pulled, err := s.PullState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	snap, err := state.Decode(pulled)
	if err != nil || snap.Serial != 4 || len(snap.Resources) != 4 {
		t.Fatalf("with the journal: serial %d, %d resources, %v", snap.Serial, len(snap.Resources), err)
	}
	push := func(change func(*state.Snapshot), force bool) (state.Public, error) {
		t.Helper()
		other := snap.Clone()
		change(&other)
		stored, err := state.Encode(other)
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.PushState(t.Context(), stored, force)
		if closed := s.Close(); closed != nil {
			t.Fatal(closed)
		}
		return st, err
	}
	lineage := state.NewLineage()
	for _, c := range []struct {
		name   string
		change func(*state.Snapshot)
		want   []string
	}{
		{"older", func(s *state.Snapshot) { s.Serial = 3 }, []string{"its serial is 3", "this state's 4", "--force"}},
		{"another lineage", func(s *state.Snapshot) { s.Lineage = lineage }, []string{lineage, x.lineage, "--force"}},
		{"another cluster", func(s *state.Snapshot) { s.Cluster = "prod" }, []string{`"prod"`, fmt.Sprintf("%q", s.Config().Name)}},
	} {
		_, err := push(c.change, false)
		if err == nil {
			t.Errorf("%s was pushed", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", c.name, want, err)
			}
		}
	}
	if _, err := s.PushState(t.Context(), pulled[:100], true); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := push(func(s *state.Snapshot) { s.Cluster = "prod" }, true); err == nil {
		t.Error("a state of another cluster was forced in")
	}
	st, err := push(func(s *state.Snapshot) { s.Allocations.Pods = map[string]state.PodRange{"n1": {}} }, false)
	if err != nil || st.Serial != 5 || len(st.Allocations.Pods) != 1 {
		t.Errorf("serial %d, %v", st.Serial, err)
	}
	if st, err = push(func(s *state.Snapshot) { s.Serial = 2 }, true); err != nil || st.Serial != 6 {
		t.Errorf("forced: serial %d, %v", st.Serial, err)
	}
	if st, err = push(func(s *state.Snapshot) { s.Lineage = lineage }, true); err != nil || st.Lineage != lineage {
		t.Errorf("forced: lineage %s, %v", st.Lineage, err)
	}

	// Into a directory that has no state.
	w := emptyWorld(t, "testdata/one")
	empty := w.open()
	defer w.close(empty)
	if _, err := empty.PullState(t.Context()); !errors.Is(err, state.ErrNotInitialised) {
		t.Errorf("got %v", err)
	}
	if st, err := empty.PushState(t.Context(), pulled, false); err != nil || st.Serial != 5 {
		t.Errorf("serial %d, %v", st.Serial, err)
	}
}

func TestStateForceUnlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	s := w.open()
	defer w.close(s)
	path := filepath.Join(w.dir, "hardway.state")
	holder := local.New(path, local.Options{Tool: "0.0.0-test", Now: w.now})
	if err := holder.Lock(t.Context(), "apply", 0); err != nil {
		t.Fatal(err)
	}
	id := holder.LockID()
	held, ok := errors.AsType[*local.LockedError](s.ForceUnlock(t.Context(), id))
	if !ok || held.Holder.ID != id || held.Holder.Operation != "apply" || held.Holder.PID != os.Getpid() {
		t.Fatalf("the lock of a living process: %+v", held)
	}
	if _, err := s.ForgetResources(t.Context(), parse(t, `node["n1"]`)); err == nil || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), "for apply since 2026-03-01 12:00:00") {
		t.Errorf("the error names no holder: %v", err)
	}
	note, err := os.ReadFile(path + ".lock.info")
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Unlock(); err != nil {
		t.Fatal(err)
	}
	w.write("hardway.state.lock.info", string(note)) // as a process that was killed leaves it
	if err := s.ForceUnlock(t.Context(), "another"); err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("with a wrong ID: %v", err)
	}
	if err := s.ForceUnlock(t.Context(), id); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".lock.info"); err == nil {
		t.Error("the note is still there")
	}
}

func TestStateGenerations(t *testing.T) {
	t.Parallel()
	x := wrecked(t)
	x.reset(nil)
	list, err := x.s.Generations(t.Context())
	if err != nil || len(list) != 3 || list[0].Serial != 3 || list[0].Run == nil || list[2].Run != nil {
		t.Errorf("%+v, %v", list, err)
	}
	x.reset(map[string][]byte{x.snapshot: bytes.Repeat([]byte("x"), 100)})
	if _, err := x.s.Generations(t.Context()); err == nil || !strings.Contains(err.Error(), "hardway state recover") {
		t.Errorf("got %v", err)
	}
	w := emptyWorld(t, "testdata/one")
	s := w.open()
	defer w.close(s)
	if _, err := s.Generations(t.Context()); !errors.Is(err, state.ErrNotInitialised) {
		t.Errorf("before init: %v", err)
	}
}
