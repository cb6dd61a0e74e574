//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// testBadInput gives hardway configurations and hosts that it must refuse: with
// exit 1, an error that names the place, and no change on any host.
func testBadInput(l *lab) {
	before := l.snapshot()
	good, err := os.ReadFile(filepath.Join(l.dir, "cluster.hcl"))
	if err != nil {
		l.t.Fatal(err)
	}
	replace := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			l.t.Fatalf("cluster.hcl does not contain %q", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	foreign := filepath.Join(l.t.TempDir(), "known_hosts")
	writeForeignKnownHosts(l, foreign)
	for _, c := range []struct{ name, hcl, want string }{
		{"unknown block", string(good) + "\nkubelett {}\n", `Did you mean "kubelet"`},
		{"unknown attribute", replace("pod_cidr ", "pod_cdir "), "pod_cidr"},
		{"missing key file", replace(".lab/id_ed25519", ".lab/none"), "cluster.hcl"},
		{"host bits", replace("10.96.0.0/16", "10.96.0.1/16"), "10.96.0.0/16"},
		{"overlap with hosts", replace("10.96.0.0/16", "192.168.0.0/16"), "Overlapping"},
		{"duplicate address", replace("192.168.56.22", "192.168.56.21"), "192.168.56.21"},
		{"flag of no version", string(good) + "\napiserver {\n  flags = { insecure-port = \"8080\" }\n}\n", "insecure-port"},
		{"proxy mode of no version", replace(`"iptables"`, `"userspace"`), "userspace"},
		{"unreachable host", replace(`address = "192.168.56.11"`, "address = \"192.168.56.11\"\n  ssh {\n    host = \"127.0.0.1\"\n    port = 1\n  }"), `master["m1"]`},
		{"wrong host key", replace(".lab/known_hosts", foreign), "host key"},
	} {
		if err := os.WriteFile(filepath.Join(l.dir, "cluster.hcl"), []byte(c.hcl), 0o644); err != nil {
			l.t.Fatal(err)
		}
		r := l.run("plan")
		if r.exit != 1 {
			l.t.Errorf("%s: exit %d, want 1\n%s", c.name, r.exit, tail(r.all(), 2000))
		}
		if !strings.Contains(r.all(), c.want) {
			l.t.Errorf("%s: the error does not say %q:\n%s", c.name, c.want, tail(r.all(), 2000))
		}
	}
	if err := os.WriteFile(filepath.Join(l.dir, "cluster.hcl"), good, 0o644); err != nil {
		l.t.Fatal(err)
	}
	l.same("after bad input", before, l.snapshot())
	wrongChecksum(l)
}

// wrongChecksum changes one digit of a pin; init must refuse the binary.
func wrongChecksum(l *lab) {
	p := filepath.Join(l.dir, "hardway.lock.hcl")
	good, err := os.ReadFile(p)
	if err != nil {
		l.t.Fatal(err)
	}
	at := strings.Index(string(good), `binary "kubelet"`)
	at += strings.Index(string(good[at:]), "sha256")
	at += strings.IndexByte(string(good[at:]), '"') + 1
	bad := append([]byte{}, good...)
	bad[at] = fmt.Sprintf("%x", (hexDigit(bad[at])+1)%16)[0]
	if err := os.WriteFile(p, bad, 0o644); err != nil {
		l.t.Fatal(err)
	}
	if r := l.run("init"); r.exit != 1 || !strings.Contains(r.all(), "kubelet") {
		l.t.Errorf("a wrong checksum: exit %d\n%s", r.exit, tail(r.all(), 2000))
	}
	if err := os.WriteFile(p, good, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func hexDigit(c byte) int {
	if c >= 'a' {
		return int(c-'a') + 10
	}
	return int(c - '0')
}

// writeForeignKnownHosts gives every host another host's key.
func writeForeignKnownHosts(l *lab, path string) {
	b, err := os.ReadFile(filepath.Join(l.src, ".lab", "known_hosts"))
	if err != nil {
		l.t.Fatal(err)
	}
	swapped := strings.NewReplacer("192.168.56.11", "192.168.56.21", "192.168.56.21", "192.168.56.22", "192.168.56.22", "192.168.56.11").Replace(string(b))
	if err := os.WriteFile(path, []byte(swapped), 0o644); err != nil {
		l.t.Fatal(err)
	}
}
