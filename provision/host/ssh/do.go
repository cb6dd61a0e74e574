package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"hardway/provision/host"
	"hardway/templates/scripts"
)

// grace is how long a cancelled operation may take to end in good order.
const grace = 2 * time.Second

// do sends a request and waits for its answer. When ctx ends, the script is ended
// too, and the channel stays usable if that succeeds in time. When the host is
// silent for IdleTimeout, the connection is closed.
func (ch *channel) do(ctx context.Context, step string, r request) (answer, error) {
	h := ch.host
	select {
	case <-ch.turn:
		defer func() { ch.turn <- struct{}{} }()
	case <-ctx.Done():
		return answer{}, fmt.Errorf("%s: %s: %w", h.config.Name, step, context.Cause(ctx))
	case <-h.ended:
	}
	if err := h.failed(); err != nil {
		return answer{}, &host.LostError{Host: h.config.Name, Step: step, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return answer{}, fmt.Errorf("%s: %s: %w", h.config.Name, step, context.Cause(ctx))
	}
	if !ch.ready[r.script] {
		body, ok := scripts.Lookup(r.script)
		if !ok {
			return answer{}, fmt.Errorf("there is no script %q", r.script)
		}
		r.body = body
	}
	ch.last++
	id := ch.last
	if err := r.check(); err != nil {
		return answer{}, fmt.Errorf("%s: %s: %w", h.config.Name, step, err)
	}

	begun := time.Now()
	ch.touch()
	var sent atomic.Bool
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { ch.watch(ctx, id, &sent, over) })
	err := ch.send(id, r)
	sent.Store(true)
	var a answer
	if err == nil {
		limit := r.max
		if limit == 0 {
			limit = smallOutput
		}
		a, err = readAnswer(ch.out, id, limit)
	}
	close(over)
	watching.Wait()
	if err == nil {
		ch.ready[r.script] = true
		if ctx.Err() != nil && a.status != 0 { // it was ended, or failed on its own as it would have been
			return a, fmt.Errorf("%s: %s: %w", h.config.Name, step, context.Cause(ctx))
		}
		return a, nil
	}
	return answer{}, ch.lost(ctx, step, begun, err)
}

// contentError is a content that could not be read on the controller.
type contentError struct{ error }

// lost gives up a channel whose frames are no longer in step, and says why. It
// takes the connection along, unless the controller itself is the reason and a
// bulk channel is all there is to give up.
func (ch *channel) lost(ctx context.Context, step string, begun time.Time, err error) error {
	h := ch.host
	after := time.Since(begun)
	ch.dead = true
	content, local := errors.AsType[contentError](err)
	if ch.kind == "bulk" && (local || ctx.Err() != nil) {
		_ = ch.session.Close()
		if local {
			return fmt.Errorf("%s: %s: %w", h.config.Name, step, content.error)
		}
		return fmt.Errorf("%s: %s: %w", h.config.Name, step, context.Cause(ctx))
	}
	if ctx.Err() != nil {
		h.fail(fmt.Errorf("%s was cancelled: %w", step, context.Cause(ctx)))
		return fmt.Errorf("%s: %s: %w", h.config.Name, step, context.Cause(ctx))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		ch.lastWords()
		err = fmt.Errorf("the connection ended%s", quoted(ch.errs.String()))
		if reason := lostOnTheWay(h.conn); reason != nil {
			err = reason
		}
	}
	h.fail(err)
	return &host.LostError{Host: h.config.Name, Step: step, After: after, Err: h.failed()}
}

// watch ends an operation that is cancelled or that the host lets hang.
func (ch *channel) watch(ctx context.Context, id uint64, sent *atomic.Bool, over <-chan struct{}) {
	h := ch.host
	limit := h.config.IdleTimeout
	tick := time.NewTicker(min(limit/8, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			if quiet := ch.silence(); quiet > limit {
				h.fail(fmt.Errorf("the host gave no sign of life for %s", quiet.Round(100*time.Millisecond)))
				return
			}
			continue
		case <-ctx.Done():
		}
		if sent.Load() { // the frame is whole; ask the loop to end the script
			go func() {
				ch.frames.Lock()
				defer ch.frames.Unlock()
				_, _ = fmt.Fprintf(ch.in, "C %d\n", id)
			}()
		} else {
			_ = ch.session.Close()
		}
		select {
		case <-over:
		case <-time.After(grace + time.Second):
			h.fail(fmt.Errorf("cancelled: %w", context.Cause(ctx)))
		}
		return
	}
}

// frameEnd tells the loop that all of a frame arrived: a connection that is cut
// inside one looks, to the host, like a short frame.
const frameEnd = "E\n"

// send writes the frame and its standard input.
func (ch *channel) send(id uint64, r request) error {
	ch.frames.Lock()
	defer ch.frames.Unlock()
	var small []byte
	if r.size <= 64<<10 { // read first, and sent with the head
		var err error
		if small, err = readN(r.stdin, int(r.size)); err != nil {
			return contentError{fmt.Errorf("reading what is to be sent: %w", err)}
		}
	}
	w := bufio.NewWriterSize(ch.in, packet)
	r.writeHead(w, id)
	if r.size > int64(len(small)) {
		if err := w.Flush(); err != nil {
			return err
		}
		source := &sourceReader{Reader: io.LimitReader(r.stdin, r.size)}
		n, err := io.Copy(touchingWriter{ch.in, ch.touch}, source)
		switch {
		case source.err != nil:
			return contentError{fmt.Errorf("reading what is to be sent: %w", source.err)}
		case err == nil && n < r.size:
			return contentError{fmt.Errorf("what is to be sent ended after %d of %d bytes", n, r.size)}
		case err != nil:
			return err
		}
	}
	_, _ = w.Write(small)
	_, _ = w.WriteString(frameEnd)
	return w.Flush() // which says what went wrong before
}

// sourceReader remembers its own failure: io.Copy does not say which side failed.
type sourceReader struct {
	io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// touching notes a sign of life at every read that brings something.
type touching struct {
	io.Reader
	touch func()
}

func (t touching) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if n > 0 {
		t.touch()
	}
	return n, err
}

// touchingWriter notes that the host takes what it is sent.
type touchingWriter struct {
	io.Writer
	touch func()
}

func (t touchingWriter) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	if n > 0 {
		t.touch()
	}
	return n, err
}
