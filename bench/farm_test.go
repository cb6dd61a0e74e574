package bench

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"hardway/provision/facts"
)

// farm is many SSH servers in this process, each on an address of its own below
// 127.1.0.0/16. They speak the loop's protocol without a shell, so that what is
// measured is the client. All have the same host key; known_hosts has a line
// for each.
type farm struct {
	keyFile, knownHosts string
	signer              ssh.Signer
	hostKey             ssh.PublicKey
	hosts               []*farmHost

	config *ssh.ServerConfig
	done   sync.WaitGroup
	mu     sync.Mutex
	conns  map[net.Conn]bool
}

// farmHost is one of them.
type farmHost struct {
	address               string // IP:PORT
	connections, channels atomic.Int64

	observe func(facts.Request) facts.Observation
	raw     []byte       // what rawCommand prints
	silent  atomic.Bool  // accepts connections and never says a word
	read    atomic.Int64 // when it last answered, in nanoseconds since 1970
	stop    func() error // closes its port
}

// newFarm starts n servers that end with the test. What they answer is set
// before the first client comes.
func newFarm(t testing.TB, n int) *farm {
	t.Helper()
	dir := t.TempDir()
	f := &farm{keyFile: filepath.Join(dir, "id_ed25519"), knownHosts: filepath.Join(dir, "known_hosts"), conns: map[net.Conn]bool{}}
	f.signer = newKey(t, f.keyFile)
	hostKey := newKey(t, filepath.Join(dir, "host_key"))
	f.hostKey = hostKey.PublicKey()
	f.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(f.signer.PublicKey().Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	f.config.AddHostKey(hostKey)
	var lines []byte
	var listeners []net.Listener
	for i := range n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.1.%d.%d:0", i/250, i%250+1))
		if err != nil {
			t.Fatal(err)
		}
		h := &farmHost{address: l.Addr().String(), stop: l.Close}
		lines = append(lines, knownhosts.Line([]string{h.address}, hostKey.PublicKey())+"\n"...)
		f.hosts, listeners = append(f.hosts, h), append(listeners, l)
		f.done.Go(func() { f.accept(l, h) })
	}
	if err := os.WriteFile(f.knownHosts, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range listeners {
			_ = l.Close()
		}
		f.mu.Lock()
		for c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.done.Wait()
	})
	return f
}

// newKey makes a key, writes it and returns it.
func newKey(t testing.TB, path string) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func (f *farm) accept(l net.Listener, h *farmHost) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		h.connections.Add(1)
		f.mu.Lock()
		f.conns[conn] = true
		f.mu.Unlock()
		f.done.Go(func() {
			h.serve(conn, f.config)
			_ = conn.Close()
			f.mu.Lock()
			delete(f.conns, conn)
			f.mu.Unlock()
		})
	}
}

func (h *farmHost) serve(conn net.Conn, config *ssh.ServerConfig) {
	if h.silent.Load() {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	var open sync.WaitGroup
	open.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		h.channels.Add(1)
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.UnknownChannelType, "")
			continue
		}
		open.Go(func() { h.session(c) })
	}
	open.Wait()
}

func (h *farmHost) session(c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for r := range requests {
		var payload struct{ Command string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &payload) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		go ssh.DiscardRequests(requests)
		status := uint32(0)
		if payload.Command == rawCommand {
			_, _ = channel.Write(h.raw)
		} else if err := h.loop(channel); err != nil {
			_, _ = fmt.Fprintln(channel.Stderr(), err)
			status = 1
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
		return
	}
}

// rawCommand is what the bare loop runs: what a person would type.
const rawCommand = "sha256sum -- *; stat -- *"
