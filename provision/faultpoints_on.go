//go:build faultpoints

package provision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/host"
)

// faultHook names the variable with the program that is run at each point.
const faultHook = "HARDWAY_FAULT_HOOK"

// faultPoints are the moments at which a test can make something go wrong: before
// and after every operation on a host and every durable step of the state. They exist in builds with the tag faultpoints only.
//
// At each of them the program that HARDWAY_FAULT_HOOK names is run, and waited
// for, with the arguments WHERE STEP WHEN NUMBER PID: the host's address, or
// "state"; what is done there; before or after; the number of the point in this
// process; this process. What it does to the process, or to a host, is its own
// decision. Without the variable nothing happens.
type faultPoints struct {
	number *atomic.Int64
	reach  func(where, step, when string, number int64)
}

func newFaultPoints(getenv func(string) string) faultPoints {
	p := faultPoints{number: new(atomic.Int64)}
	if hook := getenv(faultHook); hook != "" {
		p.reach = func(where, step, when string, number int64) {
			cmd := exec.Command(hook, where, step, when, strconv.FormatInt(number, 10), strconv.Itoa(os.Getpid()))
			cmd.Stderr = os.Stderr
			if err := cmd.Run(); err != nil { // a test without its faults would prove nothing
				panic(fmt.Sprintf("the hook %s at %s, %s: %v", hook, where, step, err))
			}
		}
	}
	return p
}

// digits are what names a thing made anew in every run: digests and serials.
var digits = regexp.MustCompile("[0-9a-f]{10,}")

func (p faultPoints) pass(where, step, when string) {
	if p.reach != nil {
		p.reach(where, digits.ReplaceAllString(step, "*"), when, p.number.Add(1))
	}
}

// around passes the point before op and, if the process still lives, the one after it.
func (p faultPoints) around(where, step string, op func() error) error {
	p.pass(where, step, "before")
	err := op()
	p.pass(where, step, "after")
	return err
}

// step is called before and after each durable step of the store. A step has the
// number of times that it was taken in its name: each record is another moment.
func (p faultPoints) step() func(step, when string) error {
	var mu sync.Mutex
	taken := map[string]int{}
	return func(step, when string) error {
		mu.Lock()
		taken[step+when]++
		n := taken[step+when]
		mu.Unlock()
		p.pass("state", fmt.Sprintf("%s %d", step, n), when)
		return nil
	}
}

// dialer has every connection, and everything done over it, pass the points.
func (p faultPoints) dialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, c config.Host) (h host.Host, err error) {
		where := c.Addr.String()
		err = p.around(where, "connect", func() error { h, err = dial(ctx, c); return err })
		if err != nil {
			return nil, err
		}
		return faultyHost{h, where, p}, nil
	}
}

// faultyHost passes two points in each operation. It implements all of host.Host
// by itself, with no embedding, so that a new operation without points does not compile.
type faultyHost struct {
	inner  host.Host
	where  string
	points faultPoints
}

func (f faultyHost) Observe(ctx context.Context, req facts.Request) (o facts.Observation, err error) {
	err = f.points.around(f.where, "observe", func() error { o, err = f.inner.Observe(ctx, req); return err })
	return o, err
}

func (f faultyHost) Put(ctx context.Context, p host.Put) error {
	return f.points.around(f.where, "put "+p.Path, func() error { return f.inner.Put(ctx, p) })
}

func (f faultyHost) Remove(ctx context.Context, r host.Remove) error {
	return f.points.around(f.where, "remove "+r.Path, func() error { return f.inner.Remove(ctx, r) })
}

func (f faultyHost) Unit(ctx context.Context, name string, action host.UnitAction) error {
	return f.points.around(f.where, "unit "+string(action)+" "+name, func() error { return f.inner.Unit(ctx, name, action) })
}

func (f faultyHost) Run(ctx context.Context, s host.Script) (r host.Result, err error) {
	err = f.points.around(f.where, "run "+scriptLabel(s), func() error { r, err = f.inner.Run(ctx, s); return err })
	return r, err
}

func (f faultyHost) Lock(ctx context.Context, holder string) error {
	return f.points.around(f.where, "lock", func() error { return f.inner.Lock(ctx, holder) })
}

func (f faultyHost) Close() error {
	return f.points.around(f.where, "close", f.inner.Close)
}

// Dial is what the connection has beside host.Host: a tcpDialer.
func (f faultyHost) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	d, ok := f.inner.(tcpDialer)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	err = f.points.around(f.where, "dial "+address, func() error { c, err = d.Dial(ctx, network, address); return err })
	return c, err
}

// scriptLabel names a script with those arguments that are the same in every
// run: serials, digests and identifiers are left out.
func scriptLabel(s host.Script) string {
	label := []string{s.Name}
	for _, a := range s.Args {
		if strings.Trim(a, "0123456789abcdef-") != "" && !strings.ContainsAny(a, "\n\t") {
			label = append(label, a)
		}
	}
	text := strings.Join(label, " ")
	return text[:min(len(text), 300)]
}
