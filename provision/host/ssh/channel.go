package ssh

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// channel is one SSH session channel with the loop at its other end. It serves
// one request at a time.
type channel struct {
	host    *Host
	kind    string
	session *ssh.Session
	dir     string // of the session, on the host
	out     *bufio.Reader
	errs    *tail
	exited  chan struct{} // closed when the loop has ended
	exit    error

	frames sync.Mutex // held while a frame is written
	in     io.WriteCloser

	turn  chan struct{} // holds one token: whoever has it may send a request
	ready map[string]bool
	last  uint64
	dead  bool         // no longer in step; under turn
	alive atomic.Int64 // nanoseconds after host.born of the last sign of life
}

// openChannel starts the loop on a new channel. With a session directory it joins
// that session. It ends with ctx.
func (h *Host) openChannel(ctx context.Context, kind, dir string) (*channel, error) {
	// Opening and starting wait for answers of the host without a context of
	// their own: only the end of the connection ends them.
	stop := context.AfterFunc(ctx, h.abort)
	defer stop()
	session, err := h.client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("%s: opening a channel: %w", h.config.Name, cause(ctx, err))
	}
	h.config.Hooks.Channel(kind)
	ch := &channel{
		host: h, kind: kind, session: session, exited: make(chan struct{}),
		turn: make(chan struct{}, 1), ready: map[string]bool{},
	}
	ch.turn <- struct{}{}
	ch.touch()
	asked := make(chan struct{}, 8)
	ch.errs = &tail{alive: ch.touch, asked: func() {
		select {
		case asked <- struct{}{}:
		default:
		}
	}}
	if ch.in, err = session.StdinPipe(); err != nil {
		return nil, err
	}
	if kind == "control" {
		ch.in = inPackets{ch.in}
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	ch.out = bufio.NewReaderSize(touching{stdout, ch.touch}, readAhead)
	session.Stderr = ch.errs
	if err := session.Start(h.config.Become.command()); err != nil {
		_ = session.Close()
		return nil, fmt.Errorf("%s: starting a shell: %w", h.config.Name, cause(ctx, err))
	}
	go func() {
		ch.exit = session.Wait()
		close(ch.exited)
	}()

	up, greeted := make(chan struct{}), make(chan struct{})
	var prompts atomic.Int32
	var answering sync.WaitGroup
	answering.Go(func() { ch.answerPrompts(asked, up, greeted, &prompts) })
	err = ch.greet(dir, func() {
		for len(asked) > 0 { // a login script wrote what looks like a prompt
			<-asked
		}
		close(up)
	})
	close(greeted)
	answering.Wait()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = ch.explain(ctx, err, int(prompts.Load()))
		_ = session.Close()
		return nil, err
	}
	ch.errs.stopAsking()
	return ch, nil
}

// A connection is kept for as long as a plan or an apply takes, and there may be a
// thousand of them: what stands idle in each is small.
const (
	readAhead = 2 << 10 // of a channel's output, in bytes
	// What the control channel sends at once: for each channel two buffers are kept
	// that are as large as the largest packet was.
	packet = 4 << 10
)

// inPackets writes a large text in small packets.
type inPackets struct{ io.WriteCloser }

func (w inPackets) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := w.WriteCloser.Write(p[written:min(written+packet, len(p))])
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// touch notes a sign of life.
func (ch *channel) touch() { ch.alive.Store(int64(time.Since(ch.host.born))) }

func (ch *channel) silence() time.Duration {
	return time.Since(ch.host.born) - time.Duration(ch.alive.Load())
}

// beat tells the loop that the controller is alive.
func (ch *channel) beat(n uint64) error {
	ch.frames.Lock()
	defer ch.frames.Unlock()
	_, err := fmt.Fprintf(ch.in, "K %d\n", n)
	return err
}
