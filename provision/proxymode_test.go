package provision_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"hardway/provision"
	"hardway/provision/apply"
	"hardway/provision/host"
	"hardway/provision/host/hosttest"
)

// cleanups records, over all machines, which mode each cleanup was for and what
// kube-proxy did at that moment.
func (w *world) cleanups() func() []string {
	var mu sync.Mutex
	var out []string
	for h, m := range w.machines {
		m.Handle("cleanup-proxy", func(m *hosttest.Machine, args []string, _ []byte) (host.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			out = append(out, h.Name+" "+args[0]+" "+m.Snapshot().Units["kube-proxy.service"].Active)
			return host.Result{}, nil
		})
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := slices.Clone(out)
		out = nil
		return list
	}
}

// Another mode of kube-proxy: host by host, what the former one left is removed
// while the process is down; and so it is on the way back.
func TestProxyModeChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	w.mustConverge(provision.PlanOptions{})
	got := w.cleanups()
	w.edit(`mode = "nftables"`, `mode = "iptables"`)
	w.sound(w.mustConverge(provision.PlanOptions{}))
	list := got()
	if len(list) != len(w.machines) {
		t.Fatalf("cleaned up %q", list)
	}
	for _, line := range list {
		if !strings.HasSuffix(line, " iptables inactive") {
			t.Errorf("cleaned up while it ran, or for another mode: %q", line)
		}
	}
	w.settled(provision.PlanOptions{})
	if list := got(); len(list) > 0 {
		t.Errorf("a plan without changes cleans up: %q", list)
	}

	// With the next mode it does not become healthy: the first host gets its former
	// one back, and what the failed one left there is removed too.
	for _, m := range w.machines {
		m.Handle("http-get", func(m *hosttest.Machine, args []string, _ []byte) (host.Result, error) {
			config, _ := m.File("/etc/kubernetes/kube-proxy.yaml")
			if strings.Contains(args[0], "10256") && strings.Contains(config.Content, "mode: nftables") {
				return host.Result{Stdout: []byte("503\nno")}, nil
			}
			return host.Result{Stdout: []byte("200\nok")}, nil
		})
	}
	w.edit(`mode = "iptables"`, `mode = "nftables"`)
	p := w.plan(provision.PlanOptions{})
	for i := range p.Changes {
		p.Changes[i].Within = min(p.Changes[i].Within, 2e9)
	}
	_, err := w.apply(t.Context(), p, nil)
	if restored, ok := errors.AsType[*apply.RestoredError](err); !ok || restored.Restore != nil {
		t.Fatal(err)
	}
	if list := got(); !slices.Equal(list, []string{"m1 nftables inactive", "m1 iptables inactive"}) {
		t.Errorf("cleaned up %q", list)
	}
}

// Other names for the files of the PKI: everything is at its new place, what read
// it was restarted, and nothing is left at the old one.
func TestPKIFilesMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/three")
	first := w.mustConverge(provision.PlanOptions{})
	w.edit("network \"bridge\" {}", "network \"bridge\" {}\n\npki { files = \"cfssl\" }\n")
	st := w.mustConverge(provision.PlanOptions{})
	w.sound(st)
	for name, a := range first.Authorities {
		if st.Authorities[name].CertPEM != a.CertPEM {
			t.Errorf("the authority %s is another one", name)
		}
	}
	for h, m := range w.machines {
		for path := range m.Snapshot().Files {
			if strings.HasPrefix(path, "/etc/kubernetes/pki/") && !strings.HasSuffix(path, ".pem") {
				t.Errorf("%s: %s is left", h, path)
			}
		}
		if _, ok := m.File("/etc/kubernetes/pki/kube-proxy-key.pem"); !ok {
			t.Errorf("%s has no key of kube-proxy", h)
		}
	}
	if len(st.Resources) != len(first.Resources)-3 { // etcd/ is no directory of its own any more
		t.Errorf("%d records, before the move %d", len(st.Resources), len(first.Resources))
	}
}
