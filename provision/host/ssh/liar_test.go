package ssh

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// until writes the same again until the connection ends.
func until(w io.Writer, text []byte) {
	for {
		if _, err := w.Write(text); err != nil {
			return
		}
	}
}

// silent reads what comes until the connection ends.
func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// A host that breaks the rules of SSH itself, before or after the login, costs an
// error in time, and little memory. What its shell can do is TestHostileHosts'.
func TestLyingServers(t *testing.T) {
	const version = "SSH-2.0-OpenSSH_9.2p1\r\n"
	flood := bytes.Repeat([]byte("x"), 32<<10)
	raw := func(f func(net.Conn)) sshtest.Options {
		return sshtest.Options{Raw: func(conn net.Conn) {
			go silent(conn)
			f(conn)
		}}
	}
	accept := func(then func(ssh.Channel, <-chan *ssh.Request)) func(ssh.NewChannel) {
		return func(c ssh.NewChannel) {
			channel, requests, err := c.Accept()
			if err == nil {
				then(channel, requests)
			}
		}
	}
	for _, c := range []struct {
		name   string
		server sshtest.Options
		works  bool // for all its noise it can be used
	}{
		{name: "says nothing", server: sshtest.Options{Raw: silent}},
		{name: "hangs up", server: raw(func(net.Conn) {})},
		{name: "hangs up after its version", server: raw(func(c net.Conn) { _, _ = io.WriteString(c, version) })},
		{name: "speaks something else", server: raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			time.Sleep(50 * time.Millisecond)
		})},
		{name: "speaks an old SSH", server: raw(func(c net.Conn) { _, _ = io.WriteString(c, "SSH-1.5-old\r\n"); time.Sleep(50 * time.Millisecond) })},
		{name: "a version with a steering sequence", server: raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-1.0-\x1b[2J\x1b]0;pwned\a\r\n")
			time.Sleep(50 * time.Millisecond)
		})},
		{name: "endless lines before its version", server: raw(func(c net.Conn) { until(c, bytes.Repeat([]byte("hello\r\n"), 1000)) })},
		{name: "an endless line for a version", server: raw(func(c net.Conn) { until(c, flood) })},
		{name: "its version a byte at a time", server: sshtest.Options{Raw: func(c net.Conn) {
			for _, b := range []byte(version + strings.Repeat("x", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}}},
		{name: "garbage after its version", server: raw(func(c net.Conn) { _, _ = io.WriteString(c, version); until(c, flood) })},
		{name: "a packet of a gigabyte", server: sshtest.Options{Raw: func(c net.Conn) {
			_, _ = io.WriteString(c, version+"\x40\x00\x00\x00\x04")
			silent(c)
		}}},
		{name: "no key exchange", server: sshtest.Options{Raw: func(c net.Conn) { _, _ = io.WriteString(c, version); silent(c) }}},

		{name: "banners without an end", server: sshtest.Options{Server: func(c *ssh.ServerConfig) {
			c.BannerCallback = func(ssh.ConnMetadata) string { return strings.Repeat("Welcome!\x1b[2J\n", 2000) }
		}}, works: true},
		{name: "a login that never ends", server: sshtest.Options{Server: func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
				time.Sleep(3 * time.Second)
				return nil, fmt.Errorf("no")
			}
		}}},
		{name: "no answer to a channel", server: sshtest.Options{Session: func(ssh.NewChannel) {}}},
		{name: "a channel refused", server: sshtest.Options{Session: func(c ssh.NewChannel) { _ = c.Reject(ssh.ResourceShortage, "\x1b[2Jno") }}},
		{name: "a command refused", server: sshtest.Options{Session: accept(func(ch ssh.Channel, requests <-chan *ssh.Request) { ssh.DiscardRequests(requests) })}},
		{name: "a command not answered", server: sshtest.Options{Session: accept(func(ch ssh.Channel, requests <-chan *ssh.Request) {
			for range requests { //nolint:revive // to leave them unanswered
			}
		})}},
		{name: "no exit status", server: sshtest.Options{Session: accept(func(ch ssh.Channel, requests <-chan *ssh.Request) {
			r := <-requests
			_ = r.Reply(true, nil)
			_ = ch.Close()
		})}},
		{name: "an end of output without an end", server: sshtest.Options{Session: accept(func(ch ssh.Channel, requests <-chan *ssh.Request) {
			r := <-requests
			_ = r.Reply(true, nil)
			_ = ch.CloseWrite()
			ssh.DiscardRequests(requests)
		})}},
		{name: "success without effect", server: sshtest.Options{Exec: func(string, ssh.Channel) uint32 { return 0 }}},
		{name: "exit statuses without an end", server: sshtest.Options{Session: accept(func(ch ssh.Channel, requests <-chan *ssh.Request) {
			r := <-requests
			_ = r.Reply(true, nil)
			go ssh.DiscardRequests(requests)
			for {
				if _, err := ch.SendRequest("exit-status", false, []byte{0, 0, 0, 0}); err != nil {
					return
				}
			}
		})}},

		{name: "requests without an end", server: sshtest.Options{After: func(c *ssh.ServerConn) {
			for {
				if _, _, err := c.SendRequest("hello@example.com", false, flood[:1000]); err != nil {
					return
				}
			}
		}}, works: true},
		{name: "requests that want answers", server: sshtest.Options{After: func(c *ssh.ServerConn) {
			for {
				if _, _, err := c.SendRequest("hello@example.com", true, flood[:1000]); err != nil {
					return
				}
			}
		}}, works: true},
		{name: "channels without an end", server: sshtest.Options{After: func(c *ssh.ServerConn) {
			for {
				if _, _, err := c.OpenChannel("forwarded-tcpip", flood[:1000]); err != nil && !strings.Contains(err.Error(), "rejected") && !strings.Contains(err.Error(), "unknown channel type") {
					return
				}
			}
		}}, works: true},
		{name: "new keys all the time", server: sshtest.Options{Server: func(c *ssh.ServerConfig) { c.RekeyThreshold = 256 }}, works: true},
		{name: "a long name for itself", server: sshtest.Options{Server: func(c *ssh.ServerConfig) { c.ServerVersion = "SSH-2.0-" + strings.Repeat("x", 240) }}, works: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.works {
				needsRoot(t)
			}
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			s := sshtest.Start(t, c.server)
			cfg := config(t, s)
			cfg.ConnectTimeout, cfg.KeepAlive, cfg.IdleTimeout = 1500*time.Millisecond, 100*time.Millisecond, time.Second
			if c.works {
				cfg.ConnectTimeout, cfg.IdleTimeout = 15*time.Second, 10*time.Second
			}
			begun := time.Now()
			h, err := Dial(t.Context(), cfg)
			if err == nil {
				_, err = h.Observe(t.Context(), facts.Request{})
				defer h.Close()
			}
			switch {
			case c.works && err != nil:
				t.Errorf("got %v", err)
			case !c.works && err == nil:
				t.Error("it was believed")
			case err != nil && (!strings.Contains(err.Error(), "m1") || strings.ContainsAny(err.Error(), "\x00\x1b\a\r")):
				t.Errorf("got %q", err)
			}
			if took := time.Since(begun); !c.works && took > 4*time.Second || took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
				t.Errorf("memory grew by %d MiB", grown>>20)
			}
		})
	}
}

