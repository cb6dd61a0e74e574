package ssh

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cutMode is how a connection dies.
type cutMode string

const (
	cutFIN  cutMode = "FIN"        // both ends are told that it is over
	cutRST  cutMode = "RST"        // both ends are told that it never was
	cutHole cutMode = "black hole" // nobody is told anything
)

var cutModes = []cutMode{cutFIN, cutRST, cutHole}

// direction is of bytes on the wire.
type direction int

const (
	toHost direction = iota
	toController
)

func (d direction) String() string { return [...]string{"to the host", "to the controller"}[d] }

// cut is where a connection dies: after so many bytes in a direction, or at the
// end of its packet number edge when that is not 0.
type cut struct {
	mode   cutMode
	dir    direction
	offset int64
	edge   int
}

// proxy is a piece of network that stands between a controller and a host, for
// one connection, and can be cut.
type proxy struct {
	at      cut
	address string
	fired   chan struct{} // closed at the cut
	when    time.Time     // of the cut; valid once fired is closed

	listener net.Listener
	once     sync.Once
	gone     atomic.Bool
	mu       sync.Mutex
	conns    [2]net.Conn // by the direction of what is written to it
	done     sync.WaitGroup
	seen     [2]wire // read it after end
}

// newProxy listens for the one connection. With a zero mode it never cuts.
func newProxy(t testing.TB, target string, at cut) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{at: at, address: l.Addr().String(), listener: l, fired: make(chan struct{})}
	p.done.Go(func() {
		defer l.Close()
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close()
			return
		}
		p.mu.Lock()
		p.conns = [2]net.Conn{server, client}
		p.mu.Unlock()
		p.done.Go(func() { p.relay(toHost, client, server) })
		p.relay(toController, server, client)
	})
	return p
}

// dial is for Config.Dial.
func (p *proxy) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, p.address)
}

// end takes the wire away; whoever has not noticed the cut so far does so now.
func (p *proxy) end() {
	p.gone.Store(true)
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	p.mu.Unlock()
	p.done.Wait()
}

func (p *proxy) relay(d direction, from, to net.Conn) {
	b := make([]byte, 64<<10)
	w := &p.seen[d]
	for {
		n, err := from.Read(b)
		pass := n
		if p.at.mode != "" && p.at.dir == d {
			pass = w.until(b[:n], p.at)
		} else {
			w.until(b[:n], cut{})
		}
		if p.gone.Load() {
			break
		}
		if pass >= 0 && pass < n || w.reached {
			_, _ = to.Write(b[:pass])
			p.once.Do(p.cut)
			break
		}
		if _, errWrite := to.Write(b[:n]); errWrite != nil || err != nil {
			if !p.gone.Load() { // an end like any other
				_ = to.(*net.TCPConn).CloseWrite()
			}
			break
		}
	}
	if p.gone.Load() && p.at.mode == cutFIN {
		for { // to close with bytes unread would be a reset
			if _, err := from.Read(b); err != nil {
				return
			}
		}
	}
}

func (p *proxy) cut() {
	p.gone.Store(true)
	p.when = time.Now()
	close(p.fired)
	for _, c := range p.conns {
		switch c := c.(*net.TCPConn); p.at.mode {
		case cutFIN:
			_ = c.CloseWrite()
		case cutRST:
			_ = c.SetLinger(0)
			_ = c.Close()
		case cutHole:
		}
	}
}

// wire follows the packets of one direction. Their lengths can be read from
// outside: the cipher that this client asks for first, AES-GCM, does not hide them.
type wire struct {
	bytes   int64
	edges   []int64 // where packets end; the first is the version line
	reached bool

	head      []byte // of the packet that is being read
	left      int    // bytes of it that are still to come, once its length is known
	encrypted bool
	fresh     bool // the packet being read is NEWKEYS
}

// until follows b and returns how much of it comes before the cut.
func (w *wire) until(b []byte, at cut) int {
	for i, c := range b {
		if at.mode != "" && at.edge == 0 && w.bytes >= at.offset {
			w.reached = true
			return i
		}
		w.bytes++
		if w.step(c) {
			w.edges = append(w.edges, w.bytes)
			if at.edge > 0 && len(w.edges) == at.edge {
				w.reached = true
				return i + 1
			}
		}
	}
	return len(b)
}

// step takes one byte, and says whether a packet ends with it.
func (w *wire) step(c byte) bool {
	if len(w.edges) == 0 {
		return c == '\n'
	}
	if w.left == 0 {
		w.head = append(w.head, c)
		if len(w.head) < 4 {
			return false
		}
		w.left = int(binary.BigEndian.Uint32(w.head))
		if w.encrypted {
			w.left += 16
		}
		w.head = w.head[:0]
		return false
	}
	w.left--
	if !w.encrypted { // padding length, then the number of the message
		if w.head = append(w.head, c); len(w.head) == 2 {
			w.fresh = c == 21
		}
	}
	if w.left > 0 {
		return false
	}
	w.head, w.encrypted, w.fresh = w.head[:0], w.encrypted || w.fresh, false
	return true
}
