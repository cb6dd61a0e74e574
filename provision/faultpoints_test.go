//go:build faultpoints

package provision

import (
	"context"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
)

// inert does nothing, and counts how often it was asked to.
type inert struct{ calls int }

func (h *inert) Observe(context.Context, facts.Request) (facts.Observation, error) {
	h.calls++
	return facts.Observation{}, nil
}
func (h *inert) Put(context.Context, host.Put) error                       { h.calls++; return nil }
func (h *inert) Remove(context.Context, host.Remove) error                 { h.calls++; return nil }
func (h *inert) Unit(context.Context, string, host.UnitAction) error       { h.calls++; return nil }
func (h *inert) Run(context.Context, host.Script) (r host.Result, _ error) { h.calls++; return r, nil }
func (h *inert) Lock(context.Context, string) error                        { h.calls++; return nil }
func (h *inert) Close() error                                              { h.calls++; return nil }
func (h *inert) Dial(context.Context, string, string) (net.Conn, error)    { h.calls++; return nil, nil }

// Every operation that a host has passes a point before it and one after it.
func TestEveryOperationPassesTwoPoints(t *testing.T) {
	var passed []string
	p := faultPoints{number: new(atomic.Int64), reach: func(where, step, when string, _ int64) {
		passed = append(passed, when+" "+step)
		if !strings.Contains(where, "m1") {
			t.Errorf("%s %s: it does not name the host: %s", when, step, where)
		}
	}}
	inner := &inert{}
	dial := p.dialer(func(context.Context, config.Host) (host.Host, error) { return inner, nil })
	h, err := dial(t.Context(), config.Host{Addr: addr.Host{Role: addr.Master, Name: "m1"}})
	if err != nil || len(passed) != 2 {
		t.Fatalf("connecting: %v, %q", err, passed)
	}
	operations := reflect.TypeFor[host.Host]()
	extra := reflect.TypeFor[tcpDialer]()
	for _, of := range []reflect.Type{operations, extra} {
		for i := range of.NumMethod() {
			m := of.Method(i)
			passed, inner.calls = nil, 0
			args := make([]reflect.Value, m.Type.NumIn())
			for j := range args {
				if args[j] = reflect.Zero(m.Type.In(j)); m.Type.In(j) == reflect.TypeFor[context.Context]() {
					args[j] = reflect.ValueOf(t.Context())
				}
			}
			reflect.ValueOf(h).MethodByName(m.Name).Call(args)
			if inner.calls != 1 || len(passed) != 2 || !strings.HasPrefix(passed[0], "before ") || !strings.HasPrefix(passed[1], "after ") {
				t.Errorf("%s: the points %q, %d calls; want one before, one call, one after", m.Name, passed, inner.calls)
			}
		}
	}
	if want := int64(2 * (1 + operations.NumMethod() + extra.NumMethod())); p.number.Load() != want {
		t.Errorf("%d points were numbered, want %d", p.number.Load(), want)
	}
}

// A label must be the same in the next run, or no run would ever get past it.
func TestLabelsAreStable(t *testing.T) {
	a := scriptLabel(host.Script{Name: "mark", Args: []string{"0b1c-4d", "12", "lab", strings.Repeat("ab", 32)}})
	b := scriptLabel(host.Script{Name: "mark", Args: []string{"0b1c-4d", "13", "lab", strings.Repeat("cd", 32)}})
	if a != b || a != "mark lab" {
		t.Errorf("%q and %q", a, b)
	}
	var steps []string
	p := faultPoints{number: new(atomic.Int64), reach: func(_, step, _ string, _ int64) { steps = append(steps, step) }}
	for _, serial := range []string{"d9309c22c7f3", "566ae025b6524bd6c0acab1ade851e4ae53b6b23"} {
		p.pass("m1", "put /pki/kubelet-client-"+serial+".pem", "before")
	}
	if steps[0] != steps[1] {
		t.Errorf("a serial makes another step: %q", steps)
	}
}
