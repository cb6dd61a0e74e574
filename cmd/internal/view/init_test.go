package view

import (
	"bytes"
	"strings"
	"testing"

	"hardway/provision/resource"
)

func TestInitGolden(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	var b bytes.Buffer
	if err := Init(&b, Initialized{
		Files: []PinnedFile{
			{Name: "kubelet", Version: "1.37.1", Arch: "amd64", SHA256: sum, Size: 84_000_000, Action: "pinned"},
			{Name: "etcd", Version: "3.7.3", Arch: "amd64", SHA256: sum, Size: 25_300_000, Action: "kept"},
		},
		LockFile: "hardway.lock.hcl", StateCreated: "hardway.state.json", IdentityCreated: "/home/alice/.config/hardway/identity.txt",
	}, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "init/first.txt", b.String())
}

func TestFetching(t *testing.T) {
	for got, want := range map[string]string{
		Fetching("kubelet", "https://example.com/kubelet", 42e6, 84e6): "Fetching kubelet: 50% of 84.0 MB from https://example.com/kubelet",
		Fetching("kubelet", "/srv", 42e6, -1):                          "Fetching kubelet: 42.0 MB from /srv",
		Fetched("kubelet", "/srv\x1b", 42e6):                           `Fetched kubelet (42.0 MB) from /srv\x1b`,
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestStateGolden(t *testing.T) {
	var b bytes.Buffer
	if err := State(&b, Made{Cluster: "lab", Lineage: "1234", Serial: 7, Updated: start,
		Authorities: []MadeAuthority{{Name: "kubernetes", Generation: 1, NotAfter: start.AddDate(10, 0, 0)}},
		Resources: []MadeResource{
			{Addr: at(m1, resource.KindDirectory, "/etc/kubernetes"), Path: "/etc/kubernetes"},
			{Addr: at(m1, resource.KindUnit, "etcd"), Path: "/etc/systemd/system/etcd.service", Pending: true},
			{Addr: at(n1, resource.KindUnit, "kubelet"), Path: "/etc/systemd/system/kubelet.service", Tainted: "exit status 1\x1b[0m"},
		}}, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if err := State(&b, Made{Cluster: "new"}, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "state/show.txt", b.String())
}
