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
	"sync/atomic"
	"time"

	"hardway/templates/scripts"
)

// noiseLimit is how much a login script may print before the loop is heard.
const noiseLimit = 64 << 10

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
