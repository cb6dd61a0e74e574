package view

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"hardway/provision/addr"
	"hardway/provision/apply"
)

// Bars is the Progress for a terminal: one bar a host with what it is doing
// now. Above the bars stands only what deserves to stay on the screen: what
// failed and what took long.
type Bars struct {
	palette
	p       *mpb.Progress
	t       *tracker
	width   int
	hosts   map[addr.Host]*hostBar
	started bool
	skipped skips
	w       io.Writer
}

// longStep is how long a step takes to be worth a line of its own.
const longStep = 3 * time.Second

// hostBar is one host's line.
type hostBar struct {
	bar  *mpb.Bar
	plan int64

	mu  sync.Mutex // now is read by the goroutine that draws
	now *running
}

// NewBars returns a Progress that draws bars; w must be a terminal. What is
// written to it meanwhile must go through Write.
func NewBars(w io.Writer, s Style) *Bars { return newBars(w, s) }

// Write puts text above the bars.
func (b *Bars) Write(text []byte) (int, error) { return b.p.Write(text) }

func newBars(w io.Writer, s Style, more ...mpb.ContainerOption) *Bars {
	opts := append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(150 * time.Millisecond)}, more...)
	b := &Bars{palette: s.palette(), p: mpb.New(opts...), width: s.Width, hosts: map[addr.Host]*hostBar{}, skipped: skips{}, w: w}
	b.t = track(func(*running, time.Duration) {}) // the bars themselves show that time passes
	return b
}

func (b *Bars) Event(e apply.Event) {
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	if e.Phase == apply.Planned {
		h := b.hosts[e.Addr.Host]
		if h == nil {
			h = &hostBar{}
			b.hosts[e.Addr.Host] = h
		}
		h.plan++
		return
	}
	b.start()
	r := b.t.note(e)
	switch e.Phase {
	case apply.Finished:
		return
	case apply.Skipped:
		b.skipped[e.Message]++
	case apply.Failed:
		b.above(r, b.red(eventText(e, r)))
	case apply.Restoring:
		b.above(r, b.yellow(eventText(e, r)))
	case apply.Restored:
		b.above(r, b.green(eventText(e, r)))
	case apply.NotRestored:
		b.above(r, b.red(eventText(e, r)))
	case apply.Done:
		if e.Elapsed >= longStep {
			b.above(r, eventText(e, r))
		}
	}
	h := b.hosts[e.Addr.Host]
	if h == nil {
		return
	}
	switch e.Phase {
	case apply.Done, apply.Failed, apply.Skipped:
		h.show(b.another(e.Addr.Host))
		h.bar.Increment()
	default:
		h.show(r)
	}
}

// start draws the bars once all changes are known, in the order of hosts.
func (b *Bars) start() {
	if b.started {
		return
	}
	b.started = true
	var hosts []addr.Host
	for h := range b.hosts {
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, addr.Host.Compare)
	for i, h := range hosts {
		hb := b.hosts[h]
		hb.bar = b.p.AddBar(hb.plan,
			mpb.BarPriority(i),
			mpb.BarWidth(24),
			mpb.PrependDecorators(
				decor.Name(Escape(h.String()), decor.WCSyncSpaceR),
				decor.CountersNoUnit("%d/%d", decor.WCSyncSpace),
			),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + cut(hb.text(), max(b.width-50, 20)) })),
		)
	}
}

// another returns something else that is under way on the host, or nil.
func (b *Bars) another(h addr.Host) *running {
	var oldest *running
	for _, r := range b.t.running {
		if r.addr.Host.Compare(h) == 0 && (oldest == nil || r.since.Before(oldest.since)) {
			oldest = r
		}
	}
	return oldest
}

func (h *hostBar) show(r *running) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r == nil {
		h.now = nil
		return
	}
	c := *r
	h.now = &c
}

// text says what the host is doing at this moment.
func (h *hostBar) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.now
	if r == nil {
		return ""
	}
	text := Escape(r.addr.Kind + " " + r.addr.Name)
	switch {
	case r.restoring:
		text = "putting back " + text
	case r.gate != "":
		text = "waiting for " + Escape(r.gate)
	case r.total > 0:
		text += " " + percent(r.done, r.total)
	}
	if d := time.Since(r.since); d >= longStep {
		text += " " + seconds(d)
	}
	return text
}

// above writes a line that stays above the bars.
func (b *Bars) above(r *running, text string) {
	fmt.Fprintf(b.p, "%s %s\n", b.bold(Escape(r.addr.String())+":"), text)
}

func (b *Bars) Close() {
	b.t.close()
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	for _, h := range b.hosts {
		h.show(nil)
		if h.bar != nil {
			h.bar.Abort(false) // nothing happens to one that is complete
		}
	}
	b.p.Wait()
	b.skipped.flush(b.w)
}
