package desired

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// configurations are those that the invariants are held against: every file in
// testdata, and settings that move things to other places.
func configurations(t *testing.T) map[string]Input {
	lab, three := source(t, "lab"), source(t, "three")
	out := map[string]Input{"lab": input(t, lab), "three": input(t, three), "three, made": made(input(t, three))}
	out["other places"] = input(t, three+`
directories {
  bin  = "/opt/k8s/bin"
  cert = "/srv/k8s/pki"
  conf = "/srv/k8s/conf"
  log  = "/srv/k8s/log"
  data = "/srv/k8s/data"
  cni  = "/srv/k8s/cni"
}`)
	out["no network, no signer"] = input(t, changed(t, three, `network "bridge" {}`, "network \"none\" {}\npki { csr_signing = false }"))
	out["machine left alone"] = input(t, changed(t, lab, `swap = "ignore"`, "swap = \"ignore\"\nmanage_sysctl = false\nmanage_modules = false\nmanage_hosts = false"))
	return out
}

func each(t *testing.T, check func(t *testing.T, in Input, set resource.Set)) {
	for name, in := range configurations(t) {
		t.Run(name, func(t *testing.T) { check(t, in, build(t, in).Set) })
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	text := source(t, "three")
	first := build(t, input(t, text))
	for range 50 {
		got := build(t, input(t, text)) // loaded anew: maps in another order
		if digest(got.Set) != digest(first.Set) {
			t.Fatalf("two builds differ:\n%s", cmp.Diff(describeSet(first.Set), describeSet(got.Set)))
		}
		if !got.Allocations.Equal(first.Allocations) {
			t.Fatalf("allocations differ: %v, %v", got.Allocations, first.Allocations)
		}
	}
}

// closure returns everything that a resource waits for, itself included. It
// fails on a cycle.
func closure(t *testing.T, s resource.Set, memo map[addr.Address]map[addr.Address]bool, a addr.Address) map[addr.Address]bool {
	if done, ok := memo[a]; ok {
		if done == nil {
			t.Fatalf("%s waits for itself", a)
		}
		return done
	}
	memo[a] = nil
	all := map[addr.Address]bool{a: true}
	r, _ := s.Get(a)
	for _, d := range r.DependsOn {
		for x := range closure(t, s, memo, d) {
			all[x] = true
		}
	}
	memo[a] = all
	return all
}

// owned maps the paths of a host to the resources that own them.
func owned(t *testing.T, s resource.Set, h addr.Host) map[string]addr.Address {
	out := map[string]addr.Address{}
	own := func(p string, a addr.Address) {
		if other, twice := out[p]; twice {
			t.Errorf("%s belongs to %s and to %s", p, other, a)
		}
		out[p] = a
	}
	for _, r := range s.All() {
		if r.Addr.Host != h {
			continue
		}
		if p := r.Spec.Path(); p != "" {
			own(p, r.Addr)
		}
		if c := r.Spec.Certificate; c != nil && !c.Combined {
			own(c.KeyPath, r.Addr)
		}
	}
	return out
}

// TestPaths: no path has two owners, and what a path lies in is made before it
// or is everybody's.
func TestPaths(t *testing.T) {
	each(t, func(t *testing.T, in Input, s resource.Set) {
		memo := map[addr.Address]map[addr.Address]bool{}
		for _, h := range in.Config.Hosts {
			paths := owned(t, s, h.Addr)
			for p, a := range paths {
				if !path.IsAbs(p) || path.Clean(p) != p {
					t.Errorf("%s: %q is no clean absolute path", a, p)
				}
				parent := path.Dir(p)
				maker, made := paths[parent]
				switch {
				case !made && !system[parent]:
					t.Errorf("%s: nobody makes %s", a, parent)
				case made && !closure(t, s, memo, a)[maker]:
					t.Errorf("%s does not wait for %s", a, maker)
				}
			}
		}
	})
}

// TestUnitsWaitForWhatTheyRead: whatever path of ours a unit names, or a config
// file that it names, is there before the unit starts.
func TestUnitsWaitForWhatTheyRead(t *testing.T) {
	each(t, func(t *testing.T, in Input, s resource.Set) {
		memo := map[addr.Address]map[addr.Address]bool{}
		named := 0
		for _, r := range s.All() {
			if r.Spec.Unit == nil {
				continue
			}
			paths := owned(t, s, r.Addr.Host)
			before := closure(t, s, memo, r.Addr)
			queue, seen := []string{r.Spec.Unit.Content}, map[string]bool{}
			for len(queue) > 0 {
				text := queue[0]
				queue = queue[1:]
				for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \n\t=,\"'[]:\\", c) }) {
					a, ours := paths[word]
					if !ours || seen[word] {
						continue
					}
					seen[word] = true
					named++
					if !before[a] {
						t.Errorf("%s reads %s and does not wait for %s", r.Addr, word, a)
					}
					if f, _ := s.Get(a); f.Spec.File != nil {
						queue = append(queue, f.Spec.File.Content)
					}
				}
			}
			if u := r.Spec.Unit; !u.Oneshot && !slices.ContainsFunc(r.DependsOn, func(d addr.Address) bool { return d.Kind == string(resource.KindBinary) }) {
				t.Errorf("%s waits for no binary", r.Addr)
			}
			if g := r.Spec.Unit.Gate; g != nil && len(g.Argv) > 0 {
				if a, ours := paths[g.Argv[0]]; !ours || !before[a] {
					t.Errorf("%s: its gate runs %s before that is there", r.Addr, g.Argv[0])
				}
			}
		}
		if named < 30 {
			t.Errorf("only %d paths were found in units: the test does not see what it should", named)
		}
	})
}