// A host that takes nothing in ends a large write in time; hosts beside it are not
// held up.
func TestLiarBesideOthers(t *testing.T) {
	needsRoot(t)
	deaf := liar(func(ch ssh.Channel) uint32 { time.Sleep(20 * time.Second); return 0 })
	bad := sshtest.Start(t, sshtest.Options{Exec: deaf})
	cfg := config(t, bad)
	cfg.KeepAlive, cfg.IdleTimeout = 100*time.Millisecond, 2*time.Second
	h, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	var all sync.WaitGroup
	all.Go(func() {
		begun := time.Now()
		err := h.Put(t.Context(), put("/nonexistent/large", make([]byte, 16<<20)))
		if err == nil || !strings.Contains(err.Error(), "sign of life") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 8*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	for range 3 {
		all.Go(func() {
			good := dial(t, config(t, sshtest.Start(t, sshtest.Options{})))
			begun := time.Now()
			if err := good.Put(t.Context(), put(filepath.Join(t.TempDir(), "large"), make([]byte, 4<<20))); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("a host beside the liar took %s", took)
			}
		})
	}
	all.Wait()
}

// What a host says is data: templates and steering sequences come through as they
// are, and mean nothing here.
func TestAnswersAreData(t *testing.T) {
	text := "${file(\"/etc/passwd\")} {{ .Secret }} %s %n $(id) `id` \x1b[2J\x1b]0;x\a \u202e"
	s := sshtest.Start(t, sshtest.Options{Exec: liar(func(ch ssh.Channel) uint32 {
		untilFrame(ch)
		_, _ = fmt.Fprintf(ch, "A 1 0 %d 0\n%s", len(text), text)
		return hang(ch)
	})})
	h := dial(t, config(t, s))
	r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}})
	if err != nil || string(r.Stdout) != text {
		t.Errorf("%q, %v", r.Stdout, err)
	}
}
