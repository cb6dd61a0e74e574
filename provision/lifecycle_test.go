package provision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision"
	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
)

// configurations are the directories of the examples and of testdata, each as it
// is and with each of its files of variables that somebody may choose.
func configurations(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, parent := range []string{"../examples", "testdata"} {
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			dir, name := filepath.Join(parent, e.Name()), filepath.Base(parent)+"/"+e.Name()
			out[name] = []string{dir}
			files, err := filepath.Glob(filepath.Join(dir, "*.hclvars"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if base := filepath.Base(f); !strings.HasSuffix(base, ".auto.hclvars") {
					out[name+" with "+base] = []string{dir, base}
				}
			}
		}
	}
	if len(out) < 7 {
		t.Fatalf("only %d configurations were found: %v", len(out), out)
	}
	return out
}

// Whatever the configuration, what apply made is what the next plan wants: a
// second apply looks once at each machine and does nothing. A destroy leaves the
// machines as they were, and then all of it can be done again.
func TestLifecycle(t *testing.T) {
	for name, c := range configurations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c[0], c[1:]...)
			fresh := w.snapshots()
			first := w.mustConverge(provision.PlanOptions{})
			made, before := w.snapshots(), w.ops()
			again := w.mustConverge(provision.PlanOptions{})
			if n := w.ops() - before; n != len(w.machines) {
				t.Errorf("a second apply did %d operations on %d machines, want one look at each", n, len(w.machines))
			}
			if again.Serial != first.Serial {
				t.Errorf("a second apply wrote the state: serial %d, was %d", again.Serial, first.Serial)
			}
			w.machinesAre(made)

			w.cleared(w.mustConverge(removal), fresh)
			st := w.mustConverge(provision.PlanOptions{})
			w.sound(st)
			if st.Lineage != first.Lineage || st.Authorities["kubernetes"].CertPEM == first.Authorities["kubernetes"].CertPEM {
				t.Error("the cluster made anew should have the old lineage and a new authority")
			}
			w.cleared(w.mustConverge(removal), fresh)
		})
	}
}

// Without --destroy-data the data of etcd stays, and nothing else.
func TestDestroyKeepsData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	fresh := w.snapshots()
	w.mustConverge(provision.PlanOptions{})
	kept := w.machines[m1].Snapshot()
	st := w.mustConverge(provision.PlanOptions{Destroy: true})
	for path := range kept.Files {
		if path == "/var/lib/etcd" || path == "/var/lib/etcd/member" {
			fresh[m1].Files[path] = kept.Files[path]
		}
	}
	if len(st.Resources) != 1 {
		t.Errorf("the state has %d resources; want the data directory alone, for the day when it is destroyed too", len(st.Resources))
	}
	w.machinesAre(fresh)
	w.sound(w.mustConverge(provision.PlanOptions{}))
}

// What stood in the way is put back by a destroy, content, mode, owner and all.
func TestDestroyPutsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	n := w.machines[n1]
	dir := func(path string, mode uint32, owner string) {
		n.SetFile(path, &hosttest.File{Type: facts.Directory, Mode: mode, Owner: owner, Group: "root"})
	}
	dir("/etc/kubernetes", 0o700, "root")
	dir("/opt/cni", 0o755, "root")
	dir("/opt/cni/bin", 0o750, "root")
	dir("/var/lib/containerd", 0o711, "root") // another containerd's, with something in it
	n.WriteFile("/var/lib/containerd/theirs", 0o600, "data\n")
	dir("/var/lib/kubelet", 0o711, "root") // made by a package, and empty
	n.WriteFile("/opt/cni/bin/bridge", 0o700, "#!/bin/sh\n# of a distribution\n")
	n.SetFile("/etc/kubernetes/kubelet.conf", &hosttest.File{Type: facts.Regular, Mode: 0o640, Owner: "root", Group: "adm", Content: "token: theirs\n"})
	n.SetFile("/usr/local/bin/kubelet", &hosttest.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: "/opt/kubelet-1.2.3"})
	n.WriteFile("/etc/hosts", 0o644, "127.0.0.1 localhost") // without a newline
	n.WriteFile("/etc/fstab", 0o644, "/dev/vdb none swap sw 0 0\n")
	n.SetSwaps("/dev/vdb")
	n.SetSysctl("net.ipv4.ip_forward", "0")
	// A unit of the same name at the same path, and one that a package brought.
	n.WriteFile("/etc/systemd/system/kubelet.service", 0o644, "[Service]\nExecStart=/opt/kubelet\n")
	dir("/usr/lib/systemd", 0o755, "root")
	dir("/usr/lib/systemd/system", 0o755, "root")
	n.WriteFile("/usr/lib/systemd/system/containerd.service", 0o644, "[Service]\nExecStart=/usr/bin/containerd\n")
	s := n.Connect()
	for _, unit := range []string{"kubelet.service", "containerd.service"} {
		for _, action := range []host.UnitAction{host.Enable, host.Start} {
			if err := s.Unit(t.Context(), unit, action); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := w.snapshots()
	w.sound(w.mustConverge(provision.PlanOptions{}))
	if cmp.Equal(before[n1].Files, n.Snapshot().Files) {
		t.Fatal("apply changed nothing")
	}
	w.cleared(w.mustConverge(removal), before)
}
