package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// sizes are the fleets over which growth is fitted.
var sizes = []int{10, 30, 100, 300, 1000}

// The goals of the pure path.
const (
	maxExponent = 1.1
	maxHeap     = 500 << 20 // bytes alive while a plan of 1000 hosts is held
	maxEngine   = 3 * time.Second
)

// pure is the whole path from files to a plan without a network: a fleet of
// hosts that answer, and on which nothing was done yet.
type pure struct {
	hosts int
	dir   string
	lock  binaries.Lock
	seen  map[addr.Host]facts.Observation
	known state.Public
}

func newPure(dir string, hosts int) (*pure, error) {
	p := &pure{hosts: hosts, dir: dir, seen: map[addr.Host]facts.Observation{}}
	text := clusterText(hosts, nil) + "\nssh {\n  user = \"root\"\n  private_key = \"id_ed25519\"\n  known_hosts = \"known_hosts\"\n}\n"
	for name, content := range map[string]string{"cluster.hcl": text, "id_ed25519": "not read\n", "known_hosts": ""} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	cfg, err := p.load()
	if err != nil {
		return nil, err
	}
	artifacts, err := wanted(cfg)
	if err != nil {
		return nil, err
	}
	p.lock = binaries.Lock{Binaries: map[binaries.Key]binaries.Pin{}, Images: map[string]binaries.ImagePin{}}
	for _, a := range artifacts {
		p.lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{
			Version: a.Version, SHA256: resource.SHA256([]byte(a.String())), Size: 1 << 20,
		}
	}
	p.known = state.New(cfg.Name, "0.0.0-bench", epoch).Public
	for _, h := range cfg.Hosts {
		p.seen[h.Addr] = facts.Observation{Arch: h.Arch, Hostname: h.Name, Clock: epoch, Addresses: []string{h.Address.String()},
			Sysctls: map[string]string{}, Modules: map[string]bool{}, Swaps: []string{"/swapfile"},
			Files: map[string]facts.File{"/etc/hosts": {Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root", Content: []byte("127.0.0.1 localhost\n")}}}
	}
	return p, nil
}

func (p *pure) load() (*config.Cluster, error) {
	cfg, files, diags := config.Load(config.Options{Dir: p.dir, UserHome: p.dir})
	if diags.HasErrors() {
		var b strings.Builder
		_ = config.WriteDiagnostics(&b, files, diags, 100, false)
		return nil, errors.New(b.String())
	}
	return cfg, nil
}

// planned is what a run made, to be held while memory is looked at.
type planned struct {
	plan *plan.Plan
	set  resource.Set
}

// run does what a command does, with the same two compilations: before the
// hosts were seen, to know what to ask them, and after.
func (p *pure) run() (planned, error) {
	cfg, err := p.load()
	if err != nil {
		return planned{}, err
	}
	in := desired.Input{Config: cfg, Lock: p.lock, State: p.known}
	want, err := desired.Build(in)
	if err != nil {
		return planned{}, err
	}
	var hosts []addr.Host
	for _, h := range cfg.Hosts {
		hosts = append(hosts, h.Addr)
	}
	if n := len(desired.Requests(hosts, want.Set, p.known)); n != p.hosts {
		return planned{}, fmt.Errorf("%d requests for %d hosts", n, p.hosts)
	}
	in.Facts = p.seen
	if want, err = desired.Build(in); err != nil {
		return planned{}, err
	}
	out, err := plan.Compute(plan.Input{Tool: "0.0.0-bench", Cluster: cfg.Name, ConfigDigest: cfg.Digest, Now: epoch, Mode: plan.Normal,
		Desired: want.Set, Allocations: want.Allocations, Observed: p.seen, State: p.known})
	if err != nil {
		return planned{}, err
	}
	if len(out.Unknown) > 0 || len(out.Changes) < 40*p.hosts {
		return planned{}, fmt.Errorf("%d changes for %d hosts, unknown %v", len(out.Changes), p.hosts, out.Unknown)
	}
	return planned{out, want.Set}, nil
}

// cost is what one run of something took of memory.
type cost struct{ objects, bytes, live float64 }

// allocated counts what a run allocates, and what of it is alive while its
// results are held. Counts are the same on every machine; nothing else may run.
func (p *pure) allocated() (cost, planned, error) {
	var before, after, held runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept, err := p.run()
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&held)
	return cost{
		objects: float64(after.Mallocs - before.Mallocs),
		bytes:   float64(after.TotalAlloc - before.TotalAlloc),
		live:    float64(held.HeapAlloc) - float64(before.HeapAlloc),
	}, kept, err
}

// growth is how the costs of the pure path grow over sizes.
type growth struct {
	objects, bytes float64 // exponents
	live           float64 // bytes, of the largest fleet
}

func growthOf(dir func() string, say func(format string, args ...any)) (growth, error) {
	var x, objects, bytes []float64
	var g growth
	for _, n := range sizes {
		p, err := newPure(dir(), n)
		if err != nil {
			return g, err
		}
		c, kept, err := p.allocated()
		if err != nil {
			return g, err
		}
		x, objects, bytes, g.live = append(x, float64(n)), append(objects, c.objects), append(bytes, c.bytes), c.live
		say("%4d hosts, %5d resources: %6.0f objects and %4.0f KiB a host, %4.0f MiB alive", n, len(kept.plan.Changes),
			c.objects/float64(n), c.bytes/float64(n)/1024, c.live/(1<<20))
		runtime.KeepAlive(kept)
	}
	g.objects, g.bytes = exponent(x, objects), exponent(x, bytes)
	return g, nil
}

// The pure path grows as the fleet does, or nearly: what is quadratic in the
// hosts does not show up to a thousand of them.
func TestGrowth(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates, too")
	}
	g, err := growthOf(t.TempDir, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("objects grow with the hosts to the power of %.2f, bytes of %.2f", g.objects, g.bytes)
	if max(g.objects, g.bytes) > maxExponent {
		t.Errorf("what is allocated grows with the hosts to the power of %.2f (objects) and %.2f (bytes), want at most %.1f", g.objects, g.bytes, maxExponent)
	}
	if g.live > maxHeap {
		t.Errorf("a plan of %d hosts holds %.0f MiB, want at most %d", sizes[len(sizes)-1], g.live/(1<<20), maxHeap>>20)
	}
}

// BenchmarkPure times the pure path, for a first plan.
func BenchmarkPure(b *testing.B) {
	var x, y []float64
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, err := newPure(b.TempDir(), n)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.run(); err != nil {
					b.Fatal(err)
				}
			}
			x, y = append(x, float64(n)), append(y, float64(b.Elapsed())/float64(b.N))
		})
	}
	if len(x) > 1 {
		b.Logf("time grows with the hosts to the power of %.2f", exponent(x, y))
	}
}

// BenchmarkSettled times a plan with nothing to do, of hosts in memory and
// through everything that a command does, the state's file included.
func BenchmarkSettled(b *testing.B) {
	for _, n := range []int{10, 100, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := newCluster(b, n)
			c.settle()
			b.ReportAllocs()
			for b.Loop() {
				s := c.session(c.inMemory)
				p, err := s.Plan(b.Context(), provision.PlanOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if p.Changed() || !p.Complete {
					b.Fatal("there is something to do")
				}
				c.close(s)
			}
		})
	}
}
