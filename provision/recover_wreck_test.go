package provision_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// wreck is a state in its directory, as a crash in the middle of an apply leaves
// it: three kept snapshots, a backup and a journal. It can be damaged and reset.
type wreck struct {
	w                 *world
	s                 *provision.Session
	files             map[string][]byte // as they were, by their names in the directory
	lineage           string
	authority         state.Authority
	acked             int // records in the journal
	snapshot, journal string
}

// wrecked makes a wreck, with an authority whose loss would be one for good.
func wrecked(t *testing.T) *wreck {
	t.Helper()
	x := &wreck{w: newWorld(t, "testdata/one"), files: map[string][]byte{}, snapshot: "hardway.state", journal: "hardway.state.journal", acked: 5}
	store := local.New(filepath.Join(x.w.dir, x.snapshot), local.Options{Tool: "0.0.0-test", Now: x.w.now})
	check := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	file := func(n int) (state.Begin, state.Done) {
		path := fmt.Sprintf("/etc/hardway/%d", n)
		a := addr.Address{Host: n1, Kind: "file", Name: path}
		return state.Begin{Addr: a, Spec: resource.Spec{File: &resource.File{Path: path, Meta: resource.Root(0o644), Content: "x\n"}}}, state.Done{Addr: a, SHA256: "x"}
	}
	check(store.Lock(ctx, "apply", 0))
	snap, _, err := store.Load(ctx)
	check(err)
	x.lineage, x.authority = snap.Lineage, state.Authority{Generation: 1, CertPEM: "CERT", KeySHA256: "00", NotAfter: epoch}
	begin, done := file(1)
	check(store.PutRun(ctx, state.Run{Operation: "apply", ConfigDigest: "c1", Started: epoch}),
		store.PutKeys(ctx, state.Keys{Recipients: snap.Recipients, Authorities: map[string]state.Authority{"kubernetes": x.authority}, Sealed: []byte("sealed")}),
		store.Begin(ctx, begin), store.Done(ctx, done), store.Commit(ctx))
	begin, done = file(2)
	check(store.Begin(ctx, begin), store.Done(ctx, done), store.Commit(ctx))
	begin, done = file(3)
	second, _ := file(4)
	check(store.PutRun(ctx, state.Run{Operation: "apply", ConfigDigest: "c2", Started: epoch}),
		store.Begin(ctx, begin), store.Done(ctx, done), store.Begin(ctx, second),
		store.Hold(ctx, state.Held{Hold: state.Hold{Unit: "kubelet", ConfigDigest: "c2", Since: epoch}}), store.Unlock())
	for _, name := range x.names() {
		if x.files[name], err = os.ReadFile(filepath.Join(x.w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.files) != 6 {
		t.Fatalf("the wreck has %d files: %v", len(x.files), x.names())
	}
	x.s = x.w.open()
	t.Cleanup(func() { x.w.close(x.s) })
	return x
}

// names lists the files of the state.
func (x *wreck) names() []string {
	var out []string
	for _, pattern := range []string{"hardway.state*", ".hardway/snapshots/*"} {
		found, err := filepath.Glob(filepath.Join(x.w.dir, pattern))
		if err != nil {
			x.w.t.Fatal(err)
		}
		for _, path := range found {
			if name, err := filepath.Rel(x.w.dir, path); err == nil && !strings.Contains(name, ".lock") {
				out = append(out, name)
			}
		}
	}
	return out
}

// reset puts all files back to how they were, and then in place what differs;
// nil removes a file.
func (x *wreck) reset(differs map[string][]byte) {
	x.w.t.Helper()
	for _, name := range x.names() {
		if _, ok := x.files[name]; !ok {
			if err := os.Remove(filepath.Join(x.w.dir, name)); err != nil {
				x.w.t.Fatal(err)
			}
		}
	}
	for name, data := range x.files {
		if d, ok := differs[name]; ok && d == nil {
			_ = os.Remove(filepath.Join(x.w.dir, name))
			continue
		} else if ok {
			data = d
		}
		if err := os.WriteFile(filepath.Join(x.w.dir, name), data, 0o600); err != nil {
			x.w.t.Fatal(err)
		}
	}
}

// outcome of a damage that was done to a state.
type outcome struct {
	err     error // of loading it
	records int   // of the journal that are in what was loaded
	torn    bool
}

// load loads the damaged state, as every command does, and holds that no command
// would begin anew.
func (x *wreck) load() outcome {
	x.w.t.Helper()
	store := local.New(filepath.Join(x.w.dir, x.snapshot), local.Options{Tool: "0.0.0-test", Now: x.w.now})
	snap, rec, err := store.Load(context.Background())
	if err == nil {
		x.genuine(snap.Public)
	} else if !strings.HasSuffix(err.Error(), "; run `hardway state recover`") {
		x.w.t.Fatalf("the error does not name the one command: %v", err)
	}
	return outcome{err, rec.Entries, rec.Torn > 0}
}

// genuine fails when a state is not of the wreck, or has lost its authority.
func (x *wreck) genuine(st state.Public) {
	x.w.t.Helper()
	if st.Lineage != x.lineage || st.Authorities["kubernetes"] != x.authority || st.Cluster != x.s.Config().Name {
		x.w.t.Fatalf("lineage %s, authority %+v", st.Lineage, st.Authorities["kubernetes"])
	}
}

// recovered does what `hardway state recover` does, and holds that the state
// loads then, and that what was there before can still be found.
func (x *wreck) recovered(o provision.RecoverOptions) state.Public {
	x.w.t.Helper()
	ctx := context.Background()
	before := map[string][]byte{}
	for _, name := range []string{x.snapshot, x.journal} {
		if data, err := os.ReadFile(filepath.Join(x.w.dir, name)); err == nil {
			before[name] = data
		}
	}
	r, err := x.s.RecoveryCandidates(ctx, nil)
	if err != nil {
		x.w.t.Fatal(err)
	}
	done, err := x.s.Recover(ctx, r, o)
	if err = errors.Join(err, x.s.Close()); err != nil {
		x.w.t.Fatalf("recover: %v", err)
	}
	for name, data := range before {
		if !slices.ContainsFunc(done.Aside, func(path string) bool {
			kept, err := os.ReadFile(path)
			return err == nil && bytes.Equal(kept, data)
		}) {
			x.w.t.Fatalf("%s was not set aside", name)
		}
	}
	st, err := x.s.State(ctx)
	if err != nil {
		x.w.t.Fatalf("after the recovery: %v", err)
	}
	x.genuine(st)
	if st.Serial != done.State.Serial {
		x.w.t.Fatalf("serial %d, want %d", st.Serial, done.State.Serial)
	}
	return st
}

// untouched fails when a machine was changed: a recovery only reads.
func (x *wreck) untouched() {
	x.w.t.Helper()
	for h, m := range x.w.machines {
		for path := range m.Snapshot().Files {
			if strings.HasPrefix(path, "/var/lib/hardway") {
				x.w.t.Errorf("%s has %s", h, path)
			}
		}
	}
}

func flipped(b []byte, at int, bit byte) []byte {
	b = bytes.Clone(b)
	b[at] ^= bit
	return b
}
