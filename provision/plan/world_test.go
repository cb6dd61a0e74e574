package plan

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"testing"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// world is a cluster in memory: what an apply without any failure makes of
// plans, written down as simply as can be. It is not the interpreter: it knows
// no host and no script. It exists to hold "apply, then the plan is empty"
// against the pure part alone.
type world struct {
	t     testing.TB
	cfg   *config.Cluster
	lock  binaries.Lock
	now   time.Time
	hosts map[addr.Host]*machine
	snap  state.Snapshot
	keys  map[string]certs.Secret // by the name of the material

	objects, nodes map[string]json.RawMessage
}

// machine is one host of the world, as it would answer in full.
type machine struct {
	facts.Observation
	saved map[string]facts.File // what stood there before hardway
}

func newWorld(t testing.TB, cfg *config.Cluster) *world {
	w := &world{t: t, cfg: cfg, lock: lockFor(t, cfg), now: clock, hosts: map[addr.Host]*machine{},
		keys: map[string]certs.Secret{}, objects: map[string]json.RawMessage{}, nodes: map[string]json.RawMessage{}}
	w.snap = state.New(cfg.Name, "test", clock)
	w.snap.Lineage, w.snap.Serial = lineage, 1
	for _, h := range cfg.Hosts {
		w.hosts[h.Addr] = &machine{saved: map[string]facts.File{}, Observation: facts.Observation{
			Arch: h.Arch, Hostname: h.Name, Swaps: []string{"/swapfile"},
			Files:   map[string]facts.File{"/etc/hosts": text("127.0.0.1 localhost\n", 0o644)},
			Units:   map[string]facts.Unit{},
			Modules: map[string]bool{"overlay": true},
			Sysctls: map[string]string{"net.ipv4.ip_forward": "0", "kernel.panic": "0", "vm.overcommit_memory": "1"},
			Images:  map[string]string{},
		}}
	}
	return w
}

// clone returns a world that can be changed without changing w.
func (w *world) clone(t testing.TB) *world {
	c := *w
	c.t, c.snap, c.keys = t, w.snap.Clone(), maps.Clone(w.keys)
	c.objects, c.nodes, c.hosts = maps.Clone(w.objects), maps.Clone(w.nodes), map[addr.Host]*machine{}
	for h, m := range w.hosts {
		o := m.Observation
		o.Files, o.Units, o.Sysctls = maps.Clone(o.Files), maps.Clone(o.Units), maps.Clone(o.Sysctls)
		o.Modules, o.Images = maps.Clone(o.Modules), maps.Clone(o.Images)
		c.hosts[h] = &machine{Observation: o, saved: maps.Clone(m.saved)}
	}
	return &c
}

