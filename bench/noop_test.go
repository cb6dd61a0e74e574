package bench

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh"
)

// noopRuns is how often A and B are done each.
const noopRuns = 9

// noopFigures: connect, observe 25 files and 5 unit files, disconnect, in a
// process of its own; against ssh with sha256sum and stat of the same files.
func noopFigures(t *testing.T, b *board) {
	sshd, err := findSSHD()
	if err != nil {
		b.skip("P2", "nothing to do, against ssh", err.Error())
		return
	}
	d := startDaemons(t, sshd, 20)
	paths := smallTree(t)
	q, known := facts.Request{}, []string{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		q.Files, known = append(q.Files, facts.FileRequest{Path: p, Content: true}), append(known, string(text))
	}
	for _, c := range []struct {
		hosts int
		limit float64
	}{{1, 1.3}, {5, 1.5}, {20, 1.5}} {
		mine, raw, err := interleave(noopRuns, d.observing(t, c.hosts, q, known), func() (time.Duration, error) {
			return d.raw(t.Context(), d.addresses[:c.hosts], paths)
		})
		if err != nil {
			t.Fatal(err)
		}
		b.pair("P2", fmt.Sprintf("connect and observe 30 small files on %d hosts, against ssh 'sha256sum; stat'", c.hosts), mine, raw, c.limit)
	}
}

// observing is one run of the child on the first n daemons. It counts from the
// start of the process to its end, as for ssh.
func (d *daemons) observing(t testing.TB, n int, q facts.Request, known []string) func() (time.Duration, error) {
	run := t.TempDir()
	return func() (time.Duration, error) {
		begun := time.Now()
		_, err := child(t.Context(), job{Kind: "observe", Addresses: d.addresses[:n], KeyFile: d.keyFile, KnownHosts: d.knownHosts,
			Concurrency: n, Request: q, Known: known, Run: filepath.Join(run, "run"), State: filepath.Join(run, "state")})
		return time.Since(begun), err
	}
}

// smallTree is what a host of the calibration has: twenty-five configuration
// files of some KiB, and five unit files.
func smallTree(t testing.TB) []string {
	dir := t.TempDir()
	var paths []string
	for i := range 30 {
		name, size := fmt.Sprintf("conf%02d", i), 1500+100*i
		if i >= 25 {
			name, size = fmt.Sprintf("unit%02d.service", i), 900
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// largeFigures: ten binaries of 100 MB that a session wrote before, whose
// digests the host has recorded; against sha256sum of the same files.
func largeFigures(t *testing.T, b *board) {
	const count, size, runs = 10, 100 << 20, 7
	what := fmt.Sprintf("connect and observe %d files of %d MiB written before, against ssh 'sha256sum; stat'", count, size>>20)
	sshd, err := findSSHD()
	if err != nil {
		b.skip("P2", what, err.Error())
		return
	}
	d := startDaemons(t, sshd, 1)
	dir := scratch(t)
	// The host writes and later reads with the same directories of its own.
	state := t.TempDir()
	h, err := ssh.Dial(t.Context(), ssh.Config{
		Name: "bulk", Address: d.addresses[0], User: "root", PrivateKeys: []string{d.keyFile}, KnownHosts: []string{d.knownHosts},
		RunDir: filepath.Join(state, "run", d.addresses[0]), StateDir: filepath.Join(state, "state", d.addresses[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Lock(t.Context(), "bench"); err != nil { // makes hardway's directory
		t.Fatal(err)
	}
	content := make([]byte, size)
	_, _ = rand.Read(content)
	sum := sha256.Sum256(content)
	q := facts.Request{}
	var paths []string
	for i := range count {
		p := filepath.Join(dir, fmt.Sprintf("binary%d", i))
		put := host.Put{Path: p, Mode: 0o755, Size: size, SHA256: hex.EncodeToString(sum[:]), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
		if err := h.Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
		q.Files = append(q.Files, facts.FileRequest{Path: p})
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	observe := func() (time.Duration, error) {
		begun := time.Now()
		_, err := child(t.Context(), job{Kind: "observe", Addresses: d.addresses, KeyFile: d.keyFile, KnownHosts: d.knownHosts,
			Concurrency: 1, Request: q, Run: filepath.Join(state, "run"), State: filepath.Join(state, "state")})
		return time.Since(begun), err
	}
	mine, raw, err := interleave(runs, observe, func() (time.Duration, error) { return d.raw(t.Context(), d.addresses, paths) })
	if err != nil {
		t.Fatal(err)
	}
	b.pair("P2", what, mine, raw, 1.3)
}
