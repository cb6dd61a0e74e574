package runbook_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/runbook"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestEveryResourceOnce wants each resource in one step, behind everything that
// it depends on: the order is one that apply could take.
func TestEveryResourceOnce(t *testing.T) {
	for _, name := range []string{"lab", "three"} {
		t.Run(name, func(t *testing.T) {
			in := input(t, name)
			at := map[addr.Address]int{}
			for _, s := range build(t, in).Steps {
				for _, a := range s.Resources {
					if _, twice := at[a]; twice {
						t.Errorf("%s is made twice", a)
					}
					at[a] = len(at) + 1
				}
			}
			for _, r := range in.Want.All() {
				if at[r.Addr] == 0 {
					t.Errorf("%s is never made", r.Addr)
				}
				for _, d := range r.DependsOn {
					if at[d] > at[r.Addr] {
						t.Errorf("%s is made before %s, which it depends on", r.Addr, d)
					}
				}
			}
		})
	}
}

// TestOutline compares the steps' titles and places with golden text.
func TestOutline(t *testing.T) {
	for _, name := range []string{"lab", "three"} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, s := range build(t, input(t, name)).Steps {
				fmt.Fprintf(&b, "%d. %s:", s.Number, s.Title)
				for _, k := range s.Blocks {
					b.WriteString(" " + k.Place())
				}
				b.WriteString("\n")
				if s.Why == "" {
					t.Errorf("%s: no reason", s.Title)
				}
			}
			path := filepath.Join("testdata", name+".outline.golden")
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

// TestSameBytes wants the same runbook for the same input.
func TestSameBytes(t *testing.T) {
	in := input(t, "three")
	if d := cmp.Diff(build(t, in), build(t, in)); d != "" {
		t.Error(d)
	}
}

// TestFor wants everything for a host, nothing of others, and its numbers kept.
func TestFor(t *testing.T) {
	book := build(t, input(t, "lab"))
	n1 := addr.Host{Role: addr.Node, Name: "n1"}
	part := book.For(n1)
	seen := map[addr.Address]bool{}
	for _, s := range part.Steps {
		if got := book.Steps[s.Number-1].Title; got != s.Title {
			t.Errorf("step %d is %q there and %q in the whole", s.Number, s.Title, got)
		}
		for _, a := range s.Resources {
			seen[a] = true
			if a.Host != n1 && !a.Host.IsCluster() {
				t.Errorf("%q makes %s", s.Title, a)
			}
		}
	}
	for _, s := range book.Steps {
		for _, a := range s.Resources {
			if a.Host == n1 && !seen[a] {
				t.Errorf("%s is missing", a)
			}
		}
	}
	if !seen[addr.Address{Host: addr.Host{Role: addr.Cluster}, Kind: "authority", Name: "kubernetes"}] {
		t.Error("the authorities are missing")
	}
	if len(part.Hosts) != 1 || part.Hosts[0].Addr != n1 {
		t.Errorf("hosts %v", part.Hosts)
	}
}

// TestSyntax has a shell read every block without running it.
func TestSyntax(t *testing.T) {
	for _, name := range []string{"lab", "three"} {
		for _, s := range build(t, input(t, name)).Steps {
			for _, b := range s.Blocks {
				if out, err := exec.Command("sh", "-n", "-c", b.Shell).CombinedOutput(); err != nil {
					t.Errorf("%s: step %q on %s: %v\n%s\n%s", name, s.Title, b.Place(), err, out, b.Shell)
				}
			}
		}
	}
}

// TestSupervised wants programs of supervisord started by supervisorctl alone.
func TestSupervised(t *testing.T) {
	started := 0
	for _, s := range build(t, input(t, "lab", `network "bridge" {}`, "network \"bridge\" {}\n\nprocesses \"supervisord\" {}")).Steps {
		for _, b := range s.Blocks {
			started += strings.Count(b.Shell, "\nsupervisorctl update ")
			if strings.Contains(b.Shell, "systemctl") {
				t.Errorf("%s:\n%s", s.Title, b.Shell)
			}
		}
	}
	if started != 8+4+4 {
		t.Errorf("%d programs are started", started)
	}
}

// TestUnknownSource wants an error that names the program, not a hole.
func TestUnknownSource(t *testing.T) {
	in := input(t, "lab")
	in.Sources = nil
	if _, err := runbook.Build(in); err == nil || !strings.Contains(err.Error(), `binary["`) {
		t.Errorf("got %v", err)
	}
}
