package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// Session is one connection to a Machine. Its zero value is of no use; see
// Machine.Connect.
type Session struct {
	machine    *Machine
	dead       error
	generation int64
}

var _ host.Host = (*Session)(nil)

// do runs one operation under the machine's lock, with the fault it may have.
func (s *Session) do(ctx context.Context, step string, op func(m *Machine) error) error {
	m := s.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %s: %w", m.Name, step, context.Cause(ctx))
	}
	if s.dead != nil {
		return &host.LostError{Host: m.Name, Step: step, Err: s.dead}
	}
	f := m.begin(step)
	if m.down != nil {
		return s.cut(step, m.down)
	}
	if s.generation != 0 && s.generation != m.generation {
		return &host.FencedError{Host: m.Name, Message: "the lock of this host went to another session"}
	}
	if f != nil && f.mode == FailBefore {
		return fmt.Errorf("%s: %s: %w", m.Name, step, f.err)
	}
	if f != nil && f.mode == CutBefore {
		return s.cut(step, f.err)
	}
	err := op(m)
	if f != nil && f.mode == FailAfter {
		return fmt.Errorf("%s: %s: %w", m.Name, step, f.err)
	}
	if f != nil && f.mode == CutAfter {
		return s.cut(step, f.err)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", m.Name, step, err)
	}
	return nil
}

// Observe implements host.Host.
func (s *Session) Observe(ctx context.Context, req facts.Request) (facts.Observation, error) {
	var o facts.Observation
	err := s.do(ctx, "observe", func(m *Machine) error {
		o = m.observe(req)
		return nil
	})
	if err != nil {
		return facts.Unreachable(err), err
	}
	return o, nil
}

// Put implements host.Host.
func (s *Session) Put(ctx context.Context, p host.Put) error {
	content, err := p.Open()
	if err != nil {
		return fmt.Errorf("%s: put %s: opening its content: %w", s.machine.Name, p.Path, err)
	}
	defer content.Close()
	b, err := io.ReadAll(io.LimitReader(content, p.Size+1))
	if err != nil || int64(len(b)) != p.Size {
		return fmt.Errorf("%s: put %s: its content is not %d bytes long: %w", s.machine.Name, p.Path, p.Size, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return s.do(ctx, "put "+p.Path, func(m *Machine) error { return m.put(p, string(b)) })
}

// Remove implements host.Host.
func (s *Session) Remove(ctx context.Context, r host.Remove) error {
	return s.do(ctx, "remove "+r.Path, func(m *Machine) error { return m.remove(r) })
}

// Unit implements host.Host.
func (s *Session) Unit(ctx context.Context, name string, action host.UnitAction) error {
	return s.do(ctx, string(action)+" "+name, func(m *Machine) error { return m.unit(name, action) })
}

// Run implements host.Host.
func (s *Session) Run(ctx context.Context, script host.Script) (host.Result, error) {
	var result host.Result
	err := s.do(ctx, "script "+script.Name, func(m *Machine) error {
		f, ok := m.scripts[script.Name]
		if !ok {
			return fmt.Errorf("there is no script %q", script.Name)
		}
		m.mu.Unlock() // a script uses the machine's exported methods
		defer m.mu.Lock()
		var err error
		result, err = f(m, script.Args, script.Stdin)
		result.Stdout = result.Stdout[:min(len(result.Stdout), host.MaxOutput)]
		result.Stderr = result.Stderr[:min(len(result.Stderr), host.MaxOutput)]
		if err == nil && result.Exit != 0 {
			err = &host.ScriptError{Script: script.Name, Exit: result.Exit, Stderr: string(result.Stderr)}
		}
		return err
	})
	return result, err
}

// Lock implements host.Host.
func (s *Session) Lock(ctx context.Context, holder string) error {
	return s.do(ctx, "lock", func(m *Machine) error {
		if m.holder == s {
			return nil
		}
		if m.holder != nil {
			return &host.LockedError{Holder: m.holderText}
		}
		m.generation++
		m.holder, m.holderText, s.generation = s, strings.ReplaceAll(holder, "\n", " "), m.generation
		if _, ok := m.files[stateDir]; !ok {
			m.files[stateDir] = &File{Type: facts.Directory, Mode: 0o700, Owner: "root", Group: "root"}
		}
		return nil
	})
}

// Close implements host.Host.
func (s *Session) Close() error {
	m := s.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder == s {
		m.holder = nil
	}
	if s.dead == nil {
		s.dead = errors.New("the session was closed")
	}
	return nil
}

// stateDir is hardway's own directory.
const stateDir = "/var/lib/hardway"
