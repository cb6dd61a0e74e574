package desired

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/health"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/units"
)

func hosts(in Input) []addr.Host {
	var out []addr.Host
	for _, h := range in.Config.Hosts {
		out = append(out, h.Addr)
	}
	return out
}

func requested(r facts.Request, path string) (facts.FileRequest, bool) {
	i := slices.IndexFunc(r.Files, func(f facts.FileRequest) bool { return f.Path == path })
	if i < 0 {
		return facts.FileRequest{}, false
	}
	return r.Files[i], true
}

// TestRequests: everything that is wanted is asked for, once and in order, and
// the content of nothing that holds a private key is.
func TestRequests(t *testing.T) {
	each(t, func(t *testing.T, in Input, s resource.Set) {
		requests := Requests(hosts(in), s, in.State)
		if diff := cmp.Diff(requests, Requests(hosts(in), s, in.State)); diff != "" {
			t.Errorf("two requests differ:\n%s", diff)
		}
		if len(requests) != len(in.Config.Hosts) {
			t.Errorf("%d requests for %d hosts", len(requests), len(in.Config.Hosts))
		}
		for h, q := range requests {
			if !slices.IsSortedFunc(q.Files, func(a, b facts.FileRequest) int { return strings.Compare(a.Path, b.Path) }) || !slices.IsSorted(q.Units) || !slices.IsSorted(q.Sysctls) {
				t.Errorf("%s: the request is not in order", h)
			}
			for i, f := range q.Files {
				if i > 0 && q.Files[i-1].Path == f.Path {
					t.Errorf("%s: %s is asked for twice", h, f.Path)
				}
			}
			if (q.Kube != nil) != (h.Role == addr.Master) {
				t.Errorf("%s: asks for objects: %v", h, q.Kube != nil)
			}
		}
		for _, r := range s.All() {
			if !r.Addr.Host.IsCluster() {
				checkRequested(t, r, requests[r.Addr.Host])
			}
		}
	})
}

func checkRequested(t *testing.T, r resource.Resource, q facts.Request) {
	t.Helper()
	private := func(p string, pem bool) {
		f, ok := requested(q, p)
		if !ok || f.Content || f.Certificates != pem {
			t.Errorf("%s: the private %s is asked for as %+v", r.Addr, p, f)
		}
	}
	if p := r.Spec.Path(); p != "" {
		f, ok := requested(q, p)
		wantsText := r.Spec.Unit != nil || r.Spec.Block != nil || r.Spec.File != nil
		if !ok || wantsText && !f.Content && r.Spec.File == nil {
			t.Errorf("%s is asked for as %+v, %v", r.Addr, f, ok)
		}
	}
	switch s := r.Spec; {
	case s.Certificate != nil && s.Certificate.Combined:
		private(s.Certificate.CertPath, true)
	case s.Certificate != nil:
		private(s.Certificate.KeyPath, false)
		if f, _ := requested(q, s.Certificate.CertPath); !f.Certificates || f.Content {
			t.Errorf("%s: the certificate is asked for as %+v", r.Addr, f)
		}
	case s.File != nil:
		secret := strings.HasPrefix(s.File.Material, "key/") || strings.HasPrefix(s.File.Material, "private/")
		f, _ := requested(q, s.File.Path)
		if f.Content == secret || f.Certificates {
			t.Errorf("%s: secret %v, asked for as %+v", r.Addr, secret, f)
		}
		if known := !secret && (s.File.Material == "" || s.File.Content != ""); known != knows(f, s.File.Content) || !known && f.Known != nil {
			t.Errorf("%s: its content goes along: %v, want %v", r.Addr, f.Known != nil, known)
		}
	case s.Unit != nil && !knows(at(q, s.Unit.Path), s.Unit.Content):
		t.Errorf("%s: its content does not go along", r.Addr)
	case s.Unit != nil && !slices.Contains(q.Units, s.Unit.Name), s.Sysctl != nil && !slices.Contains(q.Sysctls, s.Sysctl.Key), s.Image != nil && q.Images == nil,
		s.Module != nil && !slices.ContainsFunc(q.Modules, func(m facts.ModuleRequest) bool {
			return m.Name == s.Module.Name && cmp.Equal(m.Effects, s.Module.Effects)
		}):
		t.Errorf("%s is not asked for", r.Addr)
	}
}

func at(q facts.Request, path string) facts.FileRequest {
	f, _ := requested(q, path)
	return f
}

func knows(f facts.FileRequest, text string) bool {
	return f.Known != nil && string(f.Known.Content) == text && f.Known.Is(resource.SHA256([]byte(text)))
}

