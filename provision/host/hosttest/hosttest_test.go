package hosttest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/conformance"
	"hardway/templates/scripts"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Target {
		m := NewMachine("m1")
		m.SetFile("/srv", &File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"})
		m.WriteFile("/usr/local/bin/kubectl", 0o755, "")
		return conformance.Target{
			Connect: func(*testing.T) host.Host { return m.Connect() },
			Root:    "/srv", State: stateDir, Kubectl: "/usr/local/bin/kubectl", Ctr: "/usr/local/bin/ctr", Socket: "/run/containerd/containerd.sock",
			UnitDir: "/etc/systemd/system",
			Mount:   func(_ *testing.T, p string) { f, _ := m.File(p); f.Mount = true; m.SetFile(p, &f) },
			Chown:   func(_ *testing.T, p, owner string) { f, _ := m.File(p); f.Owner = owner; m.SetFile(p, &f) },
			Chmod:   func(_ *testing.T, p string, mode uint32) { f, _ := m.File(p); f.Mode = mode; m.SetFile(p, &f) },
		}
	})
}

// Every script that can be run by name has its likeness here; put, remove, unit,
// lock and observe are operations of their own.
func TestScriptsAreComplete(t *testing.T) {
	var want []string
	for _, name := range scripts.Names() {
		switch name {
		case "put", "remove", "unit", "lock", "observe":
		default:
			want = append(want, name)
		}
	}
	if d := cmp.Diff(want, NewMachine("m1").Scripts()); d != "" {
		t.Fatal(d)
	}
}
