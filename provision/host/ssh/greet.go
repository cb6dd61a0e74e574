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

	"hardway/templates/scripts"
)

// noiseLimit is how much a login script may print before the loop is heard.
const noiseLimit = 64 << 10

// answerPrompts gives sudo the password once, when it is sudo that asks: from up on,
// which is after the login scripts. A second prompt means that it was wrong: the
// input ends there, so that sudo cannot count further attempts.
func (ch *channel) answerPrompts(asked, up, greeted <-chan struct{}, prompts *atomic.Int32) {
	b := ch.host.config.Become
	if b.Method != BecomeSudo || b.Password == nil {
		return // what looks like a prompt is not one
	}
	select {
	case <-up:
	case <-greeted:
		return
	case <-ch.exited:
		return
	}
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
		password, err := b.secret()
		if err != nil {
			ch.host.fail(fmt.Errorf("%s: %w", ch.host.config.Name, err))
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

// nudgeAfter is how long a login may be quiet before it is nudged, and then between
// nudges.
const nudgeAfter = time.Second

// nudge sends the command line again, on the input, until the bootstrap is up. A
// login script that reads the input gets a line and goes on; a shell that one of
// them put in the place of the login shell (exec zsh) has lost the command, and
// reads it here; the bootstrap skips what it was not waiting for. Nothing that takes
// a password runs yet.
func (ch *channel) nudge(up <-chan struct{}) {
	tick := time.NewTicker(nudgeAfter)
	defer tick.Stop()
	for {
		select {
		case <-up:
			return
		case <-ch.exited:
			return
		case <-ch.host.ended:
			return
		case <-tick.C:
		}
		if _, err := io.WriteString(ch.in, ch.host.config.Become.command()+"\n"); err != nil {
			return
		}
	}
}

// greet waits for the bootstrap, becomes root if that is still to do, hands the
// bootstrap the loop and waits for that. It calls up when the login scripts are over.
func (ch *channel) greet(dir string, up func()) error {
	noise := 0
	next := func() (string, error) {
		line, err := readLine(ch.out, noiseLimit)
		if noise += len(line) + 1; noise > noiseLimit {
			return "", fmt.Errorf("%w: %d bytes before its greeting; check the login scripts of user %s",
				errProtocol, noise, ch.host.config.User)
		}
		return strings.TrimSuffix(line, "\r"), err
	}
	bootstrapped := func() error {
		for {
			line, err := next()
			if err != nil || line == "hardway-up" {
				return err
			}
		}
	}
	c := ch.host.config
	nudged := make(chan struct{})
	var nudging sync.WaitGroup
	nudging.Go(func() { ch.nudge(nudged) })
	err := bootstrapped()
	close(nudged)
	nudging.Wait()
	if err != nil {
		return err
	}
	up()
	script, lines, err := c.Become.second()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	if script != "" {
		if _, err := fmt.Fprintf(ch.in, "hardway\n%d\n%s%s", len(script), script, lines); err != nil {
			return err
		}
		if err := bootstrapped(); err != nil {
			return err
		}
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	id := hex.EncodeToString(nonce)
	loop := scripts.Loop()
	misses := int(math.Ceil(float64(c.IdleTimeout) / float64(c.KeepAlive)))
	hello := bufio.NewWriterSize(ch.in, packet)
	_, _ = fmt.Fprintf(hello, "hardway\n%d\n", len(loop))
	_, _ = hello.WriteString(loop)
	_, _ = fmt.Fprintf(hello, "%s\n%s\n%s\n%g\n%d\n%s\n", id, c.RunDir, c.StateDir, c.KeepAlive.Seconds(), misses, dir)
	if err := hello.Flush(); err != nil {
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
	ch.lastWords()
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
		return fmt.Errorf("%s (%s): no root shell after %s: %w; the login scripts of user %s may wait for input, or start another shell (exec): try 'ssh %s@HOST true </dev/null'",
			c.Name, c.Address, c.ConnectTimeout, context.Cause(ctx), c.User, c.User)
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

// lastWords lets arrive what the shell said before it ended: its error output
// comes by another way than the end of its answers.
func (ch *channel) lastWords() {
	select {
	case <-ch.exited:
	case <-time.After(500 * time.Millisecond):
	}
}

func quoted(said string) string {
	if said = printable(said, 300); said == "" {
		return ""
	}
	return " (the host said: " + said + ")"
}