// TestRequestsKnow: a text goes along once for all hosts that have it; where a
// path has another one now, it is that.
func TestRequestsKnow(t *testing.T) {
	a, b := addr.Host{Role: addr.Master, Name: "a"}, addr.Host{Role: addr.Node, Name: "b"}
	file := func(h addr.Host, name, path, text, material string) resource.Resource {
		return resource.Resource{Addr: addr.Address{Host: h, Kind: string(resource.KindFile), Name: name},
			Spec: resource.Spec{File: &resource.File{Path: path, Content: text, Material: material}}}
	}
	set, err := resource.NewSet([]resource.Resource{
		file(a, "same", "/same", "x", ""), file(b, "same", "/same", "x", ""), file(a, "new", "/moved", "now", ""),
		file(a, "key", "/key", "", resource.MaterialKey("ca")), file(a, "made later", "/later", "", resource.MaterialCert("ca")), file(a, "empty", "/empty", "", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	var owned state.Public
	owned.Resources = map[addr.Address]state.Record{}
	for _, r := range []resource.Resource{file(a, "old", "/moved", "then", ""), file(a, "gone", "/gone", "then", ""), file(a, "same", "/same", "then", "")} {
		owned.Resources[r.Addr] = state.Record{Spec: r.Spec}
	}
	q := Requests([]addr.Host{a, b}, set, owned)
	for path, text := range map[string]string{"/same": "x", "/moved": "now", "/gone": "then", "/empty": ""} {
		if f := at(q[a], path); !knows(f, text) {
			t.Errorf("%s: %+v", path, f.Known)
		}
	}
	for _, path := range []string{"/key", "/later"} {
		if f := at(q[a], path); f.Path == "" || f.Known != nil {
			t.Errorf("%s: %+v", path, f)
		}
	}
	if at(q[a], "/same").Known != at(q[b], "/same").Known {
		t.Error("a text of two hosts is there twice")
	}
	if text, err := json.Marshal(q[a]); err != nil || strings.Contains(string(text), "nown") || strings.Contains(string(text), "then") {
		t.Errorf("a request is written down with what is known: %s, %v", text, err)
	}
}

// TestRequestsForWhatIsOwned: what the state owns is looked at also when nobody
// wants it any more, or it could not be taken away.
func TestRequestsForWhatIsOwned(t *testing.T) {
	in := input(t, source(t, "lab"))
	set := build(t, in).Set
	in.State.Resources = map[addr.Address]state.Record{}
	for _, r := range set.All() {
		in.State.Resources[r.Addr] = state.Record{Spec: r.Spec, DependsOn: r.DependsOn}
	}
	none, err := resource.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Requests(hosts(in), set, state.Public{})
	got := Requests(hosts(in), none, in.State)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a destruction observes other things (-creation +destruction):\n%s", diff)
	}
	if q := Requests([]addr.Host{n1}, set, in.State); len(q) != 1 || len(q[n1].Files) != len(want[n1].Files) {
		t.Errorf("one host asked for: %d requests", len(q))
	}
}

// TestHealth: every component that a host runs is asked whether it is healthy,
// the same way as its gate does, and etcd as a client too.
func TestHealth(t *testing.T) {
	each(t, func(t *testing.T, in Input, s resource.Set) {
		spec := Health(in.Config)
		if spec.Cluster != in.Config.Name || len(spec.Masters) != len(in.Config.Masters()) || len(spec.Nodes) != len(in.Config.Hosts) {
			t.Errorf("cluster %s, %d masters, %d nodes", spec.Cluster, len(spec.Masters), len(spec.Nodes))
		}
		for _, h := range in.Config.Hosts {
			for _, c := range units.Components(in.Config.Version) {
				r, runs := s.Get(unit(h.Addr, c.Name))
				probes := probesOf(spec, h.Addr, c.Name)
				if !runs || c.Oneshot {
					if len(probes) > 0 {
						t.Errorf("%s does not run %s as a process, and is asked for it", h.Addr, c.Name)
					}
					continue
				}
				if !slices.ContainsFunc(probes, func(g resource.Gate) bool {
					g.Timeout = r.Spec.Unit.Gate.Timeout
					return cmp.Equal(g, *r.Spec.Unit.Gate)
				}) {
					t.Errorf("%s: no probe is the gate of %s: %+v", h.Addr, c.Name, probes)
				}
				paths := owned(t, s, h.Addr)
				for _, g := range probes {
					if _, ours := paths[append(slices.Clone(g.Argv), g.HTTP)[0]]; !ours && g.HTTP == "" {
						t.Errorf("%s: the probe of %s runs %v, which is not there", h.Addr, c.Name, g.Argv)
					}
				}
			}
			if h.IsMaster() {
				if got := len(probesOf(spec, h.Addr, units.ComponentEtcd)); got != 2 {
					t.Errorf("%s: etcd is asked %d times, want its own health and a client's", h.Addr, got)
				}
				if got := len(probesOf(spec, h.Addr, units.ComponentAPIServer)); got != 2 {
					t.Errorf("%s: the API server is asked %d times, want /livez and /readyz", h.Addr, got)
				}
			}
		}
	})
}

func probesOf(s health.Spec, h addr.Host, component string) []resource.Gate {
	var out []resource.Gate
	for _, p := range s.Probes {
		if p.Host == h && p.Component == component {
			out = append(out, p.Gate)
		}
	}
	return out
}
