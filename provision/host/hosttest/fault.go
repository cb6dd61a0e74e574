package hosttest

import (
	"errors"

	"hardway/provision/host"
)

// Mode says what goes wrong at an operation.
type Mode int

// FailBefore returns the error and does nothing; FailAfter does it and returns
// the error all the same. The Cut modes also end the session: the caller gets a
// *host.LostError and cannot know which of the two it was; locks are freed.
const (
	FailBefore Mode = iota
	FailAfter
	CutBefore
	CutAfter
)

type fault struct {
	n    int
	mode Mode
	err  error
}

// FailAt makes the n-th operation from now on (the next one is 1) go wrong, once.
// A nil error gets a text of its own.
func (m *Machine) FailAt(n int, mode Mode, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		err = errors.New("injected fault")
	}
	m.faults = append(m.faults, fault{n: m.ops + n, mode: mode, err: err})
}

// ClearFaults drops the faults that were not reached.
func (m *Machine) ClearFaults() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// Ops returns how many operations were begun on the machine, observations included.
func (m *Machine) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// OnOp calls f before every operation with its number and name, such as "put
// /etc/hosts": a test may end the caller's context there, or record the order.
// It must not use the machine.
func (m *Machine) OnOp(f func(n int, step string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onOp = f
}

// SetDown makes the machine unreachable for the given reason, and ends the
// sessions on it at their next operation; nil brings it back.
func (m *Machine) SetDown(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = reason
	if reason != nil {
		m.holder = nil
	}
}

// FreeLock takes the lock from the session that holds it, as the watchdog of a
// silent one does; the session only finds out when somebody else has locked.
func (m *Machine) FreeLock() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holder = nil
}

// begin counts an operation and returns the fault that it has. The lock is held.
func (m *Machine) begin(step string) *fault {
	m.ops++
	if m.onOp != nil {
		m.onOp(m.ops, step)
	}
	for i, f := range m.faults {
		if f.n == m.ops {
			m.faults = append(m.faults[:i:i], m.faults[i+1:]...)
			return &f
		}
	}
	return nil
}

// cut ends a session as a lost connection does. The lock is held.
func (s *Session) cut(step string, err error) error {
	s.dead = err
	if s.machine.holder == s {
		s.machine.holder = nil
	}
	return &host.LostError{Host: s.machine.Name, Step: step, Err: err}
}
