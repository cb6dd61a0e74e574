package bench

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hardway/provision/facts"
	"hardway/provision/resource"
)

// engineFigures: the pure path of a thousand hosts, and how it grows.
func engineFigures(t *testing.T, b *board) {
	const runs, hosts = 5, 1000
	var took times
	var peak int64
	changes := 0
	for range runs {
		r, err := child(t.Context(), job{Kind: "pure", Dir: t.TempDir(), Hosts: hosts})
		if err != nil {
			t.Fatal(err)
		}
		took, peak, changes = append(took, r.Wall), max(peak, r.Peak), r.Changes
	}
	b.add("P10", fmt.Sprintf("files to plan, no network, %d hosts, %d resources", hosts, changes), spread(took), "≤ "+maxEngine.String(), verdict(took.median() <= maxEngine))
	b.add("P10", "the same: peak memory of the process", mib(peak), fmt.Sprintf("≤ %d MiB", maxHeap>>20), verdict(peak <= maxHeap))
	g, err := growthOf(t.TempDir, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	b.add("P10", "the same: growth of allocated objects, bytes over 10…1000 hosts", fmt.Sprintf("n^%.2f, n^%.2f", g.objects, g.bytes),
		fmt.Sprintf("≤ n^%.1f", maxExponent), verdict(max(g.objects, g.bytes) <= maxExponent))
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// fleetFigures: a whole plan over SSH that finds nothing to do, of 10, 100 and
// 1000 hosts, in a process of its own.
func fleetFigures(t *testing.T, b *board) {
	took := map[int]time.Duration{}
	for _, c := range []struct{ hosts, runs int }{{10, 5}, {100, 3}, {1000, 1}} {
		plan := func(t *testing.T) {
			fleet := newCluster(t, c.hosts)
			fleet.settle()
			var walls times
			var last report
			for range c.runs {
				r, err := child(t.Context(), job{Kind: "plan", Dir: fleet.dir})
				if err == nil && (r.Changed || r.Unknown > 0) {
					err = fmt.Errorf("there is something to do, or %d hosts are unknown", r.Unknown)
				}
				if err != nil { // a plan that cannot be made of so many hosts is a figure, too
					b.add("P10", fmt.Sprintf("plan over SSH, nothing to do, %d hosts in process", c.hosts), "not possible", "possible", short)
					t.Log(err)
					return
				}
				walls, last = append(walls, r.Wall), r
			}
			took[c.hosts] = walls.min()
			b.add("P10", fmt.Sprintf("plan over SSH, nothing to do, %d hosts in process: wall; client CPU a host; peak memory", c.hosts),
				fmt.Sprintf("%s; %.1f ms; %s", spread(walls), last.CPU.Seconds()*1000/float64(c.hosts), mib(last.Peak)), memoryGoal(c.hosts), memoryVerdict(c.hosts, last.Peak))
		}
		if !t.Run(fmt.Sprint(c.hosts), plan) {
			return
		}
	}
	for _, c := range [][2]int{{100, 10}, {1000, 100}} {
		if took[c[0]] == 0 || took[c[1]] == 0 {
			continue
		}
		ratio := took[c[0]].Seconds() / took[c[1]].Seconds()
		b.add("P10", fmt.Sprintf("T(%d)/T(%d) of these", c[0], c[1]), fmt.Sprintf("%.1f", ratio), "≤ 12", verdict(ratio <= 12))
	}
}

func memoryGoal(hosts int) string {
	if hosts < 1000 {
		return ""
	}
	return fmt.Sprintf("≤ %d MiB", maxHeap>>20)
}

func memoryVerdict(hosts int, peak int64) string {
	if hosts < 1000 {
		return information
	}
	return verdict(peak <= maxHeap)
}

// thousandFigures: connect to a thousand hosts and observe 30 small files on
// each, against a bare loop of x/crypto/ssh that dials and runs one command.
func thousandFigures(t *testing.T, b *board) {
	const hosts, concurrency, runs = 1000, 10, 3
	f := newFarm(t, hosts)
	q, seen, raw := cannedTree()
	var known []string
	for _, f := range q.Files {
		known = append(known, string(seen.Files[f.Path].Content))
	}
	var all []string
	for _, h := range f.hosts {
		h.raw, h.observe = raw, func(facts.Request) facts.Observation { return seen }
		all = append(all, h.address)
	}
	last := map[string]report{}
	run := func(kind string, addresses []string) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			r, err := child(t.Context(), job{Kind: kind, Addresses: addresses, KeyFile: f.keyFile, KnownHosts: f.knownHosts,
				Concurrency: concurrency, Request: q, Known: known, Run: "/run/hardway", State: "/var/lib/hardway"})
			last[kind] = r
			return r.Wall, err
		}
	}
	mine, bare, err := interleave(runs, run("observe", all), run("bare", all))
	if err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("connect and observe %d hosts, %d at once", hosts, concurrency)
	b.pair("P11", what+", against a bare dial and exec in Go", mine, bare, 1.3)
	many, manyBare := last["observe"], last["bare"]
	if _, err := run("observe", all[:concurrency])(); err != nil {
		t.Fatal(err)
	}
	few := last["observe"]
	cpu := (many.CPU - few.CPU) / (hosts - concurrency)
	memory := (many.Peak - few.Peak) / (hosts - concurrency)
	b.add("P11", what+": client CPU a host", fmt.Sprintf("%.1f ms (bare: %.1f)", cpu.Seconds()*1000, manyBare.CPU.Seconds()*1000/hosts), "≤ 5 ms", verdict(cpu <= 5*time.Millisecond))
	b.add("P11", what+": client memory a host", fmt.Sprintf("%d KiB", memory>>10), "≤ 150 KiB", verdict(memory <= 150<<10))
}

