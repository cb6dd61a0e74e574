package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// hello plays the bootstrap up to the hello, and returns the nonce and the
// directory below /run.
func hello(ch ssh.Channel) (nonce, run string) {
	_, _ = io.WriteString(ch, "\nhardway-up\n")
	r := bufio.NewReaderSize(ch, 16)
	line := func() (string, error) {
		s, err := r.ReadString('\n')
		return strings.TrimSuffix(s, "\n"), err
	}
	for {
		if s, err := line(); err != nil || s == "hardway" {
			break
		}
	}
	length, _ := line()
	n, _ := strconv.Atoi(length)
	_, _ = io.CopyN(io.Discard, r, int64(n))
	nonce, _ = line()
	run, _ = line()
	return nonce, run
}

// liar greets as a loop would, and then misbehaves.
func liar(then func(ch ssh.Channel) uint32) func(string, ssh.Channel) uint32 {
	return func(_ string, ch ssh.Channel) uint32 {
		nonce, run := hello(ch)
		_, _ = fmt.Fprintf(ch, "\nhardway-ready %s 0 %s/session.x\n", nonce, run)
		return then(ch)
	}
}

// untilFrame reads up to and including the first request.
func untilFrame(ch ssh.Channel) {
	b := make([]byte, 1)
	var seen []byte
	for !bytes.Contains(seen, []byte("\nQ ")) {
		if _, err := ch.Read(b); err != nil {
			return
		}
		seen = append(seen, b...)
	}
}

func drain(ch ssh.Channel) { go func() { _, _ = io.Copy(io.Discard, ch) }() }

// hang keeps the channel open until the client goes.
func hang(ch ssh.Channel) uint32 {
	_, _ = io.Copy(io.Discard, ch)
	return 0
}

// A host that lies or hangs costs an error in time and bounded memory.
func TestHostileHosts(t *testing.T) {
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	flood := bytes.Repeat([]byte("x"), 32<<10)
	for _, c := range []struct {
		name string
		exec func(string, ssh.Channel) uint32
		says string
	}{
		{"never greets", func(_ string, ch ssh.Channel) uint32 { return hang(ch) }, "no answer within 1s"},
		{"greets and hangs", liar(hang), "no sign of life"},
		{"exits at once", func(string, ssh.Channel) uint32 { return 3 }, "status 3"},
		{"exits after its greeting", liar(func(ssh.Channel) uint32 { return 0 }), "connection ended"},
		{"endless login message", func(_ string, ch ssh.Channel) uint32 {
			drain(ch)
			for {
				if _, err := ch.Write(flood); err != nil {
					return 0
				}
			}
		}, "protocol"},
		{"endless short lines", func(_ string, ch ssh.Channel) uint32 {
			drain(ch)
			for {
				if _, err := ch.Write(bytes.Repeat([]byte("\nhello\n"), 1000)); err != nil {
					return 0
				}
			}
		}, "before its greeting"},
		{"endless errors", func(_ string, ch ssh.Channel) uint32 {
			drain(ch)
			for {
				if _, err := ch.Stderr().Write(flood); err != nil {
					return 0
				}
			}
		}, "no answer within 1s"},
		{"garbage for an answer", liar(func(ch ssh.Channel) uint32 { _, _ = io.WriteString(ch, "\x00\xff\x1b[2Jhello\n"); return hang(ch) }), "protocol"},
		{"an answer without a line", liar(func(ch ssh.Channel) uint32 { _, _ = ch.Write(flood); return hang(ch) }), "protocol"},
		{"an answer to another request", liar(func(ch ssh.Channel) uint32 { _, _ = io.WriteString(ch, "A 77 0 0 0\n"); return hang(ch) }), "protocol"},
		{"a length too large", liar(func(ch ssh.Channel) uint32 { _, _ = io.WriteString(ch, "A 1 0 99999999999 0\n"); return hang(ch) }), "protocol"},
		{"a negative length", liar(func(ch ssh.Channel) uint32 { _, _ = io.WriteString(ch, "A 1 0 -1 0\n"); return hang(ch) }), "protocol"},
		{"a length without bytes", liar(func(ch ssh.Channel) uint32 { _, _ = io.WriteString(ch, "A 1 0 1000000 0\n"); return hang(ch) }), "no sign of life"},
		{"half an observation", liar(func(ch ssh.Channel) uint32 {
			untilFrame(ch)
			_, _ = io.WriteString(ch, "A 1 0 8 0\nclock\x0012")
			return hang(ch)
		}), "not whole"},
		{"a false observation", liar(func(ch ssh.Channel) uint32 {
			untilFrame(ch)
			text := "file\x00/etc/shadow\x00f\x00600\x00root\x00root\x001\x00\x00Z\x00"
			_, _ = fmt.Fprintf(ch, "A 1 0 %d 0\n%s", len(text), text)
			return hang(ch)
		}), "was not asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{Exec: c.exec})
			cfg := config(t, s)
			cfg.ConnectTimeout, cfg.KeepAlive, cfg.IdleTimeout = time.Second, 100*time.Millisecond, 500*time.Millisecond
			t.Parallel()
			begun := time.Now()
			h, err := Dial(t.Context(), cfg)
			if err == nil {
				defer h.Close()
				_, err = h.Observe(t.Context(), facts.Request{})
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "m1") {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x00\x1b\n") {
				t.Errorf("the error carries control characters: %q", err)
			}
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("it took %s", took)
			}
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
				t.Errorf("memory grew by %d MiB", grown>>20)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	cfg := config(t, s)
	cfg.ConnectTimeout = time.Second
	cfg.Address = "127.0.0.1:1"
	begun := time.Now()
	if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "m1") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if _, err := Dial(ctx, config(t, s)); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Fatalf("it took %s", took)
	}
}

// An operation that is cancelled on a host that hangs comes back promptly.
func TestCancelHanging(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{Exec: liar(hang)})
	h, err := Dial(t.Context(), config(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err = h.Unit(ctx, "etcd.service", host.Start)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Fatalf("it took %s", took)
	}
}
