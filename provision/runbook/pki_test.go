package runbook_test

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/provision/runbook"
)

// ssh stands for a login: what would be carried to a host lands in a folder.
const ssh = `#!/bin/sh
for last; do :; done
cd "$HOSTS/$1" && eval "$last"
`

// workstation runs the blocks of the steps that make something with openssl, and
// returns the folder of the workstation and the one of all hosts.
func workstation(t *testing.T, book runbook.Runbook) (dir, hosts string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl here")
	}
	home := t.TempDir()
	hosts = filepath.Join(home, "hosts")
	bin := filepath.Join(home, "bin")
	for _, d := range []string{bin, hosts} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(ssh), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, h := range book.Hosts {
		if err := os.Mkdir(filepath.Join(hosts, h.User+"@"+h.Address), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range book.Steps {
		for _, b := range s.Blocks {
			if !b.OnWorkstation() || strings.Contains(b.Shell, "sha256sum") || s.Number == 1 {
				continue // programs and images are not here
			}
			if strings.Contains(b.Shell, "super-admin") {
				b.Shell = strings.ReplaceAll(b.Shell, "hardway-files.tar", "super-admin.tar")
			}
			cmd := exec.Command("sh", "-euc", b.Shell)
			cmd.Env = append(os.Environ(), "HOME="+home, "HOSTS="+hosts, "PATH="+bin+":"+os.Getenv("PATH"))
			if err := os.MkdirAll(filepath.Join(home, "hardway-"+book.Cluster), 0o700); err != nil {
				t.Fatal(err)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("step %q: %v\n%s\n%s", s.Title, err, out, b.Shell)
			}
		}
	}
	return filepath.Join(home, "hardway-"+book.Cluster), hosts
}

// TestCertificates runs the openssl commands and holds every certificate against
// the request that hardway itself would have signed.
func TestCertificates(t *testing.T) {
	for _, algorithm := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-2048"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			in := input(t, "lab", `network "bridge" {}`, "network \"bridge\" {}\n\npki {\n  algorithm = \""+algorithm+"\"\n}")
			dir, hosts := workstation(t, build(t, in))
			authorities := map[string][]byte{}
			for _, a := range certs.Authorities() {
				authorities[a.Name] = read(t, filepath.Join(dir, "ca", a.Name+".crt"))
				checkAuthority(t, a, authorities[a.Name], read(t, filepath.Join(dir, "ca", a.Name+".key")))
			}
			checked := 0
			for _, h := range in.Hosts {
				root := unpack(t, filepath.Join(hosts, h.User+"@"+h.Address, "hardway-files.tar"))
				for _, r := range in.Want.All() {
					switch {
					case r.Addr.Host != h.Addr:
					case r.Spec.Certificate != nil:
						checked++
						checkLeaf(t, r.Addr, r.Spec.Certificate, root, authorities)
					case r.Spec.File != nil && r.Spec.File.Material != "":
						checkMode(t, root+r.Spec.File.Path, r.Spec.File.Mode)
					}
				}
			}
			if checked < 20 {
				t.Errorf("only %d certificates were checked", checked)
			}
			super := unpack(t, filepath.Join(hosts, in.Hosts[0].User+"@"+in.Hosts[0].Address, "super-admin.tar"))
			info, err := certs.Inspect(read(t, super+"/run/hardway-super-admin.crt"))
			if err != nil || !cmp.Equal(info.Subject.O, []string{certs.GroupMasters}) || time.Until(info.NotAfter) > 25*time.Hour {
				t.Errorf("the break-glass certificate: %+v, %v", info, err)
			}
		})
	}
}

func checkAuthority(t *testing.T, row certs.AuthorityRow, cert, key []byte) {
	t.Helper()
	a, err := certs.LoadAuthority(row.Name, 1, cert, certs.NewSecret(key))
	if err != nil {
		t.Errorf("authority %s: %v", row.Name, err)
		return
	}
	info, err := certs.Inspect(a.CertPEM)
	if err != nil || info.Subject.CN != row.CN || !info.IsCA {
		t.Errorf("authority %s: %+v, %v", row.Name, info, err)
	}
}

func checkLeaf(t *testing.T, at addr.Address, c *resource.Certificate, root string, authorities map[string][]byte) {
	t.Helper()
	text := read(t, root+c.CertPath)
	info, err := certs.Inspect(text)
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	want := certs.Request{
		Name: c.Name, Authority: c.Authority, Subject: certs.Subject{CN: c.Subject.CN, O: c.Subject.O}, DNS: c.DNS, IPs: c.IPs,
		Usages: c.Usages, Algorithm: certs.Algorithm(c.Algorithm), Validity: c.Validity,
	}
	for _, reason := range certs.Matches(info, want, authorities[c.Authority], time.Now(), 0) {
		t.Errorf("%s: %s", at, reason)
	}
	if _, err := tls.LoadX509KeyPair(root+c.CertPath, root+c.KeyPath); err != nil { // as a component reads them
		t.Errorf("%s: %v", at, err)
	}
	checkMode(t, root+c.KeyPath, 0o600)
	if !c.Combined {
		checkMode(t, root+c.CertPath, 0o644)
	}
}

func checkMode(t *testing.T, path string, want uint32) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || uint32(info.Mode().Perm()) != want {
		t.Errorf("%s: %v, %v, want %04o", path, info, err, want)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unpack(t *testing.T, archive string) string {
	t.Helper()
	root := t.TempDir()
	if out, err := exec.Command("tar", "-C", root, "--no-same-owner", "-xpf", archive).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return root
}