// want compiles the configuration with the world's state and facts.
func (w *world) want() desired.Result {
	w.t.Helper()
	in := desired.Input{Config: w.cfg, Lock: w.lock, State: w.snap.Public, Facts: map[addr.Host]facts.Observation{}}
	for h, m := range w.hosts {
		in.Facts[h] = m.Observation
	}
	r, err := desired.Build(in)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// input is what a plan of the world as it is now is computed from.
func (w *world) input() Input {
	w.t.Helper()
	r := w.want()
	return Input{Tool: "test", Cluster: w.cfg.Name, ConfigDigest: "config", Now: w.now, Mode: Normal,
		Desired: r.Set, Allocations: r.Allocations, Observed: w.observe(r.Set), State: w.snap.Public}
}

// destruction is the input of a plan to destroy.
func (w *world) destruction(data bool) Input {
	w.t.Helper()
	set := setOf(w.t)
	return Input{Tool: "test", Cluster: w.cfg.Name, ConfigDigest: "config", Now: w.now, Mode: Destroy, DestroyData: data,
		Desired: set, Allocations: w.snap.Allocations, Observed: w.observe(set), State: w.snap.Public}
}

// observe answers what package desired asks for, and only that.
func (w *world) observe(set resource.Set) map[addr.Host]facts.Observation {
	out := map[addr.Host]facts.Observation{}
	for h, q := range desired.Requests(w.addresses(), set, w.snap.Public) {
		m := w.hosts[h]
		o := m.Observation
		if !o.Reachable() {
			out[h] = facts.Observation{Err: o.Err}
			continue
		}
		o.Files, o.Units, o.Sysctls, o.Modules = map[string]facts.File{}, map[string]facts.Unit{}, map[string]string{}, map[string]bool{}
		for _, f := range q.Files {
			o.Files[f.Path] = answer(m.Files[f.Path], f)
		}
		for _, u := range q.Units {
			o.Units[u] = m.Units[u]
		}
		for _, k := range q.Sysctls {
			if v, ok := m.Sysctls[k]; ok {
				o.Sysctls[k] = v
			}
		}
		for _, k := range q.Modules {
			o.Modules[k.Name] = m.Modules[k.Name]
		}
		if q.Kube != nil {
			o.Kube = w.kube(h)
		}
		out[h] = o
	}
	return out
}

func (w *world) addresses() []addr.Host {
	var out []addr.Host
	for _, h := range w.cfg.Hosts {
		out = append(out, h.Addr)
	}
	return out
}

var pemCertificate = regexp.MustCompile(`(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n`)

// answer is what a host tells of a file: its content only where that was asked.
func answer(f facts.File, q facts.FileRequest) facts.File {
	switch {
	case !f.Exists():
		return facts.File{Type: facts.Absent}
	case q.Certificates:
		f.Content = pemCertificate.Find(f.Content)
	case !q.Content:
		f.Content = nil
	}
	return f
}

// kube is what a master's API server says.
func (w *world) kube(h addr.Host) facts.Kube {
	m := w.hosts[h]
	switch {
	case !m.Files[path.Join(w.cfg.Directories.Data, "etcd", "member")].Exists():
		return facts.Kube{State: facts.NoCluster}
	case m.Units["kube-apiserver.service"].Active != "active":
		return facts.Kube{State: facts.Down, Message: "connection refused"}
	}
	return facts.Kube{State: facts.Up, Objects: maps.Clone(w.objects), Nodes: maps.Clone(w.nodes)}
}

// apply carries a plan out, in its order, and records it as an apply does.
func (w *world) apply(p *Plan) {
	w.t.Helper()
	done := map[addr.Address]bool{}
	if p.Mode != Destroy {
		w.record(state.Entry{Allocations: &p.Allocations})
	}
	for _, c := range p.Changes {
		for _, d := range c.DependsOn {
			if !done[d] {
				w.t.Fatalf("%s stands before %s, which it depends on", c.Addr, d)
			}
		}
		switch c.Action {
		case NoOp:
			if s := c.Spec; c.Prior != nil && (s.Sysctl != nil || s.Module != nil || s.Swap != nil) { // adopted
				w.record(state.Entry{Begin: &state.Begin{Addr: c.Addr, Spec: s, DependsOn: c.DependsOn, Prior: *c.Prior}})
				w.record(state.Entry{Done: &state.Done{Addr: c.Addr}})
			}
		case Forget:
			w.record(state.Entry{Forget: &c.Addr})
		case Delete:
			w.remove(c)
		default:
			w.make(c)
		}
		done[c.Addr] = true
	}
	w.snap.Serial++
}

func (w *world) record(e state.Entry) {
	w.t.Helper()
	e.Time = w.now
	if err := w.snap.Apply(e); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) make(c Change) {
	w.t.Helper()
	if inState(c.Spec) {
		w.material(c)
		return
	}
	begin := state.Begin{Addr: c.Addr, Spec: c.Spec, DependsOn: c.DependsOn}
	if c.Prior != nil {
		begin.Prior = *c.Prior
	}
	if f := c.Former; f != nil {
		was := w.snap.Resources[c.Addr]
		w.record(state.Entry{Begin: &state.Begin{Addr: f.Addr, Spec: f.Spec, DependsOn: was.DependsOn, Prior: was.Prior}})
		w.record(state.Entry{Done: &state.Done{Addr: f.Addr, SHA256: was.SHA256, Certificate: was.Certificate}})
	}
	w.record(state.Entry{Begin: &begin})
	d := state.Done{Addr: c.Addr}
	if c.Addr.Host.IsCluster() {
		w.makeObject(c.Spec)
	} else {
		d.SHA256, d.Certificate = w.makeOn(w.hosts[c.Addr.Host], c)
	}
	w.record(state.Entry{Done: &d})
}

// material makes an authority or a key pair.
func (w *world) material(c Change) {
	w.t.Helper()
	keys := state.Keys{Authorities: maps.Clone(w.snap.Authorities), KeyPairs: maps.Clone(w.snap.KeyPairs)}
	if keys.Authorities == nil {
		keys.Authorities, keys.KeyPairs = map[string]state.Authority{}, map[string]state.KeyPair{}
	}
	if a := c.Spec.Authority; a != nil {
		made, err := certs.NewAuthority(certs.AuthoritySpec{Name: c.Addr.Name, CN: a.CN, Names: certs.Subject(a.Names), Algorithm: certs.Algorithm(a.Algorithm),
			Validity: a.Validity, Generation: a.Generation, Now: w.now})
		if err != nil {
			w.t.Fatal(err)
		}
		w.keys[resource.MaterialKey(c.Addr.Name)] = made.KeyPEM
		keys.Authorities[c.Addr.Name] = state.Authority{Generation: a.Generation, CertPEM: string(made.CertPEM),
			KeySHA256: resource.SHA256(made.KeyPEM.Reveal()), NotAfter: made.NotAfter}
	} else {
		pair, err := certs.NewKeyPair(certs.Algorithm(c.Spec.KeyPair.Algorithm))
		if err != nil {
			w.t.Fatal(err)
		}
		w.keys[resource.MaterialPrivate(c.Addr.Name)] = pair.PrivatePEM
		keys.KeyPairs[c.Addr.Name] = state.KeyPair{Generation: c.Spec.KeyPair.Generation, PublicPEM: string(pair.PublicPEM),
			PrivateSHA256: resource.SHA256(pair.PrivatePEM.Reveal())}
	}
	w.record(state.Entry{Keys: &keys})
}
