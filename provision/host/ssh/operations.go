package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"hardway/provision/host"
)

// smallContent is what still travels on the control channel, in bytes.
const smallContent = 256 << 10

// maxHolder bounds what a host says of a lock's holder, or of whose it is, in bytes.
const maxHolder = 2 << 10

// Exit statuses that scripts share; see templates/scripts/prelude.sh and loop.sh.
const (
	exitChanged = 66
	exitFenced  = 73
	exitMarked  = 74
	exitLocked  = 75
)

// scriptError turns an answer's status into an error.
func (h *Host) scriptError(step, script string, a answer) error {
	switch a.status {
	case 0:
		return nil
	case exitFenced:
		return &host.FencedError{Host: h.config.Name, Message: strings.TrimSpace(string(a.stderr))}
	}
	err := &host.ScriptError{Script: script, Exit: a.status, Stderr: string(a.stderr)}
	if step == "script "+script {
		return fmt.Errorf("%s: %w", h.config.Name, err)
	}
	return fmt.Errorf("%s: %s: %w", h.config.Name, step, err)
}

// Put implements host.Host. The parent directories must be there, and nobody but
// root may be able to swap anything in them.
func (h *Host) Put(ctx context.Context, p host.Put) error {
	step := "put " + p.Path
	if p.Size < 0 || p.Mode > 0o7777 || len(p.SHA256) != 64 {
		return fmt.Errorf("%s: %s: size %d, mode %o, sha256 %q: not a file that could be written", h.config.Name, step, p.Size, p.Mode, p.SHA256)
	}
	content, err := p.Open()
	if err != nil {
		return fmt.Errorf("%s: %s: opening its content: %w", h.config.Name, step, err)
	}
	defer content.Close()
	r := request{
		script: "put", stdin: content, size: p.Size, generation: h.generation.Load(),
		args: []string{p.Path, fmt.Sprintf("%04o", p.Mode), orRoot(p.Owner), orRoot(p.Group), p.SHA256, p.Expect, strconv.FormatInt(p.Size, 10)},
	}
	var a answer
	if p.Size > smallContent {
		a, err = h.onBulk(ctx, step, r)
	} else {
		// Read whole before anything is sent, so that a short one cannot
		// leave a frame half written.
		small, errRead := io.ReadAll(io.LimitReader(content, p.Size+1))
		if errRead != nil || int64(len(small)) != p.Size {
			return fmt.Errorf("%s: %s: its content is not %d bytes long: %w", h.config.Name, step, p.Size, errors.Join(errRead, io.ErrUnexpectedEOF))
		}
		r.stdin = bytes.NewReader(small)
		a, err = h.control.do(ctx, step, r)
	}
	if err != nil {
		return err
	}
	if a.status == exitChanged {
		return h.changed(p.Path, p.Expect, a)
	}
	return h.scriptError(step, "put", a)
}

// Remove implements host.Host.
func (h *Host) Remove(ctx context.Context, r host.Remove) error {
	step := "remove " + r.Path
	recursive := "0"
	if r.Recursive {
		recursive = "1"
	}
	a, err := h.control.do(ctx, step, request{
		script: "remove", max: smallOutput, generation: h.generation.Load(),
		args: []string{r.Path, recursive, r.Expect},
	})
	if err != nil {
		return err
	}
	if a.status == exitChanged {
		return h.changed(r.Path, r.Expect, a)
	}
	return h.scriptError(step, "remove", a)
}

func (h *Host) changed(path, want string, a answer) error {
	return fmt.Errorf("%s: %w", h.config.Name,
		&host.ChangedError{Path: path, Want: want, Got: printable(string(a.stdout), 64)})
}

// Unit implements host.Host.
func (h *Host) Unit(ctx context.Context, name string, action host.UnitAction) error {
	step := string(action) + " " + name
	if action == host.DaemonReload {
		step = string(action)
	}
	a, err := h.control.do(ctx, step, request{
		script: "unit", max: smallOutput, generation: h.generation.Load(), args: []string{string(action), name},
	})
	if err != nil {
		return err
	}
	return h.scriptError(step, "unit", a)
}

// Run implements host.Host. Scripts with large inputs, and the import of an
// image, which takes long, run beside the control channel.
func (h *Host) Run(ctx context.Context, s host.Script) (host.Result, error) {
	step := "script " + s.Name
	r := request{
		script: s.Name, args: s.Args, max: host.MaxOutput, generation: h.generation.Load(),
		stdin: bytes.NewReader(s.Stdin), size: int64(len(s.Stdin)),
	}
	run := h.control.do
	if r.size > smallContent || s.Name == "image-import" {
		run = h.onBulk
	}
	a, err := run(ctx, step, r)
	if err != nil {
		return host.Result{}, err
	}
	result := host.Result{Exit: a.status, Stdout: a.stdout, Stderr: a.stderr}
	if s.Name == "mark" && a.status == exitMarked {
		return result, h.marked(s.Args, a)
	}
	return result, h.scriptError(step, s.Name, a)
}

// Lock implements host.Host. From then on every operation carries the fencing
// generation that came with the lock, and the host refuses it when another
// session has taken the lock since.
func (h *Host) Lock(ctx context.Context, holder string) error {
	h.locking.Lock()
	defer h.locking.Unlock()
	if h.generation.Load() != 0 {
		return nil
	}
	a, err := h.control.do(ctx, "lock", request{script: "lock", args: []string{strings.ReplaceAll(holder, "\n", " ")}})
	if err != nil {
		return err
	}
	if a.status == exitLocked {
		return fmt.Errorf("%s: %w", h.config.Name, &host.LockedError{Holder: printable(string(a.stdout), maxHolder)})
	}
	if err := h.scriptError("lock", "lock", a); err != nil {
		return err
	}
	generation, err := strconv.ParseInt(strings.TrimSpace(string(a.stdout)), 10, 64)
	if err != nil || generation < 1 {
		return fmt.Errorf("%s: lock: %w: generation %q", h.config.Name, errProtocol, printable(string(a.stdout), 40))
	}
	h.generation.Store(generation)
	return nil
}

// Generation returns the fencing generation of the lock that is held, or 0.
func (h *Host) Generation() int64 { return h.generation.Load() }

func orRoot(name string) string {
	if name == "" {
		return "root"
	}
	return name
}
