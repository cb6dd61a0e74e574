package plan

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
)

// converge applies plans until one says that it is the whole way, and then holds
// that the next one does nothing.
func (w *world) converge() []*Plan {
	w.t.Helper()
	var plans []*Plan
	for range 3 {
		p := compute(w.t, w.input())
		plans = append(plans, p)
		w.apply(p)
		if p.Complete {
			w.settled()
			return plans
		}
	}
	w.t.Fatalf("not the whole way after %d steps: %v", len(plans), plans[len(plans)-1].Deferred)
	return nil
}

// settled holds that a plan has nothing to do.
func (w *world) settled() {
	w.t.Helper()
	p := compute(w.t, w.input())
	if p.Changed() || !p.Complete || len(p.Deferred)+len(p.Unknown)+len(p.Warnings) > 0 {
		w.t.Fatalf("after an apply the plan is not empty (complete %v, deferred %v, unknown %v, warnings %v):\n%s",
			p.Complete, p.Deferred, p.Unknown, p.Warnings, strings.Join(active(p), "\n"))
	}
}

// TestApplyThenPlanIsEmpty is the property that all the others serve.
func TestApplyThenPlanIsEmpty(t *testing.T) {
	for _, name := range []string{"lab", "three"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, example(t, name))
			if plans := w.converge(); len(plans) != 1 {
				t.Errorf("a first creation took %d plans", len(plans))
			}
			before := w.images()
			p := compute(t, w.destruction(true))
			w.apply(p)
			if p = compute(t, w.destruction(true)); p.Changed() || !p.Complete {
				t.Errorf("after a destruction there is still to do:\n%s", strings.Join(active(p), "\n"))
			}
			if len(w.snap.Resources)+len(w.snap.Authorities)+len(w.snap.KeyPairs) > 0 {
				t.Errorf("after a destruction the state owns %v", w.snap.Addresses())
			}
			fresh := newWorld(t, w.cfg)
			if diff := cmp.Diff(fresh.images(), w.images()); diff != "" {
				t.Errorf("a destruction does not leave hosts as they were (-before +after):\n%s", diff)
			}
			if cmp.Equal(before, w.images()) {
				t.Error("a destruction changed nothing")
			}
		})
	}
}

// images are the machines of the world without what etcd and others made there
// by themselves.
func (w *world) images() map[string]facts.Observation {
	out := map[string]facts.Observation{}
	for h, m := range w.hosts {
		o := m.Observation
		o.Files, o.Sysctls, o.Modules = maps.Clone(o.Files), maps.Clone(o.Sysctls), maps.Clone(o.Modules)
		maps.DeleteFunc(o.Modules, func(_ string, there bool) bool { return !there })
		out[h.String()] = o
	}
	return out
}

// TestExamples holds the property against the configurations that users are
// given. What an example's own script makes beside it is made here by hand; one
// that needs more than that is skipped.
func TestExamples(t *testing.T) {
	root := filepath.Join("..", "..", "examples")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for _, e := range entries {
		sources, _ := filepath.Glob(filepath.Join(root, e.Name(), "*.hcl"))
		if len(sources) == 0 {
			continue
		}
		vars, _ := filepath.Glob(filepath.Join(root, e.Name(), "*.hclvars"))
		vars = slices.DeleteFunc(vars, func(p string) bool { return strings.HasSuffix(p, ".auto.hclvars") }) // copies that a lab makes
		for _, file := range append([]string{""}, vars...) {
			t.Run(e.Name()+"/"+filepath.Base(file), func(t *testing.T) {
				cfg, problem := loadExample(t, sources, file)
				if cfg == nil {
					t.Fatalf("cannot be loaded without its own files: %s", problem)
				}
				loaded++
				newWorld(t, cfg).converge()
			})
		}
	}
	if loaded == 0 {
		t.Error("no example could be loaded")
	}
}

// loadExample loads a copy of an example, with keys and archives that are none.
func loadExample(t *testing.T, sources []string, vars string) (*config.Cluster, string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{
		".lab/id_ed25519": nil, ".lab/known_hosts": nil, "id_ed25519": nil, "known_hosts": nil, ".ssh/id_ed25519": nil, ".ssh/known_hosts": nil,
		".cache/hardway/mirror/images/pause.tar": nil, ".cache/hardway/mirror/images/agnhost.tar": nil,
	}
	for _, s := range sources {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(s)] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opts := config.Options{Dir: dir, UserHome: dir}
	if vars != "" {
		opts.Vars = []config.VarInput{{File: vars}}
	}
	cfg, shown, diags := config.Load(opts)
	if diags.HasErrors() {
		var b strings.Builder
		_ = config.WriteDiagnostics(&b, shown, diags, 100, false)
		return nil, b.String()
	}
	return cfg, ""
}

// TestUnreachableThenBack: what a plan could not see is done by a later one, and
// nothing of the host that was away is taken for absent.
func TestUnreachableThenBack(t *testing.T) {
	w := newWorld(t, example(t, "three"))
	w.hosts[n2].Err = "i/o timeout"
	p := compute(t, w.input())
	if p.Complete || !cmp.Equal(p.Unknown, []Unknown{{Host: n2, Reason: "i/o timeout"}}) {
		t.Fatalf("complete %v, unknown %v", p.Complete, p.Unknown)
	}
	for _, c := range p.Changes {
		if c.Addr.Host == n2 || c.Addr == at(cluster, "node", "n2") {
			t.Errorf("%s is planned for a host that was not seen", c.Addr)
		}
	}
	w.apply(p)
	w.hosts[n2].Err = ""
	plans := w.converge()
	touched := map[addr.Host]bool{}
	for _, p := range plans {
		for _, c := range p.Changes {
			touched[c.Addr.Host] = touched[c.Addr.Host] || c.Action != NoOp
		}
	}
	if want := map[addr.Host]bool{cluster: true, m1: false, m2: false, m3: false, n1: false, n2: true}; !cmp.Equal(want, touched) {
		t.Errorf("touched: %v", touched)
	}
}
