package ssh

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// zeros is a content of so many bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// What one observation of a host takes, end to end: 60 small files (half with
// their content), 20 certificates, 8 units, 8 kernel parameters, 4 modules, 6
// ports; the same where the contents are known; and ten files of 100 MB that were
// put there, as binaries are. systemctl is a script that prints and costs next to
// nothing.
func BenchmarkObserve(b *testing.B) {
	needsRoot(b)
	bin, dir := b.TempDir(), b.TempDir()
	block := "Id=x\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=1\nNRestarts=0\n"
	systemctl := "#!/bin/sh\ncat <<'END'\n" + strings.TrimSuffix(strings.Repeat(block+"\n", 8), "\n") + "END\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(systemctl), 0o755); err != nil {
		b.Fatal(err)
	}
	h := dial(b, config(b, sshtest.Start(b, sshtest.Options{Path: bin})))
	if err := h.Lock(b.Context(), "benchmark"); err != nil {
		b.Fatal(err)
	}
	var req facts.Request
	ask := func(name string, text []byte, f facts.FileRequest) {
		f.Path = filepath.Join(dir, name)
		if err := os.WriteFile(f.Path, text, 0o600); err != nil {
			b.Fatal(err)
		}
		req.Files = append(req.Files, f)
	}
	for i := range 60 {
		ask(fmt.Sprintf("small%d", i), bytes.Repeat([]byte("0123456789abcde\n"), 200), facts.FileRequest{Content: i%2 == 0})
	}
	for i := range 20 {
		ask(fmt.Sprintf("cert%d", i), []byte("-----BEGIN CERTIFICATE-----\n"+strings.Repeat("MDEyMzQ1Njc4OUFCQ0RFRg==\n", 30)+"-----END CERTIFICATE-----\n"), facts.FileRequest{Certificates: true})
	}
	for i := range 8 {
		req.Units = append(req.Units, fmt.Sprintf("unit%d.service", i))
	}
	req.Sysctls = []string{"net.ipv4.ip_forward", "kernel.panic", "kernel.panic_on_oops", "vm.overcommit_memory", "vm.panic_on_oom", "vm.max_map_count", "kernel.pid_max", "kernel.ostype"}
	for _, m := range []string{"overlay", "br_netfilter", "nf_conntrack", "ip_vs"} {
		req.Modules = append(req.Modules, facts.ModuleRequest{Name: m, Effects: []string{"/proc/filesystems:" + m}})
	}
	req.Ports = []int{6443, 2379, 2380, 10250, 10257, 10259}
	observe := func(b *testing.B, req facts.Request) {
		b.Helper()
		for b.Loop() {
			if _, err := h.Observe(b.Context(), req); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("small", func(b *testing.B) { observe(b, req) })
	for i, f := range req.Files {
		if text, err := os.ReadFile(f.Path); err == nil {
			req.Files[i].Known = facts.Knowing(string(text))
		}
	}
	b.Run("small known", func(b *testing.B) { observe(b, req) })

	const size = 100_000_000
	sum := sha256.New()
	_, _ = io.CopyN(sum, zeros{}, size)
	for i := range 10 {
		p := host.Put{Path: filepath.Join(dir, fmt.Sprintf("large%d", i)), Mode: 0o755, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }}
		if err := h.Put(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		req.Files = append(req.Files, facts.FileRequest{Path: p.Path})
	}
	b.Run("large", func(b *testing.B) { observe(b, req) })
	req.Deep = true
	b.Run("large deep", func(b *testing.B) { observe(b, req) })
}
