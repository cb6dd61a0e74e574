package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"hardway/cmd/internal/command"
)

// secret asks on the terminal of the process, as ssh does: the standard streams may
// be files. When ctx ends, the terminal shows again what is typed.
func secret(ctx context.Context, question string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", command.ErrNobody
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		_ = tty.Close()
		return "", command.ErrNobody
	}
	type answer struct {
		text []byte
		err  error
	}
	typed := make(chan answer, 1)
	_, _ = fmt.Fprintf(tty, "\n%s", question)
	go func() { // a read from a terminal cannot be interrupted, so it may be left behind
		text, err := term.ReadPassword(int(tty.Fd()))
		typed <- answer{text, err}
	}()
	select {
	case a := <-typed:
		_, _ = fmt.Fprintln(tty)
		_ = tty.Close()
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(int(tty.Fd()), before)
		return "", ctx.Err()
	}
}