// TestMaterialWaitsForItsMaker: what only the state holds, and what an authority
// signs, comes after the authority is durable.
func TestMaterialWaitsForItsMaker(t *testing.T) {
	each(t, func(t *testing.T, _ Input, s resource.Set) {
		for _, r := range s.All() {
			var maker addr.Address
			switch {
			case r.Spec.Certificate != nil:
				maker = authority(r.Spec.Certificate.Authority)
			case r.Spec.File != nil && r.Spec.File.Material != "":
				kind, name, _ := strings.Cut(r.Spec.File.Material, "/")
				if maker = authority(name); kind == "public" || kind == "private" {
					maker = keypair(name)
				}
			default:
				continue
			}
			if !slices.Contains(r.DependsOn, maker) {
				t.Errorf("%s does not wait for %s", r.Addr, maker)
			}
		}
	})
}

// TestSecretsAreNotInTheSet: private material is named, never carried, and lies
// where only root can read it.
func TestSecretsAreNotInTheSet(t *testing.T) {
	each(t, func(t *testing.T, _ Input, s resource.Set) {
		for _, r := range s.All() {
			f := r.Spec.File
			if f == nil || !(strings.HasPrefix(f.Material, "key/") || strings.HasPrefix(f.Material, "private/")) {
				continue
			}
			if f.Content != "" || f.Mode != 0o600 || f.Owner != "root" {
				t.Errorf("%s: content %q, mode %04o, owner %s", r.Addr, f.Content, f.Mode, f.Owner)
			}
		}
	})
}

// TestNodesFollowTheirKubelet: labels and taints are set after the kubelet runs
// and the admin has its rights; every host is a node.
func TestNodesFollowTheirKubelet(t *testing.T) {
	each(t, func(t *testing.T, in Input, s resource.Set) {
		memo := map[addr.Address]map[addr.Address]bool{}
		for _, h := range in.Config.Hosts {
			node := get(t, s, cluster, resource.KindNode, h.Name)
			before := closure(t, s, memo, node.Addr)
			for _, want := range []addr.Address{unit(h.Addr, "kubelet"), unit(h.Addr, "kube-proxy"), unit(in.Config.Masters()[0].Addr, "kube-apiserver"),
				{Host: cluster, Kind: "object", Name: "hardway:cluster-admins"}} {
				if !before[want] {
					t.Errorf("%s does not wait for %s", node.Addr, want)
				}
			}
		}
	})
}
