// Package command is hardway's command line: one file a command, each turning
// flags into options, making one call, and handing the result to package view.
//
// It knows names of commands and flags, when to ask, what goes to stdout and
// what to stderr, and exit codes. It must never know how anything works:
// configuration, hosts and plans are behind Session.
package command

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"hardway/cmd/internal/view"
	"hardway/provision/host/ssh"
)

// Exit codes. An unreachable host is never ExitOK: what could not be seen
// cannot be called unchanged.
const (
	ExitOK      = 0
	ExitError   = 1 // an error, or a plan or verification that is not whole
	ExitChanges = 2 // plan --detailed-exitcode: success, and there are changes; drift: there is some
)

// Env is the world around the command line.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // as os.Environ
	// Terminal returns the width of the terminal behind a stream, and whether
	// there is one; nil means that there is none.
	Terminal func(stream any) (columns int, ok bool)
	Now      func() time.Time
	Version  string
	// Interrupts delivers Ctrl-C: the first ends the context, the second calls Exit.
	Interrupts <-chan os.Signal
	Exit       func(code int)
	// Secret asks for a secret on the terminal, without showing what is typed.
	Secret ssh.AskFunc
	Open   OpenFunc
	// Lines returns what reads lines from the terminal behind Stdin, completing
	// these names; nil means that lines come from Stdin as it is.
	Lines func(names []string) Lines
}

// ErrNobody is what Env.Secret fails with where there is no terminal to ask on.
var ErrNobody = ssh.ErrNobody

// Run runs one command line and returns the exit code.
func Run(env Env) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &app{env: env, talk: env.Stderr, cancel: cancel}
	done := make(chan struct{})
	defer close(done)
	go a.interrupts(done)

	root := newRoot(a)
	args, err := normalize(root, env.Args)
	if err == nil {
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	return a.exit(err)
}

// app is what all commands share while one runs.
type app struct {
	env    Env
	cancel context.CancelFunc

	// global flags
	chdir, logLevel string
	noColor         bool

	mu   sync.Mutex
	talk io.Writer // where messages go: stderr, or the line above the progress bars
}

// interrupts turns signals into a cancelled context, and then into an exit.
func (a *app) interrupts(done <-chan struct{}) {
	for n := 1; ; n++ {
		select {
		case <-done:
			return
		case <-a.env.Interrupts:
		}
		if a.terminal(a.env.Stderr) {
			view.Echoed(a.env.Stderr)
		}
		if n == 1 {
			a.say("\nInterrupt received. Finishing the operations under way; press Ctrl-C again to stop at once.\n")
			a.cancel()
			continue
		}
		a.say("\nTwo interrupts received. Exiting at once; what was under way on a host is in doubt.\n" +
			"The next \"hardway plan\" will show it.\n")
		a.env.Exit(ExitError)
		return
	}
}

// say writes a message to the person, never to the answer.
func (a *app) say(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = io.WriteString(a.talk, text) // nobody left to tell
}

// talkThrough lets messages go through w until the returned function is called.
func (a *app) talkThrough(w io.Writer) (restore func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.talk
	a.talk = w
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.talk = old
	}
}

// exit tells an error and returns the code that it means.
func (a *app) exit(err error) int {
	if err == nil {
		return ExitOK
	}
	code := 0
	told := 0
	for _, e := range together(view.Split(err)) {
		if c, ok := errors.AsType[exitCode](e); ok {
			code = max(code, int(c))
			continue
		}
		if told++; told > 1 {
			a.say("\n")
		}
		files, _ := errors.AsType[*configError](e)
		_ = view.Error(a.env.Stderr, explain(e), files.sources(), a.style(a.env.Stderr)) // nobody left to tell
	}
	if told > 0 {
		return ExitError
	}
	return code
}

// exitCode ends a command whose output has said everything already.
type exitCode int

func (exitCode) Error() string { return "exit" }

// terminal reports whether a stream is a terminal.
func (a *app) terminal(stream any) bool {
	_, ok := a.columns(stream)
	return ok
}

func (a *app) columns(stream any) (int, bool) {
	if a.env.Terminal == nil {
		return 0, false
	}
	return a.env.Terminal(stream)
}

// pipeWidth is the width that output to a file or a pipe is wrapped at.
const pipeWidth = 80

// style says how to write to a stream.
func (a *app) style(stream io.Writer) view.Style {
	width, ok := a.columns(stream)
	if width <= 0 {
		width = pipeWidth
	}
	return view.Style{Color: view.UseColor(a.noColor, ok, a.getenv), Width: width, Whole: !ok}
}

// status returns the line that says what goes on, on a terminal.
func (a *app) status() *view.Status {
	if !a.terminal(a.env.Stderr) {
		return view.NewStatus(nil, view.Style{})
	}
	return view.NewStatus(a.env.Stderr, a.style(a.env.Stderr))
}

func (a *app) getenv(name string) string {
	value := ""
	for _, e := range a.env.Environ {
		if len(e) > len(name) && e[:len(name)] == name && e[len(name)] == '=' {
			value = e[len(name)+1:] // the last wins, as in os/exec
		}
	}
	return value
}

// log returns the logger for --log-level.
func (a *app) log() (*slog.Logger, error) {
	var level slog.Level
	name := a.logLevel
	if name == "" {
		name = a.getenv("HW_LOG")
	}
	if name == "" {
		name = "warn"
	}
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return nil, &view.Problem{Summary: "Unknown log level " + quoted(name), Next: "Use --log-level=debug, info, warn or error."}
	}
	return slog.New(slog.NewTextHandler(a.env.Stderr, &slog.HandlerOptions{Level: level})), nil
}
