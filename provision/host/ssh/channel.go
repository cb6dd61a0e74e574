package ssh

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host"
	"hardway/templates/scripts"
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

// noiseLimit is how much a login script may print before the loop is heard.
const noiseLimit = 64 << 10

// grace is how long a cancelled operation may take to end in good order.
const grace = 2 * time.Second

// openChannel starts the loop on a new channel. With a session directory it joins
// that session. It ends with ctx.
func (h *Host) openChannel(ctx context.Context, kind, dir string) (*channel, error) {
	session, err := h.client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("%s: opening a channel: %w", h.config.Name, err)
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
	stdout, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	ch.out = bufio.NewReaderSize(touching{stdout, ch.touch}, 32<<10)
	session.Stderr = ch.errs
	if err := session.Start(h.config.Become.command()); err != nil {
		_ = session.Close()
		return nil, fmt.Errorf("%s: starting a shell: %w", h.config.Name, err)
	}
	go func() {
		ch.exit = session.Wait()
		close(ch.exited)
	}()

	greeted := make(chan struct{})
	var prompts atomic.Int32
	var answering sync.WaitGroup
	answering.Go(func() { ch.answerPrompts(asked, greeted, &prompts) })
	stop := context.AfterFunc(ctx, h.abort)
	err = ch.greet(dir)
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

// answerPrompts gives sudo the password once. A second prompt means that it was
// wrong: the input ends there, so that sudo cannot count further attempts.
func (ch *channel) answerPrompts(asked, greeted <-chan struct{}, prompts *atomic.Int32) {
	for {
		select {
		case <-greeted:
			return
		case <-ch.exited:
			return
		case <-asked:
		}
		if prompts.Add(1) > 1 {
			_ = ch.in.Close()
			return
		}
		password, err := ch.host.config.Become.Password()
		if err != nil {
			ch.host.fail(fmt.Errorf("%s: obtaining the sudo password: %w", ch.host.config.Name, err))
			return
		}
		if strings.ContainsAny(password, "\n\x00") {
			ch.host.fail(fmt.Errorf("%s: the sudo password holds a line break", ch.host.config.Name))
			return
		}
		if _, err := io.WriteString(ch.in, password+"\n"); err != nil {
			return
		}
	}
}

// rootError is a shell that came up without being root's.
type rootError struct{ uid string }

func (e rootError) Error() string { return "uid " + e.uid }

// missingError is a host without the tools that the loop needs.
type missingError struct{ tools string }

func (e missingError) Error() string { return "missing " + e.tools }

// greet waits for the bootstrap, hands it the loop and waits for that.
func (ch *channel) greet(dir string) error {
	noise := 0
	next := func() (string, error) {
		line, err := readLine(ch.out, noiseLimit)
		if noise += len(line) + 1; noise > noiseLimit {
			return "", fmt.Errorf("%w: %d bytes before its greeting; check the login scripts of user %s",
				errProtocol, noise, ch.host.config.User)
		}
		return strings.TrimSuffix(line, "\r"), err
	}
	for {
		line, err := next()
		if err != nil {
			return err
		}
		if line == "hardway-up" {
			break
		}
	}
	c := ch.host.config
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	id := hex.EncodeToString(nonce)
	loop := scripts.Loop()
	misses := int(math.Ceil(float64(c.IdleTimeout) / float64(c.KeepAlive)))
	hello := fmt.Sprintf("hardway\n%d\n%s%s\n%s\n%s\n%g\n%d\n%s\n", len(loop), loop, id, c.RunDir, c.StateDir, c.KeepAlive.Seconds(), misses, dir)
	if _, err := io.WriteString(ch.in, hello); err != nil {
		return err
	}
	for {
		line, err := next()
		if err != nil {
			return err
		}
		if tools, ok := strings.CutPrefix(line, "hardway-missing "+id+" "); ok {
			return missingError{printable(tools, 200)}
		}
		rest, ok := strings.CutPrefix(line, "hardway-ready "+id+" ")
		if !ok {
			continue
		}
		uid, at, _ := strings.Cut(rest, " ")
		if uid != "0" {
			return rootError{printable(uid, 20)}
		}
		if dir == "" && path.Dir(at) != c.RunDir {
			return fmt.Errorf("%w: session directory %q", errProtocol, printable(at, 80))
		}
		ch.dir = at
		return nil
	}
}

// explain says why no loop came up, and what to do.
func (ch *channel) explain(ctx context.Context, err error, prompts int) error {
	c := ch.host.config
	if reason := ch.host.failed(); reason != nil && !errors.Is(reason, errAborted) {
		return reason
	}
	select { // let the last words arrive
	case <-ch.exited:
	case <-time.After(500 * time.Millisecond):
	}
	said := ch.errs.String()
	if e, ok := errors.AsType[rootError](err); ok {
		return &BecomeError{Host: c.Name, User: c.User,
			Reason: fmt.Sprintf("the shell runs as uid %s; set become { method = \"sudo\" }, or log in as root", e.uid)}
	}
	if e, ok := errors.AsType[missingError](err); ok {
		return fmt.Errorf("%s: the host lacks %s; install coreutils, findutils and util-linux", c.Name, e.tools)
	}
	if failure := becomeFailure(c, prompts, said); failure != nil {
		return failure
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s (%s): no root shell after %s: %w", c.Name, c.Address, c.ConnectTimeout, context.Cause(ctx))
	}
	if errors.Is(err, io.EOF) {
		how := "it ended at once"
		if ch.exit != nil {
			how = ch.exit.Error()
		}
		return fmt.Errorf("%s: no root shell: %s%s; try logging in as %s by hand", c.Name, how, quoted(said), c.User)
	}
	return fmt.Errorf("%s: no root shell: %w%s", c.Name, err, quoted(said))
}

func quoted(said string) string {
	if said = printable(said, 300); said == "" {
		return ""
	}
	return " (the host said: " + said + ")"
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
	head, err := r.head(id)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %s: %w", h.config.Name, step, err)
	}

	begun := time.Now()
	ch.touch()
	var sent atomic.Bool
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { ch.watch(ctx, id, &sent, over) })
	err = ch.send(head, r)
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
		err = fmt.Errorf("the connection ended%s", quoted(ch.errs.String()))
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

// send writes the frame and its standard input.
func (ch *channel) send(head []byte, r request) error {
	ch.frames.Lock()
	defer ch.frames.Unlock()
	if r.size > 0 && r.size <= 64<<10 { // one packet rather than two
		body, err := readN(r.stdin, int(r.size))
		if err != nil {
			return contentError{fmt.Errorf("reading what is to be sent: %w", err)}
		}
		_, err = ch.in.Write(append(head, body...))
		return err
	}
	if _, err := ch.in.Write(head); err != nil || r.size == 0 {
		return err
	}
	source := &sourceReader{Reader: io.LimitReader(r.stdin, r.size)}
	n, err := io.Copy(touchingWriter{ch.in, ch.touch}, source)
	switch {
	case source.err != nil:
		return contentError{fmt.Errorf("reading what is to be sent: %w", source.err)}
	case err == nil && n < r.size:
		return contentError{fmt.Errorf("what is to be sent ended after %d of %d bytes", n, r.size)}
	}
	return err
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
