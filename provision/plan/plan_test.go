package plan

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

// TestPlanOfThreeMasters is the first plan of a cluster with three masters and
// two architectures, as JSON, whole.
func TestPlanOfThreeMasters(t *testing.T) {
	golden(t, "three.plan.json", string(encode(t, compute(t, fresh(t)))))
}

// TestPlanIsDeterministic: equal inputs, equal bytes.
func TestPlanIsDeterministic(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "etcd", "kubelet", "kube-apiserver")
	w.hosts[n2].Err = "i/o timeout"
	for name, in := range map[string]Input{"first": fresh(t), "upgrade": w.input(), "destroy": w.destruction(true)} {
		t.Run(name, func(t *testing.T) {
			want := encode(t, compute(t, in))
			for range 100 / 3 {
				if got := encode(t, compute(t, in)); !bytes.Equal(want, got) {
					t.Fatal(cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
				}
			}
		})
	}
	// And whatever order the maps of a new compilation have.
	text := readFile(t, filepath.Join("..", "desired", "testdata", "three.hcl"))
	want := encode(t, compute(t, fresh(t)))
	for range 10 {
		if got := encode(t, compute(t, newWorld(t, load(t, string(text))).input())); !bytes.Equal(want, got) {
			t.Fatal("a plan of a configuration loaded anew is another")
		}
	}
}

// TestJSONRoundTrip: a saved plan is the plan.
func TestJSONRoundTrip(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "etcd", "kubelet")
	w.hosts[n1].Err = "i/o timeout"
	w.hosts[m2].write("/etc/kubernetes/scheduler.yaml", "<&>\u2028 and\tmore\n")
	targeted := w.input()
	targeted.Targets = parse(t, `master["m2"]`)
	for name, in := range map[string]Input{"first": fresh(t), "changes": w.input(), "targets": targeted, "destroy": w.destruction(false)} {
		t.Run(name, func(t *testing.T) {
			p := compute(t, in)
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var back Plan
			dec := json.NewDecoder(bytes.NewReader(data))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, &back, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-plan +read back):\n%s", diff)
			}
			if !bytes.Equal(encode(t, p), encode(t, &back)) {
				t.Error("writing it again gives other bytes")
			}
		})
	}
}

// canary stands for a private key that a host or a state holds.
const canary = "-----BEGIN EC PRIVATE KEY-----\nQ0FOQVJZ-CANARY\n-----END EC PRIVATE KEY-----\n"

// TestNoSecretInThePlan: whatever hosts hold, and even what they tell unasked,
// no private key comes into a plan.
func TestNoSecretInThePlan(t *testing.T) {
	// A host that another installer used: keys at our paths, and kubeconfigs
	// that embed them.
	const kubeconfig = "apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n    client-key-data: CANARY\n    token: CANARY\n"
	foreign := newWorld(t, example(t, "three"))
	for h, m := range foreign.hosts {
		for _, r := range foreign.want().Set.All() {
			if r.Addr.Host != h {
				continue
			}
			switch s := r.Spec; {
			case s.Certificate != nil:
				m.Files[s.Certificate.KeyPath], m.Files[s.Certificate.CertPath] = text(canary, 0o600), text(canary, 0o644)
			case s.File != nil && strings.HasSuffix(s.File.Path, ".conf"):
				m.Files[s.File.Path] = text(kubeconfig, 0o600)
			case s.File != nil:
				m.Files[s.File.Path] = text(canary, 0o600)
			case s.Unit != nil:
				m.Files[s.Unit.Path] = text("[Service]\nEnvironment=PASSWORD=CANARY\n", 0o600)
			}
		}
	}
	telling := foreign.input()
	for h, o := range telling.Observed { // as if it had been asked for all of it
		for p := range o.Files {
			o.Files[p] = foreign.hosts[h].Files[p]
		}
	}
	// A cluster of ours in which every file that holds a key was changed, and
	// the hosts tell all of it.
	ours := applied(t, "three")
	secrets := []string{"CANARY"}
	for _, m := range ours.hosts {
		for p, f := range m.Files {
			if strings.Contains(string(f.Content), "PRIVATE KEY") {
				secrets = append(secrets, keyLines(string(f.Content))...)
				m.edit(p, func(f *facts.File) { f.Content, f.SHA256 = append([]byte(canary), f.Content...), sha("changed") })
			}
		}
	}
	for _, k := range ours.keys {
		secrets = append(secrets, keyLines(string(k.Reveal()))...)
	}
	if len(secrets) < 60 {
		t.Fatalf("only %d lines of keys to look for", len(secrets))
	}
	drifted := ours.input()
	for h, o := range drifted.Observed {
		for p := range o.Files {
			o.Files[p] = ours.hosts[h].Files[p]
		}
	}
	for name, in := range map[string]Input{"foreign": foreign.input(), "telling": telling, "drifted": drifted, "destroy": ours.destruction(true)} {
		t.Run(name, func(t *testing.T) {
			p := compute(t, in)
			if name != "destroy" && len(active(p)) < 40 {
				t.Fatalf("only %d changes: the canaries are not in the way", len(active(p)))
			}
			data := string(encode(t, p))
			for _, s := range append(secrets, "PRIVATE KEY") {
				if at := strings.Index(data, s); at >= 0 {
					t.Fatalf("the plan holds a secret: %s", data[max(0, at-300):at+20])
				}
			}
		})
	}
}

// keyLines are the first lines of the private keys in a text: those with the
// secret number. The lines behind hold the public key too.
func keyLines(text string) []string {
	var out []string
	for _, rest := range strings.Split(text, "-----BEGIN EC PRIVATE KEY-----\n")[1:] {
		line, _, _ := strings.Cut(rest, "\n")
		out = append(out, line)
	}
	return out
}

func TestCounts(t *testing.T) {
	p := &Plan{}
	if p.Changed() {
		t.Error("an empty plan changes something")
	}
	for _, a := range []Action{NoOp, Create, Create, Update, Replace, Delete, Forget, Read} {
		p.Changes = append(p.Changes, Change{Action: a})
	}
	if want := (Counts{Add: 3, Change: 1, Destroy: 2, Forget: 1}); p.Counts() != want || !p.Changed() {
		t.Errorf("got %+v, want %+v", p.Counts(), want)
	}
	symbols := ""
	for _, c := range p.Changes {
		symbols += c.Action.Symbol() + " "
	}
	if symbols != "  + + ~ -/+ - . <= " {
		t.Errorf("symbols %q", symbols)
	}
	for _, a := range []Action{NoOp, Read} {
		if (&Plan{Changes: []Change{{Action: a}}}).Changed() {
			t.Errorf("%s changes something", a)
		}
	}
}

// TestBound: the plan says what it was made from.
func TestBound(t *testing.T) {
	in := fresh(t)
	in.State.Serial, in.Targets = 7, []addr.Address{at(n1, resource.KindUnit, "kubelet")}
	p := compute(t, in)
	got := []any{p.FormatVersion, p.Tool, p.Created, p.Mode, p.Cluster, p.Lineage, p.Serial, p.ConfigDigest, p.Targets, len(p.Allocations.Pods), len(p.Allocations.Etcd)}
	want := []any{FormatVersion, "test", clock, Normal, "prod", lineage, uint64(7), "config", in.Targets, 5, 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