// cannedTree is what every host of thousandFigures has, asked for and seen, and
// as sha256sum and stat would print it.
func cannedTree() (facts.Request, facts.Observation, []byte) {
	var q facts.Request
	o := facts.Observation{Arch: "amd64", Hostname: "h", Kernel: "6.1", Files: map[string]facts.File{}, Cgroup: 2, CPUs: 2, MemoryKB: 1 << 20}
	var raw strings.Builder
	for i := range 30 {
		path, content := fmt.Sprintf("/etc/kubernetes/file%02d", i), bytes.Repeat([]byte{'a' + byte(i%26)}, 1500+100*i)
		sum := resource.SHA256(content)
		q.Files = append(q.Files, facts.FileRequest{Path: path, Content: true})
		o.Files[path] = facts.File{Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root", Size: int64(len(content)), SHA256: sum, Content: content}
		fmt.Fprintf(&raw, "%s  %s\n%s regular file 644 root root %d\n", sum, path, path, len(content))
	}
	return q, o, []byte(raw.String())
}

// blackHoleFigures: a hundred hosts, of which one accepts connections and never
// says a word, or has nothing that listens.
func blackHoleFigures(t *testing.T, b *board) {
	const hosts, timeout, runs = 100, 3 * time.Second, 5
	c := newClusterWithin(t, hosts, timeout)
	c.settle()
	dead := c.farm.hosts[hosts/2]
	var others times
	// plan returns when the last of the others had answered, and the whole time.
	plan := func(unknown int) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			begun := time.Now()
			r, err := child(t.Context(), job{Kind: "plan", Dir: c.dir})
			if err == nil && r.Unknown != unknown {
				err = fmt.Errorf("%d hosts are unknown, want %d", r.Unknown, unknown)
			}
			var last time.Duration
			for _, h := range c.farm.hosts {
				if h != dead {
					last = max(last, time.Unix(0, h.read.Load()).Sub(begun))
				}
			}
			others = append(others, last)
			return r.Wall, err
		}
	}
	hole := func() (time.Duration, error) {
		dead.silent.Store(true)
		defer dead.silent.Store(false)
		return plan(1)()
	}
	with, without, err := interleave(runs, hole, plan(0))
	if err != nil {
		t.Fatal(err)
	}
	var othersWith, othersWithout times
	for i, d := range others[2:] { // the first pair does not count
		if i%2 == 0 {
			othersWith = append(othersWith, d)
		} else {
			othersWithout = append(othersWithout, d)
		}
	}
	b.pair("P12", "one of 100 hosts is silent: when the others had been read, against without it", othersWith, othersWithout, 1.1)
	limit := timeout + without.median()
	b.add("P12", fmt.Sprintf("the same: the whole plan, with a connect timeout of %s", timeout), spread(with), "≤ "+millis(limit), verdict(with.median() <= limit))
	if err := dead.stop(); err != nil {
		t.Fatal(err)
	}
	others = nil
	var refused times
	for range runs {
		d, err := plan(1)()
		if err != nil {
			t.Fatal(err)
		}
		refused = append(refused, d)
	}
	b.pair("P12", "one of 100 hosts refuses connections: the whole plan, against without it", slices.Clone(refused), without, 1.1)
}
